"""A broken brokerage: a healthy one with one fault, and the cards that must catch it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import attrs

from bot_v2.testing.conformance import CardResult
from bot_v2.testing.profile import ContractProfile
from bot_v2.testing.runner import run_cards

Around: TypeAlias = Callable[..., Any]
"""Stands in for a method: it is given the brokerage, the real method, and the arguments."""


@attrs.frozen(kw_only=True)
class Healthy:
    """A brokerage that keeps the contract, and how to build it."""

    name: str
    """How the table calls it."""
    kind: type[Any]
    """Its class."""
    build: Callable[..., Any]
    """Makes one of a class like it; given the venue where it has a parameter `venue`."""
    venue: Callable[..., Any]
    """Makes its venue."""
    profile: ContractProfile
    """What the suite may know of it."""

    def run(self, card_id: str, kind: type[Any] | None = None) -> CardResult:
        """Run one card on a fresh brokerage of a class; None: the healthy one."""
        build = functools.partial(self.build, kind or self.kind)
        result = run_cards(build, self.venue, [card_id], profile=self.profile)
        return result[0]


def _around(method: Callable[..., Any], instead: Around) -> Callable[..., Any]:
    # The signature stays as it was: what is broken is what the method does.
    @functools.wraps(method)
    def call(self: Any, *args: Any, **named: Any) -> Any:
        return instead(self, functools.partial(method, self), *args, **named)

    return call


@attrs.frozen(kw_only=True)
class Broken:
    """One deliberate fault."""

    name: str
    """Unique; how the tests and the table call it."""
    fault: str
    """What it does, in a sentence."""
    on: Healthy
    """The brokerage that has the fault put in."""
    caught_by: Mapping[str, str]
    """The ids of the cards that must catch it, and what each must say."""
    alter: Mapping[str, Around] = attrs.field(factory=dict)
    """The methods that behave otherwise."""
    declare: Mapping[str, object] = attrs.field(factory=dict)
    """The attributes of the class that are otherwise; None takes one away."""
    catalogue: tuple[str, ...] = ()
    """The ids of the fault catalogue that it stands for."""

    def kind(self) -> type[Any]:
        """Return the class."""
        members: dict[str, object] = {
            method: _around(getattr(self.on.kind, method), instead)
            for method, instead in self.alter.items()
        }
        members.update(self.declare)
        members.setdefault("__module__", self.on.kind.__module__)
        return type(self.on.kind.__name__, (self.on.kind,), members)

    def run(self, card_id: str) -> CardResult:
        """Run one card on it."""
        return self.on.run(card_id, self.kind())
