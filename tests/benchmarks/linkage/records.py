"""What is a linker given, and what does it answer?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

Pairs = set[frozenset[str]]
Columns = dict[str, str | None]


class Record(NamedTuple):
    """A profile as its source system sent it; what was left blank is empty.

    `identifiers` are kinds with clear values.
    """

    id: str
    source: str
    name: str
    name_kana: str
    postcode: str
    address: str
    birth_date: str
    identifiers: tuple[tuple[str, str], ...]


class Linked(NamedTuple):
    """Pairs of record ids: of one person, and those that a person has to look at; in seconds."""

    pairs: Pairs
    cases: Pairs
    seconds: float


Link = Callable[[list[Record]], Linked]
"""A linker is such a function; the records come in the order in which they arrived."""


@dataclass(frozen=True, slots=True)
class DataSet:
    """Records with their truth.

    `truth` holds every pair of one person. `person` and `household`, by record id, are there
    where households are known. `columns` are the fields apart, cleaned as far as a user of a
    batch tool would, a row per record; `sources` names the sets that are linked with each other.
    """

    name: str
    records: list[Record]
    truth: Pairs
    columns: list[Columns]
    sources: tuple[str, ...] = ()
    person: dict[str, str] = field(default_factory=dict)
    household: dict[str, str] = field(default_factory=dict)
