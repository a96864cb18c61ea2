"""Declares how answers from an older release's tables are compared with those from new tables.

When a release changes the meaning of tables, they are built again from the log, and some answers
change. A projection declares a `Comparison` for the answers that people would ask about. The build
runs it before the new tables replace the old ones, and stores the list. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from schemas.history.releases import releases

TIME_PUT_RIGHT = "time_put_right"
"""The reason of an event that counts as before, but at another time: its clock was wrong."""


@dataclass(frozen=True, slots=True)
class ResponsibleDocument:
    """An event because of which an answer changed, and why. `event_type`: "" if unknown."""

    event_id: str
    event_type: str
    reason: str


@dataclass(frozen=True, slots=True)
class ChangedAnswer:
    """One answer before and after; None: there was none before, or there is none after.

    `key`: what the answer is about. `documents`: those responsible, or the first of them;
    `documents_total`: how many there are.
    """

    key: Mapping[str, str]
    before: Any
    after: Any
    documents: tuple[ResponsibleDocument, ...]
    documents_total: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """Compares one kind of answer.

    Both statements are SQL in which `{live}` and `{shadow}` stand for the schemas of the old and
    the new tables. `compared`: selects the number of answers. `candidates`: selects a row for each
    answer that may have changed; `changes` makes of a row the answers that did change.
    `former`: the old tables that they read; if one is missing, nothing is compared.
    `unbuilt`: when tables of other projections are built again, these are compared too, although
    they are not replaced: so an upgrade shows that it does not change these answers.
    """

    name: str
    projection: str
    former: tuple[str, ...]
    compared: str
    candidates: str
    changes: Callable[[Mapping[str, Any]], Iterable[ChangedAnswer]]
    unbuilt: bool = False


def event_type(schema_id: int | None) -> str:
    """The name of the event type that has this schema id; "" if there is none."""
    release = None if schema_id is None else releases().by_id.get(schema_id)
    return release.record if release else ""
