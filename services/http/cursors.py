"""Cursors of paged answers: opaque, and valid only for the route that issued them."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from collections.abc import Sequence
from typing import Any

_MARK_BYTES = 8


class Malformed(ValueError):
    """The text is not a cursor that this route has issued."""


class Cursors:
    """Encodes and decodes cursors; their MAC binds them to the route and to `key`."""

    def __init__(self, key: bytes) -> None:
        self._key = hmac.digest(key, b"hitotsu cursors", "sha256")

    def write(self, route: str, last: Sequence[object]) -> str:
        body = json.dumps(list(last), default=str, separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(self._mark(route, body) + body).decode().rstrip("=")

    def read(self, route: str, cursor: str) -> list[Any]:
        try:
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise Malformed from None
        mark, body = raw[:_MARK_BYTES], raw[_MARK_BYTES:]
        if not hmac.compare_digest(mark, self._mark(route, body)):
            raise Malformed
        found: list[Any] = json.loads(body)
        return found

    def _mark(self, route: str, body: bytes) -> bytes:
        return hmac.digest(self._key, route.encode() + b"\0" + body, "sha256")[:_MARK_BYTES]
