-- Every cell: the last count and what moved at or after it, or 10,000 and all that moved.
-- Location 'total' is what EC may see of an item: what all locations together can hand over.
-- A cell below 0 is a receiving gap there: it has nothing, and takes nothing from the others.
WITH place AS (
    SELECT 'warehouse' AS location UNION ALL
    SELECT 'store ' || unnest([1, 2, 3, 4, 5])
),
counted AS (
    SELECT 'warehouse' AS location, inv_item_sk AS item, max(d_date) AS date,
           arg_max(inv_quantity_on_hand, d_date) AS quantity
    FROM inventory JOIN date_dim ON d_date_sk = inv_date_sk
    WHERE inv_item_sk % 2 = 0 AND inv_quantity_on_hand IS NOT NULL
    GROUP BY inv_item_sk
),
movement AS (
    SELECT location, item, date, -quantity AS units
    FROM line JOIN sale USING (channel, number) WHERE NOT held_back
    UNION ALL
    SELECT location, item, date, quantity FROM back WHERE NOT held_back
    UNION ALL
    SELECT location, i_item_sk, DATE '1998-01-01', 10000 FROM item, place
),
cell AS (
    SELECT location, item,
           ifnull(any_value(counted.quantity), 0)
           + ifnull(sum(units) FILTER (counted.date IS NULL OR movement.date >= counted.date), 0)
             AS on_hand
    FROM movement LEFT JOIN counted USING (location, item)
    GROUP BY location, item
)
SELECT location, item, cast(on_hand AS BIGINT) AS on_hand FROM cell
UNION ALL
SELECT 'total', item, cast(sum(greatest(on_hand, 0)) AS BIGINT) FROM cell GROUP BY item
ORDER BY item, location;
