"""The protocol with the gateway, independent of network I/O (sans-io).

Generators yield the next action (post, pause) and are sent its outcome, so that the blocking and
the asynchronous client share one implementation.
"""

from __future__ import annotations

import base64
import json
import random
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from pydantic import BaseModel
from pydantic_core import to_json

from schemas.generated.inputs import Rejected, parse
from services.sdk.buffer import Buffer, BufferedEvent
from services.sdk.clocks import BootMoment, Clocks, occurred_at_of
from services.sdk.results import Problem, Result, Results, Unreachable

Sendable = Mapping[str, Any] | BaseModel
JSON, SEALED = "application/json", "application/vnd.hitotsu.sealed+json"
MOST_EVENTS = 500
MOST_BYTES = 900_000
# Base64 and the ids make a sealed event larger in the request than in the file.
MOST_SEALED_BYTES = 600_000
_AGAIN = frozenset({408, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Post:
    """Request to post to `/v1/events`; the generator is sent the reply, None without an answer.

    `headers`: what the clocks show at this attempt.
    """

    content: bytes
    content_type: str
    moments: Sequence[BootMoment | None] = ()
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pause:
    """Request to wait; the generator is sent None afterwards."""

    seconds: float


@dataclass(frozen=True, slots=True)
class GatewayReply:
    """An HTTP answer of the gateway; `retry_after`: that header, None if absent."""

    status: int
    body: bytes
    retry_after: str | None = None


Ready = tuple[int, str, bytes, BootMoment | None]
"""An event to send: its place in the call, its id, its JSON, and when it happened."""
Talk = Generator[Post | Pause, GatewayReply | None, Any]


@dataclass(slots=True)
class GatewayLine:
    """Sends events to one gateway, directly or through a buffer.

    `validate`: check events before sending. `patience`: seconds until a send without a buffer
    raises `Unreachable`.
    """

    buffer: Buffer | None = None
    validate: bool = True
    patience: float = 60.0
    clock: Callable[[], float] = time.monotonic
    clocks: Clocks = field(default_factory=Clocks)
    _failures: int = field(default=0, init=False)
    _down_until: float = field(default=0.0, init=False)

    def send(self, events: Iterable[Sendable]) -> Talk:
        """Sends events; returns `Results` in their order. Raises Problem, and Unreachable without a
        buffer or BufferFull with one.
        """
        ready: list[Ready] = []
        results: dict[int, Result] = {}
        for index, event in enumerate(events):
            event_id = _event_id(event)
            refusal = self._refusal(event)
            if refusal is None:
                moment = self.clocks.moment_of(occurred_at_of(event))
                ready.append((index, event_id or "", to_json(event), moment))
            else:
                results[index] = _refused(index, event_id, refusal.field, refusal.reason)
        sent = yield from self._direct(ready) if self.buffer is None else self._by_buffer(ready)
        results.update({result.index: result for result in sent})
        return Results(results[index] for index in sorted(results))

    def _refusal(self, event: Sendable) -> Rejected | None:
        if not self.validate or isinstance(event, BaseModel):
            return None
        try:
            parse(event)
        except Rejected as rejected:
            return rejected
        return None

    def _direct(self, ready: Sequence[Ready]) -> Talk:
        results = Results()
        for batch in _batches(ready):
            content = b"[" + b",".join(body for _, _, body, _ in batch) + b"]"
            post = Post(content, JSON, [moment for *_, moment in batch])
            reply = yield from self._deliver(post, self.patience)
            if reply.status not in (202, 422):
                problem = Problem.read(reply.status, reply.body)
                problem.results = results
                raise problem
            answers = _answers(reply)
            results += [
                replace(answer, index=index)
                for answer, (index, *_) in zip(answers, batch, strict=True)
            ]
        return results

    def _by_buffer(self, ready: Sequence[Ready]) -> Talk:
        # Every event goes to disk first, also while the gateway answers: a kill during the request
        # then loses nothing, and no event overtakes one that waits.
        assert self.buffer is not None
        positions = self.buffer.add(
            [(event_id, body) for _, event_id, body, _ in ready], [moment for *_, moment in ready]
        )
        wanted = dict.fromkeys(positions)
        seen: dict[int, Result] = {}
        if self.clock() >= self._down_until:
            try:
                yield from self.drain(0.0, wanted, seen)
            except Unreachable:
                # Not an error: the events are on disk, and the next send or flush sends them.
                seen = dict(seen)
        return [
            replace(seen.get(position) or Result(0, event_id, "buffered"), index=index)
            for position, (index, event_id, *_) in zip(positions, ready, strict=True)
        ]

    def drain(self, patience: float, wanted: Mapping[int, None], seen: dict[int, Result]) -> Talk:
        """Sends all buffered events in order.

        Puts the results of the positions in `wanted` into `seen`. Raises `Unreachable` when the
        gateway gives no final answer to a request within `patience` seconds, and `Problem` when it
        refuses a whole request.
        """
        assert self.buffer is not None
        most = MOST_EVENTS
        while held := self.buffer.oldest(most, MOST_SEALED_BYTES):
            post = Post(_boxes(held), SEALED, [each.moment for each in held])
            reply = yield from self._deliver(post, patience)
            results = _settled(reply, held)
            if results is None:
                most = max(1, len(held) // 2)
                continue
            self.buffer.settle(
                [
                    each.position
                    for each, r in zip(held, results, strict=True)
                    if _is(r, "accepted")
                ],
                [
                    (each.position, r.field or "", r.reason or "")
                    for each, r in zip(held, results, strict=True)
                    if r is not None and r.status == "rejected"
                ],
            )
            for each, result in zip(held, results, strict=True):
                if result is not None and each.position in wanted:
                    seen[each.position] = result

    def _deliver(self, post: Post, patience: float) -> Talk:
        """Posts the same bytes until the gateway answers finally (not 408, 429, 500, 502, 503,
        504); returns that answer.

        The headers about the clocks are made for each attempt. Raises `Unreachable` when the next
        attempt would begin more than `patience` seconds after the first.
        """
        until = self.clock() + patience
        while True:
            reply = yield replace(post, headers=self.clocks.headers(post.moments))
            if reply is not None and reply.status not in _AGAIN:
                self._failures = 0
                self._down_until = 0.0
                return reply
            pause = self._pause(reply)
            self._failures += 1
            self._down_until = self.clock() + pause
            if self._down_until > until:
                what = "gave no answer" if reply is None else f"answered {reply.status}"
                raise Unreachable(f"the gateway {what}; it is safe to send the events again")
            yield Pause(pause)

    def _pause(self, reply: GatewayReply | None) -> float:
        backoff = min(5.0, 0.1 * 2.0 ** min(self._failures, 10)) * random.uniform(0.5, 1.0)
        asked = reply.retry_after if reply is not None else None
        return max(backoff, float(asked)) if asked and asked.isdecimal() else backoff


def _refused(index: int, event_id: str | None, field: str, reason: str) -> Result:
    return Result(index, event_id, "rejected", field=field, reason=reason)


def _event_id(event: Sendable) -> str | None:
    if isinstance(event, BaseModel):
        return str(UUID(bytes=event.meta.event_id))  # type: ignore[attr-defined]
    meta = event.get("meta")
    claimed = meta.get("event_id") if isinstance(meta, Mapping) else None
    return str(claimed) if claimed is not None else None


def _batches(ready: Sequence[Ready]) -> Generator[list[Ready], None, None]:
    batch: list[Ready] = []
    size = 0
    for each in ready:
        if batch and (len(batch) == MOST_EVENTS or size + len(each[2]) > MOST_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(each)
        size += len(each[2]) + 1
    if batch:
        yield batch


def _boxes(held: Sequence[BufferedEvent]) -> bytes:
    boxes = [
        {"event_id": each.event_id, "sealed": base64.b64encode(each.sealed).decode()}
        for each in held
    ]
    return json.dumps(boxes).encode()


def _answers(reply: GatewayReply) -> list[Result]:
    known = Result.__slots__
    return [
        Result(**{name: value for name, value in told.items() if name in known})
        for told in json.loads(reply.body)["results"]
    ]


def _is(result: Result | None, status: str) -> bool:
    return result is not None and result.status == status


def _settled(reply: GatewayReply, held: Sequence[BufferedEvent]) -> list[Result | None] | None:
    """One result per event, None for an event that has to be sent again.

    Returns None if the batch has to be sent again in smaller batches. Raises `Problem` if the
    gateway refused the request for another reason than one of these events.
    """
    if reply.status in (202, 422):
        return list(_answers(reply))
    problem = Problem.read(reply.status, reply.body)
    blamed = problem.indexes() if reply.status == 403 else {}
    if reply.status in (400, 413):
        if len(held) > 1:
            return None
        blamed = {0: ("", problem.detail)}
    if not any(index < len(held) for index in blamed):
        raise problem
    # An event that the token may not send must not stop the events after it.
    return [
        _refused(i, each.event_id, *blamed[i]) if i in blamed else None
        for i, each in enumerate(held)
    ]
