"""HTTP to brokers: pooled, bounded in time, and clear about whether a write left.

`transport` sends; `requests_session` is the same transport in the shape that vendor SDKs expect.
A write leaves at most once, whatever happens; reads are repeated within a budget.
"""

import warnings

# urllib3 adds filters of its own to the process's warnings when it is imported: they stay out.
with warnings.catch_warnings():
    import urllib3 as urllib3
