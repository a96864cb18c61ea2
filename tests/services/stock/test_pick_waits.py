"""Does the choice of a location wait while the locations are being built?"""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from starlette.requests import Request

from services.deciding.endpoint import Door
from services.http.problem import Refuse
from services.runtime.build_state import Builds
from services.stock import routes
from services.stock.reservation_decider import DECIDER


@pytest.mark.parametrize(
    ("built", "status"), [("catalog", 503), ("shared_stock", 503), (None, 415)]
)
def test_pick_answers_building(
    monkeypatch: pytest.MonkeyPatch, built: str | None, status: int
) -> None:
    async def token_of(*_: Any) -> None:
        return None

    monkeypatch.setattr(routes, "token_of", token_of)
    builds = Builds({"catalog": 1, "shared_stock": 1, "purchases": 1})
    builds.see((name, 1, name == built, 0, 9) for name in ("catalog", "shared_stock", "purchases"))
    door = Door(cast(Any, None), cast(Any, None), builds, DECIDER.needs)
    operations = routes.operations(door, cast(Any, None), "main")
    (pick,) = [one for one in operations if one.name == "pickLocation"]
    request = Request({"type": "http", "method": "POST", "path": "/v1/stock/pick", "headers": []})
    with pytest.raises(Refuse) as refused:
        asyncio.run(cast(Any, pick.endpoint(request)))
    assert refused.value.status == status
