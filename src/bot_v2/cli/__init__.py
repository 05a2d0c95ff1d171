"""The command line: `bot-v2`. Entered through `bot_v2.cli.app.main`; needs the extra `cli`."""
