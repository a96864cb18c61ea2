"""Do the documents know every state that a hold's table may have?"""

from __future__ import annotations

import re
from typing import get_args

import pytest
from pydantic import BaseModel

from services.points.holds.answers import PointsHold
from services.state.migrate import FOLDER
from services.stock.answers import Reservation

DECISIONS = (FOLDER / "0003_decisions.sql").read_text("utf-8")


@pytest.mark.parametrize(
    ("table", "answer"), [("stock_hold", Reservation), ("points_hold", PointsHold)]
)
def test_every_state_that_is_stored_is_documented(table: str, answer: type[BaseModel]) -> None:
    declared = re.search(
        rf"create table if not exists hitotsu\.{table} .*?check \(state in \(([^)]*)\)\)",
        DECISIONS,
        re.S,
    )
    assert declared is not None
    stored = set(re.findall(r"'(\w+)'", declared[1]))
    assert set(get_args(answer.model_fields["state"].annotation)) == stored
