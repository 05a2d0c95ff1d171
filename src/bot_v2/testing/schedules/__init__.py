"""A deterministic proof of the order executor: seeded schedules of faults and crashes.

Time is virtual, and one thing happens at a time: the same seed gives the same run.
"""
