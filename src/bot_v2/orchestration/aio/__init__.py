"""Brokerages for asyncio: the contract as coroutines, and the threads that they wait for.

`interface` and `capabilities` are what bots annotate with, `lanes` the bounded threads, `writes`
what is known of each write, `streams` events as async iterators, `calls` how a coroutine waits for
a thread. `orchestration/async_brokerage.py` puts them together.
"""
