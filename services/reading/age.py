"""Is Redis fresh enough? Its position is compared with Postgres' checkpoints of two seconds ago.

A Redis that answers reads but refuses writes (out of memory, read-only replica, failed save, old
dump) does not report that it is stale. If it lacks what Postgres had applied so many seconds ago,
it is too old, for whatever reason, and readers use Postgres.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from services.reading.position import Position

OLD_SECONDS = 2.0
EVERY_SECONDS = 0.25  # how often the checkpoints are read
_KEPT = 128  # polls: many more than fall into the seconds above


class Checkpoints:
    """The recent checkpoints of each group."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, Mapping[str, Position]]] = deque(maxlen=_KEPT)

    def seen(self, at: float, positions: Mapping[str, Position]) -> None:
        """Records positions; `at` is the monotonic time before Postgres was queried."""
        self._seen.append((at, positions))

    def due(self, now: float) -> Mapping[str, Position]:
        """The positions that a source must have reached, until the next poll, to be used.

        These are the newest checkpoints of at least `OLD_SECONDS` ago; empty while there are none.
        """
        limit = now + 2 * EVERY_SECONDS - OLD_SECONDS
        while len(self._seen) > 1 and self._seen[1][0] <= limit:
            self._seen.popleft()
        if self._seen and self._seen[0][0] <= limit:
            return self._seen[0][1]
        return {}
