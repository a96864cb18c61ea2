"""May it be promised? Pure: what is there and what is asked go in, answers and changes come out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from projections.core.instants import micros, written
from schemas.generated.events import ReservationCommitted
from schemas.generated.events.parts import Meta, Producer
from services.deciding.answers import EXPIRED, RESOLVED, Answer, refused, rest_of
from services.http.problem_type import ProblemType
from services.stock.answers import NO_SUCH_RESERVATION, OUT_OF_STOCK, UNPLACED
from services.stock.availability import ANYWHERE, REASONS, AvailableUnits, Spot
from services.stock.commands import Command, Commit, Extend, ReleaseReservation, Reserve

OPEN, COMMITTED, RELEASED = "open", "committed", "released"


@dataclass(slots=True)
class ReservedUnits:
    """One line of a reservation. `expires_at` counts only while it is open."""

    reservation_id: UUID
    sku: str
    location_id: str
    quantity: int
    channel: str
    client: str
    state: str
    expires_at: datetime
    order_id: UUID | None = None
    served_by: str | None = None

    @property
    def spot(self) -> Spot:
        return self.sku, self.location_id

    def counts(self, now: datetime) -> bool:
        """Whether it holds units: past its time it does not, whatever any job has done."""
        return self.state == COMMITTED or (self.state == OPEN and self.expires_at > now)


@dataclass(slots=True)
class StockOutcome:
    """Answers in the order of the commands; holds made or changed; facts to append."""

    answers: list[Answer] = field(default_factory=list)
    made: list[ReservedUnits] = field(default_factory=list)
    changed: dict[UUID, list[ReservedUnits]] = field(default_factory=dict)
    facts: list[ReservationCommitted] = field(default_factory=list)


class StockBatch:
    """One batch: commands see what the ones before them took."""

    def __init__(
        self,
        shelf: AvailableUnits,
        holds: dict[UUID, list[ReservedUnits]],
        now: datetime,
        position: dict[str, int],
    ) -> None:
        """`holds`: every line of each reservation that a command names; `now`: under the locks."""
        self._shelf, self._holds, self._now = shelf, holds, now
        self._rest = rest_of({"position": position})
        self.decided = StockOutcome()

    def decide(self, commands: Iterable[Command]) -> StockOutcome:
        """Everything, in order."""
        for command in commands:
            if isinstance(command, Reserve):
                answer = self._reserve(command)
            else:
                answer = self._resolve(command)
            self.decided.answers.append(answer)
        return self.decided

    def _reserve(self, command: Reserve) -> Answer:
        body = command.body
        lines = self._taken(command)
        short = any(line["granted"] < line["quantity"] for line in lines)
        granted = any(line["granted"] for line in lines)
        yes = granted and not (short and body.mode == "all_or_nothing")
        if not yes or body.dry_run:
            for line in lines:
                self._shelf.take((line["sku"], line["location_id"]), -line["granted"])
        if not yes:
            nothing = [{**line, "granted": 0} for line in lines]
            first = next(REASONS[line["reason"]] for line in lines if "reason" in line)
            detail = f"Not so many units may be promised. {first}"
            return self._no(OUT_OF_STOCK, detail, lines=nothing)
        expires_at = self._now + timedelta(seconds=body.ttl_seconds)
        if not body.dry_run:
            made = [_hold_of(command, line, expires_at) for line in lines if line["granted"]]
            self.decided.made += made
            self._holds[command.reservation_id] = made
        said = {"state": OPEN, "expires_at": expires_at, "lines": lines, "complete": not short}
        return self._yes(201, command, said)

    def _taken(self, command: Reserve) -> list[dict[str, Any]]:
        """Line by line, each from what the ones before it left: lines of one item share a pool."""
        lines, channel = [], command.body.channel
        for line in command.body.lines:
            spot = (line.sku, line.location_id)
            room = self._shelf.room(spot, channel)
            granted = min(line.quantity, room)
            short = self._shelf.reason(spot, channel) if granted < line.quantity else None
            self._shelf.take(spot, granted)
            said = {**line.model_dump(), "granted": granted, "available": room}
            if short:
                said["reason"] = short
            lines.append(said)
        return lines

    def _resolve(self, command: Extend | Commit | ReleaseReservation) -> Answer:
        holds = self._holds.get(command.reservation_id)
        if not holds:
            return self._no(NO_SUCH_RESERVATION, "There is no such reservation.")
        if holds[0].state != OPEN:
            return self._no(RESOLVED, f"The reservation is {holds[0].state}.")
        if not holds[0].counts(self._now):
            detail = f"The reservation ended at {written(holds[0].expires_at)}."
            return self._no(EXPIRED, detail)
        if isinstance(command, Extend):
            return self._extend(command, holds)
        if isinstance(command, Commit):
            return self._commit(command, holds)
        return self._release(command, holds)

    def _release(self, command: ReleaseReservation, holds: list[ReservedUnits]) -> Answer:
        if not command.body.dry_run:
            for hold in holds:
                hold.state = RELEASED
                self._shelf.take(hold.spot, -hold.quantity)
            self.decided.changed[command.reservation_id] = holds
        return self._yes(200, command, {"state": RELEASED})

    def _commit(self, command: Commit, holds: list[ReservedUnits]) -> Answer:
        body, short = command.body, self._unplaceable(command, holds)
        if short is not None:
            return short
        placed = [hold.location_id or body.location_id or ANYWHERE for hold in holds]
        facts = [
            _fact(body.order_id, hold, location, self._now) for hold, location in zip(holds, placed)
        ]
        if not body.dry_run:
            for hold, location in zip(holds, placed):
                if location != hold.location_id:
                    self._shelf.take(hold.spot, -hold.quantity)
                    self._shelf.take((hold.sku, location), hold.quantity)
                hold.state, hold.order_id, hold.served_by = COMMITTED, body.order_id, location
            self.decided.changed[command.reservation_id] = holds
            self.decided.facts += facts
        ids = [UUID(bytes=fact.meta.event_id) for fact in facts]
        said = {"state": COMMITTED, "order_id": body.order_id, "event_ids": ids}
        return self._yes(200, command, said)

    def _unplaceable(self, command: Commit, holds: list[ReservedUnits]) -> Answer | None:
        """Lines without a location need one that may serve them: held were units anywhere."""
        unplaced = [hold for hold in holds if hold.location_id == ANYWHERE]
        location = command.body.location_id
        if not unplaced:
            return None
        if location is None:
            return self._no(UNPLACED, "Lines have no location yet: send `location_id`.")
        lines = []
        for hold in unplaced:
            room = self._shelf.placeable((hold.sku, location))
            if room < hold.quantity or (hold.sku, location) in {h.spot for h in holds}:
                lines.append({"sku": hold.sku, "location_id": location, "available": room})
        if lines:
            return self._no(OUT_OF_STOCK, "That location does not have them.", lines=lines)
        return None

    def _extend(self, command: Extend, holds: list[ReservedUnits]) -> Answer:
        until = self._now + timedelta(seconds=command.body.ttl_seconds)
        until = max(until, holds[0].expires_at)
        if not command.body.dry_run:
            for hold in holds:
                hold.expires_at = until
            self.decided.changed[command.reservation_id] = holds
        return self._yes(200, command, {"state": OPEN, "expires_at": until})

    def _yes(self, status: int, command: Command, said: dict[str, Any]) -> Answer:
        dry = command.body.dry_run
        named = (
            {}
            if dry and isinstance(command, Reserve)
            else {"reservation_id": command.reservation_id}
        )
        said = {**named, **said, "dry_run": dry}
        return Answer.of(200 if dry else status, said, self._rest)

    def _no(self, problem: ProblemType, detail: str, **more: Any) -> Answer:
        return refused(problem, detail, more, self._rest)


def fact_id(reservation_id: UUID, sku: str, location_id: str) -> UUID:
    """The promise's id says which line it is of, so that a second one would be a resend."""
    return uuid5(reservation_id, f"{sku}|{location_id}")


def _fact(
    order_id: UUID, hold: ReservedUnits, location_id: str, now: datetime
) -> ReservationCommitted:
    event_id = fact_id(hold.reservation_id, hold.sku, hold.location_id).bytes
    meta = Meta(
        event_id=event_id,
        occurred_at=micros(now),
        producer=Producer(system="hitotsu-stock", channel=hold.channel),
    )
    return ReservationCommitted(
        meta=meta,
        sku=hold.sku,
        location_id=location_id,
        reservation_id=hold.reservation_id.bytes,
        order_id=order_id.bytes,
        quantity=hold.quantity,
    )


def _hold_of(command: Reserve, line: dict[str, Any], expires_at: datetime) -> ReservedUnits:
    return ReservedUnits(
        command.reservation_id, line["sku"], line["location_id"], line["granted"],
        command.body.channel, command.client, OPEN, expires_at,
    )  # fmt: skip
