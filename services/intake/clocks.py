"""Measures a producer's clock by two request headers, and writes it into Kafka's record headers.

`Hitotsu-Sent-At` is the producer's time when it sends. `Hitotsu-Event-Ages` says for every event
how many seconds ago it happened, by a clock that is never set. An age takes precedence over the
sent time, because the producer's clock may have been set between the event and the sending.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NoReturn

from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request

from schemas.fields import Instant
from schemas.wire.effective import CLOCK_OFFSET, RECEIVED_AT, TOLERATED
from services.http.headers import header
from services.http.operation import Header
from services.http.problem import Refuse
from services.runtime import metrics

SENT_AT = Header(
    "Hitotsu-Sent-At",
    "The producer's time when it sends this request (RFC 3339). If its clock is wrong by more than"
    " two minutes, the times of the events are corrected by the difference.",
    schema={"type": "string", "format": "date-time"},
)
EVENT_AGES = Header(
    "Hitotsu-Event-Ages",
    "How long ago each event happened, by a clock that is never set: seconds, decimals allowed,"
    " comma-separated, in the order of the events and as many. Empty where it is not known. An age"
    " takes precedence over Hitotsu-Sent-At.",
)
_AGE = re.compile(r"\d{1,10}(?:\.\d{1,9})?", re.ASCII)
_MICROS = 1_000_000
_STORES_MAX, _OTHERS = 1_000, "(other)"
_INSTANT: TypeAdapter[int] = TypeAdapter(Instant)


@dataclass(frozen=True, slots=True)
class ProducerClock:
    """What a request says about its producer's clock. Times are in microseconds.

    `offset`: true time minus the time of the producer's clock; None: not sent. `ages`: by event,
    None for an event without age; empty: not sent.
    """

    received_at: int
    offset: int | None = None
    ages: tuple[int | None, ...] = ()

    def offset_of(self, index: int, occurred_at: int) -> int | None:
        """True time minus the time of the producer's clock, for the event at this index of the
        request; None: unknown.
        """
        age = self.ages[index] if self.ages else None
        return self.offset if age is None else self.received_at - age - occurred_at

    def happened_at(self, index: int, occurred_at: int) -> int:
        """When the event happened: `occurred_at`, or if the clock is known to be wrong by more than
        `TOLERATED`, the corrected time, but not later than the arrival.
        """
        offset = self.offset_of(index, occurred_at)
        if offset is None or abs(offset) <= TOLERATED:
            return occurred_at
        return min(occurred_at + offset, self.received_at)

    def headers(self, index: int, occurred_at: int) -> list[tuple[str, bytes]]:
        """The record headers, which stand before all others of the record."""
        made = [(RECEIVED_AT, b"%d" % self.received_at)]
        offset = self.offset_of(index, occurred_at)
        return made if offset is None else [*made, (CLOCK_OFFSET, b"%d" % offset)]


def clock_of(request: Request, received_at: int) -> ProducerClock:
    """Reads both headers of a request that arrived at `received_at` (microseconds); refuses with
    400 if one cannot be read.
    """
    sent, ages = header(request, b"hitotsu-sent-at"), header(request, b"hitotsu-event-ages")
    offset = None if sent is None else received_at - _sent_at(sent)
    return ProducerClock(received_at, offset, () if ages is None else _ages(ages))


def matched(clock: ProducerClock, events: int) -> ProducerClock:
    """The clock; refuses with 400 if there are ages, but not as many as events."""
    if clock.ages and len(clock.ages) != events:
        _refuse(EVENT_AGES, f"has {len(clock.ages)} ages for {events} events")
    return clock


def observe(clock: ProducerClock, producers: Iterable[tuple[int, str, int]]) -> None:
    """Sets the metric of each store to the offset of its events in a request: of several offsets,
    to the one farthest from 0.

    Does nothing if the request says nothing about the clock. `producers`: index in the request,
    store and `occurred_at` of each event.
    """
    if clock.offset is None and not clock.ages:
        return
    worst: dict[str, int] = {}
    for index, store, occurred_at in producers:
        offset = clock.offset_of(index, occurred_at)
        if offset is not None and abs(offset) >= abs(worst.get(store, 0)):
            worst[store] = offset
    for store, offset in worst.items():
        label = store if store in _stores or len(_stores) < _STORES_MAX else _OTHERS
        _stores.add(label)
        metrics.CLOCK_OFFSET.labels(label).set(offset / _MICROS)


_stores: set[str] = set()  # a label may not have unbounded values


def _sent_at(text: str) -> int:
    try:
        return _INSTANT.validate_python(text.strip())
    except ValidationError as error:
        _refuse(SENT_AT, error.errors()[0]["msg"])


def _ages(text: str) -> tuple[int | None, ...]:
    return tuple(_age(number, part.strip()) for number, part in enumerate(text.split(",")))


def _age(number: int, text: str) -> int | None:
    if not text:
        return None
    if not _AGE.fullmatch(text):
        _refuse(EVENT_AGES, f"element {number} must be seconds, such as 12.5, or empty")
    whole, _, decimals = text.partition(".")
    return int(whole) * _MICROS + int(f"{decimals[:6]:0<6}")


def _refuse(which: Header, reason: str) -> NoReturn:
    errors = [{"pointer": f"/header/{which.name}", "reason": reason}]
    raise Refuse(400, "Bad Request", f"{which.name}: {reason}", errors=errors)


metrics.CLOCK_OFFSET.labels("").set(math.nan)  # unknown until a producer sends its time
