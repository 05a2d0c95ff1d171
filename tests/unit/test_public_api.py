"""The one import for bots: what it names, what each method takes, and what it must not load."""

from __future__ import annotations

import ast
import inspect
import json
import os
import subprocess
import sys
import typing
from decimal import Decimal
from pathlib import Path

import pytest

from bot_v2.features.brokerages.core import interfaces
from bot_v2.features.brokerages.core.interfaces import (
    Balance,
    BrokerHealth,
    IBrokerage,
    Order,
    Orderbook,
    OrderRequest,
    OrderResult,
    OrderStatus,
    Position,
    Product,
)

MODULE = interfaces.__name__
TYPING_FOLDER = Path(__file__).resolve().parents[1] / "typing"

# The 18, as docs/contract.md has them: bots and adapters are written against these letters.
SIGNATURES = {
    "connect": "(self) -> bool",
    "disconnect": "(self) -> None",
    "is_connected": "(self) -> bool",
    "check_health": "(self) -> BrokerHealth",
    "get_account_id": "(self) -> str",
    "list_balances": "(self) -> list[Balance]",
    "get_balance": "(self, asset: str) -> Balance",
    "get_products": "(self) -> list[Product]",
    "get_product": "(self, symbol: str) -> Product",
    "get_price": "(self, symbol: str) -> Decimal",
    "get_orderbook": "(self, symbol: str, level: int = 1) -> Orderbook",
    "place_order": "(self, order_request: OrderRequest) -> OrderResult",
    "cancel_order": "(self, order_id: str) -> bool",
    "get_order": "(self, order_id: str) -> Order",
    "list_orders": "(self, status: OrderStatus | None = None) -> list[Order]",
    "list_positions": "(self) -> list[Position]",
    "get_position": "(self, symbol: str) -> Position | None",
    "close_position": "(self, symbol: str) -> OrderResult",
}

HINTS: dict[str, dict[str, object]] = {
    "connect": {"return": bool},
    "disconnect": {"return": type(None)},
    "is_connected": {"return": bool},
    "check_health": {"return": BrokerHealth},
    "get_account_id": {"return": str},
    "list_balances": {"return": list[Balance]},
    "get_balance": {"asset": str, "return": Balance},
    "get_products": {"return": list[Product]},
    "get_product": {"symbol": str, "return": Product},
    "get_price": {"symbol": str, "return": Decimal},
    "get_orderbook": {"symbol": str, "level": int, "return": Orderbook},
    "place_order": {"order_request": OrderRequest, "return": OrderResult},
    "cancel_order": {"order_id": str, "return": bool},
    "get_order": {"order_id": str, "return": Order},
    "list_orders": {"status": OrderStatus | None, "return": list[Order]},
    "list_positions": {"return": list[Position]},
    "get_position": {"symbol": str, "return": Position | None},
    "close_position": {"symbol": str, "return": OrderResult},
}

# What a bot that only trades on paper must never pay for.
MUST_NOT_LOAD = (
    "alpaca",
    "asyncio",
    "cattrs",
    "coinbase",
    "ib_async",
    "msgspec",
    "pandas",
    "pydantic",
    "requests",
    "sqlalchemy",
    "sqlite3",
    "ssl",
    "urllib3",
)


def in_new_process(code: str) -> object:
    """What a program prints as JSON, run by a fresh interpreter."""
    # Measuring coverage there would load what the program itself does not.
    environ = {name: value for name, value in os.environ.items() if "COVERAGE" not in name}
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env=environ,
    )
    return json.loads(done.stdout)


def static_imports() -> set[str]:
    """The names that the module imports, as a type checker sees them."""
    source = inspect.getsource(interfaces)
    return {
        alias.asname or alias.name
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("bot_v2.")
        for alias in node.names
    }


def public_methods() -> set[str]:
    """The methods that the protocol declares."""
    return {name for name in vars(IBrokerage) if not name.startswith("_")}


def test_there_are_exactly_the_eighteen() -> None:
    """IBrokerage has the 18 methods of the contract, and no other."""
    assert public_methods() == set(SIGNATURES)
    assert len(SIGNATURES) == 18


@pytest.mark.parametrize("name", SIGNATURES)
def test_signature_is_literally_the_contracts(name: str) -> None:
    """Names, order, defaults and annotations are letter for letter what the contract says."""
    signature = str(inspect.signature(getattr(IBrokerage, name))).replace("'", "")
    assert signature == SIGNATURES[name]


@pytest.mark.parametrize("name", SIGNATURES)
def test_annotations_can_be_evaluated(name: str) -> None:
    """What reads annotations at run time (a container, a web framework) gets the real types."""
    assert typing.get_type_hints(getattr(IBrokerage, name)) == HINTS[name]


def test_no_method_is_a_coroutine() -> None:
    """The contract is synchronous."""
    assert not any(inspect.iscoroutinefunction(getattr(IBrokerage, name)) for name in SIGNATURES)


def test_all_is_sorted_and_has_no_double() -> None:
    """Constants first, then classes, then functions, each in order of the alphabet."""

    def rank(name: str) -> tuple[int, str]:
        return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)

    assert interfaces.__all__ == sorted(set(interfaces.__all__), key=rank)


def test_all_is_what_type_checkers_see() -> None:
    """What can be imported at run time and what a checker believes are the same names."""
    assert set(interfaces.__all__) == static_imports()


@pytest.mark.parametrize("name", interfaces.__all__)
def test_each_name_is_there(name: str) -> None:
    """Each public name can be had, and the module lists it."""
    assert getattr(interfaces, name) is not None
    assert name in dir(interfaces)


def test_an_unknown_name_is_an_attribute_error() -> None:
    """A misspelt name fails as in any module, naming itself."""
    with pytest.raises(AttributeError, match="NoSuchThing"):
        getattr(interfaces, "NoSuchThing")  # noqa: B009 - a checker would refuse the plain spelling


def test_dir_is_complete_before_anything_is_used() -> None:
    """A shell completes the names that are still to be loaded, too."""
    missing = in_new_process(
        f"import json, {MODULE} as m; print(json.dumps(sorted(set(m.__all__) - set(dir(m)))))"
    )
    assert missing == []


def test_star_import_brings_every_name() -> None:
    """`from interfaces import *` brings the public names, and nothing private."""
    brought = in_new_process(
        f"import json\nbefore = set(globals())\nfrom {MODULE} import *\n"
        "print(json.dumps(sorted(set(globals()) - before - {'before'})))"
    )
    assert brought == sorted(interfaces.__all__)


def test_import_loads_no_sdk_and_no_transport() -> None:
    """Importing the protocol loads nothing that an adapter, a journal or a command needs."""
    loaded = in_new_process(f"import json, sys, {MODULE}; print(json.dumps(list(sys.modules)))")
    assert isinstance(loaded, list)
    found = {name.split(".")[0] for name in loaded} & set(MUST_NOT_LOAD)
    assert found == set()
    assert "attr" in {name.split(".")[0] for name in loaded}


def test_optional_models_are_loaded_when_first_used() -> None:
    """The capabilities cost nothing until a bot asks for one."""
    loaded = in_new_process(
        "import json, sys\n"
        f"import {MODULE} as m\n"
        f"name = '{MODULE.rpartition('.')[0]}.capabilities'\n"
        "before = name in sys.modules\n"
        "m.supports\n"
        "print(json.dumps([before, name in sys.modules]))"
    )
    assert loaded == [False, True]


@pytest.mark.parametrize("name", interfaces.__all__)
def test_each_name_has_an_exact_type_assertion(name: str) -> None:
    """tests/typing uses every public name, so that none can change its type unseen."""
    used = {
        node.id
        for file in ("public_api.py", "public_models.py")
        for node in ast.walk(ast.parse((TYPING_FOLDER / file).read_text(encoding="utf-8")))
        if isinstance(node, ast.Name)
    }
    assert name in used
