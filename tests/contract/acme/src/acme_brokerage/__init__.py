"""Acme as a brokerage of bot-v2."""

from acme_brokerage.adapter import AcmeBrokerage

__all__ = ["AcmeBrokerage"]
