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
# `place` is a row's position, from 1, in the order by which the shop's oddities count; `day_place`
# that of a terminal's day.
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
),
numbered AS (
    SELECT *,
           row_number() OVER (ORDER BY date_sk, second, number) AS place,
           dense_rank() OVER (ORDER BY date_sk, store, terminal) AS day_place
    FROM header
)
SELECT *, place % 997 = 0 AS held_back, NULL::BIGINT AS shipping FROM numbered;

CREATE TABLE web_order AS
WITH header AS (
    SELECT ws_order_number AS number,
           max(ws_bill_customer_sk) AS customer,
           max(ws_sold_date_sk) AS date_sk,
           max(ws_sold_time_sk) AS second,
           max(ws_ship_date_sk) AS ship_date_sk,
           (sum(coalesce(ws_ext_ship_cost, 0)) * 100)::BIGINT AS shipping
    FROM shop.web_sales GROUP BY ws_order_number
)
SELECT *, row_number() OVER (ORDER BY number) AS place,
       NULL::BIGINT AS store, NULL::BIGINT AS terminal, NULL::BIGINT AS day_place,
       false AS held_back
FROM header;

CREATE TABLE of_both AS
SELECT channel, number, row_number() OVER (ORDER BY date_sk, second, channel, number)
         AS receipt_place
FROM (
    SELECT 'STORE' AS channel, number, date_sk, second FROM receipt
    UNION ALL SELECT 'EC', number, date_sk, second FROM web_order
);

CREATE TABLE store_line AS
SELECT ss_ticket_number AS number,
       row_number() OVER (PARTITION BY ss_ticket_number ORDER BY ss_item_sk) AS line_no,
       ss_item_sk AS item,
       coalesce(ss_quantity, 0) AS quantity,
       (coalesce(ss_sales_price, 0) * 100)::BIGINT AS unit_price,
       (coalesce(ss_net_paid, 0) * 100)::BIGINT AS net_paid,
       (coalesce(ss_coupon_amt, 0) * 100)::BIGINT AS discount
FROM shop.store_sales;

CREATE TABLE web_line AS
SELECT ws_order_number AS number,
       row_number() OVER (PARTITION BY ws_order_number ORDER BY ws_item_sk) AS line_no,
       row_number() OVER (ORDER BY ws_order_number, ws_item_sk) AS line_place,
       min(if(ws_quantity > 1, ws_item_sk, NULL)) OVER (PARTITION BY ws_order_number) = ws_item_sk
         AS is_first_of_several,
       ws_item_sk AS item,
       coalesce(ws_quantity, 0) AS quantity,
       (coalesce(ws_sales_price, 0) * 100)::BIGINT AS unit_price,
       (coalesce(ws_net_paid, 0) * 100)::BIGINT AS net_paid,
       (coalesce(ws_coupon_amt, 0) * 100)::BIGINT AS discount,
       ws_ship_date_sk AS line_ship_date_sk
FROM shop.web_sales;

CREATE TABLE return_line AS
WITH told AS (
    SELECT 'EC' AS channel, wr_order_number AS number, line_no, wr_item_sk AS item,
           line.quantity AS sold, net_paid, wr_return_quantity AS quantity,
           (coalesce(wr_return_amt, 0) * 100)::BIGINT AS refund,
           wr_returning_customer_sk AS returner, wr_reason_sk AS reason,
           wr_returned_date_sk AS date_sk, wr_returned_time_sk AS second, line_place
    FROM shop.web_returns JOIN web_line AS line
         ON number = wr_order_number AND item = wr_item_sk
    UNION ALL
    SELECT 'STORE', sr_ticket_number, line_no, sr_item_sk,
           line.quantity, net_paid, sr_return_quantity,
           (coalesce(sr_return_amt, 0) * 100)::BIGINT,
           sr_customer_sk, sr_reason_sk, sr_returned_date_sk, sr_return_time_sk, NULL
    FROM shop.store_returns JOIN store_line AS line
         ON number = sr_ticket_number AND item = sr_item_sk
)
SELECT *,
       row_number() OVER (PARTITION BY channel ORDER BY number, item) AS channel_place,
       row_number() OVER (ORDER BY channel, number, item) AS place
FROM told WHERE quantity <= sold;
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
