"""health: once, or watching."""

from __future__ import annotations

import json
import threading

import pytest

from bot_v2.features.brokerages.core import interfaces as api
from tests.unit.cli.fakes import Shell


def test_healthy_brokerages_are_checked_together(shell: Shell) -> None:
    """Each is connected, checked and disconnected, without a question."""
    ran = shell.run("health", "--broker", "fake", "--broker", "sandbox", "--json")
    assert ran.code == 0
    assert [(one["name"], one["state"]) for one in ran.json] == [
        ("fake", "healthy"),
        ("sandbox", "healthy"),
    ]
    assert ran.json[0]["health"]["latency_s"] == 0.012
    assert (shell.fake.connections, shell.fake.disconnections) == (1, 1)


def test_one_that_does_not_answer_makes_the_exit_code(shell: Shell) -> None:
    """One unhealthy brokerage is told apart from the healthy one, and ends with 3."""
    shell.fake.failures["check_health"] = api.TimeoutError("no answer")
    ran = shell.run("health", "--broker", "fake", "--broker", "sandbox")
    assert ran.code == 3
    assert "degraded" in ran.out
    assert "no answer" in ran.out
    assert "12.0 ms" in ran.out


def test_one_that_cannot_be_connected_says_why(shell: Shell) -> None:
    """What keeps a brokerage from connecting is shown, and it is not asked again at once."""
    shell.fake.failures["connect"] = api.AuthenticationError("bad key")
    ran = shell.run("health", "--broker", "fake", "--json")
    assert ran.code == 3
    (report,) = ran.json
    assert report["state"] == "down"
    assert report["health"]["error_message"] == "AuthenticationError: bad key"


def test_one_that_hangs_delays_no_other(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connect that never returns ends as a check out of time."""
    forever = threading.Event()
    monkeypatch.setattr(shell.fake, "connect", forever.wait)
    try:
        ran = shell.run(
            *("health", "--broker", "fake", "--broker", "sandbox", "--timeout", "0.2", "--json")
        )
    finally:
        forever.set()
    assert ran.code == 3
    states = {one["name"]: one["state"] for one in ran.json}
    assert states["sandbox"] == "healthy"
    assert states["fake"] != "healthy"


def test_watching_prints_an_event_a_line(shell: Shell) -> None:
    """With --watch and --json each event is a document of its own, until --count is reached."""
    ran = shell.run(
        *("health", "--watch", "--broker", "fake", "--interval", "0.02", "--count", "3", "--json")
    )
    assert ran.code == 0
    events = [json.loads(line) for line in ran.out.splitlines()]
    checked = [one for one in events if one["event"] == "HealthChecked"]
    assert [one["report"]["checks"] for one in checked] == [1, 2, 3]
    assert shell.fake.connections == 1
    changed = [one for one in events if one["event"] == "HealthChange"]
    assert [(one["old"], one["new"]) for one in changed] == [("unknown", "healthy")]


def test_watching_shows_people_what_changes(shell: Shell) -> None:
    """Each line has a time, the name and the state."""
    ran = shell.run(
        *("health", "--watch", "--broker", "fake", "--interval", "0.02", "--count", "2")
    )
    assert "fake  healthy  12.0 ms" in ran.out
    assert "unknown -> healthy" in ran.out


def test_watching_tells_of_attempts_to_reconnect(shell: Shell) -> None:
    """One that is down is connected again after a while, and the attempt is told."""
    shell.fake.failures["connect"] = api.ConnectionError("unreachable")
    shell.fake.failures["disconnect"] = api.ConnectionError("unreachable")
    ran = shell.run(*("health", "--watch", "--broker", "fake", "--interval", "0.5", "--count", "3"))
    assert ran.code == 3
    assert "fake  down  ConnectionError: unreachable" in ran.out
    assert "attempt 1 to reconnect  failed: ConnectionError: unreachable" in ran.out


def test_a_failed_disconnect_changes_nothing(shell: Shell) -> None:
    """The checks are what counts, not how the session ends."""
    shell.fake.failures["disconnect"] = api.ConnectionError("gone")
    assert shell.run("health", "--broker", "fake").code == 0


@pytest.mark.parametrize(
    "words",
    [
        ("--interval", "0"),
        ("--timeout", "never"),
        ("--watch", "--count", "0"),
        ("--watch", "--count", "1.5"),
    ],
    ids=" ".join,
)
def test_times_and_counts_are_above_zero(shell: Shell, words: tuple[str, ...]) -> None:
    """A value that makes no sense is refused by its option's name before anything is asked."""
    ran = shell.run("health", "--broker", "fake", *words)
    assert ran.code == 2
    assert words[-2] in ran.err
    assert shell.fake.connections == 0
