"""What the plugin does when the contract suite is used: refusals at collection, the table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bot_v2.features.brokerages.core.capabilities import Capability
from bot_v2.testing.cards import check_exemptions
from bot_v2.testing.conformance import (
    CardResult,
    ConformanceReport,
    Status,
    complete_results,
    conformance_as_json,
    conformance_as_markdown,
    result_from_data,
)
from bot_v2.testing.suite import RESULT, SEALED, SUBJECT, BrokerageContract

CARD = "contract_card"
"""Under which name a test's properties hold the id of its card."""

SUITE_NAME = "contract_suite"
"""Under which name they hold the class that it belongs to."""

_REFUSED_MARKS = ("skip", "skipif", "xfail")


def check_items(items: list[pytest.Item]) -> None:
    """Refuse what would hide a violation, and note on each test which card it is.

    Raises:
        pytest.UsageError: a test is overridden or marked away, or an exemption says nothing.
    """
    for item in items:
        suite = getattr(item, "cls", None)
        if not isinstance(suite, type) or not issubclass(suite, BrokerageContract):
            continue
        _check_suite(suite)
        marker = item.get_closest_marker(CARD)
        if marker is None:
            continue
        for name in _REFUSED_MARKS:
            if item.get_closest_marker(name) is not None:
                raise pytest.UsageError(
                    f"{item.nodeid} is marked {name}: use `exemptions`, which show in the table"
                )
        item.user_properties.append((CARD, marker.args[0]))
        item.user_properties.append((SUITE_NAME, f"{suite.__module__}.{suite.__qualname__}"))


def _check_suite(suite: type[BrokerageContract]) -> None:
    for kind in suite.__mro__:
        if kind is BrokerageContract:
            break
        overridden = sorted(SEALED.intersection(vars(kind)))
        if overridden:
            raise pytest.UsageError(
                f"{kind.__qualname__} overrides {', '.join(overridden)} of the contract suite: "
                "what a brokerage cannot keep is an exemption with a reason"
            )
    try:
        check_exemptions(suite.exemptions)
    except ValueError as error:
        raise pytest.UsageError(f"{suite.__qualname__}: {error}") from error


def reports_of(stats: Mapping[str, list[Any]]) -> dict[str, ConformanceReport]:
    """Return the conformance of each suite that ran, by its class's name."""
    results: dict[str, dict[str, CardResult]] = {}
    subjects: dict[str, dict[str, Any]] = {}
    for report in _test_reports(stats):
        noted: dict[str, Any] = dict(report.user_properties)
        suite, card_id = noted.get(SUITE_NAME), noted.get(CARD)
        if suite is None or card_id is None:
            continue
        of_suite = results.setdefault(suite, {})
        subjects.setdefault(suite, noted.get(SUBJECT, {}))
        subjects[suite] = subjects[suite] or noted.get(SUBJECT, {})
        if RESULT in noted:
            of_suite.setdefault(card_id, result_from_data(noted[RESULT]))
        elif report.failed:
            crash = getattr(report.longrepr, "reprcrash", None)
            reason = str(getattr(crash, "message", report.longrepr)).strip().splitlines()[0]
            of_suite[card_id] = CardResult(
                card_id=card_id, status=Status.FAILED, reason=f"{report.when} failed: {reason}"
            )
    return {
        suite: ConformanceReport(
            brokerage=subjects[suite].get("brokerage", suite),
            mode=subjects[suite].get("mode", "simulator"),
            results=complete_results(of_suite.values()),
            capabilities=tuple(Capability(one) for one in subjects[suite].get("capabilities", ())),
            created_at=datetime.now(UTC),
        )
        for suite, of_suite in results.items()
    }


def _test_reports(stats: Mapping[str, list[Any]]) -> Iterator[pytest.TestReport]:
    for reports in stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                yield report


def show_conformance(reporter: pytest.TerminalReporter) -> None:
    """Print what became of each suite's cards, and write the files that were asked for."""
    reports = reports_of(reporter.stats)
    for suite, report in reports.items():
        reporter.section(f"contract: {suite}")
        reporter.line(report.verdict())
        for line in report.lines(every=reporter.verbosity > 0):
            reporter.line(line)
    for kind, write in (("json", conformance_as_json), ("markdown", conformance_as_markdown)):
        path = reporter.config.getoption(f"contract_{kind}")
        if path and reports:
            Path(path).write_text(write(list(reports.values())), encoding="utf-8")
