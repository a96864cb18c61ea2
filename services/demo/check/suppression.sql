-- Which items must not be recommended to whom on 2003-01-03, and by which need; all others may be.
WITH need AS (
    SELECT i_item_sk AS item, i_category AS category,
           CASE WHEN i_category IN ('Electronics', 'Home', 'Jewelry', 'Sports') THEN 'durable'
                WHEN i_category IN ('Shoes', 'Men', 'Women') THEN 'replenishable'
                WHEN i_category = 'Children' THEN 'none'
                ELSE 'one_off' END AS kind
    FROM item
),
-- A sale's line counts as long as units of it are left.
gone AS (SELECT channel, number, item, sum(units) AS units FROM slip GROUP BY ALL),
bought AS (
    SELECT sale.customer, item, sale.happened AS bought_at
    FROM line
    JOIN sale USING (channel, number)
    LEFT JOIN gone USING (channel, number, item)
    WHERE NOT held_back AND NOT cancelled AND line.left_quantity > ifnull(gone.units, 0)
),
met AS (
    SELECT customer, item, kind, category, max(bought_at) AS last
    FROM bought JOIN need USING (item) GROUP BY ALL
)
SELECT customer, item, kind FROM met
WHERE kind = 'one_off'
   OR kind = 'replenishable' AND last + to_seconds(180 * 86400 * 8 // 10) > TIMESTAMP '2003-01-03'
UNION ALL
SELECT customer, need.item, kind
FROM (SELECT DISTINCT customer, category, kind FROM met WHERE kind = 'durable')
JOIN need USING (category, kind)
ORDER BY ALL;
