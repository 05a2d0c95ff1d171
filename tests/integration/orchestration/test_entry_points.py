"""Brokerages of installed distributions, which are folders with metadata on the import path."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from bot_v2.features.brokerages.core.interfaces import (
    InvalidFieldError,
    InvalidRequestError,
    MissingDependencyError,
)
from bot_v2.orchestration.broker_factory import create_brokerage
from bot_v2.orchestration.registry import ENTRY_POINT_GROUP, Registry, available_brokerages
from tests.unit.orchestration.fake_brokerage import FakeBrokerage

GROUP = "bot_v2.tests.brokerages"

Install = Callable[..., Path]

GOOD = """
from tests.unit.orchestration.fake_brokerage import FakeBrokerage

def create(given, environ):
    return FakeBrokerage(name=f"{given['title']}/{environ['FAKE_TITLE']}")
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Install a distribution: its metadata, and modules that are forgotten after the test."""
    installed: list[str] = []

    def install(
        distribution: str, offers: dict[str, str], group: str = GROUP, **modules: str
    ) -> Path:
        folder = tmp_path / distribution
        info = folder / f"{distribution.replace('-', '_')}-1.2.dist-info"
        info.mkdir(parents=True)
        metadata = f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n"
        (info / "METADATA").write_text(metadata, encoding="utf-8")
        lines = [f"[{group}]", *(f"{name} = {value}" for name, value in offers.items())]
        (info / "entry_points.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        for module, source in modules.items():
            (folder / f"{module}.py").write_text(dedent(source), encoding="utf-8")
            installed.append(module)
        monkeypatch.syspath_prepend(str(folder))
        return folder

    yield install
    for module in installed:
        sys.modules.pop(module, None)


@pytest.fixture
def registry() -> Registry:
    """A registry of what the tests install."""
    return Registry(group=GROUP)


def test_an_installed_brokerage_is_made(install: Install, registry: Registry) -> None:
    """An entry point is found by its name in any case, and its factory gets both settings."""
    install("good-broker", {"Good": "good_broker_a:create"}, good_broker_a=GOOD)
    broker = registry.create("gOOd", {"title": "given"}, {"FAKE_TITLE": "read"})
    assert isinstance(broker, FakeBrokerage)
    assert broker.name == "given/read"


def test_create_brokerage_finds_what_is_installed(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The users' function reads the published group of entry points."""
    monkeypatch.setenv("FAKE_TITLE", "read")
    install(
        "good-broker",
        {"throwaway": "good_broker_b:create"},
        group="bot_v2.brokerages",
        good_broker_b=GOOD,
    )
    assert ENTRY_POINT_GROUP == "bot_v2.brokerages"
    assert "throwaway" in available_brokerages()
    broker = create_brokerage("Throwaway", {"title": "given"})
    assert isinstance(broker, FakeBrokerage)


def test_listing_imports_nothing(install: Install, registry: Registry) -> None:
    """What is installed is listed, broken or not, and none of it is imported."""
    install("good-broker", {"good": "good_broker_c:create"}, good_broker_c=GOOD)
    install("broken-broker", {"broken": "broken_broker_c:create"}, broken_broker_c="1 / 0")
    assert registry.available() == ("broken", "good")
    assert not {"good_broker_c", "broken_broker_c"} & set(sys.modules)


def test_what_is_installed_later_is_found(install: Install, registry: Registry) -> None:
    """A registry asks anew each time."""
    assert registry.available() == ()
    install("good-broker", {"good": "good_broker_d:create"}, good_broker_d=GOOD)
    assert registry.available() == ("good",)


def test_two_distributions_cannot_share_a_name(install: Install, registry: Registry) -> None:
    """A name that two distributions offer is refused with both; the others can still be made."""
    install("good-broker", {"good": "good_broker_e:create"}, good_broker_e=GOOD)
    install("other-broker", {"GOOD": "other:create", "other": "good_broker_e:create"})
    assert registry.available() == ("good", "other")
    with pytest.raises(InvalidRequestError) as caught:
        registry.create("good", {}, {})
    message = str(caught.value)
    assert "'good' is offered more than once" in message
    assert "the entry point good = good_broker_e:create of the distribution good-broker 1.2" in (
        message
    )
    assert "the entry point GOOD = other:create of the distribution other-broker 1.2" in message
    assert "good_broker_e" not in sys.modules
    assert isinstance(registry.create("other", {"title": 1}, {"FAKE_TITLE": ""}), FakeBrokerage)


def test_a_name_that_is_installed_cannot_be_registered(
    install: Install, registry: Registry
) -> None:
    """Nobody replaces an installed brokerage from inside the process."""
    install("good-broker", {"good": "good_broker_f:create"}, good_broker_f=GOOD)
    with pytest.raises(
        InvalidFieldError, match=r"taken by the entry point good = .* good-broker 1\.2"
    ):
        registry.register("Good", lambda given, environ: FakeBrokerage())


def test_a_name_that_is_registered_cannot_be_installed(
    install: Install, registry: Registry
) -> None:
    """What is installed after a registration does not silently take its name, either."""
    registry.register("good", lambda given, environ: FakeBrokerage())
    install("good-broker", {"good": "good_broker_g:create"}, good_broker_g=GOOD)
    with pytest.raises(
        InvalidRequestError, match=r"register_brokerage\(\); the entry point good = "
    ):
        registry.create("good", {}, {})


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("def create(:", "SyntaxError: "),
        ("unrelated = 1", "AttributeError: .*create"),
        ("create = 7", "it names a int, which cannot be called"),
        ("import broken_broker.inner", "ModuleNotFoundError: .*broken_broker.inner"),
        ("from broken_broker import absent", "ImportError: cannot import name 'absent'"),
    ],
)
def test_a_broken_distribution_is_named(
    install: Install, registry: Registry, source: str, reason: str
) -> None:
    """What cannot be loaded says why, by which entry point and of which distribution."""
    install("broken-broker", {"broken": "broken_broker:create"}, broken_broker=source)
    with pytest.raises(InvalidRequestError, match=reason) as caught:
        registry.create("broken", {}, {})
    assert not isinstance(caught.value, MissingDependencyError)
    assert (
        "(from the entry point broken = broken_broker:create of the distribution broken-broker 1.2)"
    ) in str(caught.value)


def test_an_entry_point_of_a_missing_module_is_a_broken_distribution(
    install: Install, registry: Registry
) -> None:
    """Where the entry point's own module is absent, nothing that could be installed brings it."""
    install("broken-broker", {"broken": "never_written:create"})
    with pytest.raises(InvalidRequestError, match="No module named 'never_written'"):
        registry.create("broken", {}, {})


LACKING = "import absent_sdk.rest"
LACKING_LATER = """
def create(given, environ):
    import absent_sdk.rest
"""


@pytest.mark.parametrize("source", [LACKING, LACKING_LATER], ids=["on import", "when called"])
@pytest.mark.parametrize(
    ("distribution", "value", "advice", "extra"),
    [
        ("bot-v2", "lacking_broker:create", "pip install 'bot-v2[lacking]'", "lacking"),
        ("Bot_V2", "lacking_broker:create", "pip install 'Bot_V2[lacking]'", "lacking"),
        ("their-broker", "lacking_broker:create", "pip install their-broker", None),
        ("their-broker", "lacking_broker:create [rest]", "pip install 'their-broker[rest]'", None),
    ],
)
def test_a_missing_sdk_says_what_to_install(
    install: Install,
    registry: Registry,
    source: str,
    distribution: str,
    value: str,
    advice: str,
    extra: str | None,
) -> None:
    """Ours is brought by the extra of its name, a third party's by its own distribution."""
    install(distribution, {"lacking": value}, lacking_broker=source)
    with pytest.raises(MissingDependencyError) as caught:
        registry.create("lacking", {}, {})
    assert f": {advice} [" in str(caught.value)
    assert caught.value.extra == extra
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)
    assert caught.value.__cause__.name == "absent_sdk"


def test_a_bug_of_ours_is_not_blamed_on_an_extra(install: Install, registry: Registry) -> None:
    """A module of bot_v2 that is missing is reported as it is, with a note of the entry point."""
    install(
        "bot-v2",
        {"buggy": "buggy_broker:create"},
        buggy_broker="import bot_v2.orchestration.never_written",
    )
    with pytest.raises(ModuleNotFoundError) as caught:
        registry.create("buggy", {}, {})
    assert not isinstance(caught.value, MissingDependencyError)
    assert "entry point buggy" in caught.value.__notes__[0]


PROBE = """
import json, sys
before = set(sys.modules)
import bot_v2.orchestration.broker_factory as broker_factory
imported = set(sys.modules) - before
names = broker_factory.available_brokerages()
print(json.dumps({
    "names": names,
    "adapters": sorted(n for n in sys.modules if n.startswith("probed_")),
    "tops": sorted({n.split(".")[0] for n in set(sys.modules) - before}),
    "ours": sorted(n for n in sys.modules if n.startswith("bot_v2.features.brokerages.")),
    "metadata_at_import": "importlib.metadata" in imported,
}))
"""


def test_the_factory_is_light_to_import(install: Install) -> None:
    """Importing and listing load nothing but the standard library, attrs and the contract."""
    folder = install(
        "probed", {"probed": "probed_broker:create"}, group=ENTRY_POINT_GROUP, probed_broker=GOOD
    )
    source = Path(__file__).resolve().parents[3] / "src"
    path = os.pathsep.join([str(source), str(folder)])
    done = subprocess.run(
        [sys.executable, "-c", PROBE],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    seen = json.loads(done.stdout)
    assert "probed" in seen["names"]
    assert seen["adapters"] == []
    foreign = {top for top in seen["tops"] if top not in sys.stdlib_module_names}
    assert foreign <= {"attr", "attrs", "bot_v2"}
    core = "bot_v2.features.brokerages.core"
    assert [name for name in seen["ours"] if not name.startswith(core)] == []
    assert seen["metadata_at_import"] is False
