"""Reads the generated tables through views that make receipts, orders, lines and returns of them.

Query results are streamed, never held in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb

FETCH = 2_000

# A ticket's lines repeat its header columns, some of them null: `max` finds the one value, if any.
_VIEWS = """
CREATE TABLE receipt AS
WITH header AS (
    SELECT ss_ticket_number AS number,
           max(ss_customer_sk) AS customer,
           max(ss_sold_date_sk) AS date_sk,
           max(ss_sold_time_sk) AS second,
           1 + ss_ticket_number % 5 AS store,
           1 + (ss_ticket_number // 5) % 3 AS terminal
    FROM shop.store_sales GROUP BY ss_ticket_number
)
SELECT *,
       row_number() OVER (PARTITION BY store, terminal ORDER BY date_sk, second, number)
         AS sequence,
       row_number() OVER (ORDER BY date_sk, second, number) % 997 = 0 AS held_back
FROM header;

CREATE TABLE web_order AS
SELECT ws_order_number AS number,
       max(ws_bill_customer_sk) AS customer,
       max(ws_sold_date_sk) AS date_sk,
       max(ws_sold_time_sk) AS second,
       NULL::BIGINT AS store, NULL::BIGINT AS terminal, NULL::BIGINT AS sequence,
       false AS held_back
FROM shop.web_sales GROUP BY ws_order_number;

CREATE VIEW store_line AS
SELECT ss_ticket_number AS number,
       row_number() OVER (PARTITION BY ss_ticket_number ORDER BY ss_item_sk) AS line_no,
       ss_item_sk AS item,
       coalesce(ss_quantity, 0) AS quantity,
       (coalesce(ss_sales_price, 0) * 100)::BIGINT AS unit_price,
       (coalesce(ss_net_paid, 0) * 100)::BIGINT AS net_paid
FROM shop.store_sales;

CREATE VIEW web_line AS
SELECT ws_order_number AS number,
       row_number() OVER (PARTITION BY ws_order_number ORDER BY ws_item_sk) AS line_no,
       ws_item_sk AS item,
       coalesce(ws_quantity, 0) AS quantity,
       (coalesce(ws_sales_price, 0) * 100)::BIGINT AS unit_price,
       (coalesce(ws_net_paid, 0) * 100)::BIGINT AS net_paid
FROM shop.web_sales;

CREATE VIEW store_return AS
SELECT sr_ticket_number AS number, sr_item_sk AS item, sr_customer_sk AS returner,
       sr_reason_sk AS reason, sr_returned_date_sk AS date_sk, sr_return_time_sk AS second,
       sr_return_quantity AS quantity, (coalesce(sr_return_amt, 0) * 100)::BIGINT AS refund
FROM shop.store_returns;

CREATE VIEW web_return AS
SELECT wr_order_number AS number, wr_item_sk AS item, wr_returning_customer_sk AS returner,
       wr_reason_sk AS reason, wr_returned_date_sk AS date_sk, wr_returned_time_sk AS second,
       wr_return_quantity AS quantity, (coalesce(wr_return_amt, 0) * 100)::BIGINT AS refund
FROM shop.web_returns;
"""


class Rows:
    """The generated tables, read-only, with the shop's views."""

    def __init__(self, path: Path) -> None:
        self._connection = duckdb.connect()
        self._connection.execute(f"SET memory_limit = '512MB'; SET temp_directory = '{path}.spill'")
        self._connection.execute(f"ATTACH '{path}' AS shop (READ_ONLY)")
        self._connection.execute(_VIEWS)

    def stream(self, query: str, *parameters: object) -> Iterator[tuple[Any, ...]]:
        """The rows of a query, fetched two thousand at a time."""
        cursor = self._connection.cursor()
        try:
            cursor.execute(query, list(parameters))
            while page := cursor.fetchmany(FETCH):
                yield from page
        finally:
            cursor.close()

    def number(self, query: str, *parameters: object) -> int:
        """The single number that a query returns."""
        return int(next(self.stream(query, *parameters))[0])

    def close(self) -> None:
        self._connection.close()
