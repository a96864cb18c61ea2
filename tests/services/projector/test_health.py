"""The projector's health routes answer as those of the other processes do."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from services.projector.process import health_application


@pytest.mark.parametrize(
    ("path", "status"), [("/livez", 200), ("/livez/", 404), ("/metrics", 200), ("/metrics/", 404)]
)
def test_only_the_exact_path_is_served(path: str, status: int) -> None:
    async def answered() -> int:
        transport = httpx.ASGITransport(health_application([]))
        async with httpx.AsyncClient(transport=transport, base_url="http://projector") as client:
            return (await client.get(path)).status_code

    assert asyncio.run(answered()) == status
