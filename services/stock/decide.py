"""Decides commands on reservations: outcomes, rows to store and events, without any I/O."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from projections.core.instants import micros
from projections.shared_stock import promise_id
from schemas.generated.events import ReservationCommitted
from schemas.generated.events.parts import Meta, Producer
from schemas.measures import DECIMALS_MAX, everywhere, location_and_unit, place, shown
from services.deciding.outcomes import CommandOutcome, DeniedCommand
from services.stock.availability import ANYWHERE, AvailableUnits, Spot
from services.stock.commands import Command, Commit, Extend, ReleaseReservation, Reserve
from services.stock.outcomes import (
    LineGrant,
    LineShortage,
    LocationMissing,
    ReservationExpired,
    ReservationExtended,
    ReservationResolved,
    ReservationUnknown,
    TooFewUnits,
    TooFewUnitsThere,
    UnitsPromised,
    UnitsReleased,
    UnitsReserved,
)

OPEN, COMMITTED, RELEASED = "open", "committed", "released"


@dataclass(slots=True)
class ReservedUnits:
    """A row of `hitotsu.stock_hold`: a reservation's units of one item at one location.

    Locations are places (`schemas.measures`). `expires_at`: ignored unless `state` is "open".
    `served_by`: the location that serves them once they are committed.
    """

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
        """Whether it holds units at `now`: committed, or open and not expired."""
        return self.state == COMMITTED or (self.state == OPEN and self.expires_at > now)


@dataclass(slots=True)
class StockState:
    """The state from which a batch of commands is decided; `decide` changes it command by command.

    `shelf`: the units of the items. `holds`: all rows of the reservations that the commands name,
    by reservation id. `now`: the time, read under the locks.
    """

    shelf: AvailableUnits
    holds: dict[UUID, list[ReservedUnits]]
    now: datetime


@dataclass(slots=True)
class DecidedStock:
    """The result: outcomes in the order of the commands, rows of new holds, changed rows by
    reservation id, and events for the outbox.
    """

    outcomes: list[CommandOutcome] = field(default_factory=list)
    made: list[ReservedUnits] = field(default_factory=list)
    changed: dict[UUID, list[ReservedUnits]] = field(default_factory=dict)
    facts: list[ReservationCommitted] = field(default_factory=list)


def decide(commands: Iterable[Command], state: StockState) -> DecidedStock:
    """Decides the commands in order: a command sees what the commands before it took."""
    batch = _StockBatch(state)
    for command in commands:
        batch.decided.outcomes.append(batch.outcome(command))
    return batch.decided


@dataclass(slots=True)
class _Taken:
    """Units taken for a line (`granted`) of those asked for and of the `room` that there was."""

    spot: Spot
    quantity: int
    granted: int
    room: int
    reason: str | None

    def told(self) -> LineGrant:
        """The line as the answer shows it."""
        sku, (location_id, unit) = self.spot[0], location_and_unit(self.spot[1])
        line = LineGrant(
            sku=sku, location_id=location_id, quantity=shown(self.quantity, unit),
            granted=shown(self.granted, unit), available=shown(self.room, unit),
        )  # fmt: skip
        if self.reason:
            line["reason"] = self.reason
        if unit is not None:
            line["unit"] = unit
        return line


class _StockBatch:
    """The state during a batch, and what was decided so far."""

    def __init__(self, state: StockState) -> None:
        self._shelf, self._holds, self._now = state.shelf, state.holds, state.now
        self.decided = DecidedStock()

    def outcome(self, command: Command) -> CommandOutcome:
        """Decides one command."""
        return self._reserve(command) if isinstance(command, Reserve) else self._resolve(command)

    def _reserve(self, command: Reserve) -> CommandOutcome:
        """Holds the units that can be promised; nothing in a dry run.

        Denied if no unit can be promised, or too few in the mode `all_or_nothing`.
        """
        body = command.body
        lines = self._taken(command)
        short = any(line.granted < line.quantity for line in lines)
        granted = any(line.granted for line in lines)
        yes = granted and not (short and body.mode == "all_or_nothing")
        if not yes or body.dry_run:
            for line in lines:
                self._shelf.take(line.spot, -line.granted)
        if not yes:
            for line in lines:
                line.granted = 0
            return TooFewUnits(lines=[line.told() for line in lines])
        expires_at = self._now + timedelta(seconds=body.ttl_seconds)
        if not body.dry_run:
            made = [_hold_of(command, line, expires_at) for line in lines if line.granted]
            self.decided.made += made
            self._holds[command.reservation_id] = made
        return UnitsReserved(
            reservation_id=None if body.dry_run else command.reservation_id,
            expires_at=expires_at, lines=[line.told() for line in lines], complete=not short,
            dry_run=body.dry_run,
        )  # fmt: skip

    def _resolve(self, command: Extend | Commit | ReleaseReservation) -> CommandOutcome:
        """Extends, commits or releases an open reservation."""
        holds = self._holds.get(command.reservation_id)
        if not holds:
            return ReservationUnknown()
        if holds[0].state != OPEN:
            return ReservationResolved(state=holds[0].state)
        if not holds[0].counts(self._now):
            return ReservationExpired(expires_at=holds[0].expires_at)
        if isinstance(command, Extend):
            return self._extend(command, holds)
        if isinstance(command, Commit):
            return self._commit(command, holds)
        return self._release(command, holds)

    def _taken(self, command: Reserve) -> list[_Taken]:
        """Takes units for the lines in order: a line sees what the lines before it took."""
        lines, channel = list[_Taken](), command.body.channel
        for line in command.body.lines:
            spot, quantity = line.spot, line.amount.quantity
            room = self._shelf.room(spot, channel)
            granted = min(quantity, room)
            short = self._shelf.reason(spot, channel) if granted < quantity else None
            self._shelf.take(spot, granted)
            lines.append(_Taken(spot, quantity, granted, room, short))
        return lines

    def _release(self, command: ReleaseReservation, holds: list[ReservedUnits]) -> CommandOutcome:
        if not command.body.dry_run:
            for hold in holds:
                hold.state = RELEASED
                self._shelf.take(hold.spot, -hold.quantity)
            self.decided.changed[command.reservation_id] = holds
        return UnitsReleased(reservation_id=command.reservation_id, dry_run=command.body.dry_run)

    def _commit(self, command: Commit, holds: list[ReservedUnits]) -> CommandOutcome:
        body, denied = command.body, self._unplaceable(command, holds)
        if denied is not None:
            return denied
        placed = [_placed(hold, body.location_id) for hold in holds]
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
        return UnitsPromised(
            reservation_id=command.reservation_id, order_id=body.order_id,
            event_ids=[UUID(bytes=fact.meta.event_id) for fact in facts], dry_run=body.dry_run,
        )  # fmt: skip

    def _unplaceable(self, command: Commit, holds: list[ReservedUnits]) -> DeniedCommand | None:
        """The denial if the command's location cannot serve the lines that have none; else None.

        It cannot serve an item of which the reservation has another line at that location.
        """
        unplaced = [hold for hold in holds if hold.location_id == everywhere(hold.location_id)]
        location = command.body.location_id
        if not unplaced:
            return None
        if location is None:
            return LocationMissing()
        lines = list[LineShortage]()
        for hold in unplaced:
            spot = (hold.sku, _placed(hold, location))
            room = self._shelf.placeable(spot)
            if room < hold.quantity or spot in {h.spot for h in holds}:
                lines.append(_shortage(spot, room))
        return TooFewUnitsThere(lines=lines) if lines else None

    def _extend(self, command: Extend, holds: list[ReservedUnits]) -> CommandOutcome:
        until = self._now + timedelta(seconds=command.body.ttl_seconds)
        until = max(until, holds[0].expires_at)
        if not command.body.dry_run:
            for hold in holds:
                hold.expires_at = until
            self.decided.changed[command.reservation_id] = holds
        return ReservationExtended(
            reservation_id=command.reservation_id, expires_at=until, dry_run=command.body.dry_run
        )


def _placed(hold: ReservedUnits, location_id: str | None) -> str:
    """The place that serves a hold: its own, else the one at the location of the commit."""
    location, unit = location_and_unit(hold.location_id)
    return hold.location_id if location else place(location_id or ANYWHERE, unit)


def _shortage(spot: Spot, room: int) -> LineShortage:
    location_id, unit = location_and_unit(spot[1])
    line = LineShortage(sku=spot[0], location_id=location_id, available=shown(room, unit))
    if unit is not None:
        line["unit"] = unit
    return line


def _fact(
    order_id: UUID, hold: ReservedUnits, served_by: str, now: datetime
) -> ReservationCommitted:
    location_id, unit = location_and_unit(served_by)
    event_id = promise_id(hold.reservation_id, hold.sku, hold.location_id).bytes
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
        unit=unit or None,
        scale=0 if unit is None else DECIMALS_MAX,
    )


def _hold_of(command: Reserve, line: _Taken, expires_at: datetime) -> ReservedUnits:
    return ReservedUnits(
        command.reservation_id, *line.spot, line.granted,
        command.body.channel, command.client, OPEN, expires_at,
    )  # fmt: skip
