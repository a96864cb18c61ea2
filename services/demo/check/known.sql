-- What follows from given.sql for more than one row of the report.

-- One row per slip of a return. The first slip takes what was sold, as far as an amendment left it,
-- and the second what the line has left; the rest is over.
CREATE TABLE slip AS
WITH first_slip AS (SELECT *, least(quantity, sold) AS fits FROM back WHERE sent)
SELECT channel, number, item, location, not_returned, fits AS units, quantity - fits AS beyond,
       happened
FROM first_slip
UNION ALL
SELECT channel, number, item, location, not_returned, least(quantity, sold - fits),
       quantity - least(quantity, sold - fits), happened + INTERVAL 1 HOUR
FROM first_slip WHERE twice;

-- One row per line of an order, with when its units are promised until.
CREATE TABLE order_line AS
WITH latest AS (
    SELECT number, max(ship_day) AS ship_day FROM line WHERE channel = 'EC' GROUP BY ALL
)
SELECT number, item, quantity, left_quantity, line.amended, cancelled, picked_up, leaves_from,
       sale.happened AS placed_at,
       CASE WHEN cancelled THEN sale.happened + INTERVAL 48 HOUR
            WHEN d_date IS NULL THEN sale.happened + INTERVAL 3 DAY
            ELSE d_date + to_seconds(second) END AS ends_at
FROM line
JOIN sale USING (channel, number)
JOIN latest USING (number)
LEFT JOIN date_dim ON d_date_sk = CASE WHEN picked_up THEN latest.ship_day ELSE line.ship_day END
WHERE channel = 'EC';

-- Whatever changes units on hand (blocked: units that nobody may sell), or promises some; `scanned`:
-- told under the item's barcode.
CREATE TABLE movement AS
SELECT leaves_from AS location, item, sale.happened, -quantity AS units, 0 AS blocked, 0 AS promised,
       store = 2 AND item % 10 = 0 AS scanned
FROM line JOIN sale USING (channel, number) WHERE channel = 'STORE' AND NOT held_back
UNION ALL
SELECT leaves_from, item, placed_at, 0, 0, quantity, false FROM order_line
UNION ALL
SELECT leaves_from, item, placed_at + INTERVAL 12 HOUR, 0, 0, left_quantity - quantity, false
FROM order_line WHERE amended
UNION ALL
SELECT leaves_from, item, ends_at, if(cancelled, 0, -left_quantity), 0, -left_quantity, false
FROM order_line
UNION ALL
SELECT location, item, happened, units + beyond, beyond, 0,
       location = 'store 2' AND item % 10 = 0
FROM slip WHERE NOT not_returned
UNION ALL
-- What came back before it was told to have left is not promised any more in between.
SELECT leaves_from, item, unnest([happened, ends_at]), 0, 0, unnest([-units, units]), false
FROM slip JOIN order_line USING (number, item)
WHERE channel = 'EC' AND NOT not_returned AND happened < ends_at
UNION ALL
SELECT location, i_item_sk, TIMESTAMP '1998-01-01', 10000, 0, 0, false
FROM item, (SELECT 'warehouse' AS location UNION ALL SELECT 'store ' || unnest([1, 2, 3, 4, 5]));

-- Every cell now, and as it was at the beginning of 2001-07-01: the last count until then and what
-- moved at or after it, or all that moved.
CREATE TABLE cell AS
WITH moment AS (
    SELECT 'now' AS at_time, TIMESTAMP '9999-01-01' AS until
    UNION ALL SELECT '2001-07-01', TIMESTAMP '2001-07-01'
),
counted AS (
    SELECT at_time, 'warehouse' AS location, inv_item_sk AS item, max(d_date) AS date,
           arg_max(inv_quantity_on_hand, d_date) AS quantity
    FROM inventory JOIN date_dim ON d_date_sk = inv_date_sk JOIN moment ON d_date <= until
    WHERE inv_item_sk % 2 = 0 AND inv_quantity_on_hand IS NOT NULL
    GROUP BY ALL
)
SELECT at_time, location, item,
       cast(ifnull(any_value(counted.quantity), 0)
            + ifnull(sum(units) FILTER (counted.date IS NULL OR happened >= counted.date), 0)
            AS BIGINT) AS on_hand,
       cast(sum(promised) AS BIGINT) AS committed,
       cast(sum(blocked) AS BIGINT) AS unavailable
FROM movement
JOIN moment ON happened <= until
LEFT JOIN counted USING (at_time, location, item)
GROUP BY ALL;
