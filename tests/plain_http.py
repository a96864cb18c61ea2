"""Clients of plain HTTP that read no certificates.

httpx reads all certificate authorities for each client, and for each `httpx.get`: 20 ms of CPU,
twenty times what the request takes. Tests ask over plain HTTP, and ask again and again while they
wait, so their clients share what was read once.
"""

from __future__ import annotations

import functools

import httpx
from httpx._transports import default


def share_certificates() -> None:
    """From here on, clients of this process with the same options have one TLS context."""
    shared = functools.cache(httpx.create_ssl_context)
    default.create_ssl_context = shared  # type: ignore[attr-defined]
