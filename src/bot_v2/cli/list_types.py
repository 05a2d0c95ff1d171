"""The command that lists the brokerages that there are, and what those that are not ready need."""

from __future__ import annotations

import re
from importlib.metadata import Distribution, EntryPoint, distributions, entry_points
from typing import Final

import attrs
import typer

from bot_v2.cli import options as given
from bot_v2.cli.output import Column
from bot_v2.cli.reporting import reporting
from bot_v2.orchestration.broker_factory import available_brokerages
from bot_v2.orchestration.registry import ENTRY_POINT_GROUP

COLUMNS: Final[tuple[Column, ...]] = (
    ("type", lambda row: row.name),
    ("installed", lambda row: row.installed),
    ("to install", lambda row: row.install),
    ("offered by", lambda row: row.offered_by),
)

_REQUIREMENT = re.compile(r"\s*(?P<package>[\w.-]+).*\bextra\s*==\s*['\"](?P<extra>[\w.-]+)['\"]")


@attrs.frozen(kw_only=True)
class BrokerageType:
    """One name that `--broker` takes."""

    name: str
    """The name."""
    installed: bool
    """True: every package that it needs is installed."""
    install: str | None
    """The command that installs what is missing. None: nothing is."""
    offered_by: str
    """The distribution that offers it, with its version."""


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("list-types")(list_types)


def list_types(as_json: given.Json = False) -> None:
    """List the brokerages that --broker takes, and what to install for those that lack it."""
    with reporting(as_json) as output:
        listed = brokerage_types()
        output.show(listed, lambda: output.table("brokerages", COLUMNS, listed))


def brokerage_types() -> list[BrokerageType]:
    """Return the brokerages by name; none of them is imported."""
    offered = {
        entry_point.name.strip().lower(): entry_point
        for entry_point in entry_points(group=ENTRY_POINT_GROUP)
    }
    return [_type_of(name, offered.get(name)) for name in available_brokerages()]


def _type_of(name: str, entry_point: EntryPoint | None) -> BrokerageType:
    if entry_point is None or entry_point.dist is None:
        return BrokerageType(name=name, installed=True, install=None, offered_by="this process")
    distribution = entry_point.dist
    extra = entry_point.extras[0] if entry_point.extras else name
    missing = _required_by(distribution, extra) - _installed()
    install = f"pip install '{distribution.name}[{extra}]'" if missing else None
    return BrokerageType(
        name=name,
        installed=not missing,
        install=install,
        offered_by=f"{distribution.name} {distribution.version}",
    )


def _required_by(distribution: Distribution, extra: str) -> set[str]:
    found = (_REQUIREMENT.match(line) for line in distribution.requires or ())
    return {
        _normalized(match["package"])
        for match in found
        if match and _normalized(match["extra"]) == _normalized(extra)
    }


def _installed() -> set[str]:
    return {_normalized(found.name) for found in distributions() if found.name}


def _normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
