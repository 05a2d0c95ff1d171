"""The demonstration with three brokers: simulators on this machine, all else as it is."""
