"""A member without servers: what the deciders would keep, in memory, and what a balance is then."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID, uuid5

from projections.point_balance.account import Account, allocated
from schemas.generated.events import PointsEarned, PointsRedeemed
from schemas.generated.events.parts import EarnedLot, LotAllocation
from schemas.wire import codec
from services.points.program.entries import Fact, entries_of, meta_of
from services.points.program.rules import EarningRules, ReturnPolicy
from services.points.program.sold_lines import EarningSale, SoldLine
from services.points.returns.member_points import MemberPoints
from services.points.returns.settlement import (
    Judgement,
    SettledLine,
    Settlement,
    Terms,
)

T0 = 1_750_000_000_000_000
SECOND, DAY = 1_000_000, 86_400_000_000
NAMESPACE, HANAKO = UUID(int=7), UUID(int=1)


@dataclass
class Member:
    """One profile. Times in microseconds; `now` goes on with everything that is done."""

    rules: EarningRules
    version: str = "1"
    now: int = T0
    entries: list[Any] = field(default_factory=list)
    decided: dict[UUID, dict[int, SettledLine]] = field(default_factory=dict)
    forgiven: int = 0
    sales: dict[UUID, EarningSale] = field(default_factory=dict)
    facts: list[Fact] = field(default_factory=list)
    withheld: int = 0
    profile_id: UUID = HANAKO

    def has(self, points: int, expires_at: int | None = None) -> None:
        """Points from before, as one lot."""
        name = self._name("lot")
        lot = EarnedLot(
            lot_id=name.bytes, points=points, line_no=None, active_from=None, expires_at=expires_at
        )
        self._tell(
            PointsEarned(
                meta=meta_of(name, self.now),
                profile_id=self.profile_id.bytes,
                lots=[lot],
                transaction_id=None,
            )
        )

    def buys(self, lines: Sequence[tuple[int, int]], points: int = 0) -> UUID:
        """(units, paid) by line; pays some of it with points."""
        sale_id = self._name("sale")
        sold = tuple(SoldLine(no, f"sku-{no}", *line) for no, line in enumerate(lines, 1))
        self.now += SECOND
        self.sales[sale_id] = EarningSale(sale_id, self.profile_id, self.now, "STORE", sold, points)
        if points:
            self.spends(points, sale_id)
        self.judge(sale_id)
        return sale_id

    def spends(self, points: int, sale_id: UUID) -> None:
        lots = allocated(self.account(), points, self.now)
        assert sum(lot.left for lot in lots) == points
        named = [
            LotAllocation(profile_id=lot.profile_id.bytes, lot_id=lot.lot_id.bytes, points=lot.left)
            for lot in lots
        ]
        meta = meta_of(self._name("spent"), self.now)
        self._tell(
            PointsRedeemed(
                meta=meta,
                profile_id=self.profile_id.bytes,
                points=points,
                transaction_id=sale_id.bytes,
                hold_id=None,
                allocations=named,
            )
        )

    def asks(
        self, sale_id: UUID, units: Mapping[int, int], policy: ReturnPolicy | None = None
    ) -> Settlement:
        """Goods come back, and the deciders are asked."""
        return self._judge(sale_id, units, policy)

    def brings(self, sale_id: UUID, units: Mapping[int, int]) -> Settlement:
        """Goods have come back: a fact."""
        sale = self.sales[sale_id]
        told = Counter(sale.returned) + Counter(units)
        self.sales[sale_id] = replace(sale, returned=dict(told))
        return self.judge(sale_id)

    def judge(self, sale_id: UUID) -> Settlement:
        """As the log says."""
        return self._judge(sale_id, None, None)

    def left(self, sale_id: UUID) -> dict[int, int]:
        """Units of a sale that can still come back."""
        rows = self.decided.get(sale_id, {})
        return {
            line.line_no: line.quantity - (rows[line.line_no].units if line.line_no in rows else 0)
            for line in self.sales[sale_id].lines
        }

    def account(self) -> Account:
        return self._holder().account(self.now)

    @property
    def sum(self) -> int:
        """Of all entries."""
        return sum(entry["points"] for entry in self.entries)

    def _holder(self) -> MemberPoints:
        return MemberPoints(list(self.entries), forgiven=self.forgiven)

    def _judge(
        self, sale_id: UUID, asked: Mapping[int, int] | None, policy: ReturnPolicy | None
    ) -> Settlement:
        self.now += SECOND
        before = self.decided.setdefault(sale_id, {})
        terms = Terms(self.rules, self.version, True)
        judgement = Judgement(self.sales[sale_id], terms, before, self._holder(), self.now)
        judgement.earn()
        judgement.give_and_take(asked, policy)
        found = judgement.judged()
        before.update(found.decided)
        self.forgiven += found.forgiven
        self.withheld += found.taken.withheld if found.taken else 0
        for fact in found.facts:
            self._tell(fact)
        return found

    def _tell(self, fact: Any) -> None:
        assert codec.decode(codec.encode(fact)) == fact
        self.entries += entries_of(fact)
        self.facts.append(fact)
        assert len({one.meta.event_id for one in self.facts}) == len(self.facts)

    def _name(self, kind: str) -> UUID:
        return uuid5(NAMESPACE, f"{kind} {len(self.facts)} {len(self.sales)}")
