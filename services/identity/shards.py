"""Which process compares which pair, and up to where in the log was that done?

Every profile belongs to a share, every pair to the share of its smaller id, and a share to one
process at a time. Everybody is known everywhere; so that no pair falls between two processes a
share's progress says how far *every* partition was compared with its profiles, not only its own.
A share that is taken over works only once this process knows as much as the one before did, and
then begins where that one ended: what was read meanwhile is compared again.

Whoever holds a share also keeps the features of its profiles, from the first record on that it
knows of: up to where they are kept is noted apart, for it may be behind or ahead of the comparing.

How many shares there are is declared; how many partitions there are may grow. Positions end with
the last partition that was there when they were noted: of any other one nothing was read.
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
    """The next offset of a partition; 0 of one that was added after the positions were noted."""
    return positions[partition] if partition < len(positions) else 0


def share_of(profile_id: bytes) -> int:
    """By the id alone: producers may spread keys over partitions as they like."""
    return int.from_bytes(profile_id[-4:], "big") % SHARES


def pair_of(one: bytes, other: bytes) -> tuple[bytes, bytes]:
    """The smaller id first."""
    return (one, other) if one < other else (other, one)


def reaches(one: Positions, other: Positions) -> bool:
    """Whether one has read at least what the other has."""
    return all(a >= b for a, b in zip_longest(one, other, fillvalue=0))


def same(one: Positions, other: Positions) -> bool:
    """Whether both stand at the same place, however many partitions they tell of."""
    return reaches(one, other) and reaches(other, one)


@dataclass(slots=True)
class Shares:
    """What one process has read into memory, and the shares it holds."""

    known: Positions
    held: dict[int, Positions] = field(default_factory=dict)
    """The log up to which each share that is held was compared."""
    kept: dict[int, Positions] = field(default_factory=dict)
    """The log up to which the features of each held share's profiles are stored."""

    def take(
        self, positions: Mapping[int, Positions], kept: Mapping[int, Positions] | None = None
    ) -> None:
        """Holds exactly these shares from now on, as their progress was stored."""
        self.held = dict(positions)
        self.kept = dict(kept or {})

    @property
    def working(self) -> dict[int, Positions]:
        """Shares of which this process knows all that was compared before it came."""
        return {share: at for share, at in self.held.items() if reaches(self.known, at)}

    @property
    def reading(self) -> Positions:
        """Where each partition is to be read from next."""
        return lowest([self.known, *self.working.values(), *self.kept.values()])

    def triggered(self, places: Iterable[tuple[int, int]]) -> frozenset[int]:
        """Shares whose profiles were not compared with what these (partition, offset) hold."""
        seen = list(places)
        return frozenset(
            share
            for share, at in self.working.items()
            if any(offset_in(at, partition) <= offset for partition, offset in seen)
        )

    def unkept(self, profile_id: bytes, places: Iterable[tuple[int, int]]) -> bool:
        """Whether these (partition, offset) change features that this process is to store."""
        at = self.kept.get(share_of(profile_id))
        return at is not None and any(offset_in(at, number) <= offset for number, offset in places)

    def read(self, ends: Mapping[int, int]) -> None:
        """Memory holds each partition up to these offsets."""
        self.known = moved(self.known, ends)

    def after(self, ends: Mapping[int, int]) -> dict[int, Positions]:
        """Where the working shares will be once everything up to there is compared."""
        return {share: moved(at, ends) for share, at in self.working.items()}

    def keeping(self, ends: Mapping[int, int]) -> dict[int, Positions]:
        """Up to where features will be stored once those of the stretch up to there are."""
        return {share: moved(at, ends) for share, at in self.kept.items()}


def lowest(positions: Sequence[Positions]) -> Positions:
    """What all of them have read; nothing when there are none."""
    return tuple(map(min, zip_longest(*positions, fillvalue=0))) if positions else BEGINNING


def moved(at: Positions, ends: Mapping[int, int]) -> Positions:
    """Further on: where these partitions were read up to."""
    many = max(len(at), max(ends, default=-1) + 1)
    return tuple(max(offset_in(at, number), ends.get(number, 0)) for number in range(many))
