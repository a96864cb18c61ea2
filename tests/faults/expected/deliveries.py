"""What is still on its way of an announced delivery, and what arrived that does not fit it.

A delivery is what one purchase order or shipping notice says of one item.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import md5
from typing import Any
from uuid import UUID, uuid5

from tests.faults.expected.orders import Dated, Move

# rows have ids that are made of the document's name and the item
NAMES = UUID("6a1f6a8e-2f0c-5a57-9f0a-5d1a0f6f2c11")
KINDS = ("over_received", "misrouted")
RESOLUTIONS = ("DOCUMENT_RIGHT", "DOCUMENT_WRONG")
Decided = tuple[str, int, bytes, str, str, str | None, int]
"""Kind, when, of which delivery, item, location, what people decided about it, units."""


@dataclass(frozen=True, slots=True)
class Paper:
    """An announcement of a line, or a receipt that names the document."""

    subject: bytes
    at: int
    event_id: bytes
    sku: str
    location: str
    units: int
    line: int | None
    expected_at: int | None
    """Of a receipt there is none."""


@dataclass(slots=True)
class Followed:
    """What follows from all papers of one delivery. `waiting`: units that are on their way now."""

    moves: list[Move]
    dated: list[Dated]
    waiting: list[Dated]
    discrepancies: list[Decided]


def papers(events: list[Any]) -> dict[bytes, list[Paper]]:
    """By delivery, in the order in which they take effect."""
    found: dict[bytes, list[Paper]] = defaultdict(list)
    for _, name, event in events:
        for document, line in _named(name, event):
            subject = uuid5(uuid5(NAMES, document), event["sku"]).bytes
            found[subject].append(
                Paper(subject, event["meta"]["occurred_at"], event["meta"]["event_id"],
                      event["sku"], event["location_id"], event["quantity"], line,
                      event.get("expected_at"))
            )  # fmt: skip
    return {one: sorted(said, key=lambda paper: (paper.at, paper.event_id))
            for one, said in found.items()}  # fmt: skip


def _named(name: str, event: Any) -> Iterator[tuple[str, int | None]]:
    """The documents that it is about, and the line where it says one: of its own document."""
    if name not in ("InboundExpected", "StockReceived"):
        return
    own, refers = event["document_id"], (event.get("reference") or "").strip()
    if own is not None:
        yield own, event["document_line"]
    if refers and refers != own:
        yield refers, None


def decisions(events: list[Any]) -> dict[bytes, list[Any]]:
    """What people decided about receipts, by the delivery or transfer that they name."""
    found: dict[bytes, list[Any]] = defaultdict(list)
    for _, name, event in events:
        if name == "DiscrepancySettled" and event["kind"] in KINDS and event["subject_id"]:
            found[event["subject_id"]].append(event)
    return found


def followed(said: list[Paper], settled: list[Any]) -> Followed:
    """Nothing, while nobody announced a delivery of that name."""
    found = Followed([], [], [], [])
    if all(paper.expected_at is None for paper in said):
        return found
    sku, before = said[0].sku, Counter[tuple[str, int]]()
    for number, paper in enumerate(said, 1):
        after = _waiting(said[:number])
        for where, expected_at in sorted({*before, *after}):
            change = after[where, expected_at] - before[where, expected_at]
            found.moves.append(Move(sku, where, paper.at, incoming=change))
            found.dated.append(Dated(sku, where, paper.at, expected_at, incoming=change))
        before = after
    found.waiting = [Dated(sku, where, 0, expected_at, incoming=units)
                     for (where, expected_at), units in before.items()]  # fmt: skip
    announced_at = min(paper.location for paper in said if paper.expected_at is not None)
    for kind, paper, units in _misfits(said):
        decided = _decided(kind, paper, settled)
        found.discrepancies.append(
            (kind, paper.at, paper.subject, sku, paper.location, decided, units)
        )
        if decided == "DOCUMENT_WRONG":
            # they never arrived, or they are where the delivery was announced
            found.moves.append(Move(sku, paper.location, paper.at, on_hand=-units))
            if kind == "misrouted":
                found.moves.append(Move(sku, announced_at, paper.at, on_hand=units))
    return found


def _decided(kind: str, paper: Paper, settled: list[Any]) -> str | None:
    """Which side is right: the latest word about just this, by who names its place or none."""
    text = f"{kind}|{UUID(bytes=paper.event_id)}|{paper.sku}|{paper.location}"
    known = md5(text.encode(), usedforsecurity=False).digest()
    words = [
        (event["meta"]["occurred_at"], event["resolution"])
        for event in settled
        if (event["discrepancy_id"], event["kind"]) == (known, kind)
        and event["location_id"] in (None, paper.location)
        and event["resolution"] in RESOLUTIONS
    ]
    return max(words)[1] if words else None


def _newest(said: Iterable[Paper]) -> dict[int | None, Paper]:
    """Told anew, a line is as it was told last."""
    return {paper.line: paper for paper in said if paper.expected_at is not None}


def _waiting(said: list[Paper]) -> Counter[tuple[str, int]]:
    """Units by where and when they are expected: as announced, less what was received."""
    lines = _newest(said)
    left = {line: paper.units for line, paper in lines.items()}
    for receipt in said:
        if receipt.expected_at is not None:
            continue
        rest = receipt.units
        for line in _in_turn(receipt, lines):
            arrived = min(rest, left[line])
            left[line], rest = left[line] - arrived, rest - arrived
    found = Counter[tuple[str, int]]()
    for line, paper in lines.items():
        found[paper.location, paper.expected_at or 0] += left[line]
    return found


def _in_turn(receipt: Paper, lines: dict[int | None, Paper]) -> list[int | None]:
    """The line that it names, then lines for the place where it arrived, then others: by date."""
    by_date = sorted(lines, key=lambda line: (lines[line].expected_at or 0, line or -1))
    named = [line for line in by_date if line is not None and line == receipt.line]
    here = [line for line in by_date if lines[line].location == receipt.location]
    return list(dict.fromkeys([*named, *here, *by_date]))


def _misfits(said: list[Paper]) -> Iterator[tuple[str, Paper, int]]:
    """Units beyond the most that was announced then or later, and units for nobody's place."""
    places = {paper.location for paper in said if paper.expected_at is not None}
    announced = [
        sum(paper.units for paper in _newest(said[:number]).values())
        for number in range(1, len(said) + 1)
    ]
    fitting = 0
    for number, paper in enumerate(said):
        if paper.expected_at is not None:
            continue
        fits = max(0, min(paper.units, max(announced[number:]) - fitting))
        fitting += fits
        if paper.units > fits:
            yield "over_received", paper, paper.units - fits
        if fits and paper.location not in places:
            yield "misrouted", paper, fits
