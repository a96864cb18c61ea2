"""Commands and states drawn from a fixed seed: the same on every machine, for every release."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

from projections.core.instants import micros
from projections.point_balance.account import account, lots_and_draws
from services.points.holds import commands as points
from services.points.holds.decide import HeldLot
from services.points.holds.purse import Purse
from services.points.program.rules import EarningRules
from services.points.program.sold_lines import EarningSale, SoldLine
from services.points.returns.effective_balances import EffectiveBalances
from services.points.returns.settlement import Terms
from services.stock import commands as stock
from services.stock.availability import AvailableUnits
from services.stock.decide import ReservedUnits

NOW = datetime(2026, 4, 1, 12, 30, 0, 250_000, UTC)
POSITION = {"commerce.inventory-0": 17, "commerce.points-3": 4}
SKUS, PLACES = ("A-1", "品-2"), ("W1", "S1", "S2")
CHANNELS = ("STORE", "EC", "CALL_CENTRE")
PROFILES = tuple(UUID(int=number) for number in (7, 8, 9))
POLICIES = (None, "pending_only", "within_balance", "go_negative", "withhold_from_refund")


@dataclass(slots=True)
class DrawnStock:
    """What a batch about stock is decided from, and its commands."""

    shelf: AvailableUnits
    holds: dict[UUID, list[ReservedUnits]]
    commands: list[Any]


@dataclass(slots=True)
class DrawnPoints:
    """What a batch about holds of points is decided from, and its commands."""

    purses: dict[tuple[UUID, str], Purse]
    holds: dict[UUID, list[HeldLot]]
    unseen: set[UUID]
    commands: list[Any]


@dataclass(slots=True)
class DrawnReturns:
    """What a batch of returns is decided from, and the bodies of its commands."""

    here: EffectiveBalances
    sales: dict[UUID, EarningSale]
    terms: dict[tuple[UUID, str], Terms]
    unseen: set[UUID]
    bodies: list[dict[str, Any]]
    declared: set[str] | None = None


def stock_batches(many: int, seed: int = 1) -> Iterator[DrawnStock]:
    """Reservations that are granted, cut short and refused; holds that are open, over, resolved."""
    draw = Random(seed)
    for _ in range(many):
        cells = [
            {
                "sku": sku, "location_id": place, "on_hand": draw.randint(-2, 20),
                "committed": draw.randint(0, 3), "unavailable": draw.randint(0, 2),
            }
            for sku in SKUS for place in PLACES if draw.random() < 0.8
        ]  # fmt: skip
        policies = [
            {
                "sku": "", "location_id": place, "valid_from": 0,
                "safety_stock": draw.randint(0, 2), "store_share": draw.randint(0, 3),
                "company_threshold": draw.randint(0, 3),
            }
            for place in PLACES
        ]  # fmt: skip
        names = [_id(draw) for _ in range(4)]
        holds = {name: _stock_hold(draw, name) for name in names[:-1]}
        commands = [_stock_command(draw, names) for _ in range(draw.randint(1, 5))]
        yield DrawnStock(AvailableUnits(cells, policies, {}, micros(NOW)), holds, commands)


def points_batches(many: int, seed: int = 2) -> Iterator[DrawnPoints]:
    """Holds, captures, releases and redemptions of members with and without points."""
    draw = Random(seed)
    for _ in range(many):
        purses = {(profile, ""): _purse(draw, profile) for profile in PROFILES}
        names = [_id(draw) for _ in range(4)]
        holds = {name: _points_hold(draw, name) for name in names[:-1]}
        unseen = {PROFILES[2]} if draw.random() < 0.4 else set()
        commands = [_points_command(draw, names) for _ in range(draw.randint(1, 5))]
        yield DrawnPoints(purses, holds, unseen, commands)


def returns_batches(many: int, seed: int = 3) -> Iterator[DrawnReturns]:
    """Goods that come back: of guests, of others, too many, under every policy."""
    draw = Random(seed)
    for _ in range(many):
        names = [_id(draw) for _ in range(3)]
        owners = [PROFILES[0], PROFILES[1], None]
        sales = {name: _sale(draw, name, owner) for name, owner in zip(names, owners, strict=True)}
        here = EffectiveBalances(
            NOW, POSITION, {PROFILES[0]: PROFILES[:2], PROFILES[1]: PROFILES[:2]},
            {profile: _entries(draw, profile) for profile in PROFILES}, {}, {}, Counter(),
        )  # fmt: skip
        rules = EarningRules.model_validate(
            {"earn": [{"points": 10, "per": 100}], "point_value": 1}
        )
        terms = {(name, ""): Terms(rules, "v1", True) for name in names}
        unseen = {PROFILES[2]} if draw.random() < 0.3 else set()
        bodies = [_return(draw, names) for _ in range(draw.randint(1, 4))]
        yield DrawnReturns(here, sales, terms, unseen, bodies)


def return_in_another_unit() -> DrawnReturns:
    """A quantity in kg of a line that is counted in pieces."""
    batch = next(returns_batches(1))
    name, sale = next(iter(batch.sales.items()))
    line = {"line_no": sale.lines[0].line_no, "quantity": 1, "unit": "kg"}
    body = {"transaction_id": str(name), "profile_id": str(PROFILES[0]), "lines": [line]}
    return replace(batch, unseen=set(), bodies=[body])


def return_in_unknown_program() -> DrawnReturns:
    """A program of which nothing is known, as when a till mistypes its name."""
    batch = return_in_another_unit()
    (body,) = batch.bodies
    line = {"line_no": body["lines"][0]["line_no"], "quantity": 1}
    return replace(batch, bodies=[{**body, "lines": [line], "program": "ginza"}], declared=set())


def _id(draw: Random) -> UUID:
    return UUID(int=draw.getrandbits(128), version=4)


def _later(draw: Random) -> datetime:
    return NOW + timedelta(seconds=draw.choice((-5, 0, 30, 90, 600)))


def _stock_hold(draw: Random, name: UUID) -> list[ReservedUnits]:
    state = draw.choice(("open", "open", "open", "open", "committed", "released"))
    until, place = _later(draw), draw.choice((*PLACES, "", "", ""))
    return [
        ReservedUnits(name, sku, place, draw.randint(1, 4), "EC", "ec", state, until)
        for sku in draw.sample(SKUS, draw.randint(1, 2))
    ]


def _stock_command(draw: Random, names: list[UUID]) -> Any:
    dry, ttl = draw.random() < 0.2, draw.randint(1, 900)
    name, kind = draw.choice(names), draw.randrange(7)
    if kind < 3:
        spots = draw.sample([(s, p) for s in SKUS for p in (*PLACES, "")], draw.randint(1, 3))
        lines = [{"sku": s, "location_id": p, "quantity": draw.randint(1, 8)} for s, p in spots]
        mode = draw.choice(("all_or_nothing", "best_effort"))
        said = {"channel": draw.choice(CHANNELS), "lines": lines, "mode": mode}
        body = stock.ReserveBody.model_validate({**said, "ttl_seconds": ttl, "dry_run": dry})
        return stock.Reserve(_id(draw), "ec", body)
    if kind == 3:
        return stock.Extend(name, stock.ExtendBody(ttl_seconds=ttl, dry_run=dry))
    if kind < 6:
        place = draw.choice((None, None, *PLACES))
        body = stock.CommitBody(order_id=_id(draw), location_id=place, dry_run=dry)
        return stock.Commit(name, body)
    return stock.ReleaseReservation(name, stock.ReleaseBody(dry_run=dry))


def _entries(draw: Random, profile: UUID) -> list[dict[str, Any]]:
    """Lots that were earned: one that does not expire, one that does."""
    now = micros(NOW)
    return [
        {
            "event_id": _id(draw), "number": 0, "profile_id": profile, "lot_id": _id(draw),
            "kind": "earned", "points": draw.randint(1, 60), "at": now - 9_000_000,
            "active_from": now - 9_000_000, "expires_at": expires, "transaction_id": None,
            "line_no": None, "terminal": None, "rule_version": None,
            "program_id": None, "foreign_money": None,
        }
        for expires in (None, now + 60_000_000)
    ]  # fmt: skip


def _purse(draw: Random, profile: UUID) -> Purse:
    entries = _entries(draw, profile)[: draw.randint(0, 2)]
    at = micros(NOW)
    return Purse(account(*lots_and_draws(entries), at, {}), at, len(entries))


def _points_hold(draw: Random, name: UUID) -> list[HeldLot]:
    state = draw.choice(("open", "open", "open", "open", "captured", "released"))
    profile, until = draw.choice(PROFILES[:2]), _later(draw)
    return [
        HeldLot(
            name, profile, _id(draw), draw.randint(1, 20), place, profile, "EC", "ec", state, until
        )
        for place in range(draw.randint(1, 3))
    ]


def _points_command(draw: Random, names: list[UUID]) -> Any:
    dry, many = draw.random() < 0.2, draw.randint(1, 70)
    name, profile, kind = draw.choice(names), draw.choice(PROFILES), draw.randrange(6)
    sale = draw.choice((None, UUID(int=99)))
    said = {"profile_id": profile, "channel": draw.choice(CHANNELS), "points": many}
    if kind < 2:
        mode = draw.choice(("all_or_nothing", "best_effort"))
        body = {**said, "ttl_seconds": draw.randint(1, 900), "mode": mode, "dry_run": dry}
        return points.Hold(_id(draw), "ec", points.HoldBody.model_validate(body))
    if kind == 2:
        redeem = points.RedeemBody.model_validate({**said, "transaction_id": sale, "dry_run": dry})
        return points.Redeem(_id(draw), "ec", redeem)
    if kind < 5:
        asked = draw.choice((None, many // 2 + 1))
        capture = points.CaptureBody(points=asked, transaction_id=sale, dry_run=dry)
        return points.Capture(name, capture)
    return points.ReleaseHold(name, points.ReleaseHoldBody(dry_run=dry))


def _sale(draw: Random, name: UUID, owner: UUID | None) -> EarningSale:
    lines = tuple(
        SoldLine(number, draw.choice(SKUS), draw.randint(1, 4), draw.randint(0, 30) * 100)
        for number in range(1, draw.randint(2, 4))
    )
    return EarningSale(name, owner, micros(NOW) - 86_400_000_000, "STORE", lines)


def _return(draw: Random, names: list[UUID]) -> dict[str, Any]:
    numbers = draw.sample((1, 1, 2, 2, 3), 2)
    lines = [{"line_no": each, "quantity": draw.randint(1, 3)} for each in sorted({*numbers})]
    return {
        "transaction_id": draw.choice((*names, names[0], UUID(int=5))),
        "profile_id": draw.choice((*PROFILES, PROFILES[0], PROFILES[1])),
        "lines": lines, "policy": draw.choice(POLICIES), "dry_run": draw.random() < 0.2,
    }  # fmt: skip
