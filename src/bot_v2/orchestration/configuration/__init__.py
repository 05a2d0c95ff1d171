"""The settings of the desk: `brokers.json`, `.env`, and what the environment says otherwise."""
