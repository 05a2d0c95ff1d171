"""What is held, ordered and filled, added up; and what an exit is."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal as D

import attrs

from bot_v2.features.brokerages.core.interfaces import OrderSide
from bot_v2.orchestration.risk.exposure import (
    AccountState,
    Part,
    Reservation,
    is_exit,
    settled_since,
    widest,
    worst_position,
)
from tests.unit.orchestration.risk.bench import START
from tests.unit.orchestration.risk.test_stores import PART, look, reservation

BUY, SELL = OrderSide.BUY, OrderSide.SELL


def part(quantity: str, side: OrderSide = BUY, exposure: str = "X") -> Part:
    """A part of an order."""
    return attrs.evolve(PART, quantity=D(quantity), side=side, exposure=exposure)


def ended(filled: str | None, at_s: float, *parts: Part) -> Reservation:
    """An order that was admitted some seconds after the start, and has ended."""
    return attrs.evolve(
        reservation("one"),
        parts=parts or (part("5"),),
        reserved_at=START + timedelta(seconds=at_s),
        filled=None if filled is None else D(filled),
        released=7,
    )


def test_what_was_admitted_after_a_look_changes_what_it_shows() -> None:
    """What was admitted before may be in it already, and counts as an order."""
    state: AccountState = look(3)
    later, within = ended("2", 11.5), ended("2", 10.5)
    assert settled_since([later], state) == ({"X": D(2)}, [])
    sold = ended("0.5", 12, part("5", SELL))
    assert settled_since([later, sold], state) == ({"X": D("1.5")}, [])
    vague = [
        within,
        ended(None, 12),
        ended("2", 12, part("5"), part("5", SELL, "Y")),
        attrs.evolve(later, reserved_at=None),
        attrs.evolve(later, released=None),
    ]
    assert settled_since(vague, state) == ({}, vague)


def test_the_worst_position_is_by_side() -> None:
    """Buys make it longer, sells shorter; the other side never helps."""
    ahead = [part("3"), part("4", SELL), part("100", BUY, "Y")]
    assert worst_position(D(2), ahead, "X", BUY) == 5
    assert worst_position(D(2), ahead, "X", SELL) == 2
    assert worst_position(D(9), ahead, "X", SELL) == 0


def test_an_exit_only_lowers() -> None:
    """Every part of it, by no more than is left to the order."""
    held = {"X": D(5), "Y": D(-2)}
    assert is_exit([part("5", SELL), part("2", BUY, "Y")], held, [])
    assert not is_exit([part("5", SELL), part("2", SELL, "Y")], held, [])
    assert not is_exit([part("3", SELL), part("3", SELL)], held, [])
    assert not is_exit([part("5", SELL)], held, [part("1", SELL)])
    assert is_exit([part("5", SELL)], held, [part("1", BUY), part("1", SELL, "Y")])
    assert not is_exit([part("1", SELL, "Z")], held, [])
    assert not is_exit([], held, [])


def test_the_widest_of_two_orders_is_no_less_than_either() -> None:
    """A change in the making can end as the one or as the other."""
    cheap = attrs.evolve(part("5"), value=D(50))
    dear = attrs.evolve(part("4"), value=D(80))
    assert widest([cheap], [dear]) == (attrs.evolve(part("5"), value=D(80)),)
    assert widest([part("5")], [dear]) == (part("5"),)
