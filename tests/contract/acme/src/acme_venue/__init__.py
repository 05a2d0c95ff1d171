"""Acme's wire on this machine: a venue server that speaks what the README describes."""

from acme_venue.venue import AcmeVenue

__all__ = ["AcmeVenue"]
