"""Is a declaration of a route refused where nobody could ever use the route?"""

from __future__ import annotations

import pytest
from starlette.requests import Request
from starlette.responses import Response

from services.http.operation import Operation, Reply


async def _endpoint(_request: Request) -> Response:
    return Response()


def _operation(scope: str | None) -> Operation:
    return Operation(
        method="GET", path="/v1/shelf", name="shelf", summary="A shelf", tag="stock",
        endpoint=_endpoint, replies={200: Reply(None, "It.")}, scope=scope,
    )  # fmt: skip


def test_a_scope_that_no_token_can_have_is_refused() -> None:
    with pytest.raises(ValueError, match=r"shelf needs the scope stock:raed, which is not in"):
        _operation("stock:raed")


@pytest.mark.parametrize("scope", ["stock:read", None])
def test_a_known_scope_or_none_is_taken(scope: str | None) -> None:
    assert _operation(scope).scope == scope
