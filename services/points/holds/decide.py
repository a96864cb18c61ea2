"""May they be spent? Pure: what a member holds and what is asked go in, answers and changes out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from projections.core.instants import micros, written
from schemas.generated.events import PointsRedeemed
from schemas.generated.events.parts import LotAllocation, Meta, Producer
from services.deciding.answers import EXPIRED, RESOLVED, Answer, refused, rest_of
from services.http.problem_type import ProblemType
from services.points.holds.answers import INSUFFICIENT_POINTS, NO_SUCH_HOLD, UNKNOWN_PROFILE
from services.points.holds.commands import Capture, Command, Hold, Redeem, ReleaseHold
from services.points.holds.purse import Purse, Spot

OPEN, CAPTURED, RELEASED = "open", "captured", "released"


@dataclass(slots=True)
class HeldLot:
    """What a hold takes from one lot. `expires_at` counts only while it is open."""

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

    @property
    def spot(self) -> Spot:
        return self.profile_id, self.lot_id


@dataclass(slots=True)
class PointsOutcome:
    """Answers in the order of the commands; holds made or changed; facts to append."""

    answers: list[Answer] = field(default_factory=list)
    made: list[HeldLot] = field(default_factory=list)
    changed: list[HeldLot] = field(default_factory=list)
    facts: list[PointsRedeemed] = field(default_factory=list)


class PointsBatch:
    """One batch: commands see what the ones before them took."""

    def __init__(
        self,
        purses: Mapping[UUID, Purse],
        holds: dict[UUID, list[HeldLot]],
        now: datetime,
        position: dict[str, int],
        unseen: Collection[UUID] = (),
    ) -> None:
        """`purses` by profile, one for all of a member's; `holds`: every line of each named one.

        `unseen`: profiles of which there is no fact.
        """
        self._purses, self._holds, self._now = purses, holds, now
        self._unseen = unseen
        self._rest = rest_of({"position": position})
        self.decided = PointsOutcome()

    def decide(self, commands: Iterable[Command]) -> PointsOutcome:
        """Everything, in order."""
        for command in commands:
            if isinstance(command, Hold | Redeem) and command.body.profile_id in self._unseen:
                answer = self._no(UNKNOWN_PROFILE, "Nothing is known of that profile.")
            elif isinstance(command, Hold):
                answer = self._hold(command)
            elif isinstance(command, Redeem):
                answer = self._redeem(command)
            else:
                answer = self._resolve(command)
            self.decided.answers.append(answer)
        return self.decided

    def _hold(self, command: Hold) -> Answer:
        body, purse = command.body, self._purses[command.body.profile_id]
        free = purse.available()
        points = min(body.points, free) if body.mode == "best_effort" else body.points
        if not points or points > free:
            return self._short(free, purse)
        lines = self._lines(command, points, self._now + timedelta(seconds=body.ttl_seconds))
        if not body.dry_run:
            self._keep(purse, lines)
        said = {"state": OPEN, "expires_at": lines[0].expires_at, "points": points}
        return self._yes(201, command, {**said, **_lots(lines)}, purse)

    def _redeem(self, command: Redeem) -> Answer:
        body, purse = command.body, self._purses[command.body.profile_id]
        free = purse.available()
        if body.points > free:
            return self._short(free, purse)
        lines = self._lines(command, body.points, self._now)
        for line in lines:
            line.state, line.transaction_id = CAPTURED, body.transaction_id
        fact = _fact(lines, self._now)
        if not body.dry_run:
            self._keep(purse, lines)
            self.decided.facts.append(fact)
        return self._yes(200, command, _captured(fact, lines), purse)

    def _resolve(self, command: Capture | ReleaseHold) -> Answer:
        lines = self._holds.get(command.hold_id)
        if not lines:
            return self._no(NO_SUCH_HOLD, "There is no such hold.")
        state = lines[0].state
        if state != OPEN:
            return self._no(RESOLVED, f"The hold is {state}.")
        if lines[0].expires_at <= self._now:
            return self._no(EXPIRED, f"The hold ended at {written(lines[0].expires_at)}.")
        purse = self._purses[lines[0].profile_id]
        if isinstance(command, ReleaseHold):
            return self._release(command, lines, purse)
        return self._capture(command, lines, purse)

    def _release(self, command: ReleaseHold, lines: list[HeldLot], purse: Purse) -> Answer:
        if not command.body.dry_run:
            for line in lines:
                line.state = RELEASED
                self._purses[line.profile_id].take(line.spot, -line.points)
            self.decided.changed += lines
        return self._yes(200, command, {"state": RELEASED}, purse)

    def _capture(self, command: Capture, lines: list[HeldLot], purse: Purse) -> Answer:
        body, held = command.body, sum(line.points for line in lines)
        wanted = held if body.points is None else body.points
        if wanted > held:
            return self._no(INSUFFICIENT_POINTS, f"The hold is of {held} points.", available=held)
        taken, left = [], wanted
        for line in sorted(lines, key=lambda one: one.place):
            taken.append(min(left, line.points))
            left -= taken[-1]
        shown = [_with(line, points, body.transaction_id) for line, points in zip(lines, taken)]
        fact = _fact(shown, self._now)
        if not body.dry_run:
            for line, points in zip(lines, taken):
                self._purses[line.profile_id].take(line.spot, points - line.points)
            self.decided.changed += shown
            self._holds[command.hold_id] = shown
            self.decided.facts.append(fact)
        said = {**_captured(fact, shown), "freed": held - wanted}
        return self._yes(200, command, said, purse)

    def _lines(self, command: Hold | Redeem, points: int, expires_at: datetime) -> list[HeldLot]:
        body = command.body
        purse = self._purses[body.profile_id]
        return [
            HeldLot(
                command.hold_id, lot.profile_id, lot.lot_id, lot.left, place, body.profile_id,
                body.channel, command.client, OPEN, expires_at,
            )
            for place, lot in enumerate(purse.lots(points))
        ]  # fmt: skip

    def _keep(self, purse: Purse, lines: list[HeldLot]) -> None:
        for line in lines:
            purse.take(line.spot, line.points)
        self.decided.made += lines
        self._holds[lines[0].hold_id] = lines

    def _short(self, free: int, purse: Purse) -> Answer:
        detail = "The member does not have so many points to spend."
        return self._no(INSUFFICIENT_POINTS, detail, available=free, version=purse.version)

    def _yes(self, status: int, command: Command, said: dict[str, Any], purse: Purse) -> Answer:
        dry, new = command.body.dry_run, isinstance(command, Hold | Redeem)
        named = {} if dry and new else {"hold_id": command.hold_id}
        common = {"available": purse.available(), "dry_run": dry, "version": purse.version}
        return Answer.of(200 if dry else status, {**named, **said, **common}, self._rest)

    def _no(self, problem: ProblemType, detail: str, **more: Any) -> Answer:
        return refused(problem, detail, more, self._rest)


def captured_id(hold_id: UUID) -> UUID:
    """The event that a captured hold becomes: a hold is captured once, so there is one."""
    return uuid5(hold_id, "captured")


def _with(line: HeldLot, points: int, transaction_id: UUID | None) -> HeldLot:
    return HeldLot(
        line.hold_id, line.profile_id, line.lot_id, points, line.place, line.whose, line.channel,
        line.client, CAPTURED, line.expires_at, transaction_id,
    )  # fmt: skip


def _fact(lines: Sequence[HeldLot], now: datetime) -> PointsRedeemed:
    """What was spent, lot by lot; a hold is captured once, so its id makes the fact's."""
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
    )


def _captured(fact: PointsRedeemed, lines: Sequence[HeldLot]) -> dict[str, Any]:
    event_id = UUID(bytes=fact.meta.event_id)
    return {"state": CAPTURED, "points": fact.points, "event_id": event_id, **_lots(lines)}


def _lots(lines: Sequence[HeldLot]) -> dict[str, Any]:
    named = [
        {"profile_id": line.profile_id, "lot_id": line.lot_id, "points": line.points}
        for line in lines
        if line.points
    ]
    return {"allocations": named}
