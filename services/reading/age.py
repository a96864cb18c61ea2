"""How old is what Redis holds? Known from Postgres' checkpoints as they stood a while ago.

A server that answers reads and refuses writes (out of memory, a read-only replica, a failed save,
an old dump) says nothing of it. What Postgres had applied so many seconds ago and Redis does not
hold yet makes it too old, whoever is to blame: readers then go to Postgres.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from services.reading.position import Position

OLD_SECONDS = 2.0
EVERY_SECONDS = 0.25  # how often the checkpoints are read
_KEPT = 128  # polls: many more than fall into the seconds above


class Checkpoints:
    """The checkpoints of each group as they were read lately."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, Mapping[str, Position]]] = deque(maxlen=_KEPT)

    def seen(self, at: float, positions: Mapping[str, Position]) -> None:
        """`at`: the monotonic time before Postgres was asked."""
        self._seen.append((at, positions))

    def due(self, now: float) -> Mapping[str, Position]:
        """What a source must hold until the next poll, not to be older than `OLD_SECONDS`.

        The newest checkpoints that are a poll or two younger than that; nothing while none are.
        """
        limit = now + 2 * EVERY_SECONDS - OLD_SECONDS
        while len(self._seen) > 1 and self._seen[1][0] <= limit:
            self._seen.popleft()
        if self._seen and self._seen[0][0] <= limit:
            return self._seen[0][1]
        return {}
