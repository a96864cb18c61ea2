"""What becomes of the points when these goods come back? Asked before the money is paid out.

The same judgement as for returns that are facts already, whoever gives the points. Units that were
decided here are not taken again when the return itself arrives.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from projections.core.instants import instant
from schemas.fields import GivenId
from services.deciding.answers import Answer, refused
from services.deciding.profiles import unseen
from services.http.problem_type import ProblemType
from services.points.holds.answers import UNKNOWN_PROFILE
from services.points.holds.balances import members_of
from services.points.program.earnings import EarningSale
from services.points.program.rules import ReturnPolicy
from services.points.program.sales import sales_of
from services.points.returns import settlement_store
from services.points.returns.answers import (
    MORE_THAN_SOLD,
    NO_OWNER,
    NO_SUCH_LINE,
    NO_SUCH_PURCHASE,
    OTHER_OWNER,
)
from services.points.returns.effective_balances import EffectiveBalances, standing
from services.points.returns.policies import PointsGivenBack, PointsTakenBack
from services.points.returns.settlement import Judgement, SettledLine, Settlement, Terms
from services.points.returns.terms import terms_of
from services.runtime.db import Connection

Quantity = Annotated[int, Field(ge=1, le=1_000_000)]


class ReturnedUnits(BaseModel):
    """Units of one line that come back."""

    model_config = ConfigDict(extra="forbid")
    line_no: Annotated[int, Field(ge=1, le=100_000)]
    quantity: Quantity


class ReturnBody(BaseModel):
    """Goods of a purchase come back: its points are taken back, and those it was paid with given
    back. `policy` takes the place of the program's, for what was spent already."""

    model_config = ConfigDict(extra="forbid")
    transaction_id: GivenId
    profile_id: GivenId
    lines: Annotated[list[ReturnedUnits], Field(min_length=1, max_length=500)]
    policy: ReturnPolicy | None = None
    dry_run: bool = Field(False, description="Decide, and keep nothing.")

    @model_validator(mode="after")
    def _once_each(self) -> Self:
        numbers = [line.line_no for line in self.lines]
        if len(set(numbers)) != len(numbers):
            raise ValueError("lines: a line is named twice")
        return self


@dataclass(frozen=True, slots=True)
class ReturnRequest:
    """A body, as it was sent."""

    body: ReturnBody


class ReturnsWork:
    """Decides batches of returns, in the transaction it is given."""

    def __init__(self, group: str, rules_earn: bool) -> None:
        """`group`: whose tables it sees; `rules_earn`: whether rules may give points here."""
        self._group, self._rules_earn = group, rules_earn

    async def see(self, connection: Connection, commands: Sequence[ReturnRequest]) -> _QuoteBatch:
        """Locks buyers and members; their sales, terms and what came back before."""
        asked = [command.body.transaction_id for command in commands]
        members = await members_of(connection, [command.body.profile_id for command in commands])
        sales = await sales_of(
            connection, asked, {one for each in members.values() for one in each}
        )
        buyers = {sale.profile_id for sale in sales.values() if sale.profile_id is not None}
        profiles = buyers | {command.body.profile_id for command in commands}
        here = await standing(connection, profiles, self._group)
        before = await settlement_store.before(connection, asked)
        owned = [sale for sale in sales.values() if sale.profile_id is not None]
        terms = await terms_of(connection, owned, before, here, self._rules_earn)
        # of whoever holds something, something is known
        told = {command.body.profile_id for command in commands}
        nothing = await unseen(connection, {one for one in told if not here.entries.get(one)})
        return _QuoteBatch(here, sales, terms, before, nothing)

    async def decide(
        self, connection: Connection, seen: _QuoteBatch, commands: Sequence[ReturnRequest]
    ) -> list[Answer]:
        """Answers; what changed of the sales is stored, with the facts."""
        answers = [seen.decide(command.body) for command in commands]
        await settlement_store.keep(connection, seen.rows(), seen.here)
        return answers


class _QuoteBatch:
    """Returns see what the ones before them in the batch did."""

    def __init__(
        self,
        here: EffectiveBalances,
        sales: dict[UUID, EarningSale],
        terms: dict[UUID, Terms],
        before: dict[UUID, dict[int, SettledLine]],
        unseen: Collection[UUID] = (),
    ) -> None:
        """`unseen`: profiles of which there is no fact."""
        self._unseen = unseen
        self.here, self._sales, self._terms, self._before = here, sales, terms, before
        self._changed: dict[tuple[UUID, int], SettledLine] = {}

    def rows(self) -> list[SettledLine]:
        """What is to be kept."""
        return list(self._changed.values())

    def decide(self, body: ReturnBody) -> Answer:
        """Yes with what became of points, or no."""
        if body.profile_id in self._unseen:
            return self._no(UNKNOWN_PROFILE, "Nothing is known of that profile.")
        sale = self._sales.get(body.transaction_id)
        if sale is None:
            return self._no(NO_SUCH_PURCHASE, "No such purchase is known, or not yet.")
        if sale.profile_id is None:
            return self._no(NO_OWNER, "A guest's purchase has no points to take or give back.")
        member = self.here.members.get(body.profile_id, (body.profile_id,))
        if sale.profile_id not in member:
            return self._no(OTHER_OWNER, "The purchase is not that member's.")
        before = self._before.get(sale.transaction_id, {})
        refused = self._too_many(body, sale, before)
        if refused is not None:
            return refused
        judgement = Judgement(
            sale, self._terms[sale.transaction_id], before, self.here.holder(sale.profile_id),
            self.here.at,
        )  # fmt: skip
        judgement.earn()
        judgement.give_and_take({line.line_no: line.quantity for line in body.lines}, body.policy)
        found = judgement.judged()
        if not body.dry_run:
            self._keep(sale.transaction_id, found)
            self.here.forgive(sale.profile_id, found.forgiven)
        return self._yes(body, found, self._terms[sale.transaction_id])

    def _too_many(
        self, body: ReturnBody, sale: EarningSale, before: dict[int, SettledLine]
    ) -> Answer | None:
        sold = {line.line_no: line.quantity for line in sale.lines}
        for line in body.lines:
            if line.line_no not in sold:
                detail = f"The purchase has no line {line.line_no}."
                return self._no(NO_SUCH_LINE, detail, line_no=line.line_no)
            row = before.get(line.line_no)
            left = sold[line.line_no] - (row.units if row else 0)
            if line.quantity > left:
                detail = f"Of line {line.line_no} no more than {left} can still come back."
                return self._no(MORE_THAN_SOLD, detail, line_no=line.line_no, returnable=left)
        return None

    def _keep(self, transaction_id: UUID, found: Settlement) -> None:
        rows = self._before.setdefault(transaction_id, {})
        for line_no, row in found.decided.items():
            rows[line_no] = self._changed[transaction_id, line_no] = row
        self.here.tell(found.facts)

    def _yes(self, body: ReturnBody, found: Settlement, terms: Terms) -> Answer:
        taken, given = found.taken or PointsTakenBack("within_balance"), found.given
        withheld = {"points": taken.withheld, "value": taken.withheld * terms.rules.point_value}
        events = [] if body.dry_run else [UUID(bytes=one.meta.event_id) for one in found.facts]
        return Answer.of(
            200,
            {
                "transaction_id": body.transaction_id, "policy": taken.policy,
                "rule_version": terms.version, "taken_back": _taken(taken), "withheld": withheld,
                "given_back": _given(given), "event_ids": events, "dry_run": body.dry_run,
                "position": self.here.position,
            },
        )  # fmt: skip

    def _no(self, problem: ProblemType, detail: str, **more: Any) -> Answer:
        return refused(problem, detail, {**more, "position": self.here.position})


def _taken(taken: PointsTakenBack) -> dict[str, Any]:
    names = ("due", "pending", "active", "lapsed", "other", "debt", "forgiven")
    parts = {name: getattr(taken, name) for name in names}
    return {**parts, "points": taken.points, "allocations": _lots(taken.lots.items())}


def _given(given: PointsGivenBack) -> dict[str, Any]:
    return {
        "points": given.points, "allocations": _lots(given.lots), "graced": _lots(given.graced),
        "graced_until": given.graced_until and instant(given.graced_until),
        "unnamed": given.unnamed,
    }  # fmt: skip


def _lots(lots: Any) -> list[dict[str, Any]]:
    merged: Counter[tuple[UUID, UUID]] = Counter()
    for spot, points in lots:
        merged[spot] += points
    return [
        {"profile_id": profile_id, "lot_id": lot_id, "points": points}
        for (profile_id, lot_id), points in merged.items()
    ]
