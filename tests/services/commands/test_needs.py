"""Does every decider wait while a projection whose tables it reads is being built?

A decider that did not would take a table that is half built for the whole truth: a return of a sale
that is not there yet would be refused, and a due sale would be struck off without its points.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import services
from projections import discover
from services.points import needs as points
from services.purchases.claim_decider import DECIDER as CLAIMS
from services.runtime.build_state import Builds

ROOT = Path(services.__path__[0])
OWNERS = {table.name: projection.name for projection in discover() for table in projection.tables}
READS = re.compile(r"\b(?:from|join|using)\s+([a-z_]+)\b")
ROOMS = {
    "points/holds": points.HOLDS,
    "points/program": points.RETURNS,
    "points/returns": points.RETURNS,
    "points/background": points.RETURNS,
    "purchases": CLAIMS.needs,
}


def tables_read(room: str) -> set[str]:
    """The tables of projections that SQL in the modules of this room reads."""
    texts = [
        node.value
        for path in (ROOT / room).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    return {name for text in texts for name in READS.findall(text)} & OWNERS.keys()


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_needs_every_projection_whose_tables_it_reads(room: str) -> None:
    read = tables_read(room)
    assert read
    assert {OWNERS[table] for table in read} - ROOMS[room] == set()


@pytest.mark.parametrize("projection", ["purchases", "shared_stock", "catalog", "point_balance"])
def test_points_of_sales_wait_while_what_they_depend_on_is_built(projection: str) -> None:
    declared = {one.name: one.version for one in discover()}
    builds = Builds(declared)
    builds.see((name, version, name == projection, 0, 9) for name, version in declared.items())
    assert not builds.ready(points.RETURNS)
