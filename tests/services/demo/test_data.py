"""Are the demo's rows made offline, once, and refused when they cannot be?"""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from services.demo.data import DataUnavailable, tpcds


def test_the_rows_are_the_same_on_every_machine(tables: Path, tmp_path: Path) -> None:
    def fingerprint(path: Path) -> object:
        with duckdb.connect(str(path), read_only=True) as connection:
            query = "SELECT bit_xor(hash(store_sales)), count(*) FROM store_sales"
            return connection.execute(query).fetchone()

    assert fingerprint(tpcds(0.01, tmp_path)) == fingerprint(tables)


def test_the_rows_are_made_once(tables: Path) -> None:
    made = tables.stat().st_mtime_ns
    assert tpcds(0.01, tables.parent) == tables
    assert tables.stat().st_mtime_ns == made


@pytest.mark.parametrize("scale", [0.0, -1.0, 100.0, float("nan")])
def test_a_scale_that_makes_no_sense_is_refused_by_name(scale: float, tmp_path: Path) -> None:
    with pytest.raises(DataUnavailable, match="scale"):
        tpcds(scale, tmp_path)
