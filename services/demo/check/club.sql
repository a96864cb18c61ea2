-- The points of every member of the second program, as its own rules give them.
WITH gone AS (
    SELECT channel, number, item, sum(units) AS units FROM slip GROUP BY ALL
),
kept AS (
    SELECT sale.customer, left_quantity AS quantity,
           if(cancelled, left_quantity, ifnull(gone.units, 0)) AS gone,
           (left_cents - if(line_no = 1, given_back, 0))
             * if(i_category IN ('Books', 'Music'), 2, 1) // 1000 AS points
    FROM line
    JOIN sale USING (channel, number)
    JOIN receipt USING (channel, number)
    JOIN item ON i_item_sk = item
    LEFT JOIN gone USING (channel, number, item)
    WHERE NOT held_back AND sale.happened >= TIMESTAMP '2001-01-01'
)
SELECT c_customer_sk AS customer,
       -- what is left of a line's points, rounded down, is what its part rounded up leaves
       cast(ifnull(sum(if(gone = 0, points, points * (quantity - gone) // quantity)), 0) AS BIGINT)
         AS balance
FROM customer LEFT JOIN kept ON customer = c_customer_sk
WHERE c_customer_sk % 10 = 0
GROUP BY ALL
ORDER BY ALL;
