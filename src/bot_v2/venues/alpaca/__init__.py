"""A simulated Alpaca: its Trading API, its market data API and their streams."""
