"""Alpaca: US stocks, options on them, and crypto; paper and live."""
