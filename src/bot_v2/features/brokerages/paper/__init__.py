"""The simulated brokerage: IBrokerage over the matching engine, in this process."""
