"""Checks whether a token may send these events now: scopes, rate limit, memory for bodies.

An event outside the token's scopes fails the whole request: the sender is misconfigured, and its
events must not be appended in part.
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
    """Refuses the request (403) if an event's channel, system or store is outside the token's
    scopes. `events`: with their index in the request.
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
        detail = "Some events are outside the token's scopes; no event of the request was appended."
        raise Refuse(403, "Forbidden", detail, errors=errors)


class Room:
    """The memory that the body of one request takes from the shared pool."""

    def __init__(self, pool: BodyPool, name: str) -> None:
        self._pool, self._name, self._held = pool, name, 0

    def take(self, size: int) -> None:
        """Takes received bytes; refuses with 429 if the pool or the token's share is exhausted."""
        self._pool.take(self._name, size)
        self._held += size

    def give_back(self) -> None:
        """Returns all bytes to the pool; called when the answer is ready to be sent."""
        self._pool.give_back(self._name, self._held)
        self._held = 0


class BodyPool:
    """The memory for request bodies, taken as bytes arrive.

    A token may hold at most a quarter. So a slow sender holds little, and a heavy sender leaves
    memory for the other tokens.
    """

    def __init__(self, most: int) -> None:
        """`most`: maximum bytes held by all tokens together."""
        self._most, self._each = most, most // 4
        self._held: Counter[str] = Counter()
        self._total = 0

    def take(self, name: str, size: int) -> None:
        """Takes bytes for the token `name`; refuses with 429 if its share or the pool is full."""
        held = self._held[name]
        if held + size > self._each or self._total + size > self._most:
            whose = "this token" if held + size > self._each else "all tokens"
            detail = f"Too many bytes of request bodies of {whose} are being processed."
            raise Refuse(429, "Too Many Requests", detail, retry_after=1)
        self._held[name] = held + size
        self._total += size

    def give_back(self, name: str, size: int) -> None:
        """Returns bytes of the token `name` to the pool."""
        self._total -= size
        self._held[name] -= size
        if not self._held[name]:
            del self._held[name]


class Rates:
    """Limits: a bucket of events per bearer token, and of all tokens together the events in
    progress and the memory for bodies.
    """

    def __init__(
        self,
        per_second: float = 20_000,
        burst: float = 40_000,
        in_flight: int = 50_000,
        bytes_held: int = 128 * 1024 * 1024,
    ) -> None:
        """`per_second`, `burst`: events of one token. `in_flight`: events in progress, and
        `bytes_held`: bytes of bodies, of all tokens.
        """
        self._per_second = per_second
        self._burst = burst
        self._in_flight_max = in_flight
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._bodies = BodyPool(bytes_held)
        self.in_flight = 0

    @contextmanager
    def room(self, token: Token) -> Iterator[Room]:
        """The memory of a request's body; returned to the pool at the end of the block."""
        room = Room(self._bodies, token.name)
        try:
            yield room
        finally:
            room.give_back()

    @contextmanager
    def waiting(self, events: int) -> Iterator[None]:
        """Counts events as in progress during the block."""
        self.in_flight += events
        IN_FLIGHT.inc(events)
        try:
            yield
        finally:
            self.in_flight -= events
            IN_FLIGHT.dec(events)

    def take(self, token: Token, events: int) -> None:
        """Takes events from the token's bucket; refuses with 429 and Retry-After if the bucket has
        too few, or too many events of all tokens are in progress.
        """
        if self.in_flight + events > self._in_flight_max:
            detail = "Too many events of all tokens are in progress."
            raise Refuse(429, "Too Many Requests", detail, retry_after=1)
        now = time.monotonic()
        level, at = self._buckets.pop(token.name, (self._burst, now))
        level = min(self._burst, level + (now - at) * self._per_second)
        # A request for more events than the bucket can have needs a full bucket.
        short = min(events, self._burst) - level
        self._buckets[token.name] = (level if short > 0 else level - events, now)
        if len(self._buckets) > 10_000:
            self._buckets.popitem(last=False)
        if short > 0:
            detail = f"The token sends more than {self._per_second:g} events per second."
            wait = short / self._per_second
            raise Refuse(429, "Too Many Requests", detail, retry_after=wait)
