"""What holds for every model: frozen, exact, typed, and no float gets in."""

from __future__ import annotations

import copy
import pickle
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal as D
from enum import Enum
from typing import Any, get_type_hints

import attrs
import pytest

from bot_v2.features.brokerages.core import interfaces as api
from tests.unit.core.model_examples import EXAMPLES, FILL, NOW, OPTION, ORDER_FIELDS, PRODUCT, order

MODELS = [
    name
    for name in api.__all__
    if isinstance(getattr(api, name), type) and attrs.has(getattr(api, name))
]


def by_name(example: object) -> str:
    """Return the name of an example's model."""
    return type(example).__name__


def fields_of(kind: str) -> list[tuple[Any, str]]:
    """Return every (example, field) whose declared type names `kind`."""
    return [
        (example, field.name)
        for example in EXAMPLES
        for field in attrs.fields(type(example))
        if kind in str(field.type).replace("FrozenMapping", "")
    ]


def with_value(example: Any, field: str, value: object) -> object:
    """Return the example built anew with another value of one field."""
    given = {each.name: getattr(example, each.name) for each in attrs.fields(type(example))}
    return type(example)(**{**given, field: value})


def test_every_model_has_an_example() -> None:
    """No model escapes the checks below."""
    assert sorted({by_name(example) for example in EXAMPLES}) == sorted(MODELS)


@pytest.mark.parametrize("example", EXAMPLES, ids=by_name)
def test_models_are_frozen_and_slotted(example: Any) -> None:
    """A model cannot be changed, and takes no attribute that it does not declare."""
    field = attrs.fields(type(example))[0].name
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(example, field, None)
    assert not hasattr(example, "__dict__")


@pytest.mark.parametrize("example", EXAMPLES, ids=by_name)
def test_models_survive_pickle_and_copy_and_hash(example: Any) -> None:
    """A model can cross a process boundary, be copied and be a key."""
    assert pickle.loads(pickle.dumps(example)) == example
    assert copy.deepcopy(example) == example
    assert attrs.evolve(example) == example
    assert hash(attrs.evolve(example)) == hash(example)


@pytest.mark.parametrize("bad", [0.1, 1, "1", True, D("NaN"), D("sNaN"), D("Infinity"), D("-Inf")])
@pytest.mark.parametrize(("example", "field"), fields_of("Decimal"))
def test_a_money_field_takes_finite_decimals_only(example: Any, field: str, bad: object) -> None:
    """Floats, ints, texts, NaN and infinities are refused, by the field's name and value."""
    with pytest.raises(api.InvalidFieldError) as caught:
        with_value(example, field, bad)
    assert caught.value.field == f"{by_name(example)}.{field}"
    assert caught.value.value is bad
    assert "finite Decimal" in caught.value.accepted


@pytest.mark.parametrize(
    "bad",
    [
        datetime(2026, 11, 21),  # noqa: DTZ001 - the naive datetime is what is refused
        "2026-11-21T00:00:00Z",
        1_700_000_000,
        date(2026, 11, 21),
    ],
)
@pytest.mark.parametrize(("example", "field"), fields_of("datetime"))
def test_a_moment_is_an_aware_datetime(example: Any, field: str, bad: object) -> None:
    """Naive datetimes, texts, numbers and dates are refused where a moment is meant."""
    with pytest.raises(api.InvalidFieldError, match="an aware UTC datetime"):
        with_value(example, field, bad)


def test_a_model_read_from_a_broker_is_in_utc() -> None:
    """An adapter that forgets to convert a local time is caught."""
    local = NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))
    with pytest.raises(api.InvalidFieldError, match="aware UTC"):
        order(timestamp=local)


@pytest.mark.parametrize("bad", ["", None, 7])
def test_an_id_is_a_text_that_says_something(bad: object) -> None:
    """An empty text never stands for an unknown id."""
    with pytest.raises(api.InvalidFieldError) as caught:
        order(order_id=bad)
    assert caught.value.field == "Order.order_id"


def test_an_enum_field_names_its_members() -> None:
    """A text in place of an enum member is refused, with the members to choose from."""
    with pytest.raises(api.InvalidFieldError) as caught:
        order(side="buy")
    assert caught.value.accepted == "OrderSide.BUY, OrderSide.SELL; or None"


@pytest.mark.parametrize(
    ("field", "value", "accepted"),
    [
        ("legs", [], "a tuple"),
        ("legs", ("AAPL",), "a tuple of a Leg"),
        ("fees", (D(1),), "a tuple of a Fee"),
    ],
)
def test_a_collection_is_a_tuple_of_models(field: str, value: object, accepted: str) -> None:
    """A list could be changed behind the model's back, so it is refused."""
    with pytest.raises(api.InvalidFieldError, match=accepted):
        order(**{field: value})


@pytest.mark.parametrize(
    "bad", [{"a": 0.1}, {"a": []}, {"a": {}}, {1: "a"}, [("a", 1)], "text"], ids=repr
)
def test_metadata_holds_immutable_exact_values_only(bad: object) -> None:
    """A float, a list or a dict has no place in the native extras."""
    with pytest.raises(api.InvalidFieldError, match="metadata"):
        order(metadata=bad)


def test_metadata_is_a_read_only_copy_that_equality_ignores() -> None:
    """A change of the adapter's dict does not reach the order, and extras make no difference."""
    extras: dict[str, Any] = {"native_type": "LMT"}
    first = order(metadata=extras)
    extras["native_type"] = "MKT"
    assert first.metadata == {"native_type": "LMT"}
    assert list(first.metadata) == ["native_type"]
    assert len(first.metadata) == 1
    assert repr(first.metadata) == "{'native_type': 'LMT'}"
    with pytest.raises(TypeError):
        first.metadata["native_type"] = "MKT"  # type: ignore[index]  # that it fails is the test
    assert first == order(metadata={})
    assert hash(first) == hash(order(metadata={}))


def test_options_of_a_request_are_part_of_it() -> None:
    """Two requests that ask the broker for different things are different."""
    plain = api.OrderRequest(symbol="X", side=api.OrderSide.BUY, quantity=D(1))
    special = attrs.evolve(plain, broker_options={"product": "MIS"})
    assert plain != special
    assert len({plain, special, attrs.evolve(special)}) == 2


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"filled_quantity": D("-1")}, "filled_quantity"),
        ({"quantity": D(0)}, "quantity"),
        ({"quantity": D(-2)}, "quantity"),
        ({"quantity": None, "notional": D(0)}, "notional"),
        ({"status": api.OrderStatus.FILLED}, "filled_quantity"),
        ({"average_fill_price": D(100)}, "average_fill_price"),
    ],
)
def test_an_incoherent_order_is_refused(changes: dict[str, Any], field: str) -> None:
    """An order cannot say that less than nothing was filled, or a price for nothing."""
    with pytest.raises(api.InvalidFieldError) as caught:
        order(**changes)
    assert caught.value.field == f"Order.{field}"
    assert caught.value.outcome is None


def test_the_remaining_quantity_is_known_where_the_quantity_is() -> None:
    """What is left is the quantity less what was filled; None where nobody says the quantity."""
    assert order(filled_quantity=D("0.5")).remaining_quantity == D("1.5")
    assert order(filled_quantity=D("0.5")).overfilled_quantity == 0
    assert order(quantity=None, notional=D(10)).remaining_quantity is None
    assert order(quantity=None, notional=D(10)).overfilled_quantity is None


def test_an_order_may_be_filled_by_more_than_was_ordered() -> None:
    """Nothing remains then, and by how much is told to the last digit."""
    over = order(filled_quantity=D("2.0000000000000000000000000000000001"))
    assert over.remaining_quantity == 0
    assert over.overfilled_quantity == D("1E-34")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"order_id": None}, "order_id"),
        ({"error": api.OrderRejectedError("no")}, "error"),
        ({"success": False}, "error"),
    ],
)
def test_an_incoherent_result_is_refused(changes: dict[str, Any], field: str) -> None:
    """A success has an id and no error; a failure says why."""
    given: dict[str, Any] = {"success": True, "client_order_id": "c", "order_id": "o"}
    with pytest.raises(api.InvalidFieldError) as caught:
        api.OrderResult(**{**given, **changes})
    assert caught.value.field == f"OrderResult.{field}"


def test_a_failed_result_keeps_its_error_and_the_id_to_look_for() -> None:
    """Whatever came of an order, its client id and its error are at hand."""
    error = api.OrderRejectedError("no", reason="post-only would take")
    result = api.OrderResult(success=False, client_order_id="c", error=error)
    assert (result.client_order_id, result.error) == ("c", error)


def test_an_empty_modification_is_refused() -> None:
    """A modification that changes nothing is a mistake of the caller's."""
    with pytest.raises(api.InvalidFieldError, match="at least one change") as caught:
        api.OrderModification(client_order_id="c-2")
    assert caught.value.outcome is api.Outcome.NOT_SENT


def test_a_modification_keeps_its_end_in_utc() -> None:
    """The end of a GTD order may be given in any zone."""
    local = NOW.astimezone(timezone(timedelta(hours=-5)))
    kept = api.OrderModification(expires_at=local).expires_at
    assert kept == NOW
    assert kept is not None
    assert kept.tzinfo is UTC


@pytest.mark.parametrize(
    "build",
    [
        lambda: attrs.evolve(FILL, quantity=D(0)),
        lambda: attrs.evolve(FILL, busted=True),
        lambda: attrs.evolve(PRODUCT, max_order_size=D("0.0001")),
        lambda: attrs.evolve(PRODUCT, price_increment=D(0)),
        lambda: attrs.evolve(PRODUCT, min_notional=D(-1)),
        lambda: attrs.evolve(OPTION, strike=None),
        lambda: attrs.evolve(OPTION, right=None),
        lambda: attrs.evolve(OPTION, expiry=None),
        lambda: api.OptionContract(product=PRODUCT),
        lambda: api.PriceLevel(price=D(1), size=D(0)),
        lambda: api.PriceLevel(price=D(1), size=D("NaN")),
        lambda: api.Trade(symbol="X", price=D(1), size=D(0), timestamp=NOW),
        lambda: api.Position(symbol="X", quantity=D(0), side=api.PositionSide.LONG, account_id="a"),
        lambda: api.BrokerHealth(
            connected=True, api_responsive=True, last_check_timestamp=1.0, latency_s=-1.0
        ),
        lambda: api.BrokerHealth(
            connected=True, api_responsive=True, last_check_timestamp=float("nan")
        ),
        lambda: api.BrokerHealth(
            connected=1,  # type: ignore[arg-type]  # the wrong type is what is refused
            api_responsive=True,
            last_check_timestamp=1.0,
        ),
        lambda: api.Quote(symbol="X", timestamp=NOW, bid=D(1), bid_size=D(-1)),
        lambda: api.OrderHistory(retention=api.Retention.DAYS),
        lambda: api.OrderHistory(retention=api.Retention.FOREVER, days=3),
        lambda: api.OrderHistory(retention=api.Retention.SESSION),
        lambda: api.StreamGap(timestamp=NOW, reason="x", missed=True),
        lambda: attrs.evolve(
            PRODUCT,
            price_bands=(
                api.PriceBand(lower_price=D(1), price_increment=D(1)),
                api.PriceBand(lower_price=D(1), price_increment=D(2)),
            ),
        ),
    ],
)
def test_a_model_that_makes_no_sense_is_refused(build: Any) -> None:
    """Zero sizes, negative increments, options without a strike and the like cannot be built."""
    with pytest.raises(api.InvalidFieldError):
        build()


@pytest.mark.parametrize(
    ("changes", "accepted"),
    [
        ({"high": D(10)}, "at least open, low and close"),
        ({"low": D("10.5")}, "at most open and close"),
        ({"interval": timedelta(0)}, "longer than zero"),
        ({"volume": D(-1)}, "zero or more"),
    ],
)
def test_an_incoherent_candle_is_refused(changes: dict[str, Any], accepted: str) -> None:
    """High and low bound the other prices, and an interval lasts."""
    candle = next(example for example in EXAMPLES if isinstance(example, api.Candle))
    with pytest.raises(api.InvalidFieldError, match=accepted):
        attrs.evolve(candle, **changes)


def test_a_book_is_sorted_best_first() -> None:
    """The first bid is the highest and the first ask the lowest; equal prices are single orders."""
    low, high = api.PriceLevel(D(99), D(1)), api.PriceLevel(D(100), D(1))
    with pytest.raises(api.InvalidFieldError, match="highest price first"):
        api.Orderbook(symbol="X", bids=(low, high), asks=())
    with pytest.raises(api.InvalidFieldError, match="lowest price first"):
        api.Orderbook(symbol="X", bids=(), asks=(high, low))
    assert api.Orderbook(symbol="X", bids=(high, high), asks=(high, high)).bids == (high, high)


def test_the_fast_check_of_a_level_refuses_what_the_slow_one_does() -> None:
    """A subclass of Decimal is a Decimal; what the fast path does not know the slow one decides."""

    class Money(D):
        pass

    assert api.PriceLevel(price=Money(1), size=D(1)).price == 1
    with pytest.raises(api.InvalidFieldError, match=r"PriceLevel\.price"):
        api.PriceLevel(price=1.0, size=D(1))  # type: ignore[arg-type]  # it must be refused


@pytest.mark.parametrize("name", MODELS)
def test_every_field_has_a_line_of_its_own(name: str) -> None:
    """Each attribute is followed by a docstring that says what it means."""
    import ast
    import inspect
    import textwrap

    kind = getattr(api, name)
    body = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]
    assert isinstance(body, ast.ClassDef)
    for statement, following in zip(body.body, [*body.body[1:], None], strict=True):
        if isinstance(statement, ast.AnnAssign):
            documented = isinstance(following, ast.Expr) and isinstance(
                following.value, ast.Constant
            )
            assert documented, f"{name}.{ast.unparse(statement.target)} says nothing of itself"


@pytest.mark.parametrize("name", MODELS)
def test_optional_fields_say_what_none_means(name: str) -> None:
    """Where None is allowed, the attribute's line says what it stands for."""
    import inspect

    kind = getattr(api, name)
    source = inspect.getsource(kind)
    for field, hint in get_type_hints(kind).items():
        if "None" in str(hint) and not str(hint).startswith("typing.ClassVar"):
            line = source.split(f"\n    {field}:", 1)[1].split('"""')[1]
            assert "None" in line, f"{name}.{field}: {line!r} does not say what None means"


def test_a_type_that_a_model_may_not_declare_is_a_mistake_of_ours() -> None:
    """A field of a type that no check knows cannot slip through unchecked."""
    from bot_v2.features.brokerages.core.fields import check_fields

    @attrs.frozen
    class Odd:
        things: dict[str, int] = attrs.field(factory=dict)

    Odd.__annotations__["things"] = "dict[str, int]"
    with pytest.raises(TypeError, match="cannot declare"):
        check_fields(Odd())


def test_enums_read_as_their_value() -> None:
    """Every enum member is its own text, so that JSON and logs show the field's term."""
    enums = [
        kind
        for name in api.__all__
        if isinstance(kind := getattr(api, name), type) and issubclass(kind, Enum)
    ]
    assert len(enums) >= 15
    assert all(str(member) == member.value for kind in enums for member in kind)


def test_no_order_field_is_left_out_of_the_example() -> None:
    """The example order gives every field that has no default."""
    needed = {field.name for field in attrs.fields(api.Order) if field.default is attrs.NOTHING}
    assert needed <= ORDER_FIELDS.keys()
