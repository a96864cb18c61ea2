"""Does the decider do what a plain model does, whatever is asked in whatever order?"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from services.stock.answers import ANSWERS
from services.stock.availability import AvailableUnits
from services.stock.commands import (
    Commit,
    CommitBody,
    Extend,
    ExtendBody,
    ReleaseBody,
    ReleaseReservation,
    Reserve,
    ReserveBody,
)
from services.stock.decide import COMMITTED, ReservedUnits, StockState, decide
from tests.drawn import examples
from tests.services.stock.model import Model, Promise

BEGAN = datetime(2026, 4, 1, tzinfo=UTC)
SKUS, PLACES, CHANNELS = ("a", "b"), ("W1", "S1"), ("STORE", "EC")
units = st.integers(1, 6)
line = st.tuples(st.sampled_from(SKUS), st.sampled_from((*PLACES, "")), units)


class Deciding(RuleBasedStateMachine):
    """The decider with its rows in memory, beside the model."""

    def __init__(self) -> None:
        super().__init__()
        self.holds: dict[UUID, list[ReservedUnits]] = {}
        self.names: list[UUID] = []

    @initialize(
        stock=st.dictionaries(
            st.tuples(st.sampled_from(SKUS), st.sampled_from(PLACES)), st.integers(0, 20)
        ),
        share=st.integers(0, 3),
        threshold=st.integers(0, 3),
    )
    def shop(self, stock: dict[tuple[str, str], int], share: int, threshold: int) -> None:
        self.model = Model(dict(stock), share, threshold)

    @property
    def now(self) -> datetime:
        return BEGAN + timedelta(seconds=self.model.now)

    def shelf(self) -> AvailableUnits:
        cells = [
            {"sku": sku, "location_id": place, "on_hand": many, "committed": 0, "unavailable": 0}
            for (sku, place), many in self.model.on_hand.items()
        ]
        rules = [
            {
                "sku": "", "location_id": place, "valid_from": 0, "safety_stock": 0,
                "store_share": self.model.share, "company_threshold": self.model.threshold,
            }
            for place in PLACES
        ]  # fmt: skip
        held: dict[tuple[str, str], int] = {}
        for hold in (hold for each in self.holds.values() for hold in each):
            if hold.counts(self.now):
                spot = (hold.sku, hold.served_by or hold.location_id)
                held[spot] = held.get(spot, 0) + hold.quantity
        return AvailableUnits(cells, rules, held, 1)

    def decided(self, command: Any) -> tuple[int, dict[str, Any]]:
        named = {key: holds for key, holds in self.holds.items() if key == command.reservation_id}
        decided = decide([command], StockState(self.shelf(), named, self.now))
        answer = ANSWERS.of(decided.outcomes[0])
        if not command.body.dry_run:
            self.holds |= {hold.reservation_id: [] for hold in decided.made}
            for hold in decided.made:
                self.holds[hold.reservation_id].append(hold)
        return answer.status, json.loads(answer.body)

    @rule(
        lines=st.lists(line, min_size=1, max_size=3, unique_by=lambda one: one[:2]),
        channel=st.sampled_from(CHANNELS),
        some=st.booleans(),
        ttl=st.integers(1, 5),
        dry=st.booleans(),
    )
    def reserve(
        self, lines: list[tuple[str, str, int]], channel: str, some: bool, ttl: int, dry: bool
    ) -> None:
        name, model = uuid4(), self.model
        wanted = [{"sku": a, "location_id": b, "quantity": many} for a, b, many in lines]
        mode = "best_effort" if some else "all_or_nothing"
        said = {"channel": channel, "ttl_seconds": ttl, "dry_run": dry, "mode": mode}
        body = ReserveBody.model_validate({**said, "lines": wanted})
        made, given = list[Promise](), list[int]()
        for sku, place, many in lines:
            given.append(min(many, model.room(sku, place, channel)))
            made.append(Promise(str(name), sku, place, given[-1], model.now + ttl))
            model.promises.append(made[-1])  # lines of one item share what is online
        yes = any(given) if some else all(g == many for g, (_, _, many) in zip(given, lines))
        status, answer = self.decided(Reserve(name, "ec", body))
        assert (status in (200, 201)) == yes
        if yes:
            assert [one["granted"] for one in answer["lines"]] == given
        for promise in made:
            if not yes or dry or not promise.units:
                model.promises.remove(promise)
        if yes and not dry:
            self.names.append(name)
            self.nothing_is_promised_twice({sku for sku, _, many in lines})

    def nothing_is_promised_twice(self, skus: set[str]) -> None:
        """After a grant, orders without a location find their units beside all other promises."""
        for sku in skus:
            assert -self.model.free(sku, "") <= self.model.whole(sku)

    @rule(data=st.data(), ttl=st.integers(1, 5))
    def extend(self, data: st.DataObject, ttl: int) -> None:
        if not self.names:
            return
        name = data.draw(st.sampled_from(self.names))
        yes = self.model.standing(str(name))
        status, _ = self.decided(Extend(name, ExtendBody(ttl_seconds=ttl)))
        assert (status == 200) == yes
        for promise in self.model.of(str(name)) if yes else ():
            promise.until = max(promise.until, self.model.now + ttl)

    @rule(data=st.data(), place=st.sampled_from((None, *PLACES)), apply=st.booleans())
    def commit(self, data: st.DataObject, place: str | None, apply: bool) -> None:
        if not self.names:
            return
        name, model = data.draw(st.sampled_from(self.names)), self.model
        promises = model.of(str(name))
        yes = model.standing(str(name))
        for promise in promises if yes else ():
            if promise.location == "":
                fits = place is not None and model.placeable(promise.sku, place) >= promise.units
                twice = any(p.sku == promise.sku and p.location == place for p in promises)
                yes = yes and fits and not twice
        body = CommitBody(order_id=uuid4(), location_id=place)
        status, said = self.decided(Commit(name, body))
        assert (status == 200) == yes
        for promise in promises if yes else ():
            promise.state, promise.location = "committed", promise.location or str(place)
        assert len(said.get("event_ids", [])) == (len(promises) if yes else 0)

    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        if not self.names:
            return
        name = data.draw(st.sampled_from(self.names))
        yes = self.model.standing(str(name))
        status, _ = self.decided(ReleaseReservation(name, ReleaseBody()))
        assert (status == 200) == yes
        for promise in self.model.of(str(name)) if yes else ():
            promise.state = "released"

    @rule(seconds=st.integers(1, 4))
    def wait(self, seconds: int) -> None:
        self.model.now += seconds

    @rule(sku=st.sampled_from(SKUS), place=st.sampled_from(PLACES), many=st.integers(-4, 6))
    def move(self, sku: str, place: str, many: int) -> None:
        """Goods come, or leave by the till whoever was promised them."""
        self.model.on_hand[sku, place] = self.model.on_hand.get((sku, place), 0) + many

    @invariant()
    def both_hold_the_same(self) -> None:
        if not hasattr(self, "model"):
            return
        ours = sorted(
            (str(hold.reservation_id), hold.sku, hold.served_by or hold.location_id, hold.quantity)
            for holds in self.holds.values()
            for hold in holds
            if hold.counts(self.now)
        )
        theirs = sorted(
            (p.reservation, p.sku, p.location, p.units)
            for p in self.model.promises
            if self.model.counts(p)
        )
        assert ours == theirs
        assert all(
            (hold.state == COMMITTED) == (hold.order_id is not None)
            for holds in self.holds.values()
            for hold in holds
        )


TestDeciding = Deciding.TestCase
TestDeciding.settings = settings(
    max_examples=examples(2_000), stateful_step_count=20, deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)  # fmt: skip
