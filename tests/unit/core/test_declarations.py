"""What an adapter declares of itself, and the least that is assumed where it says nothing."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal as D
from types import SimpleNamespace
from typing import Any

import attrs
import pytest

from bot_v2.features.brokerages.core import interfaces as api
from bot_v2.features.brokerages.core.capabilities import PROTOCOLS, methods_of
from bot_v2.features.brokerages.core.interfaces import Capability

SILENT = object()
PROFILE = api.IdempotencyProfile(
    scope=api.IdempotencyScope.WHILE_OPEN,
    on_duplicate=api.DuplicateBehaviour.REJECTS,
    max_length=20,
    alphabet="abc-",
    id_alphabet="abc",
)


class Marginal:
    """Declares margin, and has its methods."""

    capabilities = frozenset({Capability.MARGIN, Capability.BRACKET})

    def get_margin(self) -> api.Margin:
        """Return a margin."""
        return api.Margin(currency="USD", buying_power=D(7))

    def get_order_margin(self, order_request: api.OrderRequest) -> api.Margin:
        """Return the same margin."""
        return self.get_margin()


def test_the_least_is_assumed_of_an_adapter_that_says_nothing() -> None:
    """No capability, no protection by ids, one session of history, a best-effort close."""
    assert api.name_of(SILENT) == "object"
    assert api.capabilities_of(SILENT) == frozenset()
    assert api.unsupported_of(SILENT) == frozenset()
    assert api.idempotency_of(SILENT).scope is api.IdempotencyScope.NONE
    assert api.idempotency_of(SILENT).on_duplicate is api.DuplicateBehaviour.ACCEPTS
    assert api.order_history_of(SILENT).retention is api.Retention.SESSION
    assert api.close_guard_of(SILENT) is api.CloseGuard.BEST_EFFORT
    assert api.balance_identity_of(SILENT) is False
    assert api.spot_as_positions_of(SILENT) is False
    assert api.environment_of(SILENT) is api.Environment.LIVE


@pytest.mark.parametrize(
    ("said", "understood"),
    [
        ("paper", api.Environment.PAPER),
        ("SANDBOX", api.Environment.SANDBOX),
        (api.Environment.SIMULATOR, api.Environment.SIMULATOR),
        ("demo", api.Environment.LIVE),
        (None, api.Environment.LIVE),
    ],
)
def test_what_is_not_known_to_be_harmless_is_live(
    said: object, understood: api.Environment
) -> None:
    """An environment that is misspelt or unknown never passes for a simulator."""
    assert api.environment_of(SimpleNamespace(environment=said)) is understood


def test_what_is_declared_is_read() -> None:
    """Each declaration is returned as the adapter wrote it."""
    history = api.OrderHistory(retention=api.Retention.DAYS, days=90)
    broker = SimpleNamespace(
        name="acme",
        capabilities=frozenset({Capability.FILLS}),
        unsupported=frozenset({"get_orderbook:level>=2"}),
        idempotency=PROFILE,
        order_history=history,
        close_guard=api.CloseGuard.ATOMIC,
        balance_identity=True,
        spot_as_positions=True,
    )
    assert api.name_of(broker) == "acme"
    assert api.capabilities_of(broker) == {Capability.FILLS}
    assert api.unsupported_of(broker) == {"get_orderbook:level>=2"}
    assert api.idempotency_of(broker) is PROFILE
    assert api.order_history_of(broker) is history
    assert api.close_guard_of(broker) is api.CloseGuard.ATOMIC
    assert api.balance_identity_of(broker) is True
    assert api.spot_as_positions_of(broker) is True


def test_a_capability_counts_when_it_is_declared_and_present() -> None:
    """Methods without the declaration prove nothing, nor does the declaration without methods."""
    broker: object = Marginal()
    assert api.supports(broker, api.SupportsMargin)
    assert broker.get_margin().buying_power == D(7)
    assert not api.supports(broker, api.SupportsFills)
    assert not api.supports(
        SimpleNamespace(capabilities={Capability.MARGIN}, get_margin=None), api.SupportsMargin
    )
    undeclared = SimpleNamespace(get_margin=1, get_order_margin=1, capabilities=frozenset())
    assert not api.supports(undeclared, api.SupportsMargin)


def test_what_is_no_capability_protocol_is_refused() -> None:
    """Asking for IBrokerage or anything else by `supports` is a mistake, not a no."""
    with pytest.raises(TypeError, match="no capability protocol"):
        api.supports(Marginal(), api.IBrokerage)


def test_every_capability_has_its_protocol() -> None:
    """Each member is in the table, no method belongs to two, and none has no methods by mistake."""
    assert set(PROTOCOLS) == set(Capability)
    methods = Counter(name for capability in Capability for name in methods_of(capability))
    assert max(methods.values()) == 1
    assert methods_of(Capability.MARGIN) == ("get_margin", "get_order_margin")
    assert methods_of(Capability.BRACKET) == ()
    assert all(methods_of(each) for each, protocol in PROTOCOLS.items() if protocol is not None)


def test_ids_fit_the_profile_and_differ() -> None:
    """18 characters of a to z and 0 to 9 unless the broker wants otherwise."""
    default = api.LEAST_IDEMPOTENCY
    made = {default.make_id() for _ in range(500)}
    assert len(made) == 500
    assert all(len(each) == 18 and set(each) <= set(default.id_alphabet) for each in made)
    for _ in range(50):
        PROFILE.check_id(PROFILE.make_id())


@pytest.mark.parametrize("bad", ["", "a" * 21, "abcd", "ABC", "a b"])
def test_a_misfit_id_is_refused_not_cut(bad: str) -> None:
    """Too long, empty, or with a character that the broker does not take."""
    with pytest.raises(api.InvalidFieldError, match="1 to 20 characters of abc-"):
        PROFILE.check_id(bad)


@pytest.mark.parametrize(
    "changes",
    [{"id_length": 0}, {"id_length": 21}, {"id_alphabet": "xyz"}, {"visibility_lag_s": -1.0}],
)
def test_a_profile_that_makes_ids_it_would_refuse_is_refused(changes: dict[str, Any]) -> None:
    """make_id always makes what check_id takes."""
    with pytest.raises(api.InvalidFieldError):
        attrs.evolve(PROFILE, **changes)
