"""The order journal: what was about to be sent, and what became of it, before anything else."""
