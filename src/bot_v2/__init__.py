"""bot_v2: one typed brokerage contract, many brokers, exact money."""
