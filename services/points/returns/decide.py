"""Decides the effect of returns on points: outcomes, rows to store and events, without any I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from uuid import UUID

from projections.core.instants import instant
from schemas.currencies import minor_units
from schemas.measures import shown
from services.deciding.outcomes import CommandOutcome, DeniedCommand, PurchaseUnknown
from services.points.holds.outcomes import ProfileUnknown, TakenLot
from services.points.program.currencies import refund_of
from services.points.program.programs import Program
from services.points.program.rules import EarningRules
from services.points.program.sold_lines import EarningSale
from services.points.returns.commands import ReturnBody, ReturnRequest
from services.points.returns.effective_balances import EffectiveBalances
from services.points.returns.outcomes import (
    GivenBackAmounts,
    LineUnknown,
    ProgramUnknown,
    PurchaseOfGuest,
    PurchaseOfOtherMember,
    RefundWithheld,
    ReturnExceedsSale,
    ReturnSettled,
    TakenBackAmounts,
    UnitDiffers,
)
from services.points.returns.policies import PointsGivenBack, PointsTakenBack, Spot
from services.points.returns.settlement import (
    Judged,
    Judgement,
    SettledLine,
    Settlement,
    Terms,
)


@dataclass(slots=True)
class ReturnsState:
    """The state from which a batch of returns is decided; `decide` changes it return by return.

    `sales`: by transaction id. `terms`: by transaction id and program. `before`: earlier decisions
    by transaction id and program, then by line number. `unseen`: profiles of which no event was
    applied. `declared`: programs that have rules, and the default one; None: not asked.
    """

    here: EffectiveBalances
    sales: dict[UUID, EarningSale]
    terms: dict[Judged, Terms]
    before: dict[Judged, dict[int, SettledLine]]
    unseen: Collection[UUID] = ()
    declared: Collection[str] | None = None


@dataclass(slots=True)
class DecidedReturns:
    """The result: outcomes in the order of the commands; rows to store by sale and line number.

    The events are in `ReturnsState.here`, where later commands of the batch see them too.
    """

    outcomes: list[CommandOutcome] = field(default_factory=list)
    rows: dict[tuple[Judged, int], SettledLine] = field(default_factory=dict)


def decide(commands: Iterable[ReturnRequest], state: ReturnsState) -> DecidedReturns:
    """Decides the returns in order: a return sees the effects of the returns before it."""
    decided = DecidedReturns()
    for command in commands:
        sale = _sale_of(command.body, state)
        if isinstance(sale, DeniedCommand):
            decided.outcomes.append(sale)
        else:
            decided.outcomes.append(_settled(command.body, sale, state, decided))
    return decided


def _sale_of(body: ReturnBody, state: ReturnsState) -> EarningSale | DeniedCommand:
    """The sale of which units are returned, or the denial if they cannot be."""
    if body.profile_id in state.unseen:
        return ProfileUnknown()
    sale = state.sales.get(body.transaction_id)
    if sale is None:
        return PurchaseUnknown()
    if sale.profile_id is None:
        return PurchaseOfGuest()
    if sale.profile_id not in state.here.members.get(body.profile_id, (body.profile_id,)):
        return PurchaseOfOtherMember()
    sold = {line.line_no: line for line in sale.lines}
    program = state.here.programs.of(body.program)
    if not _known(program, sale.profile_id, state):
        return ProgramUnknown(program=program.id)
    before = state.before.get((sale.transaction_id, program.stored), {})
    for line in body.lines:
        if line.line_no not in sold:
            return LineUnknown(line_no=line.line_no)
        quantity, unit = line.amount
        if unit != sold[line.line_no].unit:
            return UnitDiffers(line_no=line.line_no, unit=sold[line.line_no].unit)
        row = before.get(line.line_no)
        left = sold[line.line_no].quantity - (row.units if row else 0)
        if quantity > left:
            return ReturnExceedsSale(line_no=line.line_no, returnable=shown(left, unit))
    return sale


def _known(program: Program, buyer: UUID, state: ReturnsState) -> bool:
    """Whether anything is known of the program: its rules, or points of the buyer's in it."""
    if state.declared is None or program.id in state.declared:
        return True
    profiles = state.here.members.get(buyer, (buyer,))
    entries = (entry for profile in profiles for entry in state.here.entries.get(profile, ()))
    return any(entry["program_id"] == program.id for entry in entries)


def _settled(
    body: ReturnBody, sale: EarningSale, state: ReturnsState, decided: DecidedReturns
) -> ReturnSettled:
    here, program = state.here, state.here.programs.of(body.program)
    key = sale.transaction_id, program.stored
    terms = state.terms.get(key) or Terms(EarningRules(), program=program)
    assert sale.profile_id is not None
    rows = state.before.setdefault(key, {})
    judgement = Judgement(sale, terms, rows, here.holder(sale.profile_id, program), here.at)
    judgement.earn()
    judgement.give_and_take(
        {line.line_no: line.amount.quantity for line in body.lines}, body.policy
    )
    judged = judgement.judged()
    if not body.dry_run:
        for line_no, row in judged.decided.items():
            rows[line_no] = decided.rows[key, line_no] = row
        here.tell(judged.facts)
        here.forgive(sale.profile_id, judged.forgiven, program)
    return _outcome(body, judged, terms, sale.currency)


def _outcome(body: ReturnBody, judged: Settlement, terms: Terms, currency: str) -> ReturnSettled:
    taken = judged.taken or PointsTakenBack("within_balance")
    value, paid_in = refund_of(terms.rules, taken.withheld, currency)
    events = [] if body.dry_run else [UUID(bytes=fact.meta.event_id) for fact in judged.facts]
    return ReturnSettled(
        transaction_id=body.transaction_id,
        policy=taken.policy,
        rule_version=terms.version,
        taken_back=_taken(taken),
        withheld=RefundWithheld(
            points=taken.withheld, value=value, currency=paid_in, minor_units=minor_units(paid_in)
        ),
        given_back=_given(judged.given),
        event_ids=events,
        dry_run=body.dry_run,
    )


def _taken(taken: PointsTakenBack) -> TakenBackAmounts:
    return TakenBackAmounts(
        due=taken.due, pending=taken.pending, active=taken.active, lapsed=taken.lapsed,
        other=taken.other, debt=taken.debt, forgiven=taken.forgiven, points=taken.points,
        allocations=_lots(taken.lots.items()),
    )  # fmt: skip


def _given(given: PointsGivenBack) -> GivenBackAmounts:
    return GivenBackAmounts(
        points=given.points, allocations=_lots(given.lots), graced=_lots(given.graced),
        graced_until=None if given.graced_until is None else instant(given.graced_until),
        unnamed=given.unnamed,
    )  # fmt: skip


def _lots(lots: Iterable[tuple[Spot, int]]) -> list[TakenLot]:
    merged: Counter[Spot] = Counter()
    for spot, points in lots:
        merged[spot] += points
    return [
        TakenLot(profile_id=profile_id, lot_id=lot_id, points=points)
        for (profile_id, lot_id), points in merged.items()
    ]
