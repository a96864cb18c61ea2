"""Formats `position`, `lag` and `served_from` of answers as JSON; caches the text.

Between two batches of the projector, answers from Redis have the same position and lag.
"""

from __future__ import annotations

from typing import Any

from pydantic_core import to_json

from services.reading.end_offsets import Ends
from services.reading.position import AnswerSources

_KEPT = 64


class Reach:
    """Formats the members `position`, `lag` and `served_from` of answers as JSON."""

    def __init__(self, ends: Ends) -> None:
        self._ends = ends
        # the objects are kept beside the text, so that no other object gets an id of the key
        self._told: dict[Any, tuple[bytes, Any]] = {}

    def of(self, used: AnswerSources) -> bytes:
        """`position`, `lag` and `served_from` for these sources, as JSON without braces."""
        if used.postgres:  # a position of its own, of no use for other answers
            return self._made(used)
        # changes with each refresh of the end offsets; None once they are too old
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
