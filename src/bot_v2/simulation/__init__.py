"""One deterministic market for paper trading and for the simulators: engine, ledger and feeds."""
