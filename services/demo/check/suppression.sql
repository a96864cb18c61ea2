-- Which items must not be recommended to whom on 2003-01-03, and by which need; all others may be.
WITH need AS (
    SELECT i_item_sk AS item, i_category AS category,
           CASE WHEN i_category IN ('Electronics', 'Home', 'Jewelry', 'Sports') THEN 'durable'
                WHEN i_category IN ('Shoes', 'Men', 'Women') THEN 'replenishable'
                WHEN i_category = 'Children' THEN 'none'
                ELSE 'one_off' END AS kind
    FROM item
),
-- A sale's line counts as long as not all of it came back.
bought AS (
    SELECT sale.customer, item, sale.date + to_seconds(sale.second) AS bought_at
    FROM line
    JOIN sale USING (channel, number)
    LEFT JOIN back USING (channel, number, item)
    WHERE NOT sale.held_back AND line.quantity - ifnull(back.quantity, 0) > 0
)
SELECT customer, item, kind FROM bought JOIN need USING (item) WHERE kind = 'one_off'
UNION
SELECT customer, item, kind FROM bought JOIN need USING (item)
WHERE kind = 'replenishable' AND bought_at + to_seconds(180 * 86400 * 8 // 10) > TIMESTAMP '2003-01-03'
UNION
SELECT customer, other.item, 'durable'
FROM bought JOIN need USING (item) JOIN need AS other USING (category)
WHERE need.kind = 'durable'
ORDER BY ALL;
