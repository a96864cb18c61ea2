"""Reads one header of a request; Starlette would first decode all of them."""

from __future__ import annotations

from starlette.requests import Request


def header(request: Request, name: bytes) -> str | None:
    """The header's value (the first, if sent twice); None if absent. `name`: in lower case."""
    for key, value in request.scope["headers"]:
        if key == name:
            return str(value, "latin-1")
    return None
