from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint
from typing import Any

import pytest

from bot_v2.features.brokerages.core.interfaces import (
    IBrokerage,
    InvalidFieldError,
    InvalidRequestError,
    MissingDependencyError,
)
from bot_v2.orchestration.brokerage_source import METHODS, installed_source
from bot_v2.orchestration.registry import Registry
from tests.unit.orchestration.fake_brokerage import FakeBrokerage


@pytest.fixture
def registry() -> Registry:
    """A registry that no installed distribution offers anything to."""
    return Registry(group="bot_v2.tests.nothing")


def make_fake(given: Mapping[str, object], environ: Mapping[str, str]) -> IBrokerage:
    """Make a brokerage named after what it was given."""
    return FakeBrokerage(name=f"{given.get('title')}/{environ.get('FAKE_TITLE')}")


def factory_of(made: object) -> Callable[[Mapping[str, object], Mapping[str, str]], Any]:
    """A factory that returns what it should not, which a type checker would refuse."""
    return lambda given, environ: made


def test_the_methods_are_the_contract_s() -> None:
    """The methods that are looked for are the 18 of IBrokerage."""
    assert len(METHODS) == 18
    assert {"connect", "place_order", "close_position"} <= set(METHODS)


def test_a_registered_brokerage_gets_settings_and_environment(registry: Registry) -> None:
    """The factory is called with the settings and the environment, and its brokerage returned."""
    registry.register("fake", make_fake)
    broker = registry.create("fake", {"title": "given"}, {"FAKE_TITLE": "read"})
    assert isinstance(broker, FakeBrokerage)
    assert broker.name == "given/read"


@pytest.mark.parametrize("name", ["fake", "FAKE", "  Fake\n"])
def test_names_are_compared_stripped_and_in_small_letters(registry: Registry, name: str) -> None:
    """However a name is written, it is the same brokerage's."""
    registry.register(" FaKe ", make_fake)
    assert registry.available() == ("fake",)
    assert isinstance(registry.create(name, {}, {}), FakeBrokerage)


def test_a_name_has_one_owner(registry: Registry) -> None:
    """A name that is registered is not given away, however it is written."""
    registry.register("fake", make_fake)
    with pytest.raises(InvalidFieldError, match=r"taken by register_brokerage\(\)"):
        registry.register("FAKE", make_fake)


@pytest.mark.parametrize("name", ["", "  ", None, 7])
def test_what_is_no_name_is_refused(registry: Registry, name: Any) -> None:
    """An empty name, and what is no text, is refused with its value."""
    with pytest.raises(InvalidFieldError, match="name is"):
        registry.register(name, make_fake)
    with pytest.raises(InvalidFieldError, match="name is"):
        registry.create(name, {}, {})


def test_what_cannot_be_called_is_no_factory(registry: Registry) -> None:
    """A factory is refused when it is registered, not when it is used."""
    factory: Any = "my_package:factory"
    with pytest.raises(InvalidFieldError, match="factory is 'my_package:factory'; accepted: a cal"):
        registry.register("fake", factory)
    assert registry.available() == ()


def test_an_unknown_name_says_which_are_known(registry: Registry) -> None:
    """A misspelt name is answered with the names that there are, in order."""
    registry.register("zeta", make_fake)
    registry.register("alpha", make_fake)
    with pytest.raises(InvalidFieldError, match=r"name is 'alhpa'; .*: alpha, zeta \["):
        registry.create("alhpa", {}, {})


def test_an_empty_registry_says_so(registry: Registry) -> None:
    """Where nothing is installed, the error does not end in the middle."""
    with pytest.raises(InvalidFieldError, match=r"\(none is installed\)"):
        registry.create("fake", {}, {})


class Half:
    """Has two of the methods, and one name that is no method."""

    get_account_id = "ACC-1"

    def connect(self) -> bool:
        """Do nothing."""
        return True

    def check_health(self) -> None:
        """Nothing is checked."""


def test_a_result_that_is_no_brokerage_names_what_it_lacks(registry: Registry) -> None:
    """What lacks methods is refused with the missing ones, and only those."""
    registry.register("half", factory_of(Half()))
    with pytest.raises(InvalidRequestError) as caught:
        registry.create("half", {}, {})
    message = str(caught.value)
    assert "returned a Half, which lacks disconnect, is_connected, get_account_id, " in message
    assert "check_health" not in message
    assert caught.value.broker == "half"


def test_a_class_is_no_brokerage(registry: Registry) -> None:
    """A class has all the methods, and cannot trade: its instance was meant."""
    registry.register("fake", factory_of(FakeBrokerage))
    with pytest.raises(InvalidRequestError, match="returned the class FakeBrokerage, not an inst"):
        registry.create("fake", {}, {})


def raising(error: BaseException) -> Callable[[Mapping[str, object], Mapping[str, str]], Any]:
    """A factory that fails."""

    def factory(given: Mapping[str, object], environ: Mapping[str, str]) -> IBrokerage:
        raise error

    return factory


def importing(
    module: str, name: str = ""
) -> Callable[[Mapping[str, object], Mapping[str, str]], Any]:
    """A factory that imports."""

    def factory(given: Mapping[str, object], environ: Mapping[str, str]) -> IBrokerage:
        exec(f"from {module} import {name}" if name else f"import {module}")  # noqa: S102 - as asked
        return FakeBrokerage()

    return factory


def test_a_missing_package_says_the_extra(registry: Registry) -> None:
    """A package that the factory imports and is not there is answered with what installs it."""
    registry.register("fake", importing("absent_sdk.client"), extra="fake-extra")
    with pytest.raises(
        MissingDependencyError, match=r"pip install 'bot-v2\[fake-extra\]'"
    ) as caught:
        registry.create("fake", {}, {})
    assert caught.value.extra == "fake-extra"
    assert caught.value.broker == "fake"
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)
    assert "No module named 'absent_sdk'" in str(caught.value)


def test_a_package_of_the_wrong_version_says_the_extra(registry: Registry) -> None:
    """A package that lacks the name asked for is a package in the wrong version."""
    registry.register("fake", importing("attrs", "a_name_of_the_future"), extra="fake-extra")
    with pytest.raises(MissingDependencyError, match=r"a_name_of_the_future.*'bot-v2\[fake-extra"):
        registry.create("fake", {}, {})


def test_without_an_extra_the_package_is_named(registry: Registry) -> None:
    """Where nobody said what brings a package, the advice is not guessed."""
    registry.register("fake", importing("absent_sdk.client"))
    with pytest.raises(
        MissingDependencyError, match="install what provides 'absent_sdk'"
    ) as caught:
        registry.create("fake", {}, {})
    assert caught.value.extra is None
    assert "pip install" not in str(caught.value)


def test_what_already_says_what_to_install_passes(registry: Registry) -> None:
    """A MissingDependencyError raised by the factory reaches the caller as it is."""
    error = MissingDependencyError("pip install 'bot-v2[parquet]'", extra="parquet")
    registry.register("fake", raising(error), extra="fake-extra")
    with pytest.raises(MissingDependencyError) as caught:
        registry.create("fake", {}, {})
    assert caught.value is error
    assert caught.value.__cause__ is None


def test_an_import_error_of_ours_is_not_disguised(registry: Registry) -> None:
    """A wrong import inside bot_v2 is a bug: it stays an ImportError, with a note of where."""
    registry.register("fake", importing("bot_v2.orchestration", "no_such_name"), extra="fake")
    with pytest.raises(ImportError) as caught:
        registry.create("fake", {}, {})
    assert not isinstance(caught.value, MissingDependencyError)
    assert caught.value.__notes__ == [
        "while the brokerage 'fake' was made, from register_brokerage()"
    ]


def test_an_import_error_that_ours_raises_is_not_disguised(registry: Registry) -> None:
    """An ImportError without a module's name is blamed on who raised it: here bot_v2."""
    namespace: dict[str, Any] = {"__name__": "bot_v2.made_up"}
    exec("def factory(given, environ): raise ImportError('a bug')", namespace)  # noqa: S102 - as asked
    registry.register("fake", namespace["factory"], extra="fake")
    with pytest.raises(ImportError, match="a bug") as caught:
        registry.create("fake", {}, {})
    assert not isinstance(caught.value, MissingDependencyError)


def test_an_import_error_raised_by_hand_elsewhere_is_a_missing_package(registry: Registry) -> None:
    """A package that says in its own words what is missing is listened to."""
    registry.register("fake", raising(ImportError("needs libfast 3")), extra="fake")
    with pytest.raises(
        MissingDependencyError, match=r"\(needs libfast 3\): pip install 'bot-v2\[f"
    ):
        registry.create("fake", {}, {})


@pytest.mark.parametrize("module", ["tests.no_such_module", "xml.no_such_module"])
def test_nothing_is_installed_for_a_module_that_nothing_brings(
    registry: Registry, module: str
) -> None:
    """A module missing from the factory's own package, or from Python, cannot be installed."""
    registry.register("fake", importing(module), extra="fake")
    with pytest.raises(InvalidRequestError, match=f"cannot be loaded.*{module}") as caught:
        registry.create("fake", {}, {})
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)


def test_an_entry_point_of_no_distribution_is_named_by_its_module() -> None:
    """Where the metadata do not say which distribution offers it, the module is what is known."""
    entry_point = EntryPoint(name="fake", value="absent_package.inner:create", group="any")
    source = installed_source("fake", entry_point)
    assert source.origin.endswith("of the distribution absent_package.inner")
    assert source.extra is None


def test_what_the_factory_refuses_passes(registry: Registry) -> None:
    """An error of the factory's own reaches the caller as it is."""
    error = InvalidFieldError("FAKE_TITLE", 1, "a str")
    registry.register("fake", raising(error))
    with pytest.raises(InvalidFieldError) as caught:
        registry.create("fake", {}, {})
    assert caught.value is error


def test_of_many_threads_one_gets_a_name(registry: Registry) -> None:
    """Where many threads register one name at once, one does it, and the others are told."""
    barrier = threading.Barrier(8)
    outcomes: list[str] = []

    def register() -> None:
        barrier.wait()
        try:
            registry.register("fake", make_fake)
        except InvalidFieldError:
            outcomes.append("refused")
        else:
            outcomes.append("registered")

    threads = [threading.Thread(target=register) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["refused"] * 7 + ["registered"]


def test_a_factory_may_register_another(registry: Registry) -> None:
    """While a brokerage is made the registry is free: its adapter may offer more."""

    def factory(given: Mapping[str, object], environ: Mapping[str, str]) -> IBrokerage:
        registry.register("second", make_fake)
        return FakeBrokerage()

    registry.register("first", factory)
    registry.create("first", {}, {})
    assert registry.available() == ("first", "second")
