"""What does the read API answer to a member of staff who may see everything?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

import httpx

PAGE = 500


class Staff:
    """A caller with every right, who says what for."""

    def __init__(self, status: dict[str, Any], *, durable: bool = False) -> None:
        headers = {"Authorization": f"Bearer {status['tokens']['staff']}", "Purpose": "support"}
        if durable:
            headers["Cache-Control"] = "no-cache"
        self._http = httpx.Client(
            base_url=status["services"]["api"]["url"], headers=headers, timeout=30, trust_env=False
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, path: str, **parameters: str | int) -> Any:
        """The data of an answer."""
        return self._data(self._http.get(path, params=parameters))["data"]

    def status_of(self, path: str) -> int:
        return self._http.get(path).status_code

    def resolve(self, identifiers: list[dict[str, str]]) -> list[dict[str, Any]]:
        body = {"identifiers": identifiers}
        found: list[dict[str, Any]] = self._data(self._http.post("/v1/members/resolve", json=body))[
            "data"
        ]
        return found

    def pages(self, path: str, **parameters: str | int) -> Iterator[dict[str, Any]]:
        """Every entry of a list."""
        asked = {**parameters, "limit": PAGE}
        while True:
            page = self._data(self._http.get(path, params=asked))
            yield from page["data"]
            if not page.get("next_cursor"):
                return
            asked["cursor"] = page["next_cursor"]

    @staticmethod
    def _data(answer: httpx.Response) -> dict[str, Any]:
        assert answer.status_code == 200, f"{answer.request.url.path}: {answer.text[:300]}"
        told: dict[str, Any] = answer.json()
        return told
