"""Several brokerages side by side: read at once, told apart, and added up where that makes sense.

`members` says who they are, `reading` asks all of them, `view` is one of them as an IBrokerage;
what comes of the answers is pure: `totals`, `exposures`, `equity`, `price_scan`, `rebalancing`.
`orchestration/multi_broker.py` puts them together.
"""
