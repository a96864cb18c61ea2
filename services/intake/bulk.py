"""Loads millions of events into Kafka, in order and with bounded memory; no valid event is lost.

Chunks are sent in sequence; a few of them may be unacknowledged. If Kafka does not acknowledge a
chunk in time, that chunk and all later ones are sent again in order. Resent events are applied only
once. Refused events are counted and not sent.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Self

from schemas.generated.inputs import EventInput
from schemas.rights import OPERATIONS, Role
from services.intake.records import Intake, KeysUnavailable, Refusal
from services.points.program.accrual_source import ProgramVersions, unreadable
from services.points.program.programs import Programs
from services.runtime.config import Settings
from services.runtime.db import Pool, pool
from services.runtime.keys import SubjectKeys
from services.runtime.logging import log
from services.runtime.producer import KafkaAway, KafkaRecord, Producer, QueuedRecords
from services.runtime.tokens import Token

# JSON as a dict, a validated model, or the refusal of an input that could not be read.
Event = Mapping[str, Any] | EventInput | Refusal
Progress = Callable[[int], object]
MOST_REFUSALS_KEPT = 1_000


@dataclass(slots=True)
class Counts:
    """The result of a run.

    `by_type`: accepted events by type. `reasons`: number of refused events by field and reason.
    `refusals`: the first `MOST_REFUSALS_KEPT`, with their position in the input, from 0.
    """

    accepted: int = 0
    rejected: int = 0
    by_type: Counter[str] = field(default_factory=Counter)
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)
    refusals: list[tuple[int, Refusal]] = field(default_factory=list)

    def refuse(self, index: int, refusal: Refusal) -> None:
        """Counts a refusal; keeps it with its position unless `MOST_REFUSALS_KEPT` are kept."""
        self.rejected += 1
        self.reasons[refusal.field, refusal.reason] += 1
        if len(self.refusals) < MOST_REFUSALS_KEPT:
            self.refusals.append((index, refusal))


@dataclass(slots=True)
class _Chunk:
    size: int
    records: list[KafkaRecord]
    names: Counter[str]
    handed: QueuedRecords | None = None


class BulkProducer:
    """Sends any number of events; use as `async with BulkProducer(settings) as bulk`."""

    def __init__(
        self,
        settings: Settings,
        chunk: int = 1_000,
        in_flight: int = 4,
        patience: float = 120.0,
        timeout: float = 15.0,
        role: Role = OPERATIONS,
    ) -> None:
        """`chunk`: events sent together; `in_flight`: chunks sent and not acknowledged yet.

        `patience`: seconds to wait for a server that is away; `timeout`: for an acknowledgement.
        `role`: only events that it may append are accepted (`schemas/rights.py`).
        """
        self._chunk = chunk
        self._in_flight = in_flight
        self._patience = patience
        self._sender = Token("bulk", frozenset({"store:*"}), role)
        self._postgres: Pool = pool(
            settings.postgres, group=settings.group, name="bulk", timeout=5.0
        )
        self._intake = Intake(
            SubjectKeys(self._postgres, settings.key_encryption_key),
            settings.blind_index_key,
            ProgramVersions(self._postgres, settings.accrual, Programs(settings.default_program)),
            unreadable,
        )
        self._producer = Producer(settings.kafka, client_id="bulk", timeout=timeout, linger_ms=20)

    async def __aenter__(self) -> Self:
        await self._postgres.open(wait=False)
        await self._producer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._producer.stop()
        await self._postgres.close(timeout=2.0)

    async def send(
        self,
        events: Iterable[Event],
        progress: Progress | None = None,
    ) -> Counts:
        """Sends all valid events; returns the counts when Kafka has acknowledged all of these.

        `progress` is called with the number of events that were just acknowledged or refused.
        Raises KafkaAway or KeysUnavailable if a server is away for longer than `patience`.
        """
        counts = Counts()
        waiting: deque[_Chunk] = deque()
        async for chunk in self._chunks(events, counts):
            await self._hand_over(chunk, waiting[-1] if waiting else None)
            waiting.append(chunk)
            if len(waiting) >= self._in_flight:
                await self._settle(waiting, counts, progress)
        while waiting:
            await self._settle(waiting, counts, progress)
        return counts

    async def _chunks(self, events: Iterable[Event], counts: Counts) -> AsyncIterator[_Chunk]:
        remaining = iter(events)
        start = 0
        while raw := list(islice(remaining, self._chunk)):
            read = await self._read(raw)
            models = [each for each in read if not isinstance(each, Refusal)]
            names = ["" if isinstance(each, Refusal) else each.type for each in read]
            encoded = iter(await self._encode(models))
            chunk = _Chunk(len(raw), [], Counter())
            for index, each in enumerate(read, start):
                made = each if isinstance(each, Refusal) else next(encoded)
                if isinstance(made, Refusal):
                    counts.refuse(index, made)
                else:
                    chunk.records.append(made)
                    chunk.names[names[index - start]] += 1
            yield chunk
            start += len(raw)

    async def _read(self, raw: Sequence[Event]) -> list[EventInput | Refusal]:
        until = asyncio.get_running_loop().time() + self._patience
        while True:
            try:
                return await self._intake.read_all(raw, self._sender)
            except KeysUnavailable:
                await self._wait_or_raise(until, "postgres")

    async def _encode(self, models: Sequence[EventInput]) -> list[KafkaRecord | Refusal]:
        until = asyncio.get_running_loop().time() + self._patience
        while True:
            try:
                return await self._intake.encode(models)
            except KeysUnavailable:
                await self._wait_or_raise(until, "postgres")

    async def _hand_over(self, chunk: _Chunk, before: _Chunk | None) -> None:
        # If the chunk before was lost, this one is sent again after it, to keep the order.
        if chunk.handed is not None:
            self._producer.forget(chunk.handed)
            chunk.handed = None
        if before is not None and (
            before.handed is None or not self._producer.holds(before.handed)
        ):
            return
        try:
            chunk.handed = await self._producer.hand_over(chunk.records)
        except KafkaAway:
            chunk.handed = None

    async def _settle(
        self, waiting: deque[_Chunk], counts: Counts, progress: Progress | None
    ) -> None:
        """Waits until the oldest chunk is acknowledged; sends all chunks again if it is lost."""
        until = asyncio.get_running_loop().time() + self._patience
        while not await self._arrived(waiting[0]):
            await self._wait_or_raise(until, "kafka")
            for before, chunk in zip([None, *waiting], waiting, strict=False):
                await self._hand_over(chunk, before)
        chunk = waiting.popleft()
        counts.accepted += len(chunk.records)
        counts.by_type += chunk.names
        if progress is not None:
            progress(chunk.size)

    async def _arrived(self, chunk: _Chunk) -> bool:
        if chunk.handed is None:
            return False
        try:
            await self._producer.acknowledged(chunk.handed)
        except KafkaAway:
            return False
        return True

    @staticmethod
    async def _wait_or_raise(until: float, away: str) -> None:
        if asyncio.get_running_loop().time() > until:
            raise KafkaAway if away == "kafka" else KeysUnavailable
        log.warning("waiting_for_server", away=away)
        await asyncio.sleep(0.5)
