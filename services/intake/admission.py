"""May this caller send these events now? Checks scopes, rates and memory.

An event outside a token's scopes fails the whole request: the sender is misconfigured, and half of
its events must not be appended.
"""

from __future__ import annotations

import time
from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from schemas.generated.inputs import EventInput
from services.http.problem import Refuse
from services.http.problem_type import FieldError
from services.runtime.metrics import IN_FLIGHT
from services.runtime.tokens import Token


def within_scopes(token: Token, events: Iterable[tuple[int, EventInput]]) -> None:
    """Refuses the request (403) when an event's channel, system or store is outside the token's
    scopes.
    """
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
        detail = "Events are outside the token's scopes; nothing of this request was appended."
        raise Refuse(403, "Forbidden", detail, errors=errors)


class Room:
    """The memory that one request's body takes from the shared pool."""

    def __init__(self, pool: BodyPool, name: str) -> None:
        self._pool, self._name, self._held = pool, name, 0

    def take(self, size: int) -> None:
        """Counts received bytes; refuses with 429 when the pool or the token's share is
        exhausted.
        """
        self._pool.take(self._name, size)
        self._held += size

    def give_back(self) -> None:
        """Returns the bytes, once the request is answered."""
        self._pool.give_back(self._name, self._held)
        self._held = 0


class BodyPool:
    """The memory for request bodies, taken as bytes arrive; one token may hold at most a quarter.

    So a slow sender holds little, and a heavy sender leaves memory for others.
    """

    def __init__(self, most: int) -> None:
        """`most`: bytes over all tokens."""
        self._most, self._each = most, most // 4
        self._held: Counter[str] = Counter()
        self._total = 0

    def take(self, name: str, size: int) -> None:
        """Takes bytes; refuses with 429 when the token's share or the whole pool is used up."""
        held = self._held[name]
        if held + size > self._each or self._total + size > self._most:
            detail = "Too many requests are being read"
            detail += " of this token." if held + size > self._each else "."
            raise Refuse(429, "Too Many Requests", detail, retry_after=1)
        self._held[name] = held + size
        self._total += size

    def give_back(self, name: str, size: int) -> None:
        """Returns bytes to the pool."""
        self._total -= size
        self._held[name] -= size
        if not self._held[name]:
            del self._held[name]


class Rates:
    """A token bucket of events per caller, and limits on memory over all callers."""

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
        self._bodies = BodyPool(bytes_held)
        self.in_flight = 0

    @contextmanager
    def room(self, token: Token) -> Iterator[Room]:
        """Memory for a body, from its first byte until its answer."""
        room = Room(self._bodies, token.name)
        try:
            yield room
        finally:
            room.give_back()

    @contextmanager
    def waiting(self, events: int) -> Iterator[None]:
        """Counts events in progress, from validation to answer."""
        self.in_flight += events
        IN_FLIGHT.inc(events)
        try:
            yield
        finally:
            self.in_flight -= events
            IN_FLIGHT.dec(events)

    def take(self, token: Token, events: int) -> None:
        """Takes events from the caller's bucket; otherwise refuses with 429 and Retry-After."""
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
