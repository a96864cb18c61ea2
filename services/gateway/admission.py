"""May this caller send this, now? Scopes over each event, and rates.

An event outside a token's scopes fails the whole request: the sender is misconfigured, and
half of what it sent must not go in under its name.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from schemas.inputs import EventInput
from services.runtime.metrics import IN_FLIGHT
from services.runtime.problem import FieldError, Refuse
from services.runtime.tokens import Token


def within_scopes(token: Token, events: Iterable[tuple[int, EventInput]]) -> None:
    """Refuses the request when an event names a channel, system or store not the token's."""
    errors: list[FieldError] = []
    allowed: set[tuple[str, str, str | None]] = set()
    for index, event in events:
        producer = event.meta.producer
        origin = (producer.channel, producer.system, producer.store_id)
        if origin in allowed:
            continue
        kinds = zip(("channel", "system", "store"), origin, strict=True)
        outside = [kind for kind, value in kinds if not token.within(kind, value)]
        if not outside:
            allowed.add(origin)
        for kind in outside:
            field = "store_id" if kind == "store" else kind
            pointer = f"/{index}/meta/producer/{field}"
            errors.append({"pointer": pointer, "reason": f"outside the token's {kind} scopes"})
    if errors:
        detail = "Events lie outside the token's scopes; nothing of the request was appended."
        raise Refuse(403, "Forbidden", detail, errors=errors)


class Rates:
    """A bucket of events per token, and over all tokens bounds on what is held in memory."""

    def __init__(
        self,
        per_second: float = 20_000,
        burst: float = 40_000,
        in_flight: int = 50_000,
        bytes_held: int = 128 * 1024 * 1024,
    ) -> None:
        self._per_second = per_second
        self._burst = burst
        self._in_flight_max = in_flight
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._bytes_max = bytes_held
        self._bytes = 0
        self.in_flight = 0

    @contextmanager
    def room(self, size: int) -> Iterator[None]:
        """Memory for a body, from its first byte until its answer."""
        if self._bytes + size > self._bytes_max:
            detail = "Too many requests are being read."
            raise Refuse(429, "Too Many Requests", detail, retry_after=1)
        self._bytes += size
        try:
            yield
        finally:
            self._bytes -= size

    @contextmanager
    def waiting(self, events: int) -> Iterator[None]:
        """Counts events from their check until their answer."""
        self.in_flight += events
        IN_FLIGHT.inc(events)
        try:
            yield
        finally:
            self.in_flight -= events
            IN_FLIGHT.dec(events)

    def take(self, token: Token, events: int) -> None:
        """Takes from the caller's bucket, or says when there will be enough in it."""
        if self.in_flight + events > self._in_flight_max:
            detail = "Too many events wait for Kafka."
            raise Refuse(429, "Too Many Requests", detail, retry_after=1)
        now = time.monotonic()
        level, at = self._buckets.pop(token.name, (self._burst, now))
        level = min(self._burst, level + (now - at) * self._per_second)
        # A request larger than the whole bucket waits for a full one, then goes.
        short = min(events, self._burst) - level
        self._buckets[token.name] = (level if short > 0 else level - events, now)
        if len(self._buckets) > 10_000:
            self._buckets.popitem(last=False)
        if short > 0:
            detail = f"At most {self._per_second:g} events a second per token."
            wait = short / self._per_second
            raise Refuse(429, "Too Many Requests", detail, retry_after=wait)
