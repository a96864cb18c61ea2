"""Decides which position Redis must have to be fresh: Postgres' checkpoints of two seconds ago.

A Redis that answers reads but refuses writes (out of memory, read-only replica, failed save, old
dump) does not report that it is stale. Whatever the reason, if it lacks records that Postgres had
applied `OLD_SECONDS` ago, readers use Postgres instead.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from services.reading.position import Position

OLD_SECONDS = 2.0
EVERY_SECONDS = 0.25  # how often the checkpoints are read
_KEPT = 128  # polls: many more than happen in `OLD_SECONDS`


class Checkpoints:
    """The checkpoints of all groups, as read by the polls of the last seconds."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, Mapping[str, Position]]] = deque(maxlen=_KEPT)

    def seen(self, at: float, positions: Mapping[str, Position]) -> None:
        """Records positions by group; `at`: monotonic time in seconds, before the query."""
        self._seen.append((at, positions))

    def due(self, now: float) -> Mapping[str, Position]:
        """By group, the position that Redis must have to be used; empty if nothing is old enough.

        These are the newest checkpoints that will be `OLD_SECONDS` old two polls after `now`.
        """
        limit = now + 2 * EVERY_SECONDS - OLD_SECONDS
        while len(self._seen) > 1 and self._seen[1][0] <= limit:
            self._seen.popleft()
        if self._seen and self._seen[0][0] <= limit:
            return self._seen[0][1]
        return {}
