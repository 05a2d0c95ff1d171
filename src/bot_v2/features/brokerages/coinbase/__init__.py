"""Coinbase: Advanced Trade (spot and perpetuals) and the Exchange API."""
