"""The contract. Import it from `bot_v2.features.brokerages.core.interfaces`."""
