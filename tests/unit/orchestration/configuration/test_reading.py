"""brokers.json: exact numbers, and every mistake at once with its place and what is accepted."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot_v2.features.brokerages.core.secret import Secret
from bot_v2.orchestration.configuration.errors import InvalidSettingsError, Problem
from bot_v2.orchestration.configuration.model import BrokerEntry, DeskSettings, RiskSettings
from bot_v2.orchestration.configuration.names import is_secret_name
from bot_v2.orchestration.configuration.reading import read_settings
from bot_v2.orchestration.configuration.schema import schema, to_text

TYPES = ("acme", "paper")
MARK = "made-up-s3cret-value"
PUBLISHED = Path(__file__).resolve().parents[4] / "docs" / "brokers.schema.json"
VALIDATOR = jsonschema.Draft202012Validator(schema())


def read(text: str) -> DeskSettings:
    """Read a text."""
    return read_settings(text, "brokers.json", TYPES)


def problems(data: object) -> dict[str, tuple[str, str]]:
    """Return the mistakes of a document by their places."""
    text = data if isinstance(data, str) else json.dumps(data)
    with pytest.raises(InvalidSettingsError) as caught:
        read(text)
    assert str(caught.value).startswith("brokers.json has ")
    return {one.path: (one.found, one.accepted) for one in caught.value.problems}


def broker(**entry: object) -> dict[str, object]:
    """Return a document with one broker."""
    return {"brokers": {"main": {"type": "paper", **entry}}}


def test_numbers_are_those_that_are_written() -> None:
    """Neither a fraction nor a broker's own number passes through a float."""
    settings = read(
        """{"default_broker": "main", "risk": {"max_daily_loss": 0.10},
        "brokers": {"main": {"type": " Paper ", "paper_trading": false, "credentials": null,
          "risk": {"max_order_value": "0.0200", "stop_loss_pct": 1, "max_position_size": 5e-2,
                   "max_orders_per_minute": 30, "allowed_symbols": ["AAPL", "BTC-USD"],
                   "min_cash_balance": null},
          "initial_balance": 1000.10, "seed": 7, "feed": "x.csv", "replay": true}},
        "credential_stores": ["file", "environment"]}"""
    )
    assert settings == DeskSettings(
        default_broker="main",
        risk=RiskSettings(max_daily_loss=Decimal("0.10")),
        brokers={
            "main": BrokerEntry(
                type="paper",
                paper_trading=False,
                credentials=None,
                risk=RiskSettings(
                    max_order_value=Decimal("0.0200"),
                    stop_loss_pct=Decimal(1),
                    max_position_size=Decimal("0.05"),
                    max_orders_per_minute=30,
                    allowed_symbols=("AAPL", "BTC-USD"),
                ),
                settings={
                    "initial_balance": Decimal("1000.10"),
                    "seed": 7,
                    "feed": "x.csv",
                    "replay": True,
                },
            )
        },
        credential_stores=("file", "environment"),
    )
    entry = settings.brokers["main"]
    assert str(entry.risk.max_order_value) == "0.0200"
    assert str(entry.settings["initial_balance"]) == "1000.10"


def test_what_is_not_said_is_safe() -> None:
    """A broker trades on paper, and looks for the credentials of its own name."""
    settings = read('{"$schema": "x", "brokers": {"main": {"type": "paper"}}}')
    assert settings.brokers["main"] == BrokerEntry(type="paper", paper_trading=True)
    assert read("{}") == DeskSettings()


@given(st.decimals(min_value="0.000001", max_value=1, places=6), st.booleans())
def test_every_fraction_comes_back_digit_by_digit(value: Decimal, quoted: bool) -> None:
    """As a number or as its text."""
    text = f'"{value}"' if quoted else str(value)
    settings = read(f'{{"risk": {{"max_daily_loss": {text}}}}}')
    assert str(settings.risk.max_daily_loss) == str(value)


def test_all_mistakes_are_told_at_once() -> None:
    """Each with its place, what is there and what would be accepted."""
    found = problems(
        {
            "default_broker": "nope",
            "brokers": {
                "a": {
                    "type": "foo",
                    "paper_trading": "yes",
                    "risk": {"max_daily_loss": 2, "allowed_symbols": "x", "stop": 1},
                },
                "b": {"paper_tradin": False},
                "c": [],
                "A_": {"type": "paper"},
                "d e": {"type": "paper"},
            },
            "risk": 3,
            "credential_stores": ["vault"],
            "zzz": 1,
        }
    )
    assert found["brokers.a.type"] == ("'foo'", "one of acme, paper")
    assert found["brokers.a.paper_trading"] == ("'yes'", "true or false")
    assert found["brokers.a.risk.max_daily_loss"][1].startswith("a fraction above 0 and at most 1")
    assert found["brokers.a.risk.allowed_symbols"] == ("'x'", "a list of texts")
    assert found["brokers.a.risk.stop"][1].startswith("one of max_position_size, ")
    assert found["brokers.b.type"][0] == "missing"
    assert found["brokers.b.paper_tradin"] == ("no setting", "the spelling paper_trading")
    assert found["brokers.c"] == ("[]", "a JSON object")
    assert found["brokers.A_"][0] == "called like a"
    assert found["a name in brokers, 'd e',"][0] == "no name"
    assert found["risk"] == ("3", "a JSON object")
    assert found["credential_stores"][1] == "some of environment, keyring, file, each once"
    assert found["zzz"][1] == "one of default_broker, brokers, risk, routing, credential_stores"
    assert found["default_broker"][0] == "'nope'"
    assert len(found) == 14


@pytest.mark.parametrize("value", [0, -0.1, 1.01, 2, True, "", "two percent", "NaN", [], {}, 1e400])
def test_what_is_no_fraction_is_refused(value: object) -> None:
    """10 for ten percent would be the tenfold of the equity."""
    text = json.dumps({"risk": {"max_daily_loss": value}}).replace("Infinity", "1e400")
    assert list(problems(text)) == ["risk.max_daily_loss"]


@pytest.mark.parametrize(
    ("entry", "path"),
    [
        ({"type": 7}, "brokers.main.type"),
        ({"type": "  "}, "brokers.main.type"),
        ({"credentials": ""}, "brokers.main.credentials"),
        ({"credentials": 1}, "brokers.main.credentials"),
        ({"paper_trading": 1}, "brokers.main.paper_trading"),
        ({"paper_trading": None}, "brokers.main.paper_trading"),
        ({"risk": None}, "brokers.main.risk"),
        ({"risk": {"max_orders_per_minute": 0}}, "brokers.main.risk.max_orders_per_minute"),
        ({"risk": {"max_orders_per_minute": True}}, "brokers.main.risk.max_orders_per_minute"),
        ({"risk": {"max_orders_per_minute": 1.5}}, "brokers.main.risk.max_orders_per_minute"),
        ({"risk": {"allowed_symbols": [1]}}, "brokers.main.risk.allowed_symbols"),
        ({"settings": {"seed": 1}}, "brokers.main.settings"),
        ({"seed": None}, "brokers.main.seed"),
        ({"seed": [1]}, "brokers.main.seed"),
        ({"Paper_Trading": True}, "brokers.main.Paper_Trading"),
    ],
)
def test_a_broker_with_a_mistake_is_told_where(entry: dict[str, object], path: str) -> None:
    """One mistake, one line."""
    assert list(problems(broker(**entry))) == [path]


@pytest.mark.parametrize(
    ("text", "place", "accepted"),
    [
        ("", "line 1, column 1", "Expecting value"),
        ('{"brokers":\n{]}', "line 2, column 2", "Expecting property name"),
        ("[]", "", "a JSON object"),
        ("7", "", "a JSON object"),
        ('{"brokers": []}', "brokers", "a JSON object"),
        ('{"brokers": {"a": {}, "a": {}}}', "a", "each name once"),
        ('{"risk": {"max_daily_loss": NaN}}', "", "NaN is no number"),
        ("[" * 100_000, "", "recursion"),
        ('{"credential_stores": []}', "credential_stores", "some of"),
        ('{"credential_stores": ["file", "file"]}', "credential_stores", "some of"),
        ('{"default_broker": "a", "brokers": {}}', "default_broker", "there are no brokers"),
    ],
)
def test_what_is_no_document_of_ours_is_told(text: str, place: str, accepted: str) -> None:
    """With line and column where it is no JSON; a name that is there twice is not half read."""
    found = problems(text)
    assert list(found) == [place]
    assert accepted in found[place][1]


def test_what_is_called_like_a_secret_is_one() -> None:
    """Its value is wrapped as it is read, and shown in no message and no repr."""
    settings = read(json.dumps(broker(api_key=MARK, pin=1234, timeout_s=3)))
    entry = settings.brokers["main"]
    assert entry.settings == {"api_key": Secret(MARK), "pin": Secret("1234"), "timeout_s": 3}
    assert MARK not in repr(settings)
    found = problems(broker(api_key={"a": MARK}, seed=[MARK * 9]))
    assert found["brokers.main.api_key"][0] == "***"
    assert len(found["brokers.main.seed"][0]) == 41
    secrets = ("api_key", "apikey", "SECRET_KEY", "session_token", "cdp_private_key", "mpin")
    assert all(is_secret_name(name) for name in (*secrets, "totp_secret", "api_passphrase", "pin"))
    assert not any(is_secret_name(name) for name in ("host", "spin", "account_id", "token_url"))


def test_a_mistake_reads_as_a_sentence() -> None:
    """Place, what is there, what is accepted."""
    assert str(Problem("a.b", "7", "a text")) == "a.b is 7; accepted: a text"
    assert str(Problem("", "[]", "an object")) == "the file is []; accepted: an object"
    assert "has a mistake:" in str(InvalidSettingsError("f", [Problem("a", "b", "c")]))


def test_the_schema_is_the_one_that_is_published() -> None:
    """`python -m bot_v2.orchestration.configuration.schema` writes docs/brokers.schema.json."""
    assert PUBLISHED.read_text(encoding="utf-8") == to_text()
    jsonschema.Draft202012Validator.check_schema(schema())


def test_the_documented_settings_can_be_read() -> None:
    """The example of docs/configuration.md, by the reader and by the schema."""
    page = (PUBLISHED.parent / "configuration.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^    \{\n.*?^    \}\n", page, re.M | re.S)
    settings = read_settings(example, "the page", ("alpaca", "paper"))
    assert str(settings.brokers["paper"].settings["initial_balance"]) == "25000.00"
    VALIDATOR.validate(json.loads(example))


def test_the_schema_says_what_each_setting_is() -> None:
    """No setting is without a description."""
    document = schema()
    parts = [document, *document["$defs"].values()]
    for part in parts:
        for name, one in part["properties"].items():
            assert name == "$schema" or one["description"]


VALUES: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-1, 3),
    st.sampled_from([0.5, 1.5, "", " ", "a", "0.5", "2", "paper", "file", "main"]),
    st.lists(st.sampled_from(["file", "keyring", "x", ""]), max_size=2),
    st.just({}),
)
RISKS = st.dictionaries(
    st.sampled_from(["max_daily_loss", "max_orders_per_minute", "allowed_symbols", "other"]),
    VALUES,
    max_size=2,
)
ENTRIES = st.fixed_dictionaries(
    {"type": st.sampled_from(["paper", "acme", 1, None, ""])},
    optional={
        "paper_trading": VALUES,
        "credentials": VALUES,
        "risk": st.one_of(RISKS, VALUES),
        "seed": VALUES,
    },
)
DOCUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "brokers": st.one_of(
            st.dictionaries(st.sampled_from(["main", "b", "d e", ""]), ENTRIES, max_size=2), VALUES
        ),
        "risk": st.one_of(RISKS, VALUES),
        "credential_stores": VALUES,
        "other": VALUES,
    },
)


@given(DOCUMENTS)
def test_the_schema_accepts_what_is_read_and_nothing_else(document: dict[str, Any]) -> None:
    """An editor that knows the schema says the same as we do."""
    try:
        read(json.dumps(document))
    except InvalidSettingsError:
        is_read = False
    else:
        is_read = True
    assert VALIDATOR.is_valid(document) is is_read
