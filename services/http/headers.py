"""What does a header of a request say? The framework's own search decodes every header first."""

from __future__ import annotations

from starlette.requests import Request


def header(request: Request, name: bytes) -> str | None:
    """The header's value, the first where it is sent twice; None: it is not sent.

    `name` is in lower case.
    """
    for key, value in request.scope["headers"]:
        if key == name:
            return str(value, "latin-1")
    return None
