"""`position` and `lag` of answers as JSON, cached for answers from the same sources.

Between two batches of the projector every answer from Redis has the same position and lag.
"""

from __future__ import annotations

from typing import Any

from pydantic_core import to_json

from services.reading.end_offsets import Ends
from services.reading.position import AnswerSources

_KEPT = 64


class Reach:
    """`position`, `lag` and `served_from` of answers, as JSON members."""

    def __init__(self, ends: Ends) -> None:
        self._ends = ends
        # what it was made from is kept with it, so that an id stands for one object
        self._told: dict[Any, tuple[bytes, Any]] = {}

    def of(self, used: AnswerSources) -> bytes:
        """The members for one answer."""
        if used.postgres:  # a snapshot of its own
            return self._made(used)
        # the ends as they were learnt last; None once that was too long ago
        ends = self._ends.known
        key = (id(ends), *[(topics, id(position)) for topics, position in used.sources])
        told = self._told.get(key)
        if told is None:
            if len(self._told) >= _KEPT:
                self._told.clear()
            told = self._told[key] = self._made(used), (ends, used.sources)
        return told[0]

    def _made(self, used: AnswerSources) -> bytes:
        position = used.position()
        events, reason = self._ends.lag(position, used.topics)
        lag = {"events": events} if reason is None else {"events": None, "reason": reason}
        said = {"position": position, "lag": lag, "served_from": used.served_from}
        return to_json(said)[1:-1]
