"""Computes how points are taken back and given back on a return, without any I/O.

Points that the goods had earned are taken from their own lots, pending or active. What these lack,
because it was already spent, depends on the program's policy:

pending_only          pending points are taken, active ones are not; the rest is forgiven;
within_balance        taken from other lots, soonest expiry first; what they lack is forgiven (up to
                      the member's open holds it becomes debt), and is taken later from points that
                      the member gets back on a return;
go_negative           taken from other lots; what they lack becomes debt, repaid by later earnings;
withhold_from_refund  other lots are not touched; the shortfall is deducted from the refund.

Points that expired unspent are not owed. Points that paid for the goods go back to the lots from
which they were taken, with the lots' expiry, or with the program's grace to new lots.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from projections.point_balance.account import Account, Lot
from schemas.generated.events.parts import LotAllocation
from services.points.program.rules import ReturnPolicy

Spot = tuple[UUID, UUID]  # a profile and one of its lots


@dataclass(frozen=True, slots=True)
class DuePoints:
    """Points of one lot that returned units had earned. `lapsed`: the part that expired unspent."""

    spot: Spot
    points: int
    lapsed: int = 0


@dataclass(slots=True)
class PointsTakenBack:
    """How due points are taken back, in points.

    due = pending + active + lapsed + other + debt + withheld + forgiven. `lots`: points taken, by
    lot. `lapsed_of`: expired points that are not owed, by lot.
    """

    policy: ReturnPolicy
    due: int = 0
    pending: int = 0
    active: int = 0
    lapsed: int = 0
    other: int = 0
    debt: int = 0
    withheld: int = 0
    forgiven: int = 0
    lots: dict[Spot, int] = field(default_factory=dict)
    lapsed_of: dict[Spot, int] = field(default_factory=dict)

    @property
    def points(self) -> int:
        """The sum of the entries that take points back."""
        return self.pending + self.active + self.lapsed + self.other + self.debt - self._expired

    @property
    def _expired(self) -> int:
        return sum(self.lapsed_of.values())

    def take(self, spot: Spot, points: int) -> None:
        """Records that `points` are taken from one lot."""
        if points:
            self.lots[spot] = self.lots.get(spot, 0) + points


def take_back(
    dues: Iterable[DuePoints], account: Account, open_holds: int, policy: ReturnPolicy, at: int
) -> PointsTakenBack:
    """Takes the due points from the account's lots, which it changes.

    `account`: as of `at` (microseconds). `open_holds`: the member's points in open holds. They are
    not taken; with `within_balance` the shortfall up to their number becomes debt and is not
    forgiven, because a hold released after the return would otherwise gain points.
    """
    taken = PointsTakenBack(policy)
    lots = {(lot.profile_id, lot.lot_id): lot for lot in account.lots}
    short = 0
    for due in dues:
        taken.due += due.points
        short += _from_own(due, lots.get(due.spot), taken, at)
    if policy == "pending_only":
        taken.forgiven = short
    elif policy == "withhold_from_refund":
        taken.withheld = short
    else:
        short -= _from_others(account, short, taken, at)
        taken.debt = short if policy == "go_negative" else min(short, open_holds)
        taken.forgiven = short - taken.debt
    return taken


def _from_own(due: DuePoints, lot: Lot | None, taken: PointsTakenBack, at: int) -> int:
    """Takes due points from the lot in which they were earned; returns how many it lacks."""
    left = due.points
    if lot is not None and lot.left > 0:
        pending, over = at < lot.active_at, at >= lot.until
        if pending or over or taken.policy != "pending_only":
            given = min(left, lot.left)
            lot.left -= given
            left -= given
            taken.take(due.spot, given)
            if over:
                taken.lapsed += given
            elif pending:
                taken.pending += given
            else:
                taken.active += given
    lapsed = min(left, due.lapsed)
    if lapsed:
        taken.lapsed += lapsed
        taken.lapsed_of[due.spot] = taken.lapsed_of.get(due.spot, 0) + lapsed
    return left - lapsed


def _from_others(account: Account, wanted: int, taken: PointsTakenBack, at: int) -> int:
    """Takes at most `wanted` spendable points, in the order of spending; returns how many.

    Leaves as many points as the account has debt.
    """
    free = sum(lot.left for lot in account.lots if lot.left > 0 and lot.spendable(at))
    points = left = min(wanted, max(0, free - account.debt))
    for lot in account.lots:
        if left and lot.left > 0 and lot.spendable(at):
            given = min(left, lot.left)
            lot.left -= given
            left -= given
            taken.take((lot.profile_id, lot.lot_id), given)
    taken.other += points
    return points


@dataclass(frozen=True, slots=True)
class PointsGivenBack:
    """How points are given back, in points by lot.

    `lots`: to the lots from which they were taken. `graced`: to new lots that expire at
    `graced_until`; each names the old lot. `unnamed`: to the profile, as no lot is known. `repaid`:
    the part of `lots` that is taken again immediately, for points forgiven earlier.
    """

    lots: tuple[tuple[Spot, int], ...] = ()
    graced: tuple[tuple[Spot, int], ...] = ()
    graced_until: int | None = None
    unnamed: int = 0
    repaid: tuple[tuple[Spot, int], ...] = ()

    @property
    def points(self) -> int:
        return sum(points for _, points in (*self.lots, *self.graced)) + self.unnamed


def give_back(
    points: int,
    spent: Mapping[Spot, int],
    lots: Sequence[Lot],
    graced_until: int | None,
    forgiven: int,
) -> PointsGivenBack:
    """Gives spent points back, longest expiry first, since spending took the shortest first.

    `points`: how many. `spent`: by lot, what the purchase took and was not given back yet; `points`
    beyond these were taken from no known lot. Points of lots that expire before `graced_until` go
    to new lots that expire then (None: no grace). `forgiven`: points forgiven earlier; as many of
    the points given back to known lots are taken again immediately.
    """
    known = {(lot.profile_id, lot.lot_id): lot for lot in lots}
    order = sorted(spent, key=lambda spot: _last(known.get(spot), spot), reverse=True)
    own: list[tuple[Spot, int]] = []
    graced: list[tuple[Spot, int]] = []
    repaid: list[tuple[Spot, int]] = []
    for spot in order:
        given = min(points, spent[spot])
        points -= given
        lot = known.get(spot)
        late = graced_until is not None and lot is not None and lot.until < graced_until
        owed = min(given, forgiven)
        if owed:
            forgiven -= owed
            repaid.append((spot, owed))
        to_own = owed if late else given  # what is taken again immediately needs no grace
        if to_own:
            own.append((spot, to_own))
        if given > to_own:
            graced.append((spot, given - to_own))
    until = graced_until if graced else None
    return PointsGivenBack(tuple(own), tuple(graced), until, points, tuple(repaid))


def _last(lot: Lot | None, spot: Spot) -> tuple[int, int, Spot]:
    return (lot.until, lot.earned_at or 0, spot) if lot is not None else (0, 0, spot)


def allocations_of(lots: Iterable[tuple[Spot, int]]) -> list[LotAllocation]:
    """The points that an event names, by lot."""
    return [
        LotAllocation(profile_id=profile_id.bytes, lot_id=lot_id.bytes, points=points)
        for (profile_id, lot_id), points in lots
    ]
