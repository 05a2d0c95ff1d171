"""Where simulated markets get their prices: files, a live brokerage, or a synthetic walk."""
