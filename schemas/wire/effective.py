"""The event that is folded: an event as it was sent, with the times of a wrong clock put right.

A body keeps what the producer's clock told. The gateway measures that clock and writes two record
headers; here the times in the body are moved by them. Pure: the answer depends on body, headers and
append time only, so that every replay gives the same event. A field of an `.avsc` says in `time`
how it moves:

- `happened`: moved by the clock's offset if that is over two minutes, and never later than arrival;
- `set_for`: moved by the offset if that is over two minutes, and never capped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import Any

from schemas.declarations import fields_of, record_in
from schemas.generated.events.parts import Meta
from schemas.wire.bounds import EARLIEST, LATEST

RECEIVED_AT = "hitotsu.received_at"
"""Record header: when the gateway received the event, in microseconds as decimal text.

It is the first header of a record. Another place is not looked at, so that records without it cost
nothing.
"""
CLOCK_OFFSET = "hitotsu.clock_offset"
"""Record header: true time minus the time that the producer's clock told, in microseconds."""
TOLERATED = 120_000_000
"""A clock that is wrong by no more than this is left as it is, in microseconds."""

HAPPENED, SET_FOR = "happened", "set_for"
_DIGITS_MAX = 19
Headers = Sequence[tuple[str, bytes | None]]
Times = Mapping[str, Any]  # field name to HAPPENED, SET_FOR, or the times of a nested record


@dataclass(slots=True, kw_only=True)
class CorrectedMeta(Meta):
    """The envelope of an event whose clock was wrong by more than two minutes.

    `clock_offset`: true time minus told time, as measured; else how far `occurred_at` lay after
    arrival. `arrived_at`: when the event arrived. Both in microseconds.
    """

    clock_offset: int
    arrived_at: int


def effective_event(event: Any, headers: Headers, appended_at_ms: int) -> Any:
    """The event to fold; the same object if no time has to be moved. It changes no object.

    `appended_at_ms`: the record's timestamp, by which the event had arrived if no header says when.
    """
    if (
        event.meta.occurred_at <= appended_at_ms * 1000
        and (not headers or headers[0][0] != RECEIVED_AT)
        and type(event) in _ONLY_OCCURRED
    ):
        return event
    return _examined(event, headers, appended_at_ms)


_ONLY_OCCURRED: set[type] = set()  # types without another time that happened; grows with use


def _examined(event: Any, headers: Headers, appended_at_ms: int) -> Any:
    times = times_of(event.NAME)
    if _happened(times) == 1:
        _ONLY_OCCURRED.add(type(event))
    arrival, offset = _measured(headers)
    if arrival is None and appended_at_ms > 0:
        arrival = appended_at_ms * 1000 + 999  # the append time is cut to milliseconds
    shift = offset if offset is not None and abs(offset) > TOLERATED else 0
    changed = _moved(event, times, shift, arrival)
    if changed is event or arrival is None:
        return changed
    wrong = shift or min(0, arrival - event.meta.occurred_at)
    if abs(wrong) <= TOLERATED:
        return changed
    said = {field.name: getattr(changed.meta, field.name) for field in fields(Meta)}
    return replace(changed, meta=CorrectedMeta(**said, clock_offset=wrong, arrived_at=arrival))


def _measured(headers: Headers) -> tuple[int | None, int | None]:
    """Arrival and clock offset as the gateway measured them."""
    if not headers or headers[0][0] != RECEIVED_AT:
        return None, None
    arrival = _number(headers[0][1])
    if arrival is None or not EARLIEST <= arrival < LATEST:
        return None, None
    return arrival, next((_number(text) for name, text in headers if name == CLOCK_OFFSET), None)


def _number(text: bytes | None) -> int | None:
    """The number; None for anything that the gateway does not write."""
    if text is None or len(text) > _DIGITS_MAX or not text.removeprefix(b"-").isdigit():
        return None
    return int(text)


def _moved(value: Any, times: Times, shift: int, arrival: int | None) -> Any:
    """The record with its times moved, as a new object; the same object if none moves."""
    changes = {}
    for name, mark in times.items():
        told = getattr(value, name)
        if told is None:
            continue
        if isinstance(mark, str):
            moved: Any = _at(told, shift, arrival if mark == HAPPENED else None)
            same = moved == told
        elif isinstance(told, list):
            moved = [_moved(item, mark, shift, arrival) for item in told]
            same = all(new is old for new, old in zip(moved, told, strict=True))
        else:
            moved = _moved(told, mark, shift, arrival)
            same = moved is told
        if not same:
            changes[name] = moved
    return replace(value, **changes) if changes else value


def _at(told: int, shift: int, latest: int | None) -> int:
    moved = told if not shift else min(max(told + shift, EARLIEST), LATEST - 1)
    return moved if latest is None else min(moved, latest)


def _happened(times: Times) -> int:
    """How many fields are marked as happened, nested ones included."""
    return sum(
        mark == HAPPENED if isinstance(mark, str) else _happened(mark) for mark in times.values()
    )


@cache
def times_of(name: str) -> Times:
    """The times of a record type, by field; nested ones as far as they have any."""
    found: dict[str, Any] = {}
    for field in fields_of(name):
        if "time" in field:
            found[field["name"]] = field["time"]
        elif (record := record_in(field["type"])) and (within := times_of(record)):
            found[field["name"]] = within
    return found
