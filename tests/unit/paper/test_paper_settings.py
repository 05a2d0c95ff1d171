"""Settings of the paper brokerage: typed, bounded, and never misread in silence."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import attrs
import pytest

from bot_v2.features.brokerages.core.brokerage import IBrokerage
from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.features.brokerages.paper import settings as settings_module
from bot_v2.features.brokerages.paper.factory import create_paper
from bot_v2.features.brokerages.paper.settings import (
    Durability,
    Pace,
    PaperSettings,
    read_settings,
)
from bot_v2.simulation.account import AccountKind


def test_nothing_given_is_the_documented_default() -> None:
    """Without a setting there are 100,000 dollars in memory, in a market that the clock moves."""
    settings = read_settings({}, {})
    assert settings == PaperSettings()
    assert (settings.initial_balance, settings.currency) == (Decimal(100_000), "USD")
    assert settings.effective_pace is Pace.LIVE


def test_every_setting_is_read_from_the_environment() -> None:
    """Each setting has its name in capitals, after PAPER_."""
    environ = {
        "PAPER_INITIAL_BALANCE": "2500.50",
        "PAPER_CURRENCY": "EUR",
        "PAPER_COMMISSION": "0.001",
        "PAPER_SLIPPAGE_BPS": "1.5",
        "PAPER_ACCOUNT_KIND": "margin",
        "PAPER_ACCOUNT_ID": "second",
        "PAPER_ACCOUNT_FILE": "account.sqlite",
        "PAPER_DURABILITY": "process",
        "PAPER_FEED": "bars.csv",
        "PAPER_PACE": "live",
        "PAPER_SEED": "7",
        "PAPER_SYMBOLS": "BTC-USD, AAPL",
        "PAPER_CALENDAR": "XNYS",
        "PAPER_LATENCY_S": "0.25",
        "PAPER_ROUND_TRIP_S": "0.5",
    }
    assert read_settings({}, environ) == PaperSettings(
        initial_balance=Decimal("2500.50"),
        currency="EUR",
        commission=Decimal("0.001"),
        slippage_bps=Decimal("1.5"),
        account_kind=AccountKind.MARGIN,
        account_id="second",
        account_file=Path("account.sqlite"),
        durability=Durability.PROCESS,
        feed=Path("bars.csv"),
        pace=Pace.LIVE,
        seed=7,
        symbols=("BTC-USD", "AAPL"),
        calendar="XNYS",
        latency_s=0.25,
        round_trip_s=0.5,
    )


def test_arguments_win_and_may_have_their_own_types() -> None:
    """A path, a member of an enum and a list of names are taken as they are."""
    given = {
        "account_file": Path("mine.sqlite"),
        "pace": Pace.REPLAY,
        "symbols": ["BTC-USD", "AAPL"],
        "initial_balance": 5,
    }
    settings = read_settings(given, {"PAPER_ACCOUNT_FILE": "theirs.sqlite"})
    assert settings.account_file == Path("mine.sqlite")
    assert settings.pace is Pace.REPLAY
    assert settings.symbols == ("BTC-USD", "AAPL")
    assert settings.initial_balance == Decimal(5)


def test_memory_can_be_asked_for_aloud() -> None:
    """An argument says that there is no file where the environment names one."""
    settings = read_settings({"account_file": ":memory:"}, {"PAPER_ACCOUNT_FILE": "a.sqlite"})
    assert settings.account_file is None


def test_a_feed_file_is_replayed_unless_it_is_said_otherwise() -> None:
    """A recorded market waits for its caller."""
    assert PaperSettings(feed=Path("bars.csv")).effective_pace is Pace.REPLAY
    assert PaperSettings(feed=Path("bars.csv"), pace=Pace.LIVE).effective_pace is Pace.LIVE


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("initial_balance", "-1"),
        ("initial_balance", "much"),
        ("initial_balance", 0.1),
        ("commission", "1"),
        ("commission", "-0.1"),
        ("slippage_bps", "10000"),
        ("account_kind", "cheque"),
        ("durability", "some"),
        ("pace", "slow"),
        ("seed", "1.5"),
        ("latency_s", "-1"),
        ("account_file", 7),
        ("initial_ballance", "5"),
    ],
)
def test_what_will_not_do_is_refused_by_name(name: str, value: object) -> None:
    """A wrong value and a misspelt name are errors that say which setting and what would do."""
    with pytest.raises(InvalidFieldError) as refusal:
        read_settings({name: value}, {})
    assert name.removeprefix("initial_") in str(refusal.value).lower()


def test_the_factory_makes_a_brokerage_and_opens_nothing(tmp_path: Path) -> None:
    """Making a brokerage touches no file."""
    path = tmp_path / "account.sqlite"
    broker: IBrokerage = create_paper({"account_file": path}, {})
    assert not broker.is_connected()
    assert not path.exists()


def test_the_readme_has_each_setting_and_its_default() -> None:
    """The table of settings is the settings, in their order, with the defaults that they have."""
    readme = Path(settings_module.__file__).with_name("README.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+?) \|", readme, re.MULTILINE))
    fields = attrs.fields_dict(PaperSettings)
    assert list(rows) == list(fields)
    for name, told in rows.items():
        default = fields[name].default
        if told.startswith("`"):
            shown = format(default, "g") if isinstance(default, float) else str(default)
            assert told == f"`{shown}`", name
        else:
            assert default in (None, ()), name
