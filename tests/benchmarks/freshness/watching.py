"""From when on is an event seen? The next offsets that Postgres and Redis show, looked at again
and again: an event is visible once its partition's position has passed it. Postgres moves that
position in the transaction of the rows, Redis after it has the rows.
"""

from __future__ import annotations

import json
import threading
import time
from bisect import bisect_right
from collections import defaultdict
from pathlib import Path

import psycopg
import redis

from tests.benchmarks.ours import REDIS_POSITION

Place = tuple[str, int]
LOOK_SECONDS = 0.02  # by so much too old at most: looking more often took a tenth of a core
TOPICS = ("commerce.points", "commerce.purchases")
STORED = """
select topic, partition, next_offset from hitotsu.checkpoint
where grp = 'main' and topic = any(%s)
"""


class Seen:
    """When each partition's position was first seen to have come so far."""

    def __init__(self) -> None:
        self._offsets: dict[Place, list[int]] = defaultdict(list)
        self._times: dict[Place, list[float]] = defaultdict(list)

    def note(self, place: Place, offset: int, at: float) -> None:
        known = self._offsets[place]
        if not known or offset > known[-1]:
            known.append(offset)
            self._times[place].append(at)

    def since(self, place: Place, offset: int) -> float | None:
        """From when on the record at this offset was seen."""
        index = bisect_right(self._offsets[place], offset)
        return self._times[place][index] if index < len(self._times[place]) else None


class Watching:
    """A thread that looks at both while it is entered."""

    def __init__(self, postgres: str, cache: str) -> None:
        self.postgres, self.redis = Seen(), Seen()
        self._connection = psycopg.connect(postgres, autocommit=True)
        self._cache = redis.Redis.from_url(cache)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Watching:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()
        self._connection.close()
        self._cache.close()

    def _look(self) -> None:
        while not self._ending.wait(LOOK_SECONDS):
            rows = self._connection.execute(STORED, [list(TOPICS)]).fetchall()
            now = time.time()
            for topic, partition, offset in rows:
                self.postgres.note((topic, partition), offset, now)
            held: dict[bytes, bytes] = self._cache.hgetall(REDIS_POSITION)  # type: ignore[assignment]
            now = time.time()
            for name, position in held.items():
                topic, _, number = name.decode().rpartition("-")
                self.redis.note((topic, int(number)), int(position), now)


def ages(seen: Seen, placed: Path) -> tuple[list[float], int]:
    """Milliseconds from the append until seen, and how many were never seen."""
    found, missed = [], 0
    for line in placed.read_text("utf-8").splitlines():
        topic, partition, offset, appended = json.loads(line)
        at = seen.since((topic, partition), offset)
        if at is None:
            missed += 1
        else:
            found.append(max(0.0, 1_000 * at - appended))
    return found, missed
