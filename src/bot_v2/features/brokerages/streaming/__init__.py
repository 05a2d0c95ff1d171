"""Streams of brokers: a thread, a socket, and a bounded queue that admits what was missed.

`events` holds what readers see, `websocket` one connection, `feed` the thread that keeps one open,
`orders` what is known of orders that are told of in parts. A broker's own words are its adapter's:
a `Talk` for each connection.
"""
