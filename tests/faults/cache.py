"""Do readers ever see the past when Redis dies, is emptied or refuses writes? A reader throughout.

What the API answers may be as old as two seconds and no older: of a number that only grows, the
answer must not be below what Postgres held two seconds before the question.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from uuid import UUID

import httpx
import psycopg
from redis import Redis
from redis.exceptions import RedisError

from tests.faults.scene import Order, Report, Say, Scene, scene
from tests.faults.verdict import Line

FULL, RATE, READS, OLD_SECONDS = 20, 1_000, 200, 2.0
BETWEEN_SECONDS, EMPTIED, WARM_RECORDS = (1.0, 6.0), 3, 3_000
REFUSING, REFUSING_SECONDS = 2, 6.0
WATCHED = """
select profile_id, sum(points)::bigint from main.point_entry
where profile_id = any(%s) and kind = 'earned' group by 1
"""
Seen = tuple[float, dict[UUID, int]]


@dataclass
class Reader:
    """Asks for balances at a steady rate, and knows what Postgres held a while ago."""

    url: str
    token: str
    postgres: str
    people: list[UUID]
    asked: int = 0
    old: list[str] = field(default_factory=list)
    served: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._held: deque[Seen] = deque(maxlen=400)
        self._ending = threading.Event()
        self._threads = [
            threading.Thread(target=run, daemon=True) for run in (self._look, self._ask)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join(20)

    def _look(self) -> None:
        with psycopg.connect(self.postgres, autocommit=True) as connection:
            while not self._ending.wait(0.1):
                rows = connection.execute(WATCHED, [self.people]).fetchall()
                self._held.append((time.monotonic(), dict(rows)))

    def _ask(self) -> None:
        chance = random.Random("reader")
        headers = {"Authorization": f"Bearer {self.token}"}
        with httpx.Client(timeout=10, headers=headers, trust_env=False) as client:
            while not self._ending.wait(1 / READS):
                self._ask_once(client, chance.choice(self.people))

    def _ask_once(self, client: httpx.Client, whose: UUID) -> None:
        limit = time.monotonic() - OLD_SECONDS
        least = next((held for at, held in reversed(self._held) if at <= limit), {}).get(whose, 0)
        try:
            answer = client.get(f"{self.url}/v1/members/{whose}/points")
        except httpx.TransportError:
            self.refused["no answer"] += 1
            return
        self.asked += 1
        if answer.status_code != 200:
            if answer.status_code != 404 or least:
                self.refused[f"{answer.status_code} {answer.text[:160]}"] += 1
            return
        body = answer.json()
        source = body["served_from"]
        self.served[source] += 1
        # of a member of several profiles the sum is at least the one's
        if body["data"]["earned"] < least:
            self.old.append(f"{whose}: {body['data']['earned']} < {least} from {source}")


def cache(order: Order, say: Say) -> Report:
    """Redis killed so many times, emptied three times and full twice; 200 requests a second."""
    report = Report("cache", order.size, order.seed)
    seconds = 10 + order.size * (sum(BETWEEN_SECONDS) / 2 + 1.5)
    seconds += REFUSING * (REFUSING_SECONDS + BETWEEN_SECONDS[1])
    with scene(Order(round(RATE * seconds), order.seed), say, rate=RATE) as play:
        play.begin()
        api = play.crew.add("api", "services.api")
        play.wait_ready(api.port)
        play.wait_applied(WARM_RECORDS)
        reader = Reader(
            f"http://127.0.0.1:{api.port}", play.stage.tokens["operator"],
            play.stage.endpoints.postgres, _people(play),
        )  # fmt: skip
        reader.start()
        emptied, refusing = _among(order.size, EMPTIED), _among(order.size, REFUSING)
        for number in range(order.size):
            if number in refusing:
                _refuse(play)
            _hit(play, number in emptied)
            report.faults += 1
        play.sender.join()
        judged = play.settle(60.0)
        play.pause(OLD_SECONDS + 3)
        reader.stop()
        served = ", ".join(f"{many} from {source}" for source, many in reader.served.items())
        report.lines = [
            *play.lines(judged),
            Line("answers not older than 2 s", reader.asked, len(reader.old), _first(reader.old)),
            Line(
                "requests answered",
                reader.asked,
                reader.refused.total(),
                _first(list(reader.refused)),
            ),
            Line("some of them from redis", reader.asked, int(not reader.served["redis"])),
        ]
        report.notes = [
            f"{reader.asked} answers: {served}",
            f"emptied {len(emptied)} times and full {len(refusing)} times more",
        ]
    return report


def _first(found: list[str]) -> str:
    return found[0] if found else ""


def _people(play: Scene) -> list[UUID]:
    with psycopg.connect(play.stage.endpoints.postgres) as connection:
        rows = connection.execute(
            "select distinct profile_id from main.point_entry limit 50"
        ).fetchall()
    return [row[0] for row in rows]


def _among(size: int, times: int) -> set[int]:
    """So many numbers below `size`, spread evenly."""
    return {round(size * part / (times + 1)) for part in range(1, times + 1)}


def _refuse(play: Scene) -> None:
    """A server that is full answers what it holds, and takes nothing."""
    play.pause(play.chance.uniform(*BETWEEN_SECONDS))
    with (
        play.progress.fault("redis full"),
        Redis.from_url(play.stage.endpoints.redis) as client,
    ):
        client.config_set("maxmemory", "1")
        play.pause(REFUSING_SECONDS)
        client.config_set("maxmemory", "0")


def _hit(play: Scene, emptied: bool) -> None:
    play.pause(play.chance.uniform(*BETWEEN_SECONDS))
    if emptied:
        with play.progress.fault("redis emptied"):
            _empty(play.stage.endpoints.redis)
        play.pause(play.chance.uniform(*BETWEEN_SECONDS))
    with play.progress.fault("SIGKILL redis"):
        play.stage.kill("redis")
        play.pause(play.chance.uniform(0.0, 1.5))
        play.stage.start("redis")


def _empty(url: str) -> None:
    client = Redis.from_url(url)
    try:
        client.flushall()
    except RedisError:
        pass
    finally:
        client.close()
