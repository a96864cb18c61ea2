"""What an order still has to get, and what a transfer still has to bring: as a shop says it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Move:
    """Units of an item that change at a location at a time."""

    sku: str
    location: str
    at: int
    on_hand: int = 0
    committed: int = 0
    unavailable: int = 0
    incoming: int = 0


@dataclass(frozen=True, slots=True)
class Dated:
    """Units that change at a time and are expected, or promised, for another.

    They are in the incoming or committed units of a `Move` as well.
    """

    sku: str
    location: str
    at: int
    expected_at: int
    incoming: int = 0
    preordered: int = 0


@dataclass(frozen=True, slots=True)
class Entry:
    """What a document says about an order or a transfer.

    Of an order: placed, allocated, reserved, shipped (or handed over), released, cancelled, rung
    (up at a till), back (of units of it). Of a transfer: sent from, sent to, arrived.
    """

    subject: bytes
    at: int
    event_id: bytes
    kind: str
    sku: str
    location: str
    units: int
    lost: int = 0
    """Of a transfer: units that were sent and will not arrive."""
    expected_at: int | None = None
    """Of a preorder: for when its units are promised."""


Discrepancy = tuple[str, int, bytes, str, str, int]
"""Kind, when, of which sale, order or transfer, item, location, units."""
Result = tuple[list[Move], list[Discrepancy]]
Open = Callable[[list[Entry]], Counter[str]]
When = tuple[str, int]
"""A location, and a time for which units are promised."""
ENDS = ("released", "cancelled")


def by_subject_and_item(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """In the order in which they take effect."""
    found: dict[tuple[bytes, str], list[Entry]] = defaultdict(list)
    for entry in sorted(entries, key=lambda one: (one.at, one.event_id)):
        found[entry.subject, entry.sku].append(entry)
    yield from found.values()


def order(entries: list[Entry]) -> Result:
    """One item of one order."""
    _, doubled = _rung(entries)
    moves, odd = [], list[Discrepancy]()
    for number, entry in enumerate(entries):
        if entry.kind in ("shipped", "rung"):
            left = entry.units - doubled[number]
            moves.append(Move(entry.sku, entry.location, entry.at, on_hand=-left))
            odd += _odd("doubled_document", entry, doubled[number])
    moves += _left_unseen(entries)
    moves += [
        Move(sku, where, at, committed=units)
        for sku, where, at, units in _as_it_went(entries, lambda told: _open(told)[0])
    ]
    odd += _beyond(entries)
    return moves, odd


def preorders(entries: list[Entry]) -> tuple[list[Dated], list[Dated]]:
    """One item of one order: how its preordered units changed, and those of now."""
    if all(entry.expected_at is None for entry in entries):
        return [], []
    sku, changes, before = entries[0].sku, list[Dated](), Counter[When]()
    for number, entry in enumerate(entries, 1):
        after = _preordered(entries[:number])
        for where, expected_at in sorted({*before, *after}):
            units = after[where, expected_at] - before[where, expected_at]
            changes.append(Dated(sku, where, entry.at, expected_at, preordered=units))
        before = after
    now = [Dated(sku, *when[:1], 0, when[1], preordered=units) for when, units in before.items()]
    return changes, now


def _preordered(entries: list[Entry]) -> Counter[When]:
    """Units that are promised for a time, that the order holds, and that nobody set aside yet.

    What left or ended was set aside before, as far as anything was. What is for now leaves first,
    then what was promised for the earliest time.
    """
    held, open_units = _held(entries), _open(entries)[0]
    set_aside = _by_location(entries, "allocated")
    promised, found = Counter[When](), Counter[When]()
    for entry in entries:
        if entry.expected_at is not None:
            sign = -1 if entry.kind == "cancelled" else 1
            promised[entry.location, entry.expected_at] += sign * entry.units
    for where in held:
        rest = max(0, min(open_units[where], held[where] - set_aside[where]))
        for place, expected_at in sorted(promised, reverse=True):
            if place == where:
                found[where, expected_at] = max(0, min(rest, promised[where, expected_at]))
                rest -= found[where, expected_at]
    return found


def transfer(entries: list[Entry]) -> Result:
    """One item of one transfer: what arrives counts until all of it is there or lost.

    While nobody told that it was sent, all of it counts, and is listed.
    """
    moves, odd = [], list[Discrepancy]()
    sent = {entry.location for entry in entries if entry.kind == "sent to"}
    rest = _sum(entries, "sent to")
    for entry in entries:
        if entry.kind == "sent from":
            moves.append(Move(entry.sku, entry.location, entry.at, on_hand=-entry.units))
        elif entry.kind == "arrived":
            fits = min(entry.units + entry.lost, rest)
            rest -= fits
            counted = max(0, fits - entry.lost) if sent else entry.units
            moves.append(Move(entry.sku, entry.location, entry.at, on_hand=counted))
            odd += _odd("over_received", entry, entry.units + entry.lost - fits)
            if sent and entry.location not in sent:
                odd += _odd("misrouted", entry, counted)
    moves += [
        Move(sku, where, at, incoming=units)
        for sku, where, at, units in _as_it_went(entries, _incoming)
    ]
    return moves, odd


def _as_it_went(entries: list[Entry], state: Open) -> Iterator[tuple[str, str, int, int]]:
    """What each document changed, when all documents before it were known."""
    before = Counter[str]()
    for number, entry in enumerate(entries, 1):
        after = state(entries[:number])
        for where in sorted({*before, *after}):
            if change := after[where] - before[where]:
                yield entry.sku, where, entry.at, change
        before = after


def _left_unseen(entries: list[Entry]) -> Iterator[Move]:
    """Units that nobody told to have left, and that came back: each return tells of its own."""
    others = [entry for entry in entries if entry.kind != "back"]
    backs = [entry for entry in entries if entry.kind == "back"]
    before = Counter[str]()
    for number, entry in enumerate(backs, 1):
        after = _open([*others, *backs[:number]])[1]
        for where in sorted({*before, *after}):
            if more := after[where] - before[where]:
                yield Move(entry.sku, where, entry.at, on_hand=-more)
        before = after


def _open(entries: list[Entry]) -> tuple[Counter[str], Counter[str]]:
    """Units by location that the order still waits for, and those that left and nobody told."""
    open_units, unseen = _committed(entries), Counter[str]()
    latest = [(entry.location, units) for entry, units in _unseen(entries)][::-1]
    said, rest = {where for where, _ in latest}, sum(units for _, units in latest)
    for where in sorted(open_units, key=lambda one: (one not in said, one)):
        part = min(rest, open_units[where])
        open_units[where] -= part
        unseen[where] += part
        rest -= part
    for where, units in latest:
        unseen[where] += min(rest, units)
        rest -= min(rest, units)
    return open_units, unseen


def _unseen(entries: list[Entry]) -> Iterator[tuple[Entry, int]]:
    """What came back beyond all that is told to have left: the latest of it."""
    told = _sum(entries, "shipped") + _sum(entries, "rung") - _rung(entries)[1].total()
    for entry in entries:
        if entry.kind == "back":
            seen = min(told, entry.units)
            told -= seen
            if entry.units > seen:
                yield entry, entry.units - seen


def _committed(entries: list[Entry]) -> Counter[str]:
    """Units by location that are promised to the order and have not left."""
    open_units = _held(entries)
    handed, _ = _rung(entries)
    left, ends = Counter[str](), {name: Counter[str]() for name in ENDS}
    for number, entry in enumerate(entries):
        if entry.kind == "shipped":
            left[entry.location] += entry.units
        elif entry.kind == "rung":
            left[entry.location] += handed[number]
        elif entry.kind in ENDS:
            ends[entry.kind][entry.location] += entry.units
    _take(open_units, left)
    # cancelled and released units are the same units: the greater counts
    released, cancelled = ends["released"], ends["cancelled"]
    more = cancelled.total() - released.total()
    _take(open_units, released)
    for where in sorted(cancelled) if more > 0 else ():
        part = min(more, cancelled[where])
        more -= part
        _take(open_units, Counter({where: part}))
    return open_units


def _take(open_units: Counter[str], taken: Counter[str]) -> None:
    """From where it was, and what is not there from wherever something is open."""
    rest = 0
    for where, units in taken.items():
        part = min(units, open_units[where])
        open_units[where] -= part
        rest += units - part
    for where in sorted(open_units):
        part = min(rest, open_units[where])
        open_units[where] -= part
        rest -= part


def _held(entries: list[Entry]) -> Counter[str]:
    """Units that were promised, and those placed that no promise covers, where their line says."""
    promised = _promised(entries)
    placed = _by_location(entries, "placed")
    rest = max(0, placed.total() - promised.total())
    held = Counter(promised)
    for where in sorted(placed):
        part = min(rest, max(0, placed[where] - promised[where]))
        held[where] += part
        rest -= part
    return held


def _promised(entries: list[Entry]) -> Counter[str]:
    """A reservation that was committed, and its allocation, are the same units."""
    return _by_location(entries, "allocated") | _by_location(entries, "reserved")


def _ordered(entries: list[Entry]) -> int:
    return max(_sum(entries, "placed"), _promised(entries).total())


def _ended(entries: list[Entry]) -> int:
    return max(_sum(entries, name) for name in ENDS)


def _rung(entries: list[Entry]) -> tuple[Counter[int], Counter[int]]:
    """Units of sales at tills, by entry, that hand over what is open, or were served already."""
    handed, doubled = Counter[int](), Counter[int]()
    served = _sum(entries, "shipped")
    rest = max(0, _ordered(entries) - served - _ended(entries))
    for number, entry in enumerate(entries):
        if entry.kind == "rung":
            now = min(entry.units, rest)
            rest -= now
            handed[number] = now
            doubled[number] = min(entry.units - now, served)
            served += now
    return handed, doubled


def _incoming(entries: list[Entry]) -> Counter[str]:
    """Units by location that were sent there and are on their way."""
    open_units = _by_location(entries, "sent to")
    gone = Counter[str]()
    for entry in entries:
        if entry.kind == "arrived":
            gone[entry.location] += entry.units + entry.lost
    _take(open_units, gone)
    return open_units


def _beyond(entries: list[Entry]) -> Iterator[Discrepancy]:
    """Units that left or ended beyond what was ordered, document by document in their order.

    Tills hand over what shipments leave of the order; what is over there is a sale like any.
    """
    ordered, used = _ordered(entries), 0
    by_tills = max(0, ordered - _sum(entries, "shipped"))
    unseen = {entry.event_id: 0 for entry in entries}
    for entry, units in _unseen(entries):
        unseen[entry.event_id] += units
    for number, entry in enumerate(entries, 1):
        if entry.kind == "shipped":
            more, kind = entry.units, "shipped_unordered"
        elif entry.kind == "back":
            more, kind = min(entry.units, unseen[entry.event_id]), "shipped_unordered"
            unseen[entry.event_id] -= more
        elif entry.kind in ENDS:
            more, kind = (
                _ended(entries[:number]) - _ended(entries[: number - 1]),
                "released_after_end",
            )
        elif entry.kind == "rung":
            more, kind = max(0, min(entry.units, by_tills, ordered - used)), ""
            by_tills -= more
        else:
            continue
        yield from _odd(kind, entry, min(more, used + more - ordered))
        used += more


def _odd(kind: str, entry: Entry, units: int) -> Iterator[Discrepancy]:
    if units > 0:
        yield kind, entry.at, entry.subject, entry.sku, entry.location, units


def _sum(entries: list[Entry], kind: str) -> int:
    return _by_location(entries, kind).total()


def _by_location(entries: list[Entry], kind: str) -> Counter[str]:
    found = Counter[str]()
    for entry in entries:
        if entry.kind == kind:
            found[entry.location] += entry.units
    return found
