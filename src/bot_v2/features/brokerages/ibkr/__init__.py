"""Interactive Brokers over TWS or IB Gateway."""
