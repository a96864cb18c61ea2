"""Is a client that could never send anything told so when it is made, and not by a full buffer?"""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from services.sdk import AsyncClient, Client

URL = "http://127.0.0.1:9"
USELESS = {
    "empty": "",
    "blank": " \n",
    "two lines": "hitotsu_abc\nhitotsu_def",
    "a space": "hitotsu_abc def",
    "a control character": "hitotsu_abc\x00",
    "not ASCII": "hitotsu_abcé",
}


@pytest.mark.parametrize("made", [Client, AsyncClient])
@pytest.mark.parametrize("token", USELESS.values(), ids=USELESS)
def test_a_token_that_no_request_can_carry_is_refused(made: Any, token: str) -> None:
    with pytest.raises(ValueError, match=r"^token: ") as refused:
        made(URL, token)
    assert "hitotsu_" not in str(refused.value)


@pytest.mark.parametrize("made", [Client, AsyncClient])
@pytest.mark.parametrize("url", ["127.0.0.1:9", "gateway/v1", "ftp://gateway", "http://", ""])
def test_an_address_that_nothing_is_sent_to_is_refused(made: Any, url: str) -> None:
    with pytest.raises(ValueError, match=r"^base_url: "):
        made(url, "hitotsu_abc")


def test_the_end_of_a_files_line_is_no_part_of_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []

    def key(_: object, request: httpx.Request, **__: object) -> httpx.Response:
        sent.append(request.headers["authorization"])
        return httpx.Response(200, json={"public_key": ""}, request=request)

    monkeypatch.setattr(httpx.Client, "send", key)
    with Client(URL, "hitotsu_abc\r\n") as client:
        client.sealing_key()
    assert sent == ["Bearer hitotsu_abc"]
