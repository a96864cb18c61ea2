"""A stack whose group holds wrong verdicts: what it was told, what is stored, what is right."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from projections import discover
from services.verify.report import VerifyReport
from services.verify.run import Verification
from tests.services.rebuild.resends import HOLD, ITEMS, PEOPLE, RESERVATION, Told
from tests.services.rebuild.road import Road
from tests.services.rebuild.wrong_ledger import At, Verdict, Written

NAMES = [projection.name for projection in discover()]


@dataclass
class Scene:
    """A road whose group is wrong, what its verdicts are, and what they should be."""

    road: Road
    told: Told
    written: Written
    before: dict[At, Verdict]
    right: dict[At, Verdict]
    killed: bool = False
    report: dict[str, Any] = field(default_factory=dict)  # of the rejudging
    epochs: list[Any] = field(default_factory=list)  # before it
    generation: list[Any] = field(default_factory=list)  # of Redis, before it
    status: int | None = None  # with which the projector left

    def place(self, name: str, value: bytes | None = None) -> list[At]:
        """Where the records of a single case are."""
        event_id = self.told.names[name]
        return [
            (part.topic, part.partition, entry.record.offset)
            for part in self.written.slices
            for entry in part.entries
            if entry.event_id == event_id and value in (None, entry.record.value)
        ]


def decide(scene: Scene) -> None:
    """What people and deciders had done: letters resolved, and holds that wait for their facts."""
    own = scene.road
    resolve = (
        "update dead_letter set status = %s, note = %s, resolved_at = now()"
        ' where topic = %s and partition = %s and "offset" = %s'
    )
    own.sql(resolve, "dropped", "as the runbook said", *scene.place("dropped")[0])
    own.sql(resolve, "retried", "sent again", *scene.place("retried")[0])
    own.sql(
        "insert into points_hold (id, profile_id, lot_id, points, place, whose, channel, client,"
        " state, expires_at) values (%s, %s, %s, 3, 1, %s, 'STORE', 'pos', 'captured', now())",
        HOLD, PEOPLE[0], UUID(int=1), PEOPLE[0],
    )  # fmt: skip
    own.sql(
        "insert into stock_hold (id, sku, location_id, quantity, channel, client, state, served_by,"
        " expires_at) values (%s, %s, 'S001', 2, 'EC', 'ec', 'committed', 'S001', now())",
        RESERVATION, ITEMS[0],
    )  # fmt: skip


def verified(scene: Scene) -> VerifyReport:
    work = Verification(scene.road.settings, discover(), NAMES)
    return work.run(lambda step, done, whole: None)


def wrong_places(report: VerifyReport) -> set[tuple[str, str]]:
    return {
        (difference.key[0], difference.key[1])
        for difference in report.differences
        if difference.table == "verdict"
    }


def named(scene: Scene, places: set[At]) -> set[tuple[str, str]]:
    """As a verification names them."""
    ids = {
        (part.topic, part.partition, entry.record.offset): str(UUID(bytes=entry.event_id))
        for part in scene.written.slices
        for entry in part.entries
        if entry.event_id is not None
    }
    return {
        (f"{topic}-{part}@{offset}", ids[topic, part, offset]) for topic, part, offset in places
    }


def until(true: Callable[[], bool], seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.05)
