"""init, add, list-brokers, and brokers of the desk in every other command; --env-file."""

from __future__ import annotations

import json
import os
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from bot_v2.cli import prompts
from bot_v2.cli.broker_terms import TERMS, secrets_of
from bot_v2.cli.desk_samples import sample_text
from bot_v2.orchestration import registry
from bot_v2.orchestration.credentials import file_store
from tests.unit.cli.fakes import Shell
from tests.unit.orchestration.credentials.kit import CHEAP, MARK


@pytest.fixture
def folder(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for settings, which is not there yet; credentials go to a file that costs little."""
    monkeypatch.setenv("BOT_V2_CONFIG", str(tmp_path / "settings"))
    monkeypatch.setenv("BOT_V2_CREDENTIAL_STORES", "environment,file")
    monkeypatch.setenv("BOT_V2_PASSPHRASE", "a made-up passphrase")
    monkeypatch.setattr(file_store, "DEFAULT_COST", CHEAP)
    return tmp_path / "settings"


def write(folder: Path, **settings: Any) -> None:
    """Write settings."""
    folder.mkdir(exist_ok=True)
    (folder / "brokers.json").write_text(json.dumps(settings))


def real_brokerages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Offer what is installed, instead of the fakes."""
    for module in ("registry", "broker_factory"):
        target = f"bot_v2.orchestration.{module}.REGISTRY"
        monkeypatch.setattr(target, registry.Registry())


def test_init_writes_settings_that_work(
    shell: Shell, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A paper account can be looked at with nothing else done."""
    real_brokerages(monkeypatch)
    ran = shell.run("init")
    assert ran.out.splitlines()[:2] == [
        f"wrote {folder / 'brokers.json'}",
        f"wrote {folder / '.env.sample'}",
    ]
    ran = shell.run("list-brokers")
    assert re.search(r"paper +paper +yes +on paper +brokers\.json", ran.out)
    ran = shell.run("balances", "--json")
    assert ran.json[0]["total"] == "100000"
    assert "new paper account" in ran.err
    assert '"max_daily_loss": 0.02' in (folder / "brokers.json").read_text()


def test_init_replaces_nothing_unasked(shell: Shell, folder: Path) -> None:
    """Neither file, when one of them is there; with --force both."""
    folder.mkdir()
    (folder / ".env.sample").write_text("mine")
    ran = shell.run("init")
    assert ran.code == 2
    assert ".env.sample is there already" in ran.err
    assert [one.name for one in folder.iterdir()] == [".env.sample"]
    ran = shell.run("init", "--force", "--json")
    assert ran.json["files"] == [str(folder / "brokers.json"), str(folder / ".env.sample")]
    assert (folder / ".env.sample").read_text() == sample_text()


class Asked(dict[str, str]):
    """An environment that remembers what it was asked for."""

    def __init__(self, said: dict[str, str]) -> None:
        super().__init__(said)
        self.names: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        """Remember the name, and return what is said."""
        self.names.add(name)
        return super().get(name, default)


@pytest.mark.parametrize("kind", TERMS)
def test_the_sample_names_real_settings(kind: str) -> None:
    """Each variable of a broker is one that its brokerage reads; its credentials are enough."""
    variables = re.findall(r"^# ([A-Z][A-Z0-9_]+)=", sample_text(), re.M)
    named = {name for name in variables if name.startswith(f"{kind.upper()}_")}
    terms = TERMS[kind]
    assert len(named) == len(terms.secrets) + len(terms.others)
    secrets = {f"{kind.upper()}_{field.upper()}": "made-up" for field in terms.secrets}
    environ = Asked({"SOMETHING": "else", **secrets})
    import_module(f"bot_v2.features.brokerages.{kind}.settings").read_settings({}, environ)
    assert named <= environ.names


def test_what_other_types_need_is_not_known() -> None:
    """An alias needs what it stands for; a type of another package is asked about."""
    assert secrets_of("simulation") == ()
    assert secrets_of("acme") is None


def test_brokers_are_listed_as_they_count(
    shell: Shell, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the environment says is in the list, and who says it; no secret is."""
    write(
        folder,
        default_broker="main",
        brokers={
            "main": {
                "type": "fake",
                "paper_trading": False,
                "risk": {"max_daily_loss": 0.02, "allowed_symbols": ["A", "B"]},
                "feed": "x",
                "api_key": MARK,
            },
            "other": {"type": "sandbox", "credentials": None},
        },
    )
    ran = shell.run("list-brokers")
    assert re.search(r"main +fake +yes +with REAL MONEY +brokers\.json +main ", ran.out)
    assert re.search(r"other +sandbox +- +on paper +brokers\.json +- ", ran.out)
    assert "max_daily_loss 0.02, allowed_symbols A B" in ran.out
    assert "feed x, api_key ***" in ran.out
    assert "brokers.main.api_key is in a plain file: bot-v2 credentials set main" in ran.err
    monkeypatch.setenv("ENABLE_PAPER_TRADING", "true")
    monkeypatch.setenv("DEFAULT_BROKER", "OTHER")
    rows = shell.run("list-brokers", "--json").json
    assert [(row["name"], row["default"], row["paper_trading"]) for row in rows] == [
        ("main", False, True),
        ("other", True, True),
    ]
    assert rows[0]["paper_said_by"] == "ENABLE_PAPER_TRADING"
    assert MARK not in json.dumps(rows)
    monkeypatch.setenv("DEFAULT_BROKER", "nonesuch")
    assert not any(row["default"] for row in shell.run("list-brokers", "--json").json)


def test_mistakes_are_told_a_line_each(shell: Shell, folder: Path) -> None:
    """For people and for programs."""
    assert "bot-v2 init writes one" in shell.run("list-brokers").err
    write(folder, brokers={"a": {"type": "x"}, "b": {}}, risk=7)
    ran = shell.run("list-brokers")
    assert ran.code == 2
    assert ran.err.splitlines()[0].endswith("brokers.json has 3 mistakes:")
    assert len(ran.err.splitlines()) == 4
    error = shell.run("list-brokers", "--json").error
    assert {one["path"] for one in error["problems"]} == {
        "brokers.a.type",
        "brokers.b.type",
        "risk",
    }
    assert shell.run("buy", "AAPL", "1", "--broker", "fake").code == 2


def test_a_broker_is_added_by_options(shell: Shell, folder: Path) -> None:
    """Nobody is asked where all is given; numbers keep their digits."""
    settings = ("--set", "commission=0.0010", "--set", "fast=True", "--set", "feed=a b")
    ran = shell.run("add", "Main", "--type", "FAKE", *settings, "--json")
    assert ran.json == {
        "name": "Main",
        "file": str(folder / "brokers.json"),
        "credentials": [],
    }
    text = (folder / "brokers.json").read_text()
    assert '"commission": 0.0010' in text
    assert json.loads(text) == {
        "default_broker": "Main",
        "brokers": {
            "Main": {
                "type": "fake",
                "paper_trading": True,
                "commission": 0.001,
                "fast": True,
                "feed": "a b",
            }
        },
    }
    ran = shell.run("add", "Live", "--type", "fake", "--live", "--default")
    assert "next: bot-v2 credentials set Live" in ran.out
    assert "added sandbox to" in shell.run("add", "--type", "sandbox").out
    made = json.loads((folder / "brokers.json").read_text())
    assert (made["default_broker"], made["brokers"]["Live"]["paper_trading"]) == ("Live", False)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["x", "--type", "nope"], "--type is 'nope'; accepted: fake, lookup, sandbox"),
        (["x"], "--type is None; accepted: a value, as there is nobody to ask"),
        (["x y", "--type", "fake"], "no name"),
        (["x", "--type", "fake", "--set", f"api_key={MARK}"], "'api_key=***'; accepted: bot-v2"),
        (["x", "--type", "fake", "--set", "x"], "KEY=VALUE"),
    ],
)
def test_a_broker_that_cannot_be_added_changes_nothing(
    shell: Shell, folder: Path, words: list[str], says: str
) -> None:
    """What is wrong is said, and a secret is not."""
    ran = shell.run("add", *words)
    assert ran.code == 2
    assert says in ran.err
    assert MARK not in ran.err
    assert not (folder / "brokers.json").exists()


def test_a_broker_is_added_by_asking(
    shell: Shell, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Type, name, paper or not, and its credentials, which are typed unseen and kept."""
    real_brokerages(monkeypatch)
    typed = [MARK, "s"]
    monkeypatch.setattr(prompts, "getpass", lambda prompt, stream: typed.pop(0))
    shell.type_in("alpaca\nmain\nn\n")
    ran = shell.run("add")
    assert ran.code == 0
    assert "type (alpaca, coinbase, " in ran.err
    assert "with real money? [y/N]" in ran.err
    assert ran.out.endswith("kept its api_key, secret_key\n")
    assert MARK not in ran.out + ran.err + (folder / "brokers.json").read_text()
    rows = shell.run("credentials", "list", "--json").json
    assert [(row["set"], row["fields"]) for row in rows] == [("main", ["api_key", "secret_key"])]
    shell.type_in("\n")
    assert "added paper to" in shell.run("add", "--type", "paper").out
    brokers = json.loads((folder / "brokers.json").read_text())["brokers"]
    assert brokers["paper"] == {"type": "paper", "paper_trading": True, "credentials": None}
    typed += ["", ""]
    shell.type_in("y\n")
    ran = shell.run("add", "bare", "--type", "alpaca")
    assert ran.out.endswith("next: bot-v2 credentials set bare\n")


def test_other_commands_take_the_brokers_of_the_desk(
    shell: Shell, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By name, by default, with their settings; a type that is no broker's name still does."""
    write(
        folder,
        default_broker="main",
        brokers={
            "main": {"type": "sandbox", "seed": 7},
            "real": {"type": "fake", "paper_trading": False},
        },
    )
    assert shell.run("balances").code == 0
    assert shell.sandbox.settings == {"seed": 7, "paper_trading": True}
    assert shell.run("balances", "--broker", "REAL").code == 0
    assert shell.fake.settings["paper_trading"] is False
    assert shell.run("balances", "--broker", "lookup").code == 0
    assert shell.lookup.settings == {}
    ran = shell.run("balances", "--broker", "nonesuch")
    assert (ran.code, "accepted: main, real, fake, lookup, sandbox" in ran.err) == (2, True)
    monkeypatch.setenv("ENABLE_PAPER_TRADING", "true")
    ran = shell.run("balances", "--broker", "real")
    assert (ran.code, "trades with real money" in ran.err) == (2, True)
    assert shell.run("balances", "--account", "x").code == 0
    assert shell.sandbox.settings["account_file"] == "x"
    write(folder, risk={})
    assert shell.run("balances", "--broker", "sandbox").code == 0


def test_each_paper_account_of_the_desk_has_a_file_of_its_own(
    shell: Shell, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless its settings or the environment name one."""
    real_brokerages(monkeypatch)
    named = str(tmp_path / "named.sqlite")
    write(
        folder,
        brokers={
            "a": {"type": "paper", "initial_balance": 5},
            "b": {"type": "paper", "account_file": named},
        },
    )
    ran = shell.run("balances", "--broker", "a", "--json")
    assert ran.json[0]["total"] == "5"
    assert "paper-a.sqlite" in ran.err
    assert shell.run("balances", "--broker", "a").err == ""
    assert shell.run("balances", "--broker", "b").code == 0
    assert Path(named).exists()
    write(folder, brokers={"a": {"type": "paper"}})
    monkeypatch.setenv("PAPER_ACCOUNT_FILE", str(tmp_path / "other.sqlite"))
    assert shell.run("balances").code == 0
    assert (tmp_path / "other.sqlite").exists()


def test_a_dotenv_is_read_for_one_command(shell: Shell, folder: Path, tmp_path: Path) -> None:
    """What it says is beneath the environment, and gone afterwards."""
    write(folder, brokers={"a": {"type": "sandbox"}, "b": {"type": "fake"}})
    file = tmp_path / ".env"
    file.write_text("DEFAULT_BROKER=a\nBOT_V2_PASSPHRASE=other\n")
    before = dict(os.environ)
    assert shell.run("balances").code == 2
    file.chmod(0o644)
    ran = shell.run("--env-file", str(file), "balances")
    assert ran.code == 0
    assert ran.err == (
        f"warning: others can read {file} (mode 644): chmod 600\n" * (os.name != "nt")
    )
    assert dict(os.environ) == before
    ran = shell.run("--env-file", str(tmp_path / "none"), "balances", "--json")
    assert ran.code == 1
    assert ran.error["error"] == "StoreUnavailableError"
    assert dict(os.environ) == before


def test_help_says_what_is_asked_and_never_how_to_pass_a_secret(shell: Shell) -> None:
    """There is no option for a value or a passphrase."""
    pages = [shell.run("credentials", name, "--help").out for name in ("set", "rotate", "backup")]
    assert all("Usage: bot-v2 credentials" in page for page in pages)
    assert not re.search(r"--(value|passphrase|secret|password)", "".join(pages))
