"""Zones of a location that are counted, held to a plain model of piles, in whatever order."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from projections import discover
from projections.core.fold import Group
from projections.core.level_parts import PartReading, PartSetting
from projections.core.memory import Memory
from projections.shared_stock import cell, zones
from projections.shared_stock.history import STANDING
from schemas.generated.events import LocationDescribed, StockCounted, StockReceived
from tests.drawn import examples
from tests.projections.driving import Engine, Log
from tests.projections.saying import MINUTE, T0, meta, row, sold
from tests.projections.test_stock_history import _asked as asked
from tests.projections.test_stock_history import _explained as explained

SKU, HERE, MINUTES = "tea", "GINZA", 8
SHELF, BACK = "SHELF", "BACK"
Said = tuple[str, int, Any]
"""What happened at a minute: counted (zone or None, units), moved (units), sells from (zone)."""


def stood(said: list[Said], minute: int) -> int:
    """The plain model: piles of units, one for each zone and one for all that is elsewhere."""
    past = sorted(
        (one for one in said if one[1] <= minute),
        # a zone's greatest count last; the whole after the zones; then what moves
        key=lambda one: (one[1], one[0] == "moved", one[0] == "counted" and one[2][0] is None,
                         one[2] if one[0] == "counted" else ("", 0), ),
    )  # fmt: skip
    counts = [one for one in past if one[0] == "counted"]
    if not counts:
        return sum(one[2] for one in past if one[0] == "moved")
    newest = counts[-1][1]
    described = [one for one in said if one[0] == "sells" and one[1] <= newest]
    seller = max(described, key=lambda one: (one[1], one[2]))[2] if described else None
    begins = max((number for number, one in enumerate(past) if one[0] == "counted"
                  and one[2][0] is None), default=0)  # fmt: skip
    counted = {one[2][0] for one in past[begins:] if one[0] == "counted"}
    piles: dict[str | None, int] = {None: sum(one[2] for one in past[:begins] if one[0] == "moved")}
    known = seller if seller in counted else None
    for number, (what, at, told) in enumerate(past[begins:], begins):
        if what == "moved":
            piles[known] = piles.get(known, 0) + told
        elif what == "counted" and told[0] is None:
            piles = {None: told[1]}
        elif what == "counted":
            zone, units = told
            later = past[number + 1 :]
            if any(one[0] == "counted" and one[1:] > (at, told) and one[1] == at
                   and one[2][0] == zone for one in later):  # fmt: skip
                continue  # the same zone at the same time, a greater count
            more, rest = units - piles.get(zone, 0), piles[None]
            if known is None:
                while (more > 0 and rest > 0) or (more < 0 and rest < 0):
                    step = 1 if more > 0 else -1
                    more, rest = more - step, rest - step
                piles[None] = rest
            piles[zone] = units
    if known is not None:
        del piles[None]  # whatever there was is in the zones
    return sum(piles.values())


def event(one: Said, number: int) -> Any:
    """What is told of it."""
    what, minute, told = one
    at = T0 + minute * MINUTE
    if what == "counted":
        zone, units = told
        return StockCounted(
            meta=meta(minute=99), sku=SKU, location_id=HERE, quantity=units, counted_at=at,
            zone=zone,
        )  # fmt: skip
    if what == "sells":
        return LocationDescribed(
            meta=meta(minute=number), location_id=HERE, kind="STORE", name="Ginza", valid_from=at,
            selling_zone=told,
        )  # fmt: skip
    if told < 0:
        return sold(SKU, -told, minute=minute, receipt=f"sale {number}")
    return StockReceived(meta=meta(minute=minute), sku=SKU, location_id=HERE, quantity=told)


minutes = st.integers(0, MINUTES)
counted = st.tuples(
    st.just("counted"), minutes,
    st.tuples(st.sampled_from((SHELF, BACK, "CELLAR", SHELF, BACK, None)), st.integers(0, 9)),
)  # fmt: skip
moved = st.tuples(st.just("moved"), minutes, st.integers(-6, 6).filter(lambda units: units != 0))
sells = st.tuples(st.just("sells"), minutes, st.just(SHELF))
histories = st.tuples(
    st.lists(st.one_of(counted, counted, moved), min_size=1, max_size=9),
    st.lists(sells, max_size=1),
).map(lambda both: [*both[0], *both[1]])


def computed(said: list[Said], minute: int) -> int:
    """What the projection's own function says."""
    past = [one for one in said if one[1] <= minute]
    counts = [PartReading(at, told[1], told[0]) for what, at, told in past if what == "counted"]
    moves = [(at, told) for what, at, told in past if what == "moved"]
    selling = [PartSetting(at, told) for what, at, told in said if what == "sells"]
    return zones.on_hand(counts, moves, selling)


@settings(max_examples=examples(300), deadline=None, database=None)
@given(histories)
def test_the_function_says_what_piles_say(said: list[Said]) -> None:
    for minute in range(MINUTES + 1):
        assert computed(said, minute) == stood(said, minute), minute


RIGHT: list[tuple[str, list[Said], int]] = [
    ("two zones", [("counted", 1, (SHELF, 5)), ("counted", 2, (BACK, 7))], 12),
    ("the other first", [("counted", 1, (BACK, 7)), ("counted", 2, (SHELF, 5))], 12),
    ("then the whole", [("counted", 1, (SHELF, 5)), ("counted", 2, (BACK, 7)),
                        ("counted", 3, (None, 11))], 11),
    ("what was received lies in the zones", [
        ("moved", 0, 12), ("counted", 1, (SHELF, 5)), ("counted", 2, (BACK, 7))], 12),
    ("a part of what was received", [("moved", 0, 100), ("counted", 1, (BACK, 7))], 100),
    ("a part of what was counted", [("counted", 0, (None, 11)), ("counted", 1, (BACK, 7))], 11),
    ("more in a part than in the whole", [("counted", 0, (None, 5)), ("counted", 1, (BACK, 7))], 7),
    ("sold, and counted again", [
        ("counted", 1, (SHELF, 5)), ("counted", 2, (BACK, 7)), ("moved", 3, -1),
        ("counted", 4, (SHELF, 4)), ("counted", 5, (BACK, 7))], 11),
    ("a zone that lost one", [
        ("counted", 1, (SHELF, 5)), ("counted", 2, (BACK, 7)), ("counted", 3, (BACK, 6))], 11),
    ("the selling zone alone after the whole", [
        ("sells", 0, SHELF), ("counted", 1, (None, 11)), ("counted", 2, (BACK, 7)),
        ("counted", 3, (SHELF, 3))], 10),
    ("sold before the other zone is counted again", [
        ("sells", 0, SHELF), ("counted", 1, (SHELF, 5)), ("counted", 2, (BACK, 7)),
        ("moved", 3, -1), ("counted", 4, (BACK, 7))], 11),
]  # fmt: skip


@pytest.mark.parametrize(("said", "right"), [one[1:] for one in RIGHT], ids=[r[0] for r in RIGHT])
def test_a_shopkeeper_s_answers(said: list[Said], right: int) -> None:
    assert computed(said, MINUTES) == stood(said, MINUTES) == right


def test_every_order_says_the_same() -> None:
    said = RIGHT[-1][1]
    events = [event(one, number) for number, one in enumerate(said)]
    for order in permutations(events):
        memory = Memory(Group("main", discover()))
        for one in order:
            memory.take(one, 0)
        assert row(memory, cell, SKU, HERE)["on_hand"] == 11


@pytest.mark.servers
@pytest.mark.timeout(300)
@settings(
    max_examples=examples(50), deadline=None, database=None,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
@example(said=[("counted", 0, (SHELF, units)) for units in (0, 0, 0, 1)], seed=0)
@given(said=histories, seed=st.integers(0, 1 << 32))
def test_stored_rows_say_the_same_in_whatever_order_facts_come(
    engine: Engine, said: list[Said], seed: int
) -> None:
    chance, log = random.Random(seed), Log()
    engine.reset()
    events = [event(one, number) for number, one in enumerate(said)]
    for one in chance.sample(events, len(events)):
        log.append(one)
        if chance.random() < 0.5:
            engine.apply(log.batch())
    engine.apply(log.batch())
    for minute in range(MINUTES + 1):
        rows = asked(engine, STANDING, minute)
        seen = any(one[1] <= minute and one[0] != "sells" for one in said)
        assert [one["on_hand"] for one in rows] == ([stood(said, minute)] if seen else [])
    stored = engine.connection.execute("select on_hand from stock_cell").fetchall()
    assert stored == [(stood(said, MINUTES),)]
    last = None
    told = explained(engine, 3)
    assert told.on_hand == stored[0][0]
    assert sum(one.on_hand_delta for one in told.movements) == told.on_hand
    for one in told.movements:  # the newest of each minute says what was on hand then
        if one.at != last:
            minute = (round(one.at.timestamp() * 1_000_000) - T0) // MINUTE
            assert one.on_hand == stood(said, minute)
        last = one.at
    assert told.base is None or told.base.counted + told.moved_since_base == told.on_hand


def weighed(told: Any) -> Any:
    """The same amounts, told in thousandths of a kilogram."""
    if hasattr(told, "lines"):
        return replace(told, lines=[weighed(line) for line in told.lines])
    return replace(told, unit="kg", scale=3) if hasattr(told, "scale") else told


@pytest.mark.servers
@pytest.mark.parametrize("counted_in", ["pieces", "kilograms"])
def test_a_description_that_comes_late_moves_what_is_shown(engine: Engine, counted_in: str) -> None:
    """The cell's version rises, so that readers get the new figure."""
    engine.reset()
    log = Log()
    said: list[Said] = [("counted", 1, (None, 11)), ("counted", 2, (BACK, 7)), ("moved", 3, -2),
                        ("counted", 4, (SHELF, 3))]  # fmt: skip
    events = [event(one, number) for number, one in enumerate(said)]
    engine.tell(*(map(weighed, events) if counted_in == "kilograms" else events), log=log)
    before = engine.connection.execute("select on_hand, row_version from stock_cell").fetchone()
    assert before is not None
    assert before[0] == stood(said, MINUTES)
    described = event(("sells", 0, SHELF), 9)
    engine.tell(described, log=log)
    after = engine.connection.execute("select on_hand, row_version from stock_cell").fetchone()
    assert after == (10, before[1] + 1)
    silent = replace(described, meta=meta(minute=10), selling_zone=None)
    engine.tell(silent, log=log)  # a description that says nothing about it leaves it
    assert engine.connection.execute("select on_hand from stock_cell").fetchone() == (10,)
