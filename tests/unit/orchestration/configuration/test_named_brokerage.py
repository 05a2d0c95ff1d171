"""A broker of the desk by its name: settings, credentials, the environment, and paper as asked."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest

from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.features.brokerages.core.secret import Secret
from bot_v2.features.brokerages.core.settings import Settings
from bot_v2.orchestration import registry
from bot_v2.orchestration.broker_factory import BrokerageFactory
from bot_v2.orchestration.configuration.model import BrokerEntry, DeskSettings
from bot_v2.orchestration.configuration.named_brokerage import create_named_brokerage
from bot_v2.orchestration.configuration.overrides import choose
from bot_v2.orchestration.credentials.errors import CredentialsNotFoundError
from bot_v2.orchestration.credentials.vault import Vault
from tests.unit.orchestration.credentials.kit import MARK, NOW, a_vault
from tests.unit.orchestration.fake_brokerage import FakeBrokerage

PAPER, LIVE, SANDBOX = "paper", "live", "sandbox"


class Made(FakeBrokerage):
    """A brokerage that remembers what it was made with."""

    def __init__(self, environment: str, **settings: object) -> None:
        super().__init__()
        self.environment = environment
        self.settings = settings


def make_acme(given: Mapping[str, object], environ: Mapping[str, str]) -> Made:
    """Make a brokerage that has its own word for paper, and needs a key."""
    source = Settings("ACME", given, environ)
    paper = source.boolean("paper_trading", True)
    key, secret = source.secret("api_key"), source.secret("secret_key")
    base, feed = source.text("api_base"), source.text("feed")
    source.refuse_unknown()
    environment = "live" if base == "live" or not paper else "paper"
    return Made(environment, api_key=key, secret_key=secret, feed=feed)


def make_boxed(given: Mapping[str, object], environ: Mapping[str, str]) -> Made:
    """Make a brokerage that calls it a sandbox."""
    source = Settings("BOXED", given, environ)
    sandbox = source.boolean("sandbox", False)
    source.refuse_unknown()
    return Made("sandbox" if sandbox else "live")


def make_port(given: Mapping[str, object], environ: Mapping[str, str]) -> Made:
    """Make a brokerage whose port decides."""
    source = Settings("PORTED", given, environ)
    port = source.integer("port", 1)
    source.refuse_unknown()
    return Made("live" if port == 2 else "paper")


def make_keyed(given: Mapping[str, object], environ: Mapping[str, str]) -> Made:
    """Refuse to be made without a key."""
    source = Settings("KEYED", given, environ)
    source.secret("other")
    if source.secret("api_key") is None:
        raise InvalidFieldError("KEYED_API_KEY", None, "a key")
    return Made("paper")


@pytest.fixture(autouse=True)
def types(monkeypatch: pytest.MonkeyPatch) -> None:
    """Offer four types of brokerages."""
    own = registry.Registry("bot_v2.brokerages.of_tests")
    offered: dict[str, BrokerageFactory] = {
        "acme": make_acme,
        "boxed": make_boxed,
        "keyed": make_keyed,
        "ported": make_port,
    }
    for name, factory in offered.items():
        own.register(name, factory)
    for module in ("registry", "broker_factory"):
        monkeypatch.setattr(f"bot_v2.orchestration.{module}.REGISTRY", own)


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A vault with credentials for the broker `main`."""
    made = a_vault(tmp_path)
    made.set_fields("main", {"api_key": Secret(MARK), "secret_key": Secret("s")})
    return made


def desk(default: str | None = None, **brokers: BrokerEntry) -> DeskSettings:
    """Return settings with these brokers."""
    return DeskSettings(default_broker=default, brokers=brokers)


def acme(**changes: Any) -> BrokerEntry:
    """Return a broker of the type acme; what the desk does not know is a setting of its own."""
    entry = BrokerEntry(type="acme")
    own = {name: value for name, value in changes.items() if not hasattr(entry, name)}
    known = {name: value for name, value in changes.items() if name not in own}
    return attrs.evolve(entry, settings=own, **known)


def make(
    settings: DeskSettings,
    vault: Vault | None = None,
    name: str | None = None,
    environ: dict[str, str] | None = None,
) -> Made:
    """Make a broker of the desk."""
    made = create_named_brokerage(name, desk=settings, vault=vault, environ=environ or {})
    assert isinstance(made, Made)
    return made


def test_settings_and_credentials_come_together(vault: Vault) -> None:
    """The set of the broker's own name is used; its values stay wrapped."""
    made = make(desk(main=acme(feed="fast")), vault)
    assert made.settings == {
        "api_key": Secret(MARK),
        "secret_key": Secret("s"),
        "feed": "fast",
    }
    assert vault.audit.read()[-1].fields == ("api_key", "secret_key")


def test_a_broker_may_name_another_set_or_none(vault: Vault) -> None:
    """A set that is named has to be there; without one, nothing is looked for."""
    two = desk(other=acme(credentials="MAIN"), none=acme(credentials=None))
    assert make(two, vault, "other", {"ACME_X": ""}).settings["api_key"] == Secret(MARK)
    before = len(vault.audit.read())
    assert make(two, vault, "none").settings["api_key"] is None
    assert len(vault.audit.read()) == before
    with pytest.raises(CredentialsNotFoundError, match="'nowhere'"):
        make(desk(a=acme(credentials="nowhere")), vault)
    assert make(desk(a=acme()), vault).settings["api_key"] is None


def test_the_environment_chooses_before_the_file() -> None:
    """An argument, BROKER, BROKER_NAME, DEFAULT_BROKER, the file's default, the only one."""
    two = desk("b", a=acme(), B=acme(), Broker_C=acme())
    assert choose(two, None, {}).name == "B"
    assert choose(two, None, {"DEFAULT_BROKER": "a"}).name == "a"
    assert choose(two, None, {"DEFAULT_BROKER": "a", "BROKER": "broker-c"}).name == "Broker_C"
    assert choose(two, " A ", {"DEFAULT_BROKER": "b"}).name == "a"
    assert choose(desk(only=acme()), None, {}).name == "only"
    with pytest.raises(InvalidFieldError, match="DEFAULT_BROKER is 'x'; accepted: a, B, Broker_C"):
        choose(two, None, {"DEFAULT_BROKER": "x"})
    with pytest.raises(InvalidFieldError, match="broker is None; accepted: a, b"):
        choose(desk(a=acme(), b=acme()), None, {})
    with pytest.raises(InvalidFieldError, match="bot-v2 add makes one"):
        choose(desk(), "a", {})


def test_the_brokers_own_variables_override_the_file(vault: Vault) -> None:
    """Setting by setting, as the brokerage reads them."""
    made = make(desk(main=acme(feed="fast", api_base="x")), vault, environ={"ACME_FEED": "slow"})
    assert made.settings["feed"] == "slow"
    assert made.settings["api_key"] == Secret(MARK)


def test_a_login_is_never_made_of_two_halves(vault: Vault) -> None:
    """Where the environment has one of its fields, the set is left out whole."""
    made = make(desk(main=acme()), vault, environ={"ACME_API_KEY": "of the environment"})
    assert made.settings["api_key"] == Secret("of the environment")
    assert made.settings["secret_key"] is None


def test_two_brokers_of_a_type_do_not_share_its_variables(vault: Vault) -> None:
    """They would speak of both: two accounts would silently become one."""
    two = desk("main", main=acme(feed="fast"), other=acme(feed="fast"))
    variables = {"ACME_API_KEY": "of one", "ACME_FEED": "slow", "ACME_PAPER_TRADING": "false"}
    made = make(two, vault, environ=variables)
    assert (made.settings["api_key"], made.settings["feed"]) == (Secret(MARK), "fast")
    assert made.environment == PAPER
    assert make(two, vault, "other", variables).settings["api_key"] is None


@pytest.mark.parametrize(
    ("in_file", "environ", "expected"),
    [
        (True, {}, PAPER),
        (False, {}, LIVE),
        (False, {"ENABLE_PAPER_TRADING": "true"}, PAPER),
        (True, {"ENABLE_PAPER_TRADING": "false"}, LIVE),
        (True, {"ENABLE_PAPER_TRADING": ""}, PAPER),
        (True, {"ACME_PAPER_TRADING": "no"}, LIVE),
        (False, {"ACME_PAPER_TRADING": "yes"}, PAPER),
        (False, {"ACME_PAPER_TRADING": "no", "ENABLE_PAPER_TRADING": "1"}, PAPER),
        (False, {"ACME_PAPER_TRADING": "yes", "ENABLE_PAPER_TRADING": "0"}, PAPER),
    ],
)
def test_paper_is_what_was_asked_for(in_file: bool, environ: dict[str, str], expected: str) -> None:
    """The environment overrides the file; variables that disagree mean paper."""
    settings = desk(main=acme(paper_trading=in_file, credentials=None))
    assert make(settings, environ=environ).environment == expected


def test_a_word_that_is_no_yes_or_no_is_refused() -> None:
    """By the name of its variable."""
    for variable in ("ENABLE_PAPER_TRADING", "ACME_PAPER_TRADING"):
        with pytest.raises(InvalidFieldError, match=f"{variable} is 'perhaps'"):
            make(desk(main=acme(credentials=None)), environ={variable: "perhaps"})


def test_each_brokerage_is_told_in_its_own_word() -> None:
    """A sandbox is asked for where the brokerage calls it so."""
    boxed = BrokerEntry(type="boxed", credentials=None)
    assert make(desk(a=boxed)).environment == SANDBOX
    assert make(desk(a=attrs.evolve(boxed, paper_trading=False))).environment == LIVE
    assert make(desk(a=boxed), environ={"BOXED_SANDBOX": "false"}).environment == LIVE
    assert make(desk(a=attrs.evolve(boxed, settings={"sandbox": True}))).environment == SANDBOX


def test_real_money_where_paper_was_asked_for_is_refused() -> None:
    """Whatever else its settings say; and who asked for paper is named."""
    live = desk(main=acme(credentials=None, api_base="live"))
    with pytest.raises(InvalidFieldError, match=r"main\.paper_trading \(brokers\.json\) is True"):
        make(live)
    with pytest.raises(InvalidFieldError, match=r"\(ENABLE_PAPER_TRADING\) is True"):
        make(live, environ={"ENABLE_PAPER_TRADING": "true"})
    port = BrokerEntry(type="ported", credentials=None, settings={"port": 2})
    with pytest.raises(InvalidFieldError, match="trades with real money"):
        make(desk(main=port))
    assert make(desk(main=attrs.evolve(port, paper_trading=False))).environment == LIVE


def test_paper_where_real_money_was_asked_for_is_refused() -> None:
    """Unless a variable spoke of all brokers at once, of which some are never live."""
    port = BrokerEntry(type="ported", credentials=None, paper_trading=False)
    with pytest.raises(InvalidFieldError, match="true: with its other settings 'main' is"):
        make(desk(main=port))
    assert make(desk(main=port), environ={"ENABLE_PAPER_TRADING": "false"}).environment == PAPER


def test_other_mistakes_are_the_brokerages_own() -> None:
    """A misspelt setting is named, with those that there are."""
    with pytest.raises(InvalidFieldError, match="'fed'; accepted: the names paper_trading, ap"):
        make(desk(main=acme(credentials=None, fed="x")))
    with pytest.raises(InvalidFieldError, match="PORTED_PORT"):
        make(desk(a=BrokerEntry(type="ported", credentials=None, settings={"port": "x"})))


def half(vault: Vault) -> Vault:
    """Return a vault with a set that has something else than the key."""
    vault.set_fields("half", {"other": Secret("o")})
    return vault


def test_what_lacks_credentials_says_how_to_keep_them(vault: Vault) -> None:
    """The brokerage's own error, and the command; a broker that needs none is told of none."""
    with pytest.raises(InvalidFieldError, match=r"KEYED_API_KEY is None.*credentials set my-main"):
        make(desk(My_Main=BrokerEntry(type="keyed")), vault)
    vault.set_fields("old", {"api_key": Secret(MARK)}, expires_at=NOW)
    with pytest.raises(InvalidFieldError, match=r"has expired \(api_key\): bot-v2 credentials set"):
        make(desk(old=BrokerEntry(type="keyed")), vault)
    with pytest.raises(InvalidFieldError, match=r"KEYED_API_KEY is None; accepted: a key \["):
        make(desk(main=BrokerEntry(type="keyed", credentials="half")), half(vault))
    none = BrokerEntry(type="keyed", credentials=None)
    with pytest.raises(InvalidFieldError, match=r"KEYED_API_KEY is None; accepted: a key \["):
        make(desk(a=none), vault)


def test_everything_is_found_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """File, vault and default broker, with nothing passed in."""
    (tmp_path / "brokers.json").write_text(
        '{"brokers": {"main": {"type": "acme", "feed": "fast"}}, "credential_stores": '
        '["environment"]}'
    )
    for variable in ("BROKER", "BROKER_NAME", "DEFAULT_BROKER", "ENABLE_PAPER_TRADING"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("BOT_V2_CONFIG", str(tmp_path))
    monkeypatch.setenv("BOT_V2_CREDENTIALS__MAIN__API_KEY", MARK)
    made = create_named_brokerage()
    assert isinstance(made, Made)
    assert made.settings == {"api_key": Secret(MARK), "secret_key": None, "feed": "fast"}
    assert os.environ["BOT_V2_CONFIG"] == str(tmp_path)


def test_an_alias_has_the_variables_of_what_it_stands_for() -> None:
    """`simulation` is the paper brokerage, whose variables begin with PAPER."""
    entry = BrokerEntry(type="simulation", settings={"seed": 1, "currency": "EUR"})
    chosen = choose(desk(a=entry), None, {"PAPER_SEED": "2"})
    assert chosen.entry.settings == {"currency": "EUR"}
    both = desk("a", a=entry, b=attrs.evolve(entry, type="paper"))
    assert choose(both, None, {"PAPER_SEED": "2"}).entry.settings == entry.settings
