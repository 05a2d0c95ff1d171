"""Where the suite may place orders."""

from __future__ import annotations

import pytest

from bot_v2.features.brokerages.core.declarations import Environment
from bot_v2.testing.live_guard import EnvironmentRefusedError, Mode, check_environment


class Says:
    """A brokerage that says what it talks to."""

    def __init__(self, environment: object) -> None:
        """Choose what it says."""
        self.environment = environment


ALLOWED = {
    (Mode.SIMULATOR, "simulator"),
    (Mode.CASSETTE, "simulator"),
    (Mode.CASSETTE, "sandbox"),
    (Mode.CASSETTE, "paper"),
    (Mode.LIVE, "sandbox"),
    (Mode.LIVE, "paper"),
}


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("environment", [*(one.value for one in Environment), None])
def test_each_mode_takes_its_environments_only(mode: Mode, environment: str | None) -> None:
    """Real money is refused everywhere, and so is silence where no venue speaks for itself."""
    if (mode, environment) in ALLOWED:
        check_environment(Says(environment), mode, has_venue=False)
        return
    with pytest.raises(EnvironmentRefusedError, match=mode.value):
        check_environment(Says(environment), mode, has_venue=False)


def test_a_venue_of_its_own_speaks_for_a_brokerage_that_says_nothing() -> None:
    """In simulator mode, and in no other."""
    check_environment(object(), Mode.SIMULATOR, has_venue=True)
    for mode in (Mode.CASSETTE, Mode.LIVE):
        with pytest.raises(EnvironmentRefusedError, match="it says nothing"):
            check_environment(object(), mode, has_venue=True)


def test_a_venue_does_not_excuse_real_money() -> None:
    """A brokerage that says live is refused although a venue is there."""
    with pytest.raises(EnvironmentRefusedError, match="'live'"):
        check_environment(Says("live"), Mode.SIMULATOR, has_venue=True)


@pytest.mark.parametrize("said", ["LIVE", "demo", "", 1])
@pytest.mark.parametrize("mode", Mode)
def test_an_unknown_environment_is_refused(mode: Mode, said: object) -> None:
    """It is not guessed what was meant: what is not known to be harmless is live."""
    with pytest.raises(EnvironmentRefusedError, match=f"it says {str(said)!r}"):
        check_environment(Says(said), mode, has_venue=True)
