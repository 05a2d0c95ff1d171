"""Simulated brokers that speak a real broker's wire on this machine, for anyone's client."""
