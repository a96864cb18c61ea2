"""Does a caller learn that Postgres is away, when a decider gives up on it?"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from services.deciding import decider
from services.deciding.answers import Keyed
from services.deciding.decider import Decider, NotDecided

NOWHERE = "postgresql://127.0.0.1:1/none"


class Nothing:
    """Work that no transaction reaches."""

    async def see(self, connection: Any, commands: Any) -> Any:
        raise AssertionError("there is no connection")

    async def decide(self, connection: Any, seen: Any, commands: Any) -> Any:
        raise AssertionError("there is no connection")


def test_the_reason_is_that_postgres_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decider, "PAUSE_SECONDS", 0.0)

    async def asked() -> str:
        deciding = Decider(NOWHERE, "test", Nothing(), lambda: None)
        await deciding.start()
        try:
            with pytest.raises(NotDecided) as refused:
                await deciding.ask(Keyed("till", "key", b"", "command"))
            return str(refused.value)
        finally:
            await deciding.stop()

    assert asyncio.run(asked()).startswith("Postgres is unreachable")
