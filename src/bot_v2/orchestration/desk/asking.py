"""The brokerages of a desk, asked at once; with what is kept of their answers for a while."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TypeVar

from bot_v2.features.brokerages.core.account_summary import Margin
from bot_v2.features.brokerages.core.capabilities import SupportsMargin, supports
from bot_v2.features.brokerages.core.errors import UnsupportedOperationError
from bot_v2.features.brokerages.core.products import Product
from bot_v2.orchestration.desk.cache import Kept
from bot_v2.orchestration.desk.members import Member
from bot_v2.orchestration.desk.pool import BrokerPool
from bot_v2.orchestration.desk.reading import Answers, Job

_T = TypeVar("_T")


class AskingPool(BrokerPool):
    """Brokerages that are asked side by side."""

    def _ask(
        self, operation: str, call: Callable[[Member], _T], brokers: Iterable[str] | None
    ) -> Answers[_T]:
        return self._ask_all(operation, call, self._roster.choose(brokers))

    def _ask_all(
        self, operation: str, call: Callable[[Member], _T], members: Sequence[Member]
    ) -> Answers[_T]:
        jobs = [
            Job(member=member, operation=operation, call=partial(call, member))
            for member in members
        ]
        return self._reader.read(jobs, self._settings.read_timeout_s)

    def _margin(self, member: Member) -> Kept[Margin]:
        able: object = member.broker
        if not supports(able, SupportsMargin):
            raise UnsupportedOperationError(
                "the broker tells no margin", broker=member.name, operation="get_margin"
            )
        lifetime_s = self._settings.margin_cache_s
        return self._cache.read(member.name, "margin", lifetime_s, able.get_margin)

    def _product(self, member: Member, symbol: str) -> Product:
        return self._cache.read(
            member.name,
            ("product", symbol),
            self._settings.products_cache_s,
            lambda: member.broker.get_product(symbol),
        ).value
