"""The report of a certification."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from bot_v2.features.brokerages.core.capabilities import Capability
from bot_v2.testing.cards import all_cards
from bot_v2.testing.conformance import (
    CardResult,
    ConformanceReport,
    Status,
    complete_results,
    conformance_as_json,
    markdown_table,
    result_from_data,
)

MOMENT = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


def report_of(
    *results: CardResult, capabilities: tuple[Capability, ...] = (), rest: Status = Status.PASSED
) -> ConformanceReport:
    """A report in which every card not named has one status."""
    named = {result.card_id: result for result in results}
    return ConformanceReport(
        brokerage="acme",
        mode="simulator",
        results=tuple(
            named.get(card_id, CardResult(card_id=card_id, status=rest)) for card_id in all_cards()
        ),
        capabilities=capabilities,
        created_at=MOMENT,
    )


FAILED = CardResult(card_id="BC-O010", status=Status.FAILED, reason="Expected a | b; saw\nc.")
EXEMPT = CardResult(card_id="BC-O150", status=Status.EXEMPT, reason="no IOC")
SKIPPED = CardResult(card_id="BC-W070", status=Status.SKIPPED, reason="needs a wire")


def test_a_report_without_failures_conforms() -> None:
    """Exempt and skipped cards do not stand against it."""
    assert report_of(EXEMPT, SKIPPED).conforms


def test_one_failure_is_enough() -> None:
    """It is listed as a violation."""
    report = report_of(FAILED, EXEMPT)
    assert not report.conforms
    assert report.violations == (FAILED,)


def test_nothing_that_passed_proves_nothing() -> None:
    """A report in which every card was skipped does not conform."""
    assert not report_of(rest=Status.SKIPPED).conforms


def skipped_cards_of(capability: Capability) -> list[CardResult]:
    """The cards of a capability, all skipped."""
    return [
        CardResult(card_id=card.id, status=Status.SKIPPED, reason="no data")
        for card in all_cards().values()
        if capability in card.capabilities
    ]


def test_what_is_declared_has_to_be_exercised() -> None:
    """A capability whose cards were all skipped stands against the brokerage."""
    skipped = skipped_cards_of(Capability.CANDLES)
    assert report_of(*skipped).conforms
    report = report_of(*skipped, capabilities=(Capability.CANDLES, Capability.FILLS))
    assert report.unexercised == (Capability.CANDLES,)
    assert not report.conforms
    assert "not exercised: candles" in report.verdict()


def test_a_choice_of_cards_says_nothing_of_what_was_not_asked_for() -> None:
    """Where cards were not run, nothing is called unexercised."""
    not_run = CardResult(card_id="BC-D010", status=Status.NOT_RUN)
    skipped = skipped_cards_of(Capability.CANDLES)
    assert report_of(not_run, *skipped, capabilities=(Capability.CANDLES,)).unexercised == ()


def test_every_card_is_in_the_report() -> None:
    """What nobody asked for says so."""
    results = complete_results([FAILED])
    assert [result.card_id for result in results] == list(all_cards())
    statuses = {result.status for result in results if result.card_id != "BC-O010"}
    assert statuses == {Status.NOT_RUN}


def test_json_holds_every_card_with_its_reason() -> None:
    """It can be read by a program, and names what was exempt and why."""
    data = json.loads(report_of(FAILED, EXEMPT).to_json())
    cards = {card["id"]: card for card in data["cards"]}
    assert len(cards) == len(all_cards())
    assert cards["BC-O150"]["status"] == "exempt"
    assert cards["BC-O150"]["reason"] == "no IOC"
    assert (data["conforms"], data["counts"]["failed"]) == (False, 1)
    assert data["created_at"] == "2026-01-02T03:04:00+00:00"


def test_json_of_several_reports_is_one_list() -> None:
    """One report is an object, two are a list of them."""
    assert isinstance(json.loads(conformance_as_json([report_of()])), dict)
    assert len(json.loads(conformance_as_json([report_of(), report_of()]))) == 2


def test_markdown_has_a_row_for_every_card() -> None:
    """A reason cannot break the table."""
    lines = report_of(FAILED, EXEMPT).to_markdown().splitlines()
    rows = [line for line in lines if line.startswith("| BC-")]
    assert len(rows) == len(all_cards())
    assert r"| failed | Expected a \| b; saw c. |" in next(row for row in rows if "BC-O010" in row)
    assert "| exempt | no IOC |" in next(row for row in rows if "BC-O150" in row)


def test_the_table_escapes_what_would_break_it() -> None:
    """Bars, line ends and tags."""
    assert markdown_table(("a",), [("x|y\n<b>",)])[-1] == r"| x\|y &lt;b> |"


def test_groups_add_up() -> None:
    """Each card is counted in one group, once."""
    rows = report_of(FAILED, EXEMPT, SKIPPED).group_rows()
    assert sum(sum(row[1:]) for row in rows) == len(all_cards())
    placing = next(row for row in rows if row[0] == "Placing orders")
    assert placing[2:] == (1, 0, 1)


def test_a_terminal_shows_what_did_not_pass() -> None:
    """Failures and exemptions have lines of their own; skipped cards share theirs by reason."""
    other = CardResult(card_id="BC-W080", status=Status.SKIPPED, reason="needs a wire")
    lines = "\n".join(report_of(FAILED, EXEMPT, SKIPPED, other).lines())
    assert "BC-O010   failed" in lines
    assert "no IOC" in lines
    assert "skipped: needs a wire: BC-W070 BC-W080" in lines
    assert "BC-D010" not in lines


def test_a_terminal_shows_everything_where_it_is_asked_to() -> None:
    """A line for each card, and one more for each reason."""
    lines = report_of(FAILED).lines(every=True)
    assert len(lines) == len(all_cards())


def test_a_result_survives_the_way_to_another_process() -> None:
    """It comes back from its data as it went."""
    result = CardResult(card_id="BC-O010", status=Status.FAILED, reason="no", seconds=0.25)
    assert result_from_data(json.loads(json.dumps(result.as_data()))) == result
