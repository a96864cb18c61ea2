"""Every refusal is a problem that names the field and the reason, and never our fault."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.services.api.conftest import Running
from tests.services.api.shop import CARD

pytestmark = pytest.mark.servers
NO_EMAIL = b'{"identifiers": [{"kind": "email", "value": "secret-at-home"}]}'


def problem(got: httpx.Response, status: int) -> dict[str, Any]:
    assert got.status_code == status, got.text
    assert got.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = got.json()
    assert found["status"] == status
    return found


def test_a_caller_without_a_known_token_is_a_stranger(api: Running) -> None:
    got = httpx.get(f"{api.url}/v1/stock/tv", trust_env=False)
    problem(got, 401)
    assert got.headers["www-authenticate"] == 'Bearer realm="hitotsu"'
    problem(api.ask("/v1/stock/tv", who="nobody"), 401)


def test_a_till_s_token_reads_nothing(api: Running) -> None:
    assert "stock:read" in problem(api.ask("/v1/stock/tv", who="till"), 403)["detail"]
    problem(api.ask("/v1/inquiries", who="app"), 403)


@pytest.mark.parametrize(
    ("path", "pointer"),
    [
        ("/v1/members/not-an-id", "/path/member_id"),
        ("/v1/stock?limit=0", "/query/limit"),
        ("/v1/stock?limit=501", "/query/limit"),
        ("/v1/stock?limit=" + "9" * 4000, "/query/limit"),
        ("/v1/stock?limit=1&limit=2", "/query/limit"),
        ("/v1/stock?cursor=AAAA", "/query/cursor"),
        ("/v1/stock?cursor=%00", "/query/cursor"),
        ("/v1/stock?cursor=é", "/query/cursor"),
        ("/v1/stock?colour=red", "/query/colour"),
        ("/v1/stock/tv?at=yesterday", "/query/at"),
        ("/v1/stock/%00", "/path/sku"),
        ("/v1/inquiries?topic=%00", "/query/topic"),
        ("/v1/inquiries/counts?by=name", "/query/by"),
        ("/v1/inquiries/counts", "/query/by"),
        ("/v1/stock/tv?min_position=soon", "/query/min_position"),
        ("/v1/stock/tv?min_position=event:7", "/query/min_position"),
        ('/v1/stock/tv?min_position={"commerce.points-0":-1}', "/query/min_position"),
        ('/v1/stock/tv?min_position={"commerce.points-0":1e3}', "/query/min_position"),
        ('/v1/stock/tv?min_position={"rumours-0":1}', "/query/min_position"),
    ],
)  # fmt: skip
def test_a_parameter_that_cannot_be_used_is_named(api: Running, path: str, pointer: str) -> None:
    found = problem(api.ask(path), 422)
    assert found["errors"][0]["pointer"] == pointer
    assert found["errors"][0]["reason"]


@pytest.mark.parametrize(
    ("body", "status", "pointer"),
    [
        (b"{", 400, None),
        (b"", 400, None),
        (b"[" * 100_000, 400, None),
        (b"[]", 422, "/body"),
        (b'{"identifiers": []}', 422, "/body/identifiers"),
        (NO_EMAIL, 422, "/body/identifiers/0/value"),
        (b'{"identifiers": [{"kind": "a\\u0000", "value": "b"}]}', 422, "/body/identifiers/0/kind"),
        (b'{"identifiers": [{"kind": "card", "value": "\\ud800"}]}', 400, None),
        (b'{"identifiers": [{"kind": "card", "value": "' + b"9" * 300_000 + b'"}]}', 413, None),
    ],
)  # fmt: skip
def test_a_body_that_cannot_be_used_is_refused_without_repeating_it(
    api: Running, body: bytes, status: int, pointer: str | None
) -> None:
    headers = {"Content-Type": "application/json"}
    got = api.ask("/v1/members/resolve", method="POST", content=body, headers=headers)
    found = problem(got, status)
    assert pointer is None or found["errors"][0]["pointer"] == pointer
    assert "secret" not in got.text


def test_a_body_of_another_kind_is_not_read(api: Running) -> None:
    got = api.ask(
        "/v1/members/resolve", method="POST", content=b"a=b", headers={"Content-Type": "text/plain"}
    )
    problem(got, 415)


def test_a_cursor_of_one_list_does_not_open_another(api: Running) -> None:
    cursor = api.answer("/v1/stock?limit=1")["next_cursor"]
    assert cursor
    problem(api.ask(f"/v1/members?cursor={cursor}"), 422)


def test_nothing_can_be_changed_by_reading(api: Running) -> None:
    got = api.ask(f"/v1/members/{CARD}", method="DELETE")
    problem(got, 405)
    assert "GET" in got.headers["allow"]
