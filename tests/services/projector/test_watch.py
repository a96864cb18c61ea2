"""Does the watchdog see what stands still, and does it call unknown what it could not ask?"""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from infra.backend import Endpoints
from infra.home import free_port
from services.projector import watch as watching
from services.projector.watch import ProgressJudge, ProgressWatch
from services.runtime.end_offsets import EndOffsets, TopicEnds
from services.runtime.metrics import LAG, LAST_PROGRESS, NEXT_OFFSET

TOPIC, GONE = "watch.sales", "watch.gone"
PLACE, OTHER = (TOPIC, 0), (TOPIC, 1)
BEHIND = -1_000  # a position so far before the start of an empty partition


@pytest.fixture(scope="module")
def kafka(servers: Endpoints) -> Iterator[str]:
    """A broker that has one topic of two partitions, empty."""
    asyncio.run(_topics(servers.kafka, create=[TOPIC]))
    yield servers.kafka
    asyncio.run(_topics(servers.kafka, delete=[TOPIC]))


async def _topics(kafka: str, create: list[str] = [], delete: list[str] = []) -> None:  # noqa: B006
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        if create:
            await admin.create_topics([NewTopic(name, 2, 1) for name in create])
        if delete:
            await admin.delete_topics(delete)
    finally:
        await admin.close()


class _Watched:
    """A watch in its thread, as a process runs it; `reasons` it had to leave."""

    def __init__(self, kafka: str, group: str, topics: list[str], held: Any) -> None:
        self.group, self.reasons = group, list[str]()
        self.left = threading.Event()
        self.watch = ProgressWatch(kafka, group, topics, lambda: held, self._leave, lambda: False)

    def __enter__(self) -> _Watched:
        self.watch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.watch.stop()

    def _leave(self, reason: str) -> None:
        self.reasons.append(reason)
        self.left.set()

    def gauge(self, place: tuple[str, int]) -> float:
        return _value(LAG, self.group, place)

    def progress(self) -> float:
        return LAST_PROGRESS.labels(self.group)._value.get()


def _value(gauge: Any, group: str, place: tuple[str, int]) -> float:
    found: float = gauge.labels(group, place[0], str(place[1]))._value.get()
    return found


def _until(true: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.05)


@pytest.mark.servers
def test_a_position_that_never_moves_is_seen_from_the_first_look_on(
    kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "STUCK_SECONDS", 2.0)
    began = time.time()
    with _Watched(kafka, "stuck", [TOPIC], {PLACE: BEHIND, OTHER: 0}) as watched:
        assert watched.left.wait(30), "the watchdog did not leave"
        assert watched.reasons[0] == "no progress for 2 s with a lag of 1000 records"
        assert watched.gauge(PLACE) == 1_000
        assert watched.gauge(OTHER) == 0
        assert watched.watch.lag == 1_000
        assert watched.progress() < began, "standing still was called progress"


@pytest.mark.servers
def test_a_client_made_anew_after_a_failure_sees_at_once(kafka: str) -> None:
    async def asked() -> tuple[EndOffsets, EndOffsets]:
        ends = TopicEnds(kafka, [TOPIC], "test")
        try:
            first = await ends.ask([PLACE])
            await ends.close()  # what follows upon every failure
            return first, await ends.ask([PLACE])
        finally:
            await ends.close()

    first, second = asyncio.run(asked())
    assert first.ends == second.ends == {PLACE: 0, OTHER: 0}


@pytest.mark.servers
def test_one_missing_topic_leaves_the_lag_of_the_others_known(kafka: str) -> None:
    held = {PLACE: BEHIND, OTHER: 0, (GONE, 0): 7}
    with _Watched(kafka, "partly", [TOPIC, GONE], held) as watched:
        _until(lambda: watched.watch.seen_at > 0)
        assert watched.gauge(PLACE) == 1_000
        assert watched.gauge(OTHER) == 0
        assert math.isnan(watched.gauge((GONE, 0)))
        assert watched.watch.lag is None


@pytest.mark.servers
def test_a_partition_that_was_given_up_is_shown_no_longer(kafka: str) -> None:
    held = {PLACE: 0, OTHER: BEHIND}
    with _Watched(kafka, "shared", [TOPIC], held) as watched:
        _until(lambda: watched.watch.holding == 2)
        del held[OTHER]
        _until(lambda: watched.watch.holding == 1)
        for gauge in (LAG, NEXT_OFFSET):
            shown = {labels for labels in gauge._metrics if labels[0] == "shared"}
            assert shown == {("shared", TOPIC, "0")}


@pytest.mark.servers
def test_a_topic_that_comes_later_is_asked_too(
    servers: Endpoints, kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.runtime.end_offsets.PARTITIONS_SECONDS", 0.0)

    async def asked() -> tuple[EndOffsets, EndOffsets]:
        ends = TopicEnds(kafka, [TOPIC, "watch.late"], "test")
        try:
            first = await ends.ask()
            await _topics(kafka, create=["watch.late"])
            for _ in range(50):
                second = await ends.ask()
                if not second.missing and ("watch.late", 1) in second.ends:
                    break
                await asyncio.sleep(0.1)
            return first, second
        finally:
            await ends.close()
            await _topics(kafka, delete=["watch.late"])

    first, second = asyncio.run(asked())
    assert first.missing == {"watch.late"}
    assert first.ends.keys() == {PLACE, OTHER}
    assert second.ends.keys() == {PLACE, OTHER, ("watch.late", 0), ("watch.late", 1)}


def test_without_an_answer_nothing_is_shown_and_nobody_leaves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watching, "STUCK_SECONDS", 0.5)
    monkeypatch.setattr(watching, "ASK_SECONDS", 0.1)
    nowhere = f"127.0.0.1:{free_port()}"
    with _Watched(nowhere, "away", [TOPIC], {PLACE: 5}) as watched:
        _until(lambda: watched.watch.holding == 1)
        time.sleep(1.5)
        assert math.isnan(watched.gauge(PLACE))
        assert watched.watch.lag is None
        assert watched.reasons == []


class Clock:
    """Time that moves when it is told to."""

    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


def _asked(ends: Mapping[tuple[str, int], int]) -> EndOffsets:
    return EndOffsets(ends, frozenset())


def _looks(
    judge: ProgressJudge, clock: Clock, seconds: float, held: Any, asked: Any, busy: bool = False
) -> bool:
    """A look a second for so long; whether the last one was progress."""
    for _ in range(int(seconds)):
        clock.at += 1
        moves = judge.look(None if held is None else dict(held), asked, busy)
    return moves


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_lag_without_movement_is_a_reason_to_leave_after_half_a_minute(clock: Clock) -> None:
    judge = ProgressJudge(clock)
    assert not _looks(judge, clock, 29, {PLACE: 5}, _asked({PLACE: 9}))
    assert judge.lag == 4
    assert judge.reason_to_leave() is None
    assert not _looks(judge, clock, 3, {PLACE: 5}, _asked({PLACE: 9}))
    assert judge.reason_to_leave() == "no progress for 30 s with a lag of 4 records"


def test_whoever_moves_or_has_nothing_to_do_stays(clock: Clock) -> None:
    judge = ProgressJudge(clock)
    _looks(judge, clock, 1, {PLACE: 0}, _asked({PLACE: 1_000}))
    for offset in range(1, 100):
        assert _looks(judge, clock, 1, {PLACE: offset}, _asked({PLACE: 1_000}))
    assert _looks(judge, clock, 100, {PLACE: 1_000}, _asked({PLACE: 1_000}))
    assert judge.reason_to_leave() is None


def test_a_long_transaction_that_is_known_counts_as_progress(clock: Clock) -> None:
    judge = ProgressJudge(clock)
    assert _looks(judge, clock, 100, {PLACE: 5}, _asked({PLACE: 9}), busy=True)
    assert judge.reason_to_leave() is None


def test_kafka_away_is_neither_progress_nor_a_reason(clock: Clock) -> None:
    judge = ProgressJudge(clock)
    _looks(judge, clock, 1, {PLACE: 5}, _asked({PLACE: 5}))
    assert not _looks(judge, clock, 1_000, {PLACE: 5}, None)
    assert judge.lag is None
    assert judge.reason_to_leave() is None


def test_positions_that_move_are_progress_though_no_end_is_known(clock: Clock) -> None:
    judge = ProgressJudge(clock)
    _looks(judge, clock, 1, {PLACE: 0}, None)
    for offset in range(1, 10):
        assert _looks(judge, clock, 1, {PLACE: offset}, None)


def test_an_unknown_part_is_no_progress_and_ends_after_a_while(clock: Clock) -> None:
    judge = ProgressJudge(clock)
    _looks(judge, clock, 1, {PLACE: 5, OTHER: 5}, _asked({PLACE: 5}))
    assert not _looks(judge, clock, 100, {PLACE: 5, OTHER: 5}, _asked({PLACE: 5}))
    assert judge.lag is None
    assert judge.reason_to_leave() is None
    _looks(judge, clock, 30, {PLACE: 5, OTHER: 5}, _asked({PLACE: 5}))
    assert judge.reason_to_leave() == "end offsets of held partitions unknown for 120 s"


def test_whoever_never_claimed_makes_no_progress(clock: Clock) -> None:
    judge = ProgressJudge(clock)
    assert not _looks(judge, clock, 100, None, _asked({PLACE: 5}))
    assert judge.lag is None
    assert judge.reason_to_leave() is None
    _looks(judge, clock, 30, None, _asked({PLACE: 5}))
    assert judge.reason_to_leave() == "no partitions within 120 s"


def test_a_first_look_and_another_share_are_no_progress(clock: Clock) -> None:
    judge = ProgressJudge(clock)
    ends = _asked({PLACE: 9, OTHER: 9})
    assert not judge.look({PLACE: 5}, ends, busy=False)
    assert not judge.look({PLACE: 5, OTHER: 5}, ends, busy=False)
    assert not judge.look({OTHER: 5}, ends, busy=False)
    assert judge.look({OTHER: 6}, ends, busy=False)


def test_whoever_holds_nothing_has_nothing_to_do_while_nothing_arrives(clock: Clock) -> None:
    judge = ProgressJudge(clock)
    _looks(judge, clock, 1, {}, _asked({PLACE: 5}))
    assert _looks(judge, clock, 100, {}, _asked({PLACE: 5}))
    for end in range(6, 60):
        assert not _looks(judge, clock, 1, {}, _asked({PLACE: end}))
    assert judge.reason_to_leave() == "no partitions while records arrived for 30 s"
