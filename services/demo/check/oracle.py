"""The oracle: computes the expected answers by SQL over the generated tables, without events."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import duckdb

FETCH = 5_000
Row = tuple[Any, ...]


class Oracle:
    """The generated tables, opened read-only, and the expected answers as SQL queries over them."""

    def __init__(self, path: Path) -> None:
        self._connection = duckdb.connect()
        self._connection.execute(f"ATTACH '{path}' AS rows (READ_ONLY)")
        self._connection.execute(f"SET memory_limit = '512MB'; SET temp_directory = '{path}.spill'")
        self._connection.execute("SET search_path = 'memory,rows'")
        for name in ("given", "money", "days", "known"):
            self._connection.execute(_sql(name))

    def expected(self, row: str) -> Iterator[Row]:
        """The result of the query in `<row>.sql` beside this module, in the order of the query."""
        cursor = self._connection.cursor()
        try:
            cursor.execute("SET search_path = 'memory,rows'")
            cursor.execute(_sql(row))
            while page := cursor.fetchmany(FETCH):
                yield from page
        finally:
            cursor.close()

    def records(self, row: str) -> Iterator[dict[str, Any]]:
        """The result of the query in `<row>.sql`, with the names of its columns."""
        cursor = self._connection.cursor()
        try:
            cursor.execute("SET search_path = 'memory,rows'")
            cursor.execute(_sql(row))
            columns = [column[0] for column in cursor.description or ()]
            while page := cursor.fetchmany(FETCH):
                yield from (dict(zip(columns, values, strict=True)) for values in page)
        finally:
            cursor.close()

    def figures(self) -> dict[str, int]:
        """Totals of all rows, before receipts are held back; a test knows what they must be."""
        cursor = self._connection.execute(_sql("figures"))
        names = [column[0] for column in cursor.description or ()]
        return dict(zip(names, map(int, cursor.fetchall()[0]), strict=True))

    def customers(self) -> list[int]:
        return self._numbers("SELECT c_customer_sk FROM customer ORDER BY 1")

    def mailboxes(self) -> dict[int, str]:
        """The e-mail addresses of customers who have one, by customer."""
        query = "SELECT c_customer_sk, c_email_address FROM customer WHERE c_email_address <> ''"
        return dict(self._connection.execute(query).fetchall())

    def lines(self) -> int:
        """Number of lines sold in both channels."""
        return self._numbers("SELECT count(*) FROM line")[0]

    def sales(self) -> int:
        """Number of sales that were sent, in both channels."""
        return self._numbers("SELECT count(*) FROM sale WHERE NOT held_back")[0]

    def days(self) -> int:
        """Number of business days of all locations of which anything was sent."""
        return len({(day["location"], day["date"]) for day in self.records("business_days")})

    def items(self) -> list[int]:
        return self._numbers("SELECT i_item_sk FROM item ORDER BY 1")

    def _numbers(self, query: str) -> list[int]:
        return [number for (number,) in self._connection.execute(query).fetchall()]

    def close(self) -> None:
        self._connection.close()


def _sql(name: str) -> str:
    return files(__package__).joinpath(f"{name}.sql").read_text(encoding="utf-8")
