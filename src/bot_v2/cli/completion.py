"""The command that prints what a shell needs to complete words."""

from __future__ import annotations

import os
from typing import Annotated, Final

import typer

from bot_v2.cli import options as given
from bot_v2.cli.reporting import reporting
from bot_v2.features.brokerages.core.errors import InvalidFieldError

PROGRAM: Final = "bot-v2"
VARIABLE: Final = "_BOT_V2_COMPLETE"
"""The variable by which a shell asks the program for words."""

SHELLS: Final = ("bash", "zsh", "fish", "powershell")


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("completion")(completion)


def completion(
    shell: Annotated[str, typer.Argument(metavar="SHELL", help=f"One of {', '.join(SHELLS)}.")],
    as_json: given.Json = False,
) -> None:
    """Print the script that completes words in a shell.

    Such as: bot-v2 completion bash >> ~/.bashrc
    """
    from typer._completion_shared import get_completion_script

    with reporting(as_json) as output:
        if shell not in SHELLS:
            raise InvalidFieldError("SHELL", shell, ", ".join(SHELLS))
        script = get_completion_script(prog_name=PROGRAM, complete_var=VARIABLE, shell=shell)
        output.show({"shell": shell, "script": script}, lambda: output.line(script))


def prepare() -> None:
    """Make the answers ready where a shell asks for words."""
    if VARIABLE in os.environ:
        from typer._completion_classes import completion_init

        completion_init()
