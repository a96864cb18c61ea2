"""The tables of points: entries (movements of lots), debts between profiles, and program rules.

A balance is computed from lots, and a lot from its entries. No stored value depends on a clock or
on the order in which partitions are read.
"""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID, uuid5

from projections.core import Projection, Row, View, key, latest_by, maximum, plain
from schemas.generated.events import (
    BalanceOpened,
    PointsAdjusted,
    PointsEarned,
    PointsExpired,
    PointsRedeemed,
    PointsReinstated,
    PointsReversed,
    PointsTransferred,
    ProgramRulesSet,
)

projection = Projection("point_balance", version=3)

# `points` is signed. `lot_id` null: no decision named a lot; `account` then assigns lots
entry = projection.ledger(
    "point_entry",
    profile_id=plain("uuid"),
    lot_id=plain("uuid"),
    kind=plain("text"),
    points=plain("bigint"),
    at=plain("bigint"),
    active_from=plain("bigint"),
    expires_at=plain("bigint"),
    transaction_id=plain("uuid"),
    line_no=plain("int"),
    terminal=plain("text"),  # store/terminal of an offline redemption, which nothing decided
    rule_version=plain("text"),
    program_id=plain("text"),  # null: the default program
    foreign_money=plain("text"),  # a sale's currency that is not the program's, and the rate if any
    view=View(by=("profile_id",)),
    sparse=("expires_at", "terminal"),
    later=("program_id", "foreign_money"),
)
# Held points of which no redemption is applied yet. Holds of the client `hitotsu-points` are made
# for events that are not applied yet: decisions count them, readers do not.
HELD = projection.held(
    "points_hold",
    beside=entry,
    by={"profile_id": "profile_id", "lot_id": "lot_id"},
    amount="points",
    sums=("points_held", "points"),
    ended_by=PointsRedeemed,
    named={"id": "hold_id"},
    awaiting="captured",
    mark="applied_event",
    fact_id=lambda hold: captured_id(hold["id"]),
    but="h.client = 'hitotsu-points'",
)
# points that a profile spent of another profile's lots while both were one member, less returns
across = projection.ledger(
    "points_across",
    profile_id=plain("uuid"),
    owner_id=plain("uuid"),
    kind=plain("text"),
    points=plain("bigint"),
    at=plain("bigint"),
    transaction_id=plain("uuid"),
    program_id=plain("text"),
    indexes=(("profile_id",), ("owner_id",)),
    later=("program_id",),
)
rules = projection.table(
    "program_rules",
    program_id=key("text"),
    valid_from=key("bigint"),
    set_at=maximum(),
    version=latest_by("text", at="set_at"),
    accrual=latest_by("text", at="set_at"),
    rules=latest_by("text", at="set_at"),
    moved_by="commerce.catalog",
    view=View(by=("program_id",)),
)
Allocated = PointsRedeemed | PointsReversed | PointsReinstated | PointsTransferred


def _entry(
    profile_id: bytes, lot_id: bytes | None, kind: str, points: int, at: int,
    transaction_id: bytes | None = None, *, active_from: int | None = None,
    expires_at: int | None = None, terminal: str | None = None, program_id: str | None = None,
) -> Row:  # fmt: skip
    return entry(
        profile_id=profile_id, lot_id=lot_id, kind=kind, points=points, at=at,
        active_from=active_from, expires_at=expires_at, transaction_id=transaction_id,
        line_no=None, terminal=terminal, rule_version=None, program_id=program_id,
        foreign_money=None,
    )  # fmt: skip


@projection.on(PointsEarned)
def earned(event: PointsEarned) -> Iterator[Row]:
    at, foreign = event.meta.occurred_at, None
    if event.currency is not None:
        foreign = event.currency if event.rate is None else f"{event.currency} {event.rate}"
    for lot in event.lots:
        yield entry(
            profile_id=event.profile_id, lot_id=lot.lot_id, kind="earned", points=lot.points,
            at=at, active_from=lot.active_from, expires_at=lot.expires_at,
            transaction_id=event.transaction_id, line_no=lot.line_no, terminal=None,
            rule_version=event.rule_version, program_id=event.program_id, foreign_money=foreign,
        )  # fmt: skip


@projection.on(BalanceOpened)
def opened(event: BalanceOpened) -> Iterator[Row]:
    # the opening counts once, so ids that follow from it are those of its first telling
    name = UUID(bytes=event.meta.event_id)
    for number, lot in enumerate(event.lots):
        yield _entry(
            event.profile_id, uuid5(name, f"lot {number}").bytes, "opened", lot.points,
            event.meta.occurred_at, active_from=lot.active_from, expires_at=lot.expires_at,
            program_id=event.program_id,
        )  # fmt: skip


@projection.on(PointsRedeemed)
def redeemed(event: PointsRedeemed) -> Iterator[Row]:
    yield from _taken(event, "redeemed")
    yield from _across(event, "redeemed", 1)


@projection.on(PointsReversed)
def reversed_(event: PointsReversed) -> Iterator[Row]:
    yield from _taken(event, "reversed")


@projection.on(PointsReinstated)
def reinstated(event: PointsReinstated) -> Iterator[Row]:
    at, sale = event.meta.occurred_at, event.transaction_id
    given = 0
    for one in event.allocations:
        given += one.points
        lot_id, until = one.lot_id, event.expires_at
        if until is not None:  # the lot has expired: the points go to a new lot (grace)
            lot_id = uuid5(UUID(bytes=event.meta.event_id), one.lot_id.hex()).bytes
        yield _entry(
            one.profile_id, lot_id, "reinstated", one.points, at, sale, expires_at=until,
            program_id=event.program_id,
        )  # fmt: skip
    if given != event.points:
        rest = event.points - given
        yield _entry(
            event.profile_id, None, "reinstated", rest, at, sale, expires_at=event.expires_at,
            program_id=event.program_id,
        )  # fmt: skip
    yield from _across(event, "reinstated", -1)


@projection.on(PointsAdjusted)
def adjusted(event: PointsAdjusted) -> Iterator[Row]:
    lot_id = event.lot_id or (event.meta.event_id if event.points > 0 else None)
    yield _entry(
        event.profile_id, lot_id, "adjusted", event.points, event.meta.occurred_at,
        expires_at=event.expires_at, program_id=event.program_id,
    )  # fmt: skip


@projection.on(PointsExpired)
def expired(event: PointsExpired) -> Iterator[Row]:
    yield _entry(
        event.profile_id, event.lot_id, "expired", -event.points, event.meta.occurred_at,
        program_id=event.program_id,
    )  # fmt: skip


@projection.on(PointsTransferred)
def transferred(event: PointsTransferred) -> Iterator[Row]:
    yield from _taken(event, "transferred")
    # a transferred lot keeps its id, so that its times are still found; the rest is a new lot
    rest = event.points
    for one in event.allocations:
        rest -= one.points
        yield _entry(
            event.to_profile_id, one.lot_id, "received", one.points, event.meta.occurred_at,
            program_id=event.program_id,
        )  # fmt: skip
    if rest:
        yield _entry(
            event.to_profile_id, event.meta.event_id, "received", rest, event.meta.occurred_at,
            program_id=event.program_id,
        )  # fmt: skip
    yield across(
        profile_id=event.profile_id, owner_id=event.to_profile_id, kind="transferred",
        points=-event.points, at=event.meta.occurred_at, transaction_id=None,
        program_id=event.program_id,
    )  # fmt: skip


def captured_id(hold_id: UUID) -> UUID:
    """The event id of the redemption of a captured hold; a hold is captured only once."""
    return uuid5(hold_id, "captured")


@projection.on(ProgramRulesSet)
def rules_set(event: ProgramRulesSet) -> Iterator[Row]:
    yield rules(
        program_id=event.program_id,
        valid_from=event.valid_from,
        set_at=event.meta.occurred_at,
        version=event.version,
        accrual=event.accrual,
        rules=event.rules,
    )


def _taken(event: Allocated, kind: str) -> Iterator[Row]:
    """Entries that take points: from the event's lots; the rest from its profile without a lot."""
    at, sale = event.meta.occurred_at, getattr(event, "transaction_id", None)
    rest = event.points
    for one in event.allocations:
        rest -= one.points
        yield _entry(
            one.profile_id, one.lot_id, kind, -one.points, at, sale, program_id=event.program_id
        )  # fmt: skip
    if rest:
        who = event.meta.producer
        terminal = f"{who.store_id or ''}/{who.terminal_id}" if who.terminal_id else None
        yield _entry(
            event.profile_id, None, kind, -rest, at, sale, terminal=terminal,
            program_id=event.program_id,
        )  # fmt: skip


def _across(event: PointsRedeemed | PointsReinstated, kind: str, sign: int) -> Iterator[Row]:
    """Rows of `points_across` for lots that belong to another profile than the event's."""
    for one in event.allocations:
        if one.profile_id != event.profile_id:
            yield across(
                profile_id=event.profile_id, owner_id=one.profile_id, kind=kind,
                points=sign * one.points, at=event.meta.occurred_at,
                transaction_id=event.transaction_id, program_id=event.program_id,
            )  # fmt: skip
