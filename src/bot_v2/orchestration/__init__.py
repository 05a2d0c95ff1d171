"""What is built on brokerages: making them by name, watching them, and moving orders through them.

Nothing here imports an adapter: brokerages are found by their entry points.
"""
