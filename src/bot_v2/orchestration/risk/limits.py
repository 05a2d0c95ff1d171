"""The limits that an account, or all accounts together, are held to; read from texts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import attrs

from bot_v2.features.brokerages.core.decimals import decimal_from_text
from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.features.brokerages.core.fields import EMPTY, FrozenMapping, freeze

ZERO: Final = Decimal(0)
ONE: Final = Decimal(1)


class ConditionCheck(StrEnum):
    """Whether the broker is asked something before an order, and what if it has no answer."""

    OFF = "off"
    """It is not asked."""
    SKIP = "skip"
    """It is asked; a broker that declares no such ability is not."""
    REFUSE = "refuse"
    """It is asked; with a broker that declares no such ability, new risk is refused."""


@attrs.frozen(kw_only=True)
class RiskLimits:
    """What new risk has to keep to; exits pass. None everywhere: no limit.

    Fractions are of equity, if no other base is named: 0.02 is 2 %. Amounts are in `currency`.
    """

    max_position_size: Decimal | None = None
    """The largest position in one product, all that is ordered included, as a fraction."""
    max_position_value: Decimal | None = None
    """The same, as an amount."""
    max_order_value: Decimal | None = None
    """The largest value of one order, an amount."""
    max_order_size: Decimal | None = None
    """The same, as a fraction of equity."""
    max_daily_loss: Decimal | None = None
    """How much of the day's first equity may be lost, as a fraction of it; open losses count."""
    min_cash_balance: Decimal | None = None
    """The cash that has to be left when all that is being bought is paid for, an amount."""
    min_cash_share: Decimal | None = None
    """The same, as a fraction of equity."""
    stop_loss_pct: Decimal | None = None
    """How far from the entry's price its stop is at most, as a fraction of that price. An order
    that brings none gets one, as a bracket."""
    max_orders_per_minute: int | None = None
    """How many orders of new risk in any 60 seconds; exits are counted, and never refused."""
    allowed_symbols: tuple[str, ...] | None = None
    """The canonical symbols that may be traded."""
    market_hours: ConditionCheck = ConditionCheck.OFF
    """Whether the market has to be open: see `ConditionCheck`."""
    margin: ConditionCheck = ConditionCheck.OFF
    """Whether the broker's margin has to suffice: see `ConditionCheck`."""
    price_margin: Decimal = Decimal("0.01")
    """By which fraction an order that takes the market's price may pay more than the latest."""
    currency: str | None = None
    """The currency of the amounts. None: the account's own, as its broker tells."""
    currency_rates: FrozenMapping = attrs.field(default=EMPTY, converter=freeze)
    """What one unit of another currency is worth in `currency`; without it nothing is converted."""
    day_zone: str = "UTC"
    """The IANA time zone whose midnight begins the day of `max_daily_loss`."""

    def __attrs_post_init__(self) -> None:
        for name, (fits, accepted) in _RULES.items():
            value = getattr(self, name)
            if value is not None and not fits(value):
                raise InvalidFieldError(f"RiskLimits.{name}", value, accepted)

    @property
    def needs_equity(self) -> bool:
        """Whether a limit is a fraction of the account's equity."""
        fractions = (
            self.max_position_size,
            self.max_order_size,
            self.max_daily_loss,
            self.min_cash_share,
        )
        return any(fraction is not None for fraction in fractions)

    @property
    def needs_cash(self) -> bool:
        """Whether a limit concerns the cash."""
        return self.min_cash_balance is not None or self.min_cash_share is not None

    @property
    def needs_positions(self) -> bool:
        """Whether a limit concerns positions."""
        return self.max_position_size is not None or self.max_position_value is not None

    @property
    def needs_account(self) -> bool:
        """Whether a limit cannot be checked without a look at the account."""
        return self.needs_equity or self.needs_positions or self.needs_cash

    @property
    def has_amounts(self) -> bool:
        """Whether a limit is in a currency."""
        return self.needs_account or self.max_order_value is not None


def _is_exact(value: object) -> bool:
    return isinstance(value, Decimal) and value.is_finite()


def _is_fraction(value: Decimal) -> bool:
    return _is_exact(value) and ZERO < value <= ONE


def _is_part(value: Decimal) -> bool:
    return _is_exact(value) and ZERO <= value < ONE


def _is_positive(value: Decimal) -> bool:
    return _is_exact(value) and value > ZERO


def _is_zone(value: str) -> bool:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _are_rates(value: Mapping[str, object]) -> bool:
    return all(isinstance(rate, Decimal) and _is_positive(rate) for rate in value.values())


_FRACTION: Final = "a Decimal above 0 and at most 1, such as 0.02 for 2 %"
_AMOUNT: Final = "a Decimal above 0, an amount of the currency"

_RULES: Final[dict[str, tuple[Callable[..., bool], str]]] = {
    # limit: what fits, and how that is said
    "max_position_size": (_is_fraction, _FRACTION),
    "max_position_value": (_is_positive, _AMOUNT),
    "max_order_value": (_is_positive, _AMOUNT),
    "max_order_size": (_is_fraction, _FRACTION),
    "max_daily_loss": (_is_fraction, _FRACTION),
    "min_cash_share": (_is_fraction, _FRACTION),
    "min_cash_balance": (
        lambda value: _is_exact(value) and value >= ZERO,
        "a Decimal of 0 or more, an amount of the currency",
    ),
    "stop_loss_pct": (
        lambda value: _is_part(value) and value > ZERO,
        "a Decimal above 0 and below 1, such as 0.05 for 5 % of the price",
    ),
    "max_orders_per_minute": (lambda value: type(value) is int and value > 0, "an int above 0"),
    "allowed_symbols": (
        lambda value: (
            isinstance(value, tuple) and all(isinstance(each, str) and each for each in value)
        ),
        "a tuple of canonical symbols",
    ),
    "market_hours": (
        lambda value: isinstance(value, ConditionCheck),
        f"a ConditionCheck: {', '.join(ConditionCheck)}",
    ),
    "margin": (
        lambda value: isinstance(value, ConditionCheck),
        f"a ConditionCheck: {', '.join(ConditionCheck)}",
    ),
    "price_margin": (_is_part, "a Decimal of 0 or more and below 1, such as 0.01 for 1 %"),
    "currency": (lambda value: isinstance(value, str) and bool(value), "a currency, such as USD"),
    "currency_rates": (_are_rates, "a Decimal above 0 for each currency"),
    "day_zone": (_is_zone, "an IANA time zone, such as America/New_York"),
}


def risk_limits(texts: Mapping[str, object], where: str = "risk") -> RiskLimits:
    """Return the limits that a mapping of texts states.

    Args:
        texts: the value of each limit by its name in `RiskLimits`; numbers as text, such as "0.02",
            or as an exact Decimal or int; `allowed_symbols` as a list, or as text with commas;
            `currency_rates` as a mapping. What is absent, None or empty is no limit.
        where: what the mapping is called, for the error: `brokers.acme.risk`.

    Raises:
        InvalidFieldError: names the limit, its value and what is accepted.
    """
    known = attrs.fields_dict(RiskLimits)
    unknown = [name for name in texts if name not in known]
    if unknown:
        raise InvalidFieldError(where, unknown[0], f"the limits {', '.join(known)}")
    given = {}
    for name, value in texts.items():
        if value is None or value == "":
            continue
        field = f"{where}.{name}"
        read: Callable[[object, str], object] = _READERS.get(name, _number)
        given[name] = read(value, field)
        if name in _RULES and not _RULES[name][0](given[name]):
            raise InvalidFieldError(field, value, _RULES[name][1].replace("a Decimal", "a number"))
    return RiskLimits(**given)  # type: ignore[arg-type]  # each was read for its field


def _number(value: object, field: str) -> Decimal:
    if isinstance(value, str):
        return decimal_from_text(value.strip(), field)
    if isinstance(value, Decimal) and value.is_finite():
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    raise InvalidFieldError(field, value, 'the text of a number, such as "0.02"')


def _whole_number(value: object, field: str) -> int:
    number = _number(value, field)
    if number != number.to_integral_value():
        raise InvalidFieldError(field, value, "a whole number")
    return int(number)


def _text(value: object, field: str) -> str:
    if not isinstance(value, str):
        raise InvalidFieldError(field, value, "a text")
    return value.strip()


def _symbols(value: object, field: str) -> tuple[str, ...]:
    listed = value.split(",") if isinstance(value, str) else value
    if not isinstance(listed, Iterable) or isinstance(listed, Mapping):
        raise InvalidFieldError(field, value, "a list of symbols, or a text with commas")
    return tuple(_text(each, field) for each in listed)


def _check(value: object, field: str) -> ConditionCheck:
    text = _text(value, field).lower()
    if text not in set(ConditionCheck):
        raise InvalidFieldError(field, value, f"one of {', '.join(ConditionCheck)}")
    return ConditionCheck(text)


def _rates(value: object, field: str) -> dict[str, Decimal]:
    if not isinstance(value, Mapping):
        raise InvalidFieldError(field, value, 'a rate by currency, such as {"EUR": "1.10"}')
    return {str(name): _number(rate, f"{field}.{name}") for name, rate in value.items()}


_READERS: Final[dict[str, Callable[[object, str], object]]] = {
    # limit: how it is read; the others are numbers
    "max_orders_per_minute": _whole_number,
    "allowed_symbols": _symbols,
    "market_hours": _check,
    "margin": _check,
    "currency": _text,
    "currency_rates": _rates,
    "day_zone": _text,
}
