"""The generated tables, once for all tests of the demo."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.demo.check.oracle import Oracle
from services.demo.data import tpcds
from services.demo.shop.rows import Rows


@pytest.fixture(scope="session")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tpcds(0.01, tmp_path_factory.mktemp("tpcds"))


@pytest.fixture(scope="session")
def oracle(tables: Path) -> Iterator[Oracle]:
    oracle = Oracle(tables)
    yield oracle
    oracle.close()


@pytest.fixture(scope="session")
def rows(tables: Path) -> Iterator[Rows]:
    rows = Rows(tables)
    yield rows
    rows.close()
