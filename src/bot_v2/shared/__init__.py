"""Aliases that every layer may import."""
