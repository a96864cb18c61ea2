"""Decides commands on point holds: outcomes, rows to store and events, without any I/O."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from projections.core.instants import micros
from projections.point_balance import captured_id
from projections.point_balance.account import Account
from schemas.generated.events import PointsRedeemed
from schemas.generated.events.parts import LotAllocation, Meta, Producer
from services.deciding.outcomes import CommandOutcome
from services.points.holds.commands import (
    Capture,
    Command,
    Hold,
    HoldBody,
    Redeem,
    RedeemBody,
    ReleaseHold,
)
from services.points.holds.outcomes import (
    HoldCaptured,
    HoldExpired,
    HoldReleased,
    HoldResolved,
    HoldTooSmall,
    HoldUnknown,
    PointsHeld,
    PointsSpent,
    ProfileUnknown,
    TakenLot,
    TooFewPoints,
)
from services.points.holds.purse import Purse, PurseKey, Spot
from services.points.program.programs import USUAL, Programs

OPEN, CAPTURED, RELEASED = "open", "captured", "released"


@dataclass(slots=True)
class HeldLot:
    """A row of `hitotsu.points_hold`: the points that one hold takes from one lot.

    `profile_id`: the lot's profile. `whose`: the profile that the command named. `place`: position
    in the order of spending. `expires_at`: ignored unless `state` is "open". `program_id`: empty
    for the default program.
    """

    hold_id: UUID
    profile_id: UUID
    lot_id: UUID
    points: int
    place: int
    whose: UUID
    channel: str
    client: str
    state: str
    expires_at: datetime
    transaction_id: UUID | None = None
    program_id: str = ""

    @property
    def spot(self) -> Spot:
        return self.profile_id, self.lot_id


@dataclass(slots=True)
class PointsState:
    """The state from which a batch of commands is decided; `decide` changes it command by command.

    `purses`: by profile id and program; all profiles of a member share those of a program. `holds`:
    all rows of the holds that the commands name, by hold id. `unseen`: profiles of which no event
    was applied. `now`: the time, read under the locks.
    """

    purses: Mapping[PurseKey, Purse]
    holds: dict[UUID, list[HeldLot]]
    now: datetime
    unseen: Collection[UUID] = ()
    programs: Programs = USUAL


@dataclass(slots=True)
class DecidedPoints:
    """The result: outcomes in the order of the commands, rows of new holds, rows of changed holds,
    and events for the outbox.
    """

    outcomes: list[CommandOutcome] = field(default_factory=list)
    made: list[HeldLot] = field(default_factory=list)
    changed: list[HeldLot] = field(default_factory=list)
    facts: list[PointsRedeemed] = field(default_factory=list)


def decide(commands: Iterable[Command], state: PointsState) -> DecidedPoints:
    """Decides the commands in order: a command sees what the commands before it took."""
    batch = _PointsBatch(state)
    batch.decided.outcomes.extend(batch.outcome(command) for command in commands)
    return batch.decided


class _PointsBatch:
    """The state during a batch, and what was decided so far."""

    def __init__(self, state: PointsState) -> None:
        self._purses, self._holds, self._now = state.purses, state.holds, state.now
        self._unseen, self._programs = state.unseen, state.programs
        self.decided = DecidedPoints()

    def outcome(self, command: Command) -> CommandOutcome:
        """Decides one command."""
        if isinstance(command, Hold | Redeem) and command.body.profile_id in self._unseen:
            return ProfileUnknown()
        if isinstance(command, Hold):
            return self._hold(command)
        if isinstance(command, Redeem):
            return self._redeem(command)
        return self._resolve(command)

    def _purse(self, profile_id: UUID, program_id: str) -> Purse:
        """The member's purse of a program; an empty one if it never had points there."""
        purse = self._purses.get((profile_id, program_id))
        return purse or Purse(Account(), micros(self._now), 0)

    def _asked(self, body: HoldBody | RedeemBody) -> Purse:
        return self._purse(body.profile_id, self._programs.of(body.program).stored)

    def _hold(self, command: Hold) -> CommandOutcome:
        body, purse = command.body, self._asked(command.body)
        free = purse.available()
        points = min(body.points, free) if body.mode == "best_effort" else body.points
        if not points or points > free:
            return TooFewPoints(available=free, version=purse.version)
        lines = self._lines(command, points, self._now + timedelta(seconds=body.ttl_seconds))
        if not body.dry_run:
            self._keep(purse, lines)
        return PointsHeld(
            hold_id=None if body.dry_run else command.hold_id, expires_at=lines[0].expires_at,
            points=points, allocations=_lots(lines), available=purse.available(),
            dry_run=body.dry_run, version=purse.version,
        )  # fmt: skip

    def _redeem(self, command: Redeem) -> CommandOutcome:
        body, purse = command.body, self._asked(command.body)
        free = purse.available()
        if body.points > free:
            return TooFewPoints(available=free, version=purse.version)
        lines = self._lines(command, body.points, self._now)
        for line in lines:
            line.state, line.transaction_id = CAPTURED, body.transaction_id
        fact = self._fact(lines)
        if not body.dry_run:
            self._keep(purse, lines)
            self.decided.facts.append(fact)
        return PointsSpent(
            hold_id=None if body.dry_run else command.hold_id, points=fact.points,
            event_id=UUID(bytes=fact.meta.event_id), allocations=_lots(lines),
            available=purse.available(), dry_run=body.dry_run, version=purse.version,
        )  # fmt: skip

    def _resolve(self, command: Capture | ReleaseHold) -> CommandOutcome:
        lines = self._holds.get(command.hold_id)
        if not lines:
            return HoldUnknown()
        if lines[0].state != OPEN:
            return HoldResolved(state=lines[0].state)
        if lines[0].expires_at <= self._now:
            return HoldExpired(expires_at=lines[0].expires_at)
        purse = self._purse(lines[0].profile_id, lines[0].program_id)
        if isinstance(command, ReleaseHold):
            return self._release(command, lines, purse)
        return self._capture(command, lines, purse)

    def _release(self, command: ReleaseHold, lines: list[HeldLot], purse: Purse) -> CommandOutcome:
        if not command.body.dry_run:
            for line in lines:
                line.state = RELEASED
                self._purse(line.profile_id, line.program_id).take(line.spot, -line.points)
            self.decided.changed += lines
        return HoldReleased(
            hold_id=command.hold_id, available=purse.available(), dry_run=command.body.dry_run,
            version=purse.version,
        )  # fmt: skip

    def _capture(self, command: Capture, lines: list[HeldLot], purse: Purse) -> CommandOutcome:
        body, held = command.body, sum(line.points for line in lines)
        wanted = held if body.points is None else body.points
        if wanted > held:
            return HoldTooSmall(available=held)
        taken, left = [], wanted
        for line in sorted(lines, key=lambda line: line.place):
            taken.append(min(left, line.points))
            left -= taken[-1]
        shown = [_with(line, points, body.transaction_id) for line, points in zip(lines, taken)]
        fact = self._fact(shown)
        if not body.dry_run:
            for line, points in zip(lines, taken):
                purse_of = self._purse(line.profile_id, line.program_id)
                purse_of.take(line.spot, points - line.points)
            self.decided.changed += shown
            self._holds[command.hold_id] = shown
            self.decided.facts.append(fact)
        return HoldCaptured(
            hold_id=command.hold_id, points=fact.points, event_id=UUID(bytes=fact.meta.event_id),
            allocations=_lots(shown), freed=held - wanted, available=purse.available(),
            dry_run=body.dry_run, version=purse.version,
        )  # fmt: skip

    def _lines(self, command: Hold | Redeem, points: int, expires_at: datetime) -> list[HeldLot]:
        body = command.body
        purse, program_id = self._asked(body), self._programs.of(body.program).stored
        return [
            HeldLot(
                command.hold_id, lot.profile_id, lot.lot_id, lot.left, place, body.profile_id,
                body.channel, command.client, OPEN, expires_at, program_id=program_id,
            )
            for place, lot in enumerate(purse.lots(points))
        ]  # fmt: skip

    def _fact(self, lines: Sequence[HeldLot]) -> PointsRedeemed:
        return _redeemed(lines, self._now, self._programs.of(lines[0].program_id).id)

    def _keep(self, purse: Purse, lines: list[HeldLot]) -> None:
        for line in lines:
            purse.take(line.spot, line.points)
        self.decided.made += lines
        self._holds[lines[0].hold_id] = lines


def _with(line: HeldLot, points: int, transaction_id: UUID | None) -> HeldLot:
    return HeldLot(
        line.hold_id, line.profile_id, line.lot_id, points, line.place, line.whose, line.channel,
        line.client, CAPTURED, line.expires_at, transaction_id, line.program_id,
    )  # fmt: skip


def _redeemed(lines: Sequence[HeldLot], now: datetime, program: str) -> PointsRedeemed:
    """The redemption event with one allocation for each lot that gives points."""
    first, taken = lines[0], [line for line in lines if line.points]
    meta = Meta(
        event_id=captured_id(first.hold_id).bytes, occurred_at=micros(now),
        producer=Producer(system="hitotsu-points", channel=first.channel),
    )  # fmt: skip
    return PointsRedeemed(
        meta=meta,
        profile_id=first.whose.bytes,
        points=sum(line.points for line in taken),
        transaction_id=first.transaction_id.bytes if first.transaction_id else None,
        hold_id=first.hold_id.bytes,
        allocations=[
            LotAllocation(
                profile_id=line.profile_id.bytes, lot_id=line.lot_id.bytes, points=line.points
            )
            for line in taken
        ],
        program_id=program,
    )


def _lots(lines: Sequence[HeldLot]) -> list[TakenLot]:
    return [
        TakenLot(profile_id=line.profile_id, lot_id=line.lot_id, points=line.points)
        for line in lines
        if line.points
    ]
