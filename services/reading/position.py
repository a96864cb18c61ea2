"""Computes the position of an answer from the positions of the sources that were read for it.

A position maps `topic-partition` to the next offset. If two sources differ, the lower offset
counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

Position = dict[str, int]


@lru_cache(maxsize=4_096)
def topic_of(name: str) -> str:
    """The topic in `topic-partition`."""
    return name.rpartition("-")[0]


def covers(position: Mapping[str, int], wanted: Mapping[str, int], topics: Iterable[str]) -> bool:
    """Whether the position has reached all entries of `wanted` that are of these topics."""
    return not behind(position, wanted, topics)


def behind(
    position: Mapping[str, int], wanted: Mapping[str, int], topics: Iterable[str]
) -> list[str]:
    """The names in `wanted`, of these topics, whose offset the position has not reached."""
    if not wanted:
        return []
    mine = frozenset(topics)
    late = (
        name
        for name, offset in wanted.items()
        if topic_of(name) in mine and position.get(name, 0) < offset
    )
    return sorted(late)


class AnswerSources:
    """The sources that were read for one answer, with their positions."""

    def __init__(self) -> None:
        self.topics: set[str] = set()
        self.postgres = False
        self.sources: list[tuple[frozenset[str], Position]] = []

    def add(self, topics: frozenset[str], position: Position, *, postgres: bool) -> None:
        """Adds a source, of which only these topics matter; `postgres`: it is not Redis."""
        self.topics |= topics
        self.postgres |= postgres
        if (topics, position) not in self.sources:
            self.sources.append((topics, position))

    @property
    def served_from(self) -> str:
        """Either "postgres", if any source was Postgres, or "redis"."""
        return "postgres" if self.postgres else "redis"

    def position(self) -> Position:
        """The lowest offsets of all sources; a partition that a source lacks has offset 0."""
        least: Position = {}
        for topics, position in self.sources:
            for name, offset in position.items():
                if topic_of(name) in topics and offset < least.get(name, offset + 1):
                    least[name] = offset
        for topics, position in self.sources:
            for name in least.keys() - position.keys():
                if topic_of(name) in topics:
                    least[name] = 0
        return dict(sorted(least.items()))
