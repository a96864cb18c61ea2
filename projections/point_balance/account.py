"""Computes points by lot: how many can be spent, and until when. Without any I/O.

A lot is points earned together, with the same expiry; an entry with a lot id changes that lot.
Entries without a lot come from tills that were offline. They are assigned here to the profile's own
lots, in time order:

- a redemption takes from lots active at that time, soonest expiry first; if they have too few
  points, the rest becomes debt, which is repaid first by lots that become active later;
- points taken back after a return are taken from that purchase's lots first, pending or not;
- points given back first cancel what the same purchase took; the rest becomes a lot.

Entries with a lot id are never reassigned. So the result depends only on the set of entries and not
on their order. It is computed per profile; a member's points are the sum over its profiles.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

Id = Any  # a UUID, or its 16 bytes; all ids of one call are of one kind
FOR_EVER = 1 << 62


@dataclass(slots=True)
class Lot:
    """Points with the same expiry. `left`: points not taken yet; `earned`: points given to it.

    `earned_at` None: the entry that earned it is not applied yet. Times in microseconds.
    """

    profile_id: Id
    lot_id: Id
    left: int = 0
    earned: int = 0
    earned_at: int | None = None
    active_from: int | None = None
    expires_at: int | None = None
    transaction_id: Id | None = None
    line_no: int | None = None

    @property
    def active_at(self) -> int:
        """The time from which the lot can be spent; `FOR_EVER` if its earning is not applied."""
        if self.earned_at is None:
            return FOR_EVER
        return max(self.earned_at, self.active_from or self.earned_at)

    @property
    def until(self) -> int:
        """The time at which the lot expires; `FOR_EVER`: never."""
        return FOR_EVER if self.expires_at is None else self.expires_at

    @property
    def order(self) -> tuple[Any, ...]:
        """Sort key: the order in which lots are spent."""
        return (self.until, self.earned_at or 0, self.lot_id)

    def spendable(self, at: int) -> bool:
        """Whether the lot is active and not expired at that time."""
        return self.active_at <= at < self.until


@dataclass(frozen=True, slots=True)
class Draw:
    """An entry without a lot: points taken; negative: points given back."""

    profile_id: Id
    event_id: Id
    kind: str
    points: int
    at: int
    transaction_id: Id | None = None
    expires_at: int | None = None


@dataclass(slots=True)
class Account:
    """The points of some profiles at one moment. `lots`: in the order of spending.

    free      = points in active lots that are not held
    active    = free + held
    balance   = active - debt
    available = free - debt, never below 0
    `pending`: in lots not active yet. `lapsed`: left in expired lots. `debts`: by profile.
    """

    lots: list[Lot] = field(default_factory=list)
    free: int = 0
    held: int = 0
    pending: int = 0
    lapsed: int = 0
    debts: dict[Id, int] = field(default_factory=dict)

    @property
    def active(self) -> int:
        return self.free + self.held

    @property
    def debt(self) -> int:
        """Points taken that no lot had, of all profiles."""
        return sum(self.debts.values())

    @property
    def balance(self) -> int:
        return self.active - self.debt

    @property
    def available(self) -> int:
        return max(0, self.free - self.debt)


def lots_and_draws(entries: Iterable[Mapping[str, Any]]) -> tuple[list[Lot], list[Draw]]:
    """Computes lots from rows of `point_entry`; rows without a lot become draws."""
    lots: dict[tuple[Id, Id], Lot] = {}
    draws = []
    for row in entries:
        profile_id, lot_id, points = row["profile_id"], row["lot_id"], row["points"]
        if lot_id is None:
            draws.append(
                Draw(
                    profile_id, row["event_id"], row["kind"], -points, row["at"],
                    row["transaction_id"], row["expires_at"],
                )
            )  # fmt: skip
            continue
        lot = lots.get((profile_id, lot_id))
        if lot is None:
            lot = lots[profile_id, lot_id] = Lot(profile_id, lot_id)
        lot.left += points
        if points > 0:
            _open(lot, row)
    return named(list(lots.values())), draws


def _open(lot: Lot, row: Mapping[str, Any]) -> None:
    """Sets a lot's times and purchase from an entry that gives points.

    The earliest such entry is the earning; the latest `active_from` and `expires_at` count.
    """
    kind, at = row["kind"], row["at"]
    if kind == "reinstated" and row["expires_at"] is None:
        return  # points that go back to an existing lot
    lot.earned += row["points"]
    if lot.earned_at is None or at < lot.earned_at:
        lot.earned_at = at
    for name in ("active_from", "expires_at"):
        value, old = row[name], getattr(lot, name)
        if value is not None and (old is None or value > old):
            setattr(lot, name, value)
    if kind == "earned":
        lot.transaction_id, lot.line_no = row["transaction_id"], row["line_no"]


def named(lots: list[Lot]) -> list[Lot]:
    """Sets the times of transferred lots from the lot of the same id of another profile."""
    times = {lot.lot_id: lot for lot in lots if lot.expires_at is not None}
    for lot in lots:
        first = times.get(lot.lot_id)
        if first is not None and first is not lot and lot.expires_at is None:
            lot.expires_at, lot.active_from = first.expires_at, first.active_from
    return lots


def account(
    lots: Iterable[Lot],
    draws: Iterable[Draw],
    at: int,
    held: Mapping[tuple[Id, Id], int] | None = None,
) -> Account:
    """Assigns held points and draws to lots, and sums up the points at `at` (microseconds).

    `held`: points in holds, by profile and lot; they are not left in the lots.
    """
    found, held = Account(), held or {}
    by_profile: dict[Id, tuple[list[Lot], list[Draw]]] = defaultdict(lambda: ([], []))
    for lot in lots:
        by_profile[lot.profile_id][0].append(_without(lot, held))
    for draw in draws:
        by_profile[draw.profile_id][1].append(draw)
    for profile_id, (own, drawn) in by_profile.items():
        own += _undone(drawn)
        found.debts[profile_id] = _draw(own, drawn, at)
        found.lots += own
    found.lots.sort(key=lambda lot: lot.order)
    for lot in found.lots:
        if at >= lot.until:
            found.lapsed += lot.left
        elif lot.active_at > at:
            # below 0 if points were taken before the lot's earning is applied: counts as 0
            found.pending += max(0, lot.left)
        else:
            found.free += lot.left
            found.held += held.get((lot.profile_id, lot.lot_id), 0)
    return found


def _without(lot: Lot, held: Mapping[tuple[Id, Id], int]) -> Lot:
    """A copy of the lot without its held points, not below 0, since a reader may see both a hold
    and the redemption of the same points.
    """
    points = held.get((lot.profile_id, lot.lot_id), 0)
    return replace(lot, left=lot.left - min(points, max(0, lot.left)))


def _undone(draws: list[Draw]) -> list[Lot]:
    """Cancels redemptions in `draws` by what the same purchase gave back; returns the rest as lots.

    Removes the draws that gave points back.
    """
    left = []
    for back in sorted((one for one in draws if one.points < 0), key=_when):
        points = -back.points
        for index, draw in sorted(enumerate(draws), key=lambda one: _when(one[1]), reverse=True):
            same = draw.transaction_id == back.transaction_id is not None
            if same and draw.kind == "redeemed" and draw.points > 0 and points:
                undone = min(points, draw.points)
                points -= undone
                draws[index] = replace(draw, points=draw.points - undone)
        if points:
            left.append(
                Lot(
                    back.profile_id, back.event_id, points, points, back.at,
                    expires_at=back.expires_at,
                )
            )  # fmt: skip
    draws[:] = [one for one in draws if one.points > 0]
    return left


def _draw(lots: list[Lot], draws: list[Draw], at: int) -> int:
    """Takes all draws from the lots, in time order; returns the debt that remains at `at`."""
    lots.sort(key=lambda lot: lot.order)
    # a till's clock may be ahead: a draw in the future counts as of now
    steps: list[tuple[int, int, Any, Lot | Draw]] = [
        (min(draw.at, at), 1, draw.event_id, draw) for draw in draws
    ]
    if not steps:
        return 0
    steps += [(lot.active_at, 0, lot.order, lot) for lot in lots if lot.active_at <= at]
    owed = 0
    for when, _, _, step in sorted(steps, key=lambda one: one[:3]):
        if isinstance(step, Lot):
            owed -= _take(step, owed)
            continue
        points = step.points
        if step.kind == "reversed" and step.transaction_id is not None:
            for lot in lots:
                if lot.transaction_id == step.transaction_id:
                    points -= _take(lot, points)
        for lot in lots:
            if lot.spendable(when):
                points -= _take(lot, points)
        owed += points
    return owed


def _take(lot: Lot, points: int) -> int:
    taken = min(points, lot.left) if lot.left > 0 else 0
    lot.left -= taken
    return taken


def _when(draw: Draw) -> tuple[int, Any]:
    return draw.at, draw.event_id


def allocated(found: Account, points: int, at: int) -> list[Lot]:
    """The lots that give `points`, soonest expiry first: copies whose `left` is what the lot gives.

    They give less if the account has fewer points; the caller checks `available` first.
    """
    given = []
    for lot in found.lots:
        if points and lot.left > 0 and lot.spendable(at):
            given.append(replace(lot, left=min(points, lot.left)))
            points -= given[-1].left
    return given
