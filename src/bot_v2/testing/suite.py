"""The contract suite for pytest: a class to inherit, with a test for every card.

    class TestAcme(BrokerageContract):
        exemptions = {"BC-O160": "the broker has no IOC orders"}

The tests are run on the fixture `brokerage`; the fixtures `venue`, `contract_profile`,
`reopen_brokerage` and `contract_mode` are used where they are defined. No test can be overridden.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from bot_v2.features.brokerages.core.capabilities import capabilities_of
from bot_v2.features.brokerages.core.declarations import name_of
from bot_v2.testing.cards import GROUPS, Card, all_cards
from bot_v2.testing.conformance import CardResult, Status
from bot_v2.testing.context import CheckContext
from bot_v2.testing.live_guard import Mode, check_environment
from bot_v2.testing.taping import Taping
from bot_v2.testing.violation import ContractViolation

RESULT = "contract_result"
"""Under which name a test's properties hold the result of its card."""

SUBJECT = "contract_subject"
"""Under which name they hold what was checked."""


def _optional(request: pytest.FixtureRequest, name: str, default: Any = None) -> Any:
    """Return a fixture that a third party may leave out."""
    try:
        return request.getfixturevalue(name)
    except pytest.FixtureLookupError as error:
        if error.argname != name:
            raise
        return default


def _context(request: pytest.FixtureRequest, mode: Mode) -> CheckContext:
    brokerage: Any = request.getfixturevalue("brokerage")
    venue = _optional(request, "venue")
    check_environment(brokerage, mode, has_venue=venue is not None)
    return CheckContext(
        brokerage,
        venue,
        _optional(request, "contract_profile", getattr(brokerage, "contract_profile", None)),
        _optional(request, "reopen_brokerage"),
    )


class BrokerageContract:
    """Certifies the fixture `brokerage`; inherit it, and override nothing but these two."""

    exemptions: ClassVar[Mapping[str, str]] = {}
    """The cards that are not looked at, with the reason of each; both show in the table."""

    cassettes: ClassVar[str | None] = None
    """The folder of recorded traffic, for cassette mode. None: there is none."""

    def check_card(self, request: pytest.FixtureRequest, card: Card) -> None:
        """Run one card on the fixtures, and note what became of it."""
        __tracebackhide__ = True
        asked = request.config.getoption("contract_mode", Mode.SIMULATOR)
        mode = Mode(_optional(request, "contract_mode", asked))
        reason = self.exemptions.get(card.id)
        if reason is not None:
            result = CardResult(card_id=card.id, status=Status.EXEMPT, reason=reason)
        else:
            context = _context(request, mode)
            subject = {
                "brokerage": name_of(context.broker),
                "mode": mode.value,
                "capabilities": sorted(one.value for one in capabilities_of(context.broker)),
            }
            request.node.user_properties.append((SUBJECT, subject))
            folder = None if self.cassettes is None else Path(self.cassettes)
            record = bool(request.config.getoption("contract_record", False))
            result = Taping(mode=mode, folder=folder, record=record).run(card, context)
        request.node.user_properties.append((RESULT, result.as_data()))
        if result.status is Status.FAILED:
            raise ContractViolation(
                f"{card.id}: {card.sentence}\n{result.reason}"
            ) from result.error
        if result.status is not Status.PASSED:
            pytest.skip(f"{result.status.value}: {result.reason}")


def _test_of(letters: str, about: str) -> Callable[..., None]:
    cards = [one for one in all_cards().values() if one.group == letters]

    def test(self: BrokerageContract, request: pytest.FixtureRequest, card: Card) -> None:
        __tracebackhide__ = True
        self.check_card(request, card)

    test.__doc__ = f"{about}: each sentence of the contract is kept."
    parameters = [
        pytest.param(one, id=one.id, marks=pytest.mark.contract_card(one.id)) for one in cards
    ]
    decorated: Callable[..., None] = pytest.mark.parametrize("card", parameters)(test)
    return decorated


for _letters, (_module, _about) in GROUPS.items():
    _name = f"test_{_module.removeprefix('cap_')}"
    setattr(BrokerageContract, _name, _test_of(_letters, _about))

SEALED = frozenset(
    name for name in vars(BrokerageContract) if name.startswith("test_") or name == "check_card"
)
"""What a subclass must not override."""
