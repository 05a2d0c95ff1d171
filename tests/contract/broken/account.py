"""Broken accounts: balances, and the one account that all of it is about."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

import attrs

from bot_v2.features.brokerages.core.errors import InvalidFieldError
from tests.contract.broken.alterations import (
    each,
    each_with,
    forged,
    returned,
    sent_with,
    told_with,
)
from tests.contract.broken.entry import Broken
from tests.contract.broken.healthy import PAPER


def _refuses_named(_: Any, real: Any, request: Any) -> Any:
    if request.account_id is not None:
        raise InvalidFieldError("OrderRequest.account_id", request.account_id, "None")
    return real(request)


def _refuses_unheld(broker: Any, real: Any, asset: str) -> Any:
    if asset not in {balance.asset for balance in broker.list_balances()}:
        raise KeyError(asset)
    return real(asset)


def _never_less(broker: Any, real: Any, asset: str) -> Any:
    balance = real(asset)
    most = broker.__dict__.setdefault("most", {})
    if asset not in most or balance.total > most[asset].total:
        most[asset] = balance
    return most[asset]


def _spent(balance: Any) -> Any:
    return attrs.evolve(balance, total=balance.available, hold=Decimal(0))


BROKEN: Final = (
    Broken(
        name="no balances",
        fault="list_balances() returns an empty list.",
        on=PAPER,
        alter={"list_balances": returned(lambda _: [])},
        caught_by={"BC-A010": "a list that is not empty"},
    ),
    Broken(
        name="balances twice",
        fault="list_balances() lists each balance two times.",
        on=PAPER,
        alter={"list_balances": returned(lambda balances: balances * 2)},
        caught_by={"BC-A020": "each asset once per wallet"},
    ),
    Broken(
        name="a balance without parts",
        fault="get_balance() leaves out what is available, which list_balances() tells.",
        on=PAPER,
        alter={"get_balance": told_with(available=None, hold=None)},
        caught_by={"BC-A030": "USD to be Balance("},
    ),
    Broken(
        name="an unheld asset is an error",
        fault="get_balance() of an asset that is not held raises KeyError.",
        on=PAPER,
        alter={"get_balance": _refuses_unheld},
        caught_by={"BC-A040": "Unexpected KeyError"},
    ),
    Broken(
        name="holds not counted",
        fault="All of a balance is available, although a part is set aside.",
        on=PAPER,
        alter={"list_balances": each(lambda one: forged(one, available=one.total))},
        caught_by={"BC-A050": "total == available + hold"},
    ),
    Broken(
        name="a hold taken for a payment",
        fault="What an order sets aside is taken from the total.",
        on=PAPER,
        alter={"get_balance": returned(_spent)},
        caught_by={"BC-A060": "the total to be"},
    ),
    Broken(
        name="fees forgotten",
        fault="Orders say that they cost no fee, and the cash is less by it.",
        on=PAPER,
        alter={"get_order": told_with(fees=())},
        caught_by={
            "BC-A070": "cash of 99942.78284 after 57.21716 and fees of 0",
            "BC-FI060": "the fees by currency to be",
            "BC-FE020": "a fee of 0.11443432",
        },
        catalogue=("S11",),
    ),
    Broken(
        name="another account's label",
        fault="Orders and positions carry another account's id.",
        on=PAPER,
        alter={
            "list_orders": each_with(account_id="another"),
            "list_positions": each_with(account_id="another"),
        },
        caught_by={"BC-A080": "only account paper"},
        catalogue=("O02",),
    ),
    Broken(
        name="the account ignored",
        fault="An order that names another account is placed in this one.",
        on=PAPER,
        alter={"place_order": sent_with(account_id=None)},
        caught_by={"BC-A090": "InvalidRequestError from an order for another account"},
        catalogue=("O02",),
    ),
    Broken(
        name="the own account refused",
        fault="An order that names the bound account is refused.",
        on=PAPER,
        alter={"place_order": _refuses_named},
        caught_by={"BC-A100": "Unexpected InvalidFieldError: OrderRequest.account_id is"},
    ),
    Broken(
        name="what was sold is kept",
        fault="get_balance() never falls.",
        on=PAPER,
        alter={"get_balance": _never_less},
        caught_by={
            "BC-A110": "0 BTC after all of it was sold",
            "BC-A070": "cash of 99942.6684056800 after 57.21716",
        },
    ),
)
