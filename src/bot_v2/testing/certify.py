"""Certifies a brokerage from its name alone: what `bot-v2 certify` does.

report = certify("acme_brokerage:create_for_test", venue="acme_brokerage:venue")
report.conforms
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import IntEnum
from importlib import import_module
from pathlib import Path
from typing import Any

from bot_v2.features.brokerages.core.capabilities import capabilities_of
from bot_v2.features.brokerages.core.declarations import name_of
from bot_v2.features.brokerages.core.errors import BrokerageError
from bot_v2.orchestration.broker_factory import create_brokerage
from bot_v2.testing.cards import check_exemptions
from bot_v2.testing.conformance import ConformanceReport, complete_results
from bot_v2.testing.live_guard import EnvironmentRefusedError, Mode
from bot_v2.testing.runner import Stand, run_all
from bot_v2.testing.taping import Taping


class CouldNotRunError(Exception):
    """The certification could not be run: it says nothing of the brokerage."""


class ExitStatus(IntEnum):
    """What a certification comes to, for a shell."""

    CONFORMS = 0
    """Nothing failed."""
    VIOLATES = 1
    """At least one card failed, or something declared was not exercised."""
    COULD_NOT_RUN = 2
    """There is no such factory, or the brokerage was refused."""


def certify(
    target: str,
    *,
    mode: Mode | str = Mode.SIMULATOR,
    venue: str | None = None,
    exemptions: Mapping[str, str] | None = None,
    json_path: str | Path | None = None,
    markdown_path: str | Path | None = None,
    cassettes: str | Path | None = None,
    record: bool = False,
) -> ConformanceReport:
    """Run every card on a brokerage, and write what became of them where it is asked for.

    Args:
        target: `package.module:factory` of the brokerage, called for every card; it is given the
            venue where it has a parameter `venue`. Or the name of a registered brokerage.
        mode: what it is checked against.
        venue: `package.module:factory` of its simulated venue. None: it has none.
        exemptions: the cards that are not looked at, with the reason of each.
        json_path: where to write the report as JSON. None: nowhere.
        markdown_path: where to write it as Markdown. None: nowhere.
        cassettes: the folder of recorded traffic. None: there is none.
        record: True: record the traffic there.

    Raises:
        CouldNotRunError: there is no such factory, or it makes no brokerage; an exemption says
            nothing; the brokerage may trade real money.
    """
    exempt = dict(exemptions or {})
    try:
        chosen = Mode(mode)
        check_exemptions(exempt)
    except ValueError as error:
        raise CouldNotRunError(str(error)) from error
    stand = Stand(
        factory_named(target), None if venue is None else factory_named(venue), mode=chosen
    )
    folder = None if cassettes is None else Path(cassettes)
    taping = Taping(mode=chosen, folder=folder, record=record)
    try:
        with stand.built() as context:
            name, declared = name_of(context.broker), capabilities_of(context.broker)
        results = run_all(stand, exempt, taping.run)
    except EnvironmentRefusedError as error:
        raise CouldNotRunError(str(error)) from error
    except (BrokerageError, TypeError, OSError) as error:
        raise CouldNotRunError(f"{target} makes no brokerage: {error}") from error
    report = ConformanceReport(
        brokerage=name,
        mode=chosen.value,
        results=complete_results(results),
        capabilities=tuple(sorted(declared)),
        created_at=datetime.now(UTC),
    )
    for path, text in ((json_path, report.to_json()), (markdown_path, report.to_markdown())):
        if path is not None:
            Path(path).write_text(text, encoding="utf-8")
    return report


def exit_status(report: ConformanceReport) -> ExitStatus:
    """Return what a report comes to, for a shell."""
    return ExitStatus.CONFORMS if report.conforms else ExitStatus.VIOLATES


def factory_named(target: str) -> Callable[..., Any]:
    """Return what `package.module:name` names, or the maker of a registered brokerage.

    The working directory is searched, too.

    Raises:
        CouldNotRunError: there is no such module, or nothing callable of that name in it.
    """
    module_name, colon, attribute = target.partition(":")
    if target and not colon:
        return lambda: create_brokerage(target)
    if not module_name or not attribute:
        raise CouldNotRunError(f"{target!r} is no factory; write package.module:name")
    with _working_directory_importable():
        try:
            found: Any = import_module(module_name)
        except ImportError as error:
            raise CouldNotRunError(f"{module_name} cannot be imported: {error}") from error
    for name in attribute.split("."):
        found = getattr(found, name, None)
    if not callable(found):
        raise CouldNotRunError(f"{module_name} has nothing to call named {attribute}")
    factory: Callable[..., Any] = found
    return factory


@contextmanager
def _working_directory_importable() -> Iterator[None]:
    here = os.getcwd()
    added = here not in sys.path
    if added:
        sys.path.insert(0, here)
    try:
        yield
    finally:
        if added and here in sys.path:
            sys.path.remove(here)
