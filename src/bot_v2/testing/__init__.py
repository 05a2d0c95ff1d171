"""The contract suite: proves that a brokerage keeps the contract, and certifies it."""
