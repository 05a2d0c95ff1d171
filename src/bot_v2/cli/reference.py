"""The reference of the command line, written from the commands themselves.

`python -m bot_v2.cli.reference > docs/cli.md` writes it; a test keeps the two the same.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from typer.main import get_command

from bot_v2.cli.commands import PROGRAM, app
from bot_v2.cli.exit_codes import MEANINGS

INTRODUCTION = """\
# The command line

    pip install 'bot-v2[cli]'
    bot-v2 buy BTC-USD 0.1 --broker paper
    bot-v2 positions --broker paper

This page is written from the commands themselves by `python -m bot_v2.cli.reference`.

- **Which broker.** `--broker`, else `BROKER`, `BROKER_NAME` or `DEFAULT_BROKER` of the environment,
  else `default_broker` of `brokers.json`: a broker that is named there, else a type of brokerage.
- **Settings and credentials** come from `brokers.json` (`init`, `add`), from the keyring or the
  encrypted file (`credentials`), and from the environment, which counts before them; `--env-file`,
  before the command, reads a `.env` beneath it. Nothing secret is an argument, and nothing secret
  is printed. See `docs/configuration.md` and `docs/credentials.md`.
- **The paper account** is a file, so that one command buys and the next shows the position:
  `--account FILE`, else `PAPER_ACCOUNT_FILE`, else `paper.sqlite` in your own application folder,
  whose path is told once, on stderr, when it is made. `--account :memory:` keeps nothing.
- **Numbers** are taken exactly as typed. A value that will not do ends with one line that names the
  option, the value and what is accepted, and with exit code 2; nothing is sent.
- **A live broker** is written to (buy, sell, cancel, close) only after a yes at the prompt, or with
  `--yes`. A brokerage says in `environment` whether it is a `simulator`, `sandbox` or `paper`; one
  that says `live`, anything else, or nothing counts as live. Where there is nobody to ask, and no
  `--yes`, nothing is sent and the exit code is 6.
- **Nothing is ever sent twice.** Where it cannot be known whether an order or a cancel took effect,
  Ctrl-C in the middle of a call included, the exit code is 5, and the message says the client order
  id and the command that looks the order up: `bot-v2 order --client-id …`.
- **The order journal** is where orders are written down before they are sent. `buy`, `sell`,
  `cancel` and `close` use the one that `--journal` or `BOT_V2_JOURNAL` names, and none where
  neither does; they then go through the order executor, which finds out what became of an order
  before the command ends, and places the same order under the same `--client-order-id` once.
  `reconcile`, `resolve` and `journal` need one: by default a file in the state folder of your own
  (`~/.local/state/bot-v2/orders.sqlite` on Linux), for the paper brokerage one of its own beside
  `--account`. A file is held by one process: while a bot runs on it, these commands say that it is
  locked; in PostgreSQL they work beside it. `docs/executor.md` says what is found out, and how.
- **`reconcile`** sends nothing. It ends with 0 when everything could be read and is explained,
  with 7 when a read failed, with 5 when nobody knows yet what became of an order, and with 1 when
  the account has orders or positions that came of nothing here.
- **The desk** is all brokers of `brokers.json`, or those that `--broker` names: `status`,
  `multi-portfolio` and the `distributed-` commands. What does not answer is missing and never
  zero; `multi-portfolio` then ends with 7. Distributed orders always have a journal, the desk's own
  (`desk.sqlite` in your state folder) unless one is named, and keep to the limits of the file. They
  end with 0 when all is placed, with 1 when part of it is not, and with 5 when nobody knows yet of
  a leg. `--plan` sends nothing; under the same `--saga-id` nothing is sent twice.
- **A log** of how commands ended is kept in the platform's folder for logs, or where
  `BOT_V2_LOG_FOLDER` says (empty: nowhere). It never grows large; what was typed is not in it, and
  what is called like a secret is blanked.
- **`resolve`** takes your word for an order that cannot be found out: look first, as an order that
  was placed and is said not to be is nobody's. What evidence shows by then goes before your word.
- **`--json`** prints one JSON document on stdout: models with all their fields, decimals as strings
  with every digit, times as ISO 8601 with a Z, enums by their value. An error is a JSON document on
  stderr with `error`, `message`, `outcome` (`not_sent`, `rejected`, `unknown` or null), `exit_code`
  and `advice` (the command that looks, or null). `health --watch` prints a document per event,
  `journal export` one per line.
- **`venue`** opens a simulated broker on 127.0.0.1 that speaks the real one's wire, for bots and
  for any other client of that broker, and prints what to export; the keys that it prints are made
  up, and open that venue alone. What is simulated and what is not is in the README beside its code,
  `bot_v2/venues/<broker>/README.md`. Its controls are HTTP, on a port of their own: `POST /faults`
  with `{"fault": "drop_after_accept", "operation": "place_order"}`, `DELETE /faults`,
  `POST /market`, `POST /fills`, `POST /halt`, `POST /clock`, `GET /orders`, `GET /requests`, and
  what else the venue can be told to do: `GET /actions`, `POST /actions`.
- **`tape`** records the socket between a client and a TWS or Gateway, with accounts and the
  broker's ids replaced, and plays it again to any client. Ctrl-C is how either is meant to end:
  `record` then writes the file, `play` then says what was not played.
- **`demo`** trades a paper account in memory, of its own and whatever the environment says: in a
  synthetic market, the same for the same `--seed`, or with `--feed` in your own prices. There each
  product is traded by two means, of its last 5 and its last 20 prices: when the shorter crosses the
  longer from below, a limit order is placed at the latest price for a quarter of the cash; when it
  crosses from above, an entry that still waits is cancelled and the position is closed. It shows
  how a bot uses a brokerage, and is not meant to make money. At the end every order is read back,
  and cash, positions and equity have to follow from the fills to the last digit. With `--brokers`
  (`make demo-brokers`) simulators of Coinbase, Alpaca and TWS listen on this machine, the real
  adapters trade them through the order executor, answers are lost, and each vendor's own SDK has to
  see the same orders; it needs the extras `journal`, `venues`, `coinbase`, `alpaca` and `ibkr`.
- **`test`** connects, and asks everything that can be asked: each read, and each declared
  capability that needs no order. What a preview or a margin check shows is asked about the smallest
  order; none is sent. It ends with 1 when something failed, and as any command where it cannot
  connect.
- **`doctor`** looks a day ahead, and changes nothing: packages, settings, where orders would go
  (`--expect paper` makes another place a problem, and so does a live broker while
  `ENABLE_PAPER_TRADING` says yes), session, what credentials may do and until when, the broker's
  clock, what the broker has announced, orders and positions that end by themselves, the order
  journal with what is open or quarantined in it, the kill switch, who else may touch the files, and
  the room that is left. What a broker does not tell is said not to be told. It ends with 1 when
  there is a problem; warnings do not count.
"""


def reference() -> str:
    """Return the reference as Markdown."""
    group: Any = get_command(app)
    parts = [INTRODUCTION, _exit_codes(), "## Commands\n"]
    parts += [_section(name, command) for name, command in _commands(group)]
    return "\n".join(parts)


def _commands(group: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Return every command by its words; those of a group instead of the group."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", command


def _exit_codes() -> str:
    rows = [f"| {int(code)} | {meaning} |" for code, meaning in MEANINGS.items()]
    return "\n".join(["## Exit codes\n", "| code | meaning |", "| ---: | --- |", *rows, ""])


def _section(name: str, command: Any) -> str:
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    options = [one for one in command.params if one.param_type_name == "option"]
    words = [one.metavar if one.required else f"[{one.metavar}]" for one in arguments]
    usage = " ".join([PROGRAM, name, *words, *(["[OPTIONS]"] if options else [])])
    lines = [f"### {name}\n", f"    {usage}\n", f"{_one_line(command.help)}\n"]
    if arguments or options:
        lines += ["| | |", "| --- | --- |"]
        lines += [f"| `{one.metavar}` | {_one_line(one.help)} |" for one in arguments]
        lines += [f"| `{_spelling(one)}` | {_option_help(one)} |" for one in options]
        lines.append("")
    return "\n".join(lines)


def _spelling(option: Any) -> str:
    names = ", ".join(sorted(option.opts, key=len))
    return names if option.is_flag else f"{names} {option.metavar}"


def _option_help(option: Any) -> str:
    given = option.default
    default = f" Default: {given}." if isinstance(given, str) else ""
    return _one_line(option.help) + default


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8", newline="\n")  # type: ignore[union-attr]  # stdout is a TextIOWrapper when run as a program
    sys.stdout.write(reference())
