"""Limits on what may be ordered, held between threads, processes and brokers."""
