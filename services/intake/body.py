"""Checks the media type of a request body and splits the body into events."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any

from starlette.requests import Request

from schemas.personal.buffer import open_box
from schemas.personal.seal import Unsealable
from services.http.problem import Refuse
from services.intake.records import Refusal
from services.runtime.strict_json import Unreadable, loads

MAX_EVENTS = 1_000
JSON, NDJSON = "application/json", "application/x-ndjson"
SEALED = "application/vnd.hitotsu.sealed+json"
ACCEPTED_TYPES = (JSON, NDJSON, SEALED)


def content_type_of(request: Request) -> str:
    """The media type; refuses with 415 if it is not supported or the body is compressed."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ACCEPTED_TYPES:
        wanted = ", ".join(ACCEPTED_TYPES)
        raise Refuse(415, "Unsupported Media Type", f"Content-Type must be one of {wanted}.")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Refuse(415, "Unsupported Media Type", "The body must not be compressed.")
    return kind


def split(body: bytes, content_type: str, private_key: bytes) -> list[Any]:
    """The events in order; instead of an unreadable line or sealed event, its `Refusal`.

    Refuses the request with 400 or 413 if the whole body is unreadable, empty or has too many
    events. `private_key`: decrypts sealed events.
    """
    if content_type == NDJSON:
        lines = [line for line in body.split(b"\n") if line.strip()]
        return _bounded(lines, lambda line: _line(line))
    try:
        read = loads(body)
    except Unreadable as error:
        raise Refuse(400, "Bad Request", f"The body cannot be read: {error}.") from None
    if content_type == SEALED:
        if not isinstance(read, list):
            raise Refuse(400, "Bad Request", "Sealed events must be sent as an array.")
        return _bounded(read, lambda boxed: _open(boxed, private_key))
    return _bounded(read if isinstance(read, list) else [read], lambda event: event)


def _bounded(raw: list[Any], read: Callable[[Any], Any]) -> list[Any]:
    if not raw:
        raise Refuse(400, "Bad Request", "The body contains no event.")
    if len(raw) > MAX_EVENTS:
        detail = f"A request may contain at most {MAX_EVENTS} events, not {len(raw)}."
        raise Refuse(413, "Content Too Large", detail)
    return [read(each) for each in raw]


def _line(line: bytes) -> Any:
    try:
        return loads(line)
    except Unreadable as error:
        return Refusal("", str(error), "unreadable")


def _open(boxed: Any, private_key: bytes) -> Any:
    if not isinstance(boxed, dict) or set(boxed) != {"event_id", "sealed"}:
        return Refusal("", 'must be {"event_id": ..., "sealed": ...}', "unreadable")
    try:
        sealed = base64.b64decode(boxed["sealed"], validate=True)
    except (binascii.Error, TypeError, ValueError):
        return Refusal("sealed", "must be base64", "unreadable")
    try:
        clear = loads(open_box(private_key, sealed))
    except Unsealable:
        return Refusal("sealed", "was not encrypted with this gateway's public key", "unreadable")
    except Unreadable as error:
        return Refusal("sealed", str(error), "unreadable")
    if event_id_of(clear) != boxed["event_id"]:
        return Refusal("event_id", "differs from the event_id of the sealed event", "unreadable")
    return clear


def event_id_of(event: Any) -> str | None:
    """The `event_id` to repeat in the event's result; None unless it is a short ASCII string."""
    meta = event.get("meta") if isinstance(event, dict) else None
    claimed = meta.get("event_id") if isinstance(meta, dict) else None
    return (
        claimed if isinstance(claimed, str) and claimed.isascii() and len(claimed) <= 64 else None
    )
