"""Recorded sessions of the socket: readable, redacted, and replayed by what they mean."""
