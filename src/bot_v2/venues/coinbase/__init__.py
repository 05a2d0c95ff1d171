"""Coinbase on this machine: Advanced Trade, and the older Exchange API, each as a venue."""
