"""What the suite may be let loose on: a simulator, a recording, a sandbox; never real money."""

from __future__ import annotations

from enum import StrEnum

from bot_v2.features.brokerages.core.declarations import Environment, environment_of


class Mode(StrEnum):
    """What a brokerage is checked against."""

    SIMULATOR = "simulator"
    """A venue of our own: faults are possible, and nothing leaves the machine."""
    CASSETTE = "cassette"
    """Recorded traffic: nothing leaves the machine."""
    LIVE = "live"
    """The broker's sandbox or paper endpoint, over the network."""


class EnvironmentRefusedError(Exception):
    """The suite places orders, and will not place them there."""


_ALLOWED = {
    Mode.SIMULATOR: frozenset({Environment.SIMULATOR}),
    Mode.CASSETTE: frozenset({Environment.SIMULATOR, Environment.SANDBOX, Environment.PAPER}),
    Mode.LIVE: frozenset({Environment.SANDBOX, Environment.PAPER}),
}


def check_environment(broker: object, mode: Mode, *, has_venue: bool) -> None:
    """Refuse a brokerage that may trade real money; called before it is connected.

    With a venue of its own in simulator mode a brokerage need not say where it is.

    Raises:
        EnvironmentRefusedError: it says `live`, says nothing, or says what the mode is not for.
    """
    said: object = getattr(broker, "environment", None)
    if said is None and mode is Mode.SIMULATOR and has_venue:
        return
    if environment_of(broker) not in _ALLOWED[mode]:
        accepted = " or ".join(repr(one.value) for one in sorted(_ALLOWED[mode]))
        raise EnvironmentRefusedError(
            f"the suite places orders: in {mode.value} mode the brokerage must say environment = "
            f"{accepted}; it says {'nothing' if said is None else repr(str(said))}"
        )
