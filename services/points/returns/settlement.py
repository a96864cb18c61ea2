"""Computes the effect of a sale and its returns on points, without any I/O.

It compares what the sale should have earned and lost with the stored decisions on it; the
difference becomes events. So a return may arrive before its sale, rules may arrive late, and
judging an unchanged sale again makes no event.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from uuid import UUID, uuid5

from projections.point_balance.account import lots_and_draws
from schemas.generated.events import PointsAdjusted, PointsEarned, PointsReinstated, PointsReversed
from schemas.generated.events.parts import EarnedLot
from services.points.program.apportionment import points_earned_by, points_left, points_paid_for
from services.points.program.calendar import days_later
from services.points.program.currencies import rules_in
from services.points.program.earned_day import EarnedDay
from services.points.program.earnings import Earning, earnings, lot_of
from services.points.program.entries import Fact, meta_of
from services.points.program.programs import DEFAULT, Program
from services.points.program.rules import EarningRules, ReturnPolicy
from services.points.program.sold_lines import EarningSale, SoldLine, line_gone
from services.points.returns.member_points import MemberPoints
from services.points.returns.policies import (
    DuePoints,
    PointsGivenBack,
    PointsTakenBack,
    Spot,
    allocations_of,
    give_back,
    take_back,
)
from services.points.returns.sale_history import WHOLE, earned_by, paid_with

Judged = tuple[UUID, str]  # a sale and the program that judges it, empty for the default one


@dataclass(frozen=True, slots=True)
class SettledLine:
    """The decision on one line of a sale: a row of `hitotsu.points_decided`.

    `points`: what the rules give. `units`: returned units that are settled. `lapsed`: points of
    returned units that had expired before. `revision`: number of corrections of `points`.
    `program_id`: empty for the default program. `quantity`: of the line when `units` were settled;
    None: as it is now.
    """

    transaction_id: UUID
    line_no: int
    profile_id: UUID
    sku: str
    sold_at: int
    category: str | None = None
    rank: str | None = None
    lot_id: UUID | None = None
    points: int = 0
    rule_version: str | None = None
    units: int = 0
    lapsed: int = 0
    revision: int = 0
    program_id: str = ""
    quantity: int | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """A program's rules in force at the time of sale, and what they depend on.

    `version`: None when no rules were in force; then `rules` are the defaults. `earns`: whether
    these rules give the sale's points; False: the producer gives them. `categories`: by sku.
    `rank`: the buyer's. `day`: what the member's sales of that day earned; None: no limit.
    """

    rules: EarningRules
    version: str | None = None
    earns: bool = False
    categories: Mapping[str, str | None] = field(default_factory=dict)
    rank: str | None = None
    program: Program = DEFAULT
    day: EarnedDay | None = None


@dataclass(slots=True)
class Settlement:
    """The result of judging a sale.

    `facts`: events to append. `decided`: rows to store, by line number. `forgiven`: change of the
    member's forgiven points. `taken` (None: no units were returned) and `given`: effect on points.
    """

    facts: list[Fact] = field(default_factory=list)
    decided: dict[int, SettledLine] = field(default_factory=dict)
    forgiven: int = 0
    taken: PointsTakenBack | None = None
    given: PointsGivenBack = field(default_factory=PointsGivenBack)


class Judgement:
    """Judges one sale of one member: call `earn`, `give_and_take`, then `judged`."""

    def __init__(
        self,
        sale: EarningSale,
        terms: Terms,
        before: Mapping[int, SettledLine],
        holder: MemberPoints,
        at: int,
    ) -> None:
        """`before`: stored decisions on the sale, by line number. `at`: the time, microseconds."""
        assert sale.profile_id is not None
        self.sale, self.terms, self.holder, self.at = sale, terms, holder, at
        self.owner: UUID = sale.profile_id
        self._rows = dict(before)
        self._judged = Settlement()
        self._before = before

    def earn(self) -> None:
        """Gives the points of the rules, or corrects earlier ones; nothing if producers give."""
        if not self.terms.earns:
            return
        new: list[Earning] = []
        terms, told = self.terms, any(row.rule_version for row in self._rows.values())
        rules = rules_in(terms.rules, self.sale.currency)
        before = terms.day.before(self.sale) if terms.day else 0
        found = earnings(self.sale, rules, terms.categories, terms.rank, before)
        if terms.day:
            terms.day.put(self.sale, sum(one.points for one in found))
        for line, earning in zip(self.sale.lines, found, strict=True):
            row = self._row(line.line_no)
            settled = _settled_part(line, row)
            if row.sku != line.sku:  # an amendment gave the line's number to another item
                row = replace(row, sku=line.sku, units=0)
            left = points_left(earning.points, line_gone(line, row.units))
            if row.lot_id is None and left:
                lot_id = lot_of(row.transaction_id, row.line_no, terms.program.suffix)
                new.append(replace(earning, points=left, lot_id=lot_id))
                row = replace(row, lot_id=lot_id)
            elif row.lot_id is not None:
                more = left - points_left(row.points, settled)
                if earning.points != row.points or more:
                    row = replace(row, revision=row.revision + 1)
                    self._correct(row, earning.points, more)
            self._rows[line.line_no] = replace(
                row, points=earning.points, rule_version=terms.version,
                category=terms.categories.get(line.sku), rank=terms.rank,
                quantity=line.quantity if row.units else row.quantity,
            )  # fmt: skip
        if new:
            self._earned(new)
        elif not told and self.terms.rules.worth(self.sale.currency) is None:
            self._earned_nothing()

    def give_and_take(
        self, asked: Mapping[int, int] | None = None, policy: ReturnPolicy | None = None
    ) -> None:
        """Gives back and takes back the points of returned units.

        `asked`: units to return now, by line number, on top of those settled; None: settle the
        units that return events report. `policy`: None for the program's. The policy
        `withhold_from_refund` works only before the refund is paid; for return events
        `go_negative` replaces it.
        """
        policy = policy or self.terms.rules.return_policy
        if asked is None and policy == "withhold_from_refund":
            policy = "go_negative"
        if asked is None and self.sale.amended:
            self._undo_settled()
        before = {line.line_no: self._row(line.line_no).units for line in self.sale.lines}
        told = self.sale.returned
        after = {
            line_no: units + asked.get(line_no, 0)
            if asked is not None
            else max(units, told.get(line_no, 0))
            for line_no, units in before.items()
        }
        # points are given back first: they may be the points that have to be taken
        self._give(after)
        quantities = {line.line_no: line.quantity for line in self.sale.lines}
        if after != before:
            self._take(before, after, policy)
            for line_no, units in after.items():
                if units != before[line_no]:
                    self._rows[line_no] = replace(
                        self._row(line_no), units=units, quantity=quantities[line_no]
                    )

    def judged(self) -> Settlement:
        """The result; `decided` has only rows that differ from the stored decisions."""
        changed = {no: row for no, row in self._rows.items() if self._before.get(no) != row}
        return replace(self._judged, decided=changed)

    def _row(self, line_no: int) -> SettledLine:
        row = self._rows.get(line_no)
        if row is None:
            skus = {line.line_no: line.sku for line in self.sale.lines}
            row = SettledLine(
                self.sale.transaction_id, line_no, self.owner, skus.get(line_no, ""),
                self.sale.occurred_at, program_id=self.terms.program.stored,
            )  # fmt: skip
        return row

    def _fact(self, fact: Fact) -> None:
        self._judged.facts.append(fact)
        self.holder.tell([fact])

    def _id(self, name: str) -> UUID:
        """An id that follows from the sale, the program and what it names."""
        return uuid5(self.sale.transaction_id, name + self.terms.program.suffix)

    def _earned(self, new: list[Earning]) -> None:
        lines = ",".join(str(one.line_no) for one in new)
        lots = [
            EarnedLot(
                lot_id=one.lot_id.bytes,
                points=one.points,
                line_no=one.line_no,
                active_from=one.active_from,
                expires_at=one.expires_at,
            )
            for one in new
        ]
        self._tell_earned(f"earned {self.terms.version} {lines}", lots)

    def _earned_nothing(self) -> None:
        """Says by an event without points that the rules cannot convert the sale's currency."""
        lot_id = self._id("nothing earned")
        none = EarnedLot(lot_id=lot_id.bytes, points=0)
        self._tell_earned(f"nothing earned {self.terms.version}", [none])

    def _tell_earned(self, name: str, lots: list[EarnedLot]) -> None:
        rules, currency = self.terms.rules, self.sale.currency
        foreign = currency != rules.currency
        self._fact(
            PointsEarned(
                meta=meta_of(self._id(name), self.sale.occurred_at, self.sale.channel),
                profile_id=self.owner.bytes,
                lots=lots,
                transaction_id=self.sale.transaction_id.bytes,
                rule_version=self.terms.version,
                program_id=self.terms.program.id,
                currency=currency if foreign else None,
                rate=rules.rates.get(currency) if foreign else None,
            )
        )

    def _correct(self, row: SettledLine, points: int, more: int) -> None:
        """Adds `more` points to those that the line has left, or takes them; `points`: what it
        earns now. What is taken that the lot lacks because it was spent becomes debt.
        """
        assert row.lot_id is not None
        parts = [(row.lot_id, more)]
        if more < 0:
            lots = self.holder.account(self.at).lots
            left = sum(max(0, lot.left) for lot in lots if lot.lot_id == row.lot_id)
            parts = [(row.lot_id, max(more, -left)), (None, min(0, more + left))]  # type: ignore[list-item]
        reason = (
            f"rules {self.terms.version} give {points} for line {row.line_no},"
            f" {row.rule_version} gave {row.points}"
        )
        for lot_id, change in parts:
            if change:
                name = uuid5(row.lot_id, f"corrected {row.revision} {lot_id is None}")
                self._fact(
                    PointsAdjusted(
                        meta=meta_of(name, self.at, self.sale.channel),
                        profile_id=row.profile_id.bytes,
                        points=change,
                        reason=reason,
                        lot_id=lot_id.bytes if lot_id else None,
                        actor="rules",
                        program_id=self.terms.program.id,
                    )
                )

    def _undo_settled(self) -> None:
        """Gives back points of settled units that, by a late amendment, never came back."""
        for line in self.sale.lines:
            row, told = self._row(line.line_no), self.sale.returned.get(line.line_no, 0)
            if row.units <= told:
                continue
            if row.lot_id is not None and self.terms.earns:
                kept = [points_left(row.points, line_gone(line, n)) for n in (told, row.units)]
                row = replace(row, revision=row.revision + 1)
                self._correct(row, row.points, kept[0] - kept[1])
            self._rows[line.line_no] = replace(row, units=told, quantity=line.quantity)

    def _take(
        self, before: Mapping[int, int], after: Mapping[int, int], policy: ReturnPolicy
    ) -> None:
        lines = {line.line_no: line for line in self.sale.lines}
        dues = []
        places: dict[Spot, int] = {}
        for spot, line_no, points, expired in earned_by(self.sale, self.holder.entries):
            row = self._rows.get(line_no)
            if row is not None and row.lot_id == spot[1]:
                points = row.points  # as it was corrected
            if line_no in lines:
                gone = [line_gone(lines[line_no], units[line_no]) for units in (before, after)]
            else:
                line_no, gone = WHOLE, [self.sale.gone(before), self.sale.gone(after)]
            due = points_earned_by(points, gone[1]) - points_earned_by(points, gone[0])
            places[spot] = line_no
            dues.append(DuePoints(spot, due, max(0, expired - self._row(line_no).lapsed)))
        found = self.holder.account(self.at)
        self._judged.taken = result = take_back(
            dues, found, self.holder.open_holds, policy, self.at
        )
        if policy == "within_balance":
            self._judged.forgiven += result.forgiven
        for spot, points in result.lapsed_of.items():
            row = self._row(places[spot])
            self._rows[row.line_no] = replace(row, lapsed=row.lapsed + points)
        if result.points or result.withheld:
            steps = ",".join(
                self._step(no, before[no], after[no]) for no in after if after[no] != before[no]
            )
            self._fact(
                PointsReversed(
                    meta=meta_of(self._id(f"reversed {steps}"), self.at, self.sale.channel),
                    profile_id=self.owner.bytes,
                    points=result.points,
                    transaction_id=self.sale.transaction_id.bytes,
                    allocations=allocations_of(result.lots.items()),
                    policy=policy,
                    withheld=result.withheld,
                    program_id=self.terms.program.id,
                )
            )

    def _step(self, line_no: int, before: int, after: int) -> str:
        """Names a step of a line's returned units, also after its number went to another item."""
        revision = self._row(line_no).revision
        return f"{line_no}:{before}-{after}" + (f" of {revision}" if revision else "")

    def _give(self, after: Mapping[int, int]) -> None:
        spent, drawn, given = paid_with(self.sale, self.holder.entries)
        paid = sum(spent.values()) + drawn + given
        points = points_paid_for(paid, self.sale.gone(after)) - given
        if points <= 0:
            return
        days = self.terms.rules.grace.min_days_after_refund
        until = days_later(self.at, days, self.terms.rules.zone) if days else None
        lots, _ = lots_and_draws(self.holder.entries)
        owed = self.holder.forgiven + self._judged.forgiven
        self._judged.given = back = give_back(points, spent, lots, until, owed)
        own = sum(one for _, one in back.lots) + back.unnamed
        step = f"{given}-{given + points}"
        if own:
            self._reinstated(f"reinstated {step}", own, back.lots, None)
        if back.graced:
            graced = sum(one for _, one in back.graced)
            self._reinstated(f"reinstated {step} graced", graced, back.graced, back.graced_until)
        if back.repaid:
            self._repay(f"repaid {step}", back)

    def _repay(self, name: str, back: PointsGivenBack) -> None:
        """Takes points that were forgiven earlier from the points that are given back now."""
        points = sum(one for _, one in back.repaid)
        self._judged.forgiven -= points
        self._fact(
            PointsReversed(
                meta=meta_of(self._id(name), self.at, self.sale.channel),
                profile_id=self.owner.bytes,
                points=points,
                transaction_id=None,
                allocations=allocations_of(back.repaid),
                policy="within_balance",
                program_id=self.terms.program.id,
            )
        )

    def _reinstated(
        self, name: str, points: int, lots: Iterable[tuple[Spot, int]], until: int | None
    ) -> None:
        self._fact(
            PointsReinstated(
                meta=meta_of(self._id(name), self.at, self.sale.channel),
                profile_id=self.owner.bytes,
                points=points,
                transaction_id=self.sale.transaction_id.bytes,
                allocations=allocations_of(lots),
                expires_at=until,
                program_id=self.terms.program.id,
            )
        )


def _settled_part(line: SoldLine, row: SettledLine) -> Fraction:
    """The fraction of the line that was settled as returned, as the line was at that time."""
    quantity = line.quantity if row.quantity is None else row.quantity
    return Fraction(min(row.units, quantity), max(1, quantity))
