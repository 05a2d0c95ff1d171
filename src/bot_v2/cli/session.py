"""A brokerage for one command: made, connected, and written to only with consent."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import attrs
import typer

from bot_v2.cli.output import waiting
from bot_v2.features.brokerages.core.declarations import (
    Environment,
    environment_of,
    name_of,
)
from bot_v2.features.brokerages.core.errors import (
    AuthenticationError,
    BrokerageError,
    ErrorContext,
    InsufficientFundsError,
    InvalidFieldError,
    MarketClosedError,
    OrderNotFoundError,
    OrderOutcomeUnknownError,
    PermissionDeniedError,
)
from bot_v2.orchestration.broker_factory import (
    NAME_VARIABLES,
    available_brokerages,
    create_brokerage,
)
from bot_v2.orchestration.configuration.files import load_settings_if_any
from bot_v2.orchestration.configuration.overrides import choose
from bot_v2.orchestration.credentials.model import set_name
from bot_v2.orchestration.registry import REGISTRY

if TYPE_CHECKING:
    from bot_v2.features.brokerages.core.brokerage import IBrokerage

_B = TypeVar("_B", bound="IBrokerage")

PAPER_NAMES: Final = frozenset({"paper", "simulation"})
"""The names of the brokerage whose account can be a file."""

ACCOUNT_VARIABLE: Final = "PAPER_ACCOUNT_FILE"
"""Where the environment names the account file."""

IN_MEMORY: Final = ":memory:"
"""The account file that is none."""

JOURNAL_VARIABLE: Final = "BOT_V2_JOURNAL"
"""Where the environment names the order journal."""


REFUSALS: Final = (
    AuthenticationError,
    InsufficientFundsError,
    InvalidFieldError,
    MarketClosedError,
    OrderNotFoundError,
    PermissionDeniedError,
)
"""Errors that are a refusal by what they say, should an adapter forget to state the outcome."""


class NotConfirmedError(Exception):
    """A live broker would have been written to, and nobody confirmed: nothing was sent."""


@attrs.frozen(kw_only=True)
class Target:
    """Which brokerage a command is for, as it was given."""

    broker: str | None = None
    """The name. None: the environment says."""
    account: str | None = None
    """The paper brokerage's account file. None: the default one."""
    journal: str | None = None
    """The order journal, as a URL or a path. None: the default one, or none at all."""

    def as_options(self) -> list[str]:
        """Return the options that name the same brokerage, and journal, again."""
        # A URL with somebody's name in it may hold a password, and nothing secret is printed.
        journal = None if self.journal is None or "@" in self.journal else self.journal
        given = {"--broker": self.broker, "--account": self.account, "--journal": journal}
        return [word for name, value in given.items() if value for word in (name, value)]


def make(target: Target) -> IBrokerage:
    """Make the brokerage, not connected.

    Raises:
        BrokerageError: there is none of that name, or it refuses its settings.
    """
    named = _make_named(target)
    if named is not None:
        return named
    chosen = chosen_name(target, os.environ)
    if target.account == IN_MEMORY and chosen in PAPER_NAMES:
        # No setting says "none", so the environment must not name a file either.
        environ = {key: text for key, text in os.environ.items() if key != ACCOUNT_VARIABLE}
        return REGISTRY.create(chosen, {}, environ)
    settings = account_settings(target, os.environ)
    with _new_account_told(settings.get("account_file"), default_account_file()):
        return create_brokerage(target.broker, settings)


def _make_named(target: Target) -> IBrokerage | None:
    """Make a broker of the desk. None: there is no `brokers.json`, or none of that name in it."""
    desk = load_settings_if_any(os.environ)
    if desk is None or not (desk.brokers or desk.default_broker):
        return None
    chosen = chosen_name(target, os.environ)
    if chosen and set_name(chosen) not in {set_name(name) for name in desk.brokers}:
        if chosen not in available_brokerages():
            known = ", ".join(dict.fromkeys([*desk.brokers, *available_brokerages()]))
            raise InvalidFieldError("--broker", chosen, known)
        return None
    # Imported here: most commands are for a brokerage by its type.
    from bot_v2.cli.vaults import vault_of
    from bot_v2.orchestration.configuration.named_brokerage import create_named_brokerage

    found = choose(desk, chosen or None, os.environ)
    given = dict(found.entry.settings)
    file = _account_file_of(found.name)
    if target.account is not None:
        given["account_file"] = target.account
    elif found.entry.type in PAPER_NAMES and not found.environ.get(ACCOUNT_VARIABLE):
        given.setdefault("account_file", str(file))
    entry = attrs.evolve(desk.brokers[found.name], settings=given)
    changed = attrs.evolve(desk, brokers={**desk.brokers, found.name: entry})
    with _new_account_told(given.get("account_file"), file):
        return create_named_brokerage(found.name, desk=changed, vault=vault_of(desk))


def _account_file_of(name: str) -> Path:
    """Return where the paper account of a broker of the desk lives when nobody says."""
    default = default_account_file()
    own = set_name(name)
    return default if own in PAPER_NAMES else default.with_name(f"paper-{own}.sqlite")


@contextmanager
def _new_account_told(said: object, default: Path) -> Iterator[None]:
    """Make the folder of an account file that is new, and say where it is once it is made."""
    is_new = said == str(default) and not default.exists()
    if is_new:
        default.parent.mkdir(parents=True, exist_ok=True)
    yield
    if is_new:
        typer.echo(f"new paper account: {default}", err=True)


def account_settings(target: Target, environ: Mapping[str, str]) -> dict[str, object]:
    """Return the settings that say where the account lives.

    A paper account of the command line is a file unless the caller says otherwise: in memory, what
    one call buys the next could not show. A brokerage that has no account files refuses one.
    """
    if target.account is not None:
        return {"account_file": target.account}
    if chosen_name(target, environ) not in PAPER_NAMES or environ.get(ACCOUNT_VARIABLE):
        return {}
    return {"account_file": str(default_account_file())}


def without_new_account(target: Target) -> Target:
    """Return the target, but in memory where its paper account would be made anew.

    What only looks leaves nothing behind.
    """
    settings = account_settings(target, os.environ)
    is_new = target.account is None and settings.get("account_file") == str(default_account_file())
    if is_new and not default_account_file().exists():
        return attrs.evolve(target, account=IN_MEMORY)
    return target


def chosen_name(target: Target, environ: Mapping[str, str]) -> str:
    """Return the name that the factory will choose; empty where nothing names one."""
    names = [target.broker, *(environ.get(variable) for variable in NAME_VARIABLES)]
    return next((name.strip().lower() for name in names if name and name.strip()), "")


def default_account_file() -> Path:
    """Return where the paper account of the command line lives when nobody says."""
    return Path(typer.get_app_dir("bot-v2")) / "paper.sqlite"


@contextmanager
def connected(target: Target) -> Iterator[IBrokerage]:
    """Make and connect a brokerage, and disconnect it at the end.

    Raises:
        BrokerageError: it cannot be made or connected.
    """
    with session(make(target)) as broker:
        yield broker


@contextmanager
def session(broker: _B) -> Iterator[_B]:
    """Connect a brokerage, and disconnect it at the end.

    Raises:
        BrokerageError: it cannot be connected.
    """
    with waiting(f"connecting {name_of(broker)}", is_silent=False):
        broker.connect()
    try:
        yield broker
    finally:
        # What was to be done is done, or has its own error: this one would hide it.
        with suppress(BrokerageError):
            broker.disconnect()


@contextmanager
def ending(broker: IBrokerage) -> Iterator[None]:
    """Disconnect a brokerage at the end, whether it could be connected or not."""
    try:
        yield
    finally:
        with suppress(BrokerageError):
            broker.disconnect()


def is_live(broker: object) -> bool:
    """Whether real money may move."""
    return environment_of(broker) is Environment.LIVE


@contextmanager
def writable(target: Target, *, yes: bool) -> Iterator[IBrokerage]:
    """Connect a brokerage that a command is going to write to.

    Raises:
        NotConfirmedError: it is live, and there is neither a --yes nor a person to ask.
        BrokerageError: it cannot be made or connected.
    """
    broker = make(target)
    if is_live(broker) and not yes and not sys.stdin.isatty():
        raise NotConfirmedError(
            f"{name_of(broker)} is live, and there is nobody to ask: give --yes to write to it "
            "without confirmation. Nothing was sent"
        )
    with session(broker):
        yield broker


def confirm(broker: IBrokerage, action: str, *, yes: bool) -> None:
    """Ask before writing to a live broker.

    Args:
        broker: the brokerage, connected.
        action: what is about to be sent, as a sentence without its end.
        yes: the caller has confirmed beforehand.

    Raises:
        NotConfirmedError: the answer was not yes.
    """
    if yes or not is_live(broker):
        return
    where = f"{name_of(broker)} (LIVE), account {broker.get_account_id()}"
    if not agrees(f"{action} on {where}?"):
        raise NotConfirmedError("not confirmed: nothing was sent")


def confirm_record(question: str, *, yes: bool) -> None:
    """Ask before the order journal is changed by a person's word.

    Args:
        question: what is about to be written down, or taken away.
        yes: the caller has confirmed beforehand.

    Raises:
        NotConfirmedError: the answer was not yes, or there is nobody to ask.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise NotConfirmedError("there is nobody to ask: give --yes. Nothing was written")
    if not agrees(question):
        raise NotConfirmedError("not confirmed: nothing was written")


def agrees(question: str) -> bool:
    """Return whether the person at the terminal says yes."""
    try:
        return typer.confirm(question, err=True)
    except typer.Abort:
        return False


@contextmanager
def one_write(
    broker: IBrokerage,
    operation: str,
    *,
    symbol: str | None = None,
    order_id: str | None = None,
    client_order_id: str | None = None,
) -> Iterator[None]:
    """Guard the one call that writes: whatever ends it says whether it may have taken effect.

    Raises:
        BrokerageError: what the call raised, if it says its outcome.
        OrderOutcomeUnknownError: anything else ended the call, Ctrl-C included.
    """
    context: ErrorContext = {
        "broker": name_of(broker),
        "operation": operation,
        "symbol": symbol,
        "order_id": order_id,
        "client_order_id": client_order_id,
    }
    try:
        yield
    except BrokerageError as error:
        if error.outcome is None and not isinstance(error, REFUSALS):
            raise _unknown(error, context) from error
        error.client_order_id = error.client_order_id or client_order_id
        error.order_id = error.order_id or order_id
        raise
    except (Exception, KeyboardInterrupt) as error:
        raise _unknown(error, context) from error


def _unknown(cause: BaseException, context: ErrorContext) -> OrderOutcomeUnknownError:
    return OrderOutcomeUnknownError(
        f"{context['operation']} ended in {type(cause).__name__}, which does not say whether it "
        "took effect",
        **context,
    )
