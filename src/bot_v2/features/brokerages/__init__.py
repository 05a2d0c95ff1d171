"""The brokerages: the contract in `core`, and a package for each adapter."""
