"""Does everything hold while everything dies? Kills and freezes at random times, over all of it."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.faults.disorder import Shares, corrupt
from tests.faults.progress import Progress
from tests.faults.roads import Bulk, Http, Roads
from tests.faults.scene import Order, Report, Say, Scene, scene
from tests.faults.stage import SERVERS
from tests.faults.verdict import Line, in_topics
from tests.faults.verified import verified

FULL, REFUSED_FULL = 1_000_000, 300_000
KILLS = {"projector": 16, "postgres": 3, "kafka": 3, "redis": 3, "gateway": 3}
FROZEN_SECONDS, FREEZES = 9.0, ("projector", "postgres", "projector", "kafka")
WORKERS = ("projector-1", "projector-2")


@dataclass(frozen=True, slots=True)
class Act:
    """One thing to do, to whom, and when."""

    at: float
    what: str
    whom: str


def chaos(order: Order, say: Say, full: int = FULL, shares: Shares | None = None) -> Report:
    """Two projectors, gateway and API; producers by three roads; all of them hit on the way."""
    began = time.monotonic()
    report = Report("chaos", order.size, order.seed)
    plan = planned(order, full)
    rate = round(order.size * 1.1 / plan_seconds(order.size, full))
    with scene(order, say, edge=True, shares=shares) as play:
        say(f"{len(play.log.appends)} records at {rate}/s, {len(plan)} faults, seed {order.seed}")
        roads = _roads(play, order, rate)
        for name in WORKERS:
            play.join(name)
        play.progress.start()
        play.wait_claimed(2)
        roads.start()
        _act(play, plan, roads)
        roads.join()
        report.faults = len(play.progress.faults)
        judged = play.settle(60.0)
        report.lines = [
            *play.lines(judged), in_topics(roads.http.accepted, judged), *_delivered(roads),
            Line("faults done", len(plan), len(plan) - report.faults), *verified(play.stage),
        ]  # fmt: skip
        report.notes = _notes(play, roads)
    report.seconds = time.monotonic() - began
    return report


def refused(order: Order, say: Say) -> Report:
    """The same with a hundredth of records that Postgres cannot hold, and more other bodies."""
    return chaos(order, say, REFUSED_FULL, Shares(unstorable=0.01, other_body=0.01))


def plan_seconds(size: int, full: int = FULL) -> float:
    """How long events flow: long enough for the servers to come back in between."""
    return 45.0 + 375.0 * min(1.0, size / full)


def planned(order: Order, full: int = FULL) -> list[Act]:
    """What is done when, by the seed; a smaller run has its share of each, one at the least."""
    chance = random.Random(f"chaos {order.seed}")
    share = min(1.0, max(order.size / full, 1 / 16))
    kills = [
        ("SIGKILL", whom)
        for whom, many in KILLS.items()
        for _ in range(max(1 + (whom == "projector"), round(many * share)))
    ]
    freezes = [("SIGSTOP", whom) for whom in FREEZES[: max(1, round(len(FREEZES) * share))]]
    doings = [*kills, *freezes]
    chance.shuffle(doings)
    stretch = (plan_seconds(order.size, full) - 4) / len(doings)
    return [
        Act(4 + (number + chance.uniform(0.1, 0.9)) * stretch, what, whom)
        for number, (what, whom) in enumerate(doings)
    ]


def _roads(play: Scene, order: Order, rate: int) -> Roads:
    place = play.stage
    play.crew.add("api", "services.api")
    port = play.crew.add("gateway", "services.gateway").port
    bulk = Bulk(place.env, place.logs / "bulk.log")
    http = Http(f"http://127.0.0.1:{port}", place.tokens["operator"])
    return Roads(play.sender, bulk, http, order.seed, play.log.appends, rate)


def _act(play: Scene, plan: list[Act], roads: Roads) -> None:
    """Each at its time; a server that is still down when its turn comes is waited for."""
    chance = random.Random(f"victims {len(plan)}")
    began, threads = time.monotonic(), list[threading.Thread]()
    busy = {whom: threading.Lock() for whom in (*SERVERS, *WORKERS, "gateway")}
    for act in plan:
        time.sleep(max(0.0, act.at - (time.monotonic() - began)))
        whom = chance.choice(WORKERS) if act.whom == "projector" else act.whom
        down = chance.uniform(0.0, 2.0)
        play.say(f"{act.at:6.1f} s: {act.what} {whom}, {roads.sent} sent")
        done = _doing(play, act.what, whom, down)
        thread = threading.Thread(target=_in_turn, args=[busy[whom], play.progress, act, done])
        thread.start()
        threads.append(thread)
    for thread in threads:
        thread.join()


def _in_turn(
    lock: threading.Lock, progress: Progress, act: Act, done: Callable[[], object]
) -> None:
    with lock, progress.fault(f"{act.what} {act.whom}"):
        done()


def _doing(play: Scene, what: str, whom: str, down: float) -> Callable[[], object]:
    def killed() -> None:
        play.stage.kill(whom)
        time.sleep(down)
        play.stage.start(whom)

    def frozen() -> None:
        play.crew.signal(whom, signal.SIGSTOP)
        time.sleep(FROZEN_SECONDS)
        play.crew.signal(whom, signal.SIGCONT)

    if whom in SERVERS:
        stopped = lambda: play.stage.freeze(whom, FROZEN_SECONDS)  # noqa: E731
        return killed if what == "SIGKILL" else stopped
    return (lambda: play.crew.kill(whom)) if what == "SIGKILL" else frozen


def _delivered(roads: Roads) -> list[Line]:
    bulk, http = roads.bulk, roads.http
    return [
        Line("bulk: acknowledged = given", bulk.given, bulk.given - bulk.accepted),
        Line("gateway: answered at last", http.requests, http.given_up + http.rejected),
    ]


def _notes(play: Scene, roads: Roads) -> list[str]:
    http = roads.http
    sent = play.log.sent
    broken = sum(many for kind, many in sent.items() if kind.startswith("unstorable"))
    return [
        f"sent: {sent['events']} events, {sent['resends']} resends, {sent['other bodies']} other"
        f" bodies, {corrupt(sent)} corrupt, {broken} unstorable",
        f"gateway: {http.requests} requests, {len(http.accepted)} events, {http.again} sent again",
        f"bulk: {roads.bulk.accepted} events; straight: the rest",
        *(f"left of its own accord: {why} ({n})" for why, n in play.crew.reasons().items()),
        *(f"{what} ({n})" for what, n in play.crew.left.items()),
    ]
