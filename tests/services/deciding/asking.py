"""How do tests ask deciders: again with the same key while nobody can say, and what is a no?"""

from __future__ import annotations

import asyncio
from typing import Any

import httpx

AGAIN_SECONDS = 0.1


async def answered(
    client: httpx.AsyncClient, path: str, body: dict[str, Any], key: str, token: str, patience: int
) -> tuple[int, str]:
    """Status and text; an unanswered command is sent again with its key, `patience` times."""
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": key}
    for _ in range(patience):
        try:
            answer = await client.post(path, json=body, headers=headers, timeout=10)
        except httpx.TransportError:
            await asyncio.sleep(AGAIN_SECONDS)
            continue
        if answer.status_code != 503 and "in-flight" not in answer.text:
            return answer.status_code, answer.text
        await asyncio.sleep(AGAIN_SECONDS)
    raise TimeoutError("no answer at last")


def problem(answer: Any, status: int, kind: str) -> dict[str, Any]:
    """The body of a refusal that must be this one."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = answer.json()
    assert found["type"] == f"/problems/{kind}"
    return found
