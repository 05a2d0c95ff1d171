"""The contract suite, run on brokerages."""

# A distribution of its own: tests/integration/test_third_party.py installs it and runs its tests.
collect_ignore = ["acme"]
