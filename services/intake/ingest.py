"""Handles `POST /v1/events`: one result per event, after Kafka acknowledged them.

authenticate → measure the clock → read body → split → rate limit → validate → scopes → seal and
encode → append → answer
"""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_args

from starlette.requests import Request
from starlette.responses import Response

from schemas.generated.inputs import EventInput
from schemas.rights import INTERNAL
from schemas.sent_codes import COUNTER, changes
from schemas.topics import TOPICS
from services.http.bearer import token_of
from services.http.bodies import read_body, size_of
from services.http.problem import Refuse
from services.intake.admission import Rates, within_scopes
from services.intake.body import content_type_of, event_id_of, split
from services.intake.clocks import ProducerClock, clock_of, matched, observe
from services.intake.records import Intake, KeysUnavailable, Reason, Refusal
from services.runtime import metrics
from services.runtime.logging import log
from services.runtime.producer import Appended, KafkaAway, KafkaRecord, Producer
from services.runtime.tokens import Token, Tokens

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_AGAIN = "Send the same events again; one that is in the log already is applied once all the same."

for _type in sorted({name for topic in TOPICS.values() for name in topic.events} - INTERNAL):
    metrics.ACCEPTED.labels(_type)
for _reason in get_args(Reason):
    metrics.REFUSED.labels(_reason)


@dataclass(frozen=True, slots=True)
class Ingest:
    """The endpoint of `POST /v1/events`; keeps no event between requests."""

    tokens: Tokens
    rates: Rates
    intake: Intake
    producer: Producer
    private_key: bytes

    async def __call__(self, request: Request) -> Response:
        """Answers 202 when any event was accepted, 422 when none was; raises a refusal of the whole
        request.
        """
        arrived = time.time_ns() // 1_000
        token = await token_of(request, self.tokens, "events:write")
        clock = clock_of(request, arrived)
        content_type = content_type_of(request)
        size_of(request)
        with self.rates.room(token) as room:
            body = await read_body(request, arrived=room.take)
            raw = split(body, content_type, self.private_key)
            del body
            matched(clock, len(raw))
            self.rates.take(token, len(raw))
            changed = COUNTER.changed
            with self.rates.waiting(len(raw)):
                outcomes = await self._outcomes(raw, token, clock, _trace_headers(request))
            return _answer(raw, outcomes, token, codes_changed=COUNTER.changed != changed)

    async def _outcomes(
        self,
        raw: Sequence[Any],
        token: Token,
        clock: ProducerClock,
        headers: Sequence[tuple[str, bytes]],
    ) -> list[Appended | Refusal]:
        checked = await self._read(raw, token, clock)
        good = [(i, each) for i, each in enumerate(checked) if not isinstance(each, Refusal)]
        within_scopes(token, good)
        made = await self._encode([model for _, model in good], headers)
        _write_clock(clock, good, made)
        encoded = iter(made)
        taken = [each if isinstance(each, Refusal) else next(encoded) for each in checked]
        records = [each for each in taken if isinstance(each, KafkaRecord)]
        places = iter(await self._append(records))
        return [each if isinstance(each, Refusal) else next(places) for each in taken]

    async def _read(
        self, raw: Sequence[Any], token: Token, clock: ProducerClock
    ) -> list[EventInput | Refusal]:
        try:
            return await self.intake.read_all(raw, token, clock.happened_at)
        except KeysUnavailable:
            log.warning("refused_temporarily", away="postgres", events=len(raw))
            detail = (
                "Whether producers may give points cannot be checked while Postgres is away. "
                + _AGAIN
            )
            raise Refuse(503, "Service Unavailable", detail, retry_after=2) from None

    async def _encode(
        self, models: Sequence[EventInput], headers: Sequence[tuple[str, bytes]]
    ) -> list[KafkaRecord | Refusal]:
        try:
            return await self.intake.encode(models, headers)
        except KeysUnavailable:
            log.warning("refused_temporarily", away="postgres", events=len(models))
            detail = "Personal fields cannot be sealed while Postgres is away. " + _AGAIN
            raise Refuse(503, "Service Unavailable", detail, retry_after=2) from None

    async def _append(self, records: Sequence[KafkaRecord]) -> list[Appended]:
        if not records:
            return []
        try:
            return await self.producer.append(records)
        except KafkaAway:
            detail = "Kafka is away. " + _AGAIN
            raise Refuse(503, "Service Unavailable", detail, retry_after=2) from None


def _write_clock(
    clock: ProducerClock,
    events: Sequence[tuple[int, EventInput]],
    made: Sequence[KafkaRecord | Refusal],
) -> None:
    """Puts the clock's headers before the others of each record; measures the clock's offset."""
    measured = []
    for (index, event), record in zip(events, made, strict=True):
        if isinstance(record, KafkaRecord):
            at = event.meta.occurred_at
            record.headers[:0] = clock.headers(index, at)
            measured.append((index, event.meta.producer.store_id or "", at))
    observe(clock, measured)


def _trace_headers(request: Request) -> list[tuple[str, bytes]]:
    trace = request.headers.get("traceparent", "")
    return [("traceparent", trace.encode())] if _TRACEPARENT.fullmatch(trace) else []


def _answer(
    raw: Sequence[Any], outcomes: Sequence[Appended | Refusal], token: Token, codes_changed: bool
) -> Response:
    """The answer about every event; `codes_changed`: a code of any may have been changed."""
    results: list[dict[str, Any]] = []
    types: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for index, (event, outcome) in enumerate(zip(raw, outcomes, strict=True)):
        result: dict[str, Any] = {"index": index, "event_id": event_id_of(event)}
        if isinstance(outcome, Refusal):
            result |= {"status": "rejected", "field": outcome.field, "reason": outcome.reason}
            reasons[outcome.kind] += 1
        else:
            result |= {
                "status": "accepted",
                "topic": outcome.topic,
                "partition": outcome.partition,
                "offset": outcome.offset,
            }
            if codes_changed and (normal := changes(event["type"], event)):
                result["normalised"] = normal
            types[event["type"]] += 1
        results.append(result)
    for name, count in types.items():
        metrics.ACCEPTED.labels(name).inc(count)
    for reason, count in reasons.items():
        metrics.REFUSED.labels(reason).inc(count)
    accepted, rejected = types.total(), reasons.total()
    if rejected:
        log.info("events_refused", token=token.name, accepted=accepted, reasons=dict(reasons))
    body = {"results": results, "accepted": accepted, "rejected": rejected}
    # ASCII only: a lone surrogate echoed from a body must not break the answer about it.
    return Response(json.dumps(body), 202 if accepted else 422, media_type="application/json")
