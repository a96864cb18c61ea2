"""Do lots, draws and holds do what a plain model does, whatever happens in whatever order?"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from projections.core.instants import instant
from projections.point_balance import entry, projection
from projections.point_balance.account import account, lots_and_draws
from schemas.generated.events import PointsEarned, PointsRedeemed, PointsReinstated, PointsReversed
from schemas.generated.events.parts import EarnedLot, Meta, Producer
from services.points.holds.answers import ANSWERS
from services.points.holds.commands import (
    Capture,
    CaptureBody,
    Hold,
    HoldBody,
    Redeem,
    RedeemBody,
    ReleaseHold,
    ReleaseHoldBody,
)
from services.points.holds.decide import HeldLot, PointsState, decide
from services.points.holds.purse import Purse
from tests.drawn import examples
from tests.services.points.model import Model, Point

T0, SECOND, NEVER = 1_775_000_000_000_000, 1_000_000, 10**6
PROFILES = ("a", "b")
many, sale = st.integers(1, 6), st.integers(1, 3)
who = st.sampled_from(PROFILES)


def _id(number: int) -> UUID:
    return UUID(int=number)


def _profile(name: str) -> UUID:
    return UUID(int=ord(name))


class Spending(RuleBasedStateMachine):
    """Handlers, arithmetic and decider with their rows in memory, beside the model."""

    def __init__(self) -> None:
        super().__init__()
        self.entries: list[dict[str, Any]] = []
        self.holds: dict[UUID, list[HeldLot]] = {}
        self.facts: list[PointsRedeemed] = []
        self.model = Model()
        self.linked = False
        self.number = 1_000

    @property
    def now(self) -> datetime:
        return instant(T0 + self.model.now * SECOND)

    def next(self) -> int:
        self.number += 1
        return self.number

    def meta(self, number: int, ago: int = 0) -> Meta:
        at = T0 + max(0, self.model.now - ago) * SECOND
        return Meta(
            event_id=_id(number).bytes,
            occurred_at=at,
            producer=Producer(system="pos", channel="STORE"),
        )

    def fold(self, event: Any) -> None:
        """What the projection makes of it, as readers get it."""
        for handler in projection.handlers[type(event)]:
            rows = [values for table, _, values in handler(event) if table is entry]
            for number, values in enumerate(rows):
                row = dict(zip(entry.values, values, strict=True))
                for name in ("profile_id", "lot_id", "transaction_id"):
                    row[name] = row[name] and UUID(bytes=row[name])
                event_id = UUID(bytes=event.meta.event_id)
                self.entries.append({**row, "event_id": event_id, "number": number})

    def member(self, name: str) -> list[str]:
        return list(PROFILES) if self.linked else [name]

    def purse(self, name: str) -> Purse:
        own = {_profile(one) for one in self.member(name)}
        rows = [row for row in self.entries if row["profile_id"] in own]
        held: dict[tuple[UUID, UUID], int] = {}
        for line in (line for lines in self.holds.values() for line in lines):
            stands = line.state == "captured" or (
                line.state == "open" and line.expires_at > self.now
            )
            if stands and line.profile_id in own:
                held[line.spot] = held.get(line.spot, 0) + line.points
        at = T0 + self.model.now * SECOND
        return Purse(account(*lots_and_draws(rows), at, held), at, len(rows))

    def decided(self, command: Any) -> tuple[int, dict[str, Any]]:
        purses: dict[tuple[UUID, str], Purse] = {}
        for name in PROFILES:
            same = self.linked and purses
            purses[_profile(name), ""] = purses[_profile("a"), ""] if same else self.purse(name)
        decided = decide([command], PointsState(purses, dict(self.holds), self.now))
        answer = ANSWERS.of(decided.outcomes[0])
        for line in (*decided.changed, *decided.made):
            kept = self.holds.setdefault(line.hold_id, [])
            kept[:] = [*(one for one in kept if one.spot != line.spot), line]
        self.facts += decided.facts
        return answer.status, json.loads(answer.body)

    @rule(
        whose=who, points=many, wait=st.integers(0, 3), lasts=st.integers(1, 9), bought=sale,
        ago=st.integers(0, 3),
    )  # fmt: skip
    def earn(self, whose: str, points: int, wait: int, lasts: int, bought: int, ago: int) -> None:
        """Facts may come late."""
        number, lot, born = self.next(), self.next(), max(0, self.model.now - ago)
        start, end = born + wait, born + wait + lasts
        end = NEVER if lasts == 9 else end
        until = None if end == NEVER else T0 + end * SECOND
        earned = EarnedLot(
            lot_id=_id(lot).bytes,
            points=points,
            line_no=1,
            active_from=T0 + start * SECOND,
            expires_at=until,
        )
        self.fold(
            PointsEarned(
                meta=self.meta(number, ago),
                profile_id=_profile(whose).bytes,
                lots=[earned],
                transaction_id=_id(bought).bytes,
            )
        )
        self.model.points += [Point(whose, lot, born, start, end, bought) for _ in range(points)]

    @rule(whose=who, points=many, bought=sale, back=st.booleans(), ago=st.integers(0, 3))
    def offline(self, whose: str, points: int, bought: int, back: bool, ago: int) -> None:
        """A till that asked nobody: spent, or taken back."""
        number = self.next()
        kind = PointsReversed if back else PointsRedeemed
        self.fold(
            kind(
                meta=self.meta(number, ago),
                profile_id=_profile(whose).bytes,
                points=points,
                transaction_id=_id(bought).bytes,
            )
        )
        when, why = max(0, self.model.now - ago), "back" if back else "spent"
        self.model.taken.append([when, number, whose, points, why, bought])

    @rule(whose=who, points=many, bought=sale)
    def give_back(self, whose: str, points: int, bought: int) -> None:
        kept = self.model.kept()
        spent = [t for t in kept if t[2] == whose and (t[4], t[5]) == ("spent", bought)]
        points = min(points, sum(int(t[3]) for t in spent))
        if not points:
            return
        number = self.next()
        self.fold(
            PointsReinstated(
                meta=self.meta(number),
                profile_id=_profile(whose).bytes,
                points=points,
                transaction_id=_id(bought).bytes,
            )
        )
        self.model.backs.append((self.model.now, number, whose, bought, points))

    @rule(whose=who, points=many, some=st.booleans(), ttl=st.integers(1, 4), dry=st.booleans())
    def hold(self, whose: str, points: int, some: bool, ttl: int, dry: bool) -> None:
        name = _id(self.next())
        loose, free = self.model.free(self.member(whose))
        given = min(points, free) if some else points
        mode = "best_effort" if some else "all_or_nothing"
        body = HoldBody(
            profile_id=_profile(whose), channel="EC", points=points, ttl_seconds=ttl, mode=mode,
            dry_run=dry,
        )  # fmt: skip
        status, said = self.decided(Hold(name, "ec", body))
        assert (status in (200, 201)) == (0 < given <= free)
        if status >= 400:
            assert said["available"] == free
            return
        self._same(said, loose[:given])
        if not dry:
            self.model.ends[name.int] = self.model.now + ttl
            for point in loose[:given]:
                point.held_by = name.int

    @rule(whose=who, points=many)
    def redeem(self, whose: str, points: int) -> None:
        loose, free = self.model.free(self.member(whose))
        body = RedeemBody(profile_id=_profile(whose), channel="EC", points=points)
        status, said = self.decided(Redeem(_id(self.next()), "ec", body))
        assert (status == 200) == (points <= free)
        if status == 200:
            self._same(said, loose[:points])
            for point in loose[:points]:
                point.gone = True

    @rule(data=st.data(), points=st.none() | many)
    def capture(self, data: st.DataObject, points: int | None) -> None:
        if not self.holds:
            return
        name = data.draw(st.sampled_from(sorted(self.holds)))
        mine = [p for p in self.model.points if p.held_by == name.int and not p.gone]
        mine.sort(key=lambda p: (p.end, p.born, p.lot))
        wanted = len(mine) if points is None else points
        status, said = self.decided(Capture(name, CaptureBody(points=points)))
        assert (status == 200) == (self.model.stands(name.int) and 0 < wanted <= len(mine))
        if status == 200:
            self._same(said, mine[:wanted])
            self.model.ends[name.int] = -1
            for point in mine[:wanted]:
                point.gone = True

    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        if not self.holds:
            return
        name = data.draw(st.sampled_from(sorted(self.holds)))
        status, _ = self.decided(ReleaseHold(name, ReleaseHoldBody()))
        assert (status == 200) == self.model.stands(name.int)
        if status == 200:
            self.model.ends[name.int] = -1

    @rule()
    def apply(self) -> None:
        """The projector stores what was decided and ends the holds, at once."""
        for fact in self.facts:
            self.fold(fact)
            for line in self.holds[UUID(bytes=fact.hold_id or b"")]:
                line.state = "applied"
        self.facts.clear()

    @rule(seconds=st.integers(1, 4))
    def wait(self, seconds: int) -> None:
        self.model.now += seconds

    @rule()
    def link_or_unlink(self) -> None:
        """Copies nothing: each profile's points stay its own."""
        self.linked = not self.linked

    @invariant()
    def both_hold_the_same(self) -> None:
        for name in PROFILES:
            assert self.purse(name).available() == self.model.free(self.member(name))[1]

    def _same(self, said: dict[str, Any], points: list[Point]) -> None:
        taken: dict[int, int] = {}
        for point in points:
            taken[point.lot] = taken.get(point.lot, 0) + 1
        assert {UUID(a["lot_id"]).int: a["points"] for a in said["allocations"]} == taken


TestSpending = Spending.TestCase
TestSpending.settings = settings(
    max_examples=examples(2_000), stateful_step_count=20, deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)  # fmt: skip
