"""What bot_v2 offers to a trading bot."""
