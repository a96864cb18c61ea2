"""The shards of the comparison: which process compares which pair, and how far it has read the log.

Each profile belongs to a shard ("share") by its id, each pair to the shard of its smaller id, and
each shard to one process. Every process holds all profiles in memory. So that no pair is
missed between two processes, a shard's progress records, for *every* partition, the offset up to
which its profiles were compared. A process that takes a shard over first reads the log into
memory up to that progress. Records after it are compared, and for that read again if memory already
includes them.

The owner of a shard also stores the features of its profiles. That progress is recorded separately,
because it may be behind or ahead of the comparison.

The number of shards is fixed; the number of partitions may grow. A position covers the partitions
that existed when it was recorded; later partitions count as unread.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

from schemas.topics import TOPICS

TOPIC = "commerce.members"
SHARES = TOPICS[TOPIC].partitions
Positions = tuple[int, ...]
BEGINNING: Positions = (0,) * SHARES


def offset_in(positions: Sequence[int], partition: int) -> int:
    """The next offset of a partition; 0 if it was added after the position was recorded."""
    return positions[partition] if partition < len(positions) else 0


def share_of(profile_id: bytes) -> int:
    """The shard of a profile, by its id alone, independent of Kafka's partitioning."""
    return int.from_bytes(profile_id[-4:], "big") % SHARES


def pair_of(one: bytes, other: bytes) -> tuple[bytes, bytes]:
    """The two ids, smaller first."""
    return (one, other) if one < other else (other, one)


def reaches(one: Positions, other: Positions) -> bool:
    """Whether `one` is at or beyond `other` in every partition."""
    return all(a >= b for a, b in zip_longest(one, other, fillvalue=0))


def same(one: Positions, other: Positions) -> bool:
    """Whether both positions are equal; a partition that one does not list has offset 0."""
    return reaches(one, other) and reaches(other, one)


@dataclass(slots=True)
class Shares:
    """How far one process has read the log (`known`), and the shards that it holds."""

    known: Positions
    held: dict[int, Positions] = field(default_factory=dict)
    """Per held shard, the position up to which its profiles were compared."""
    kept: dict[int, Positions] = field(default_factory=dict)
    """Per held shard, the position up to which its profiles' features are stored."""

    def take(
        self, positions: Mapping[int, Positions], kept: Mapping[int, Positions] | None = None
    ) -> None:
        """Replaces the held shards; `positions` and `kept`: their stored progress."""
        self.held = dict(positions)
        self.kept = dict(kept or {})

    @property
    def working(self) -> dict[int, Positions]:
        """The held shards whose stored progress memory has reached; only these compare profiles."""
        return {share: at for share, at in self.held.items() if reaches(self.known, at)}

    @property
    def reading(self) -> Positions:
        """The offset of each partition to read next: the lowest of memory, of the working shards'
        comparisons, and of the held shards' stored features.
        """
        return lowest([self.known, *self.working.values(), *self.kept.values()])

    def triggered(self, places: Iterable[tuple[int, int]]) -> frozenset[int]:
        """The working shards that have not processed all records at these (partition, offset)."""
        seen = list(places)
        return frozenset(
            share
            for share, at in self.working.items()
            if any(offset_in(at, partition) <= offset for partition, offset in seen)
        )

    def unkept(self, profile_id: bytes, places: Iterable[tuple[int, int]]) -> bool:
        """Whether this process has to store the profile's features after these records."""
        at = self.kept.get(share_of(profile_id))
        return at is not None and any(offset_in(at, number) <= offset for number, offset in places)

    def read(self, ends: Mapping[int, int]) -> None:
        """Sets that memory includes each partition up to these offsets."""
        self.known = moved(self.known, ends)

    def after(self, ends: Mapping[int, int]) -> dict[int, Positions]:
        """The progress that the working shards will have once everything up to these offsets is
        compared.
        """
        return {share: moved(at, ends) for share, at in self.working.items()}

    def keeping(self, ends: Mapping[int, int]) -> dict[int, Positions]:
        """The held shards' feature progress once features up to these offsets are stored."""
        return {share: moved(at, ends) for share, at in self.kept.items()}


def lowest(positions: Sequence[Positions]) -> Positions:
    """The lowest offset of each partition; 0 everywhere when there are no positions."""
    return tuple(map(min, zip_longest(*positions, fillvalue=0))) if positions else BEGINNING


def moved(at: Positions, ends: Mapping[int, int]) -> Positions:
    """The position `at`, advanced to these offsets where they are greater."""
    many = max(len(at), max(ends, default=-1) + 1)
    return tuple(max(offset_in(at, number), ends.get(number, 0)) for number in range(many))
