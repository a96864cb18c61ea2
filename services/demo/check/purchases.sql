-- Every line of every sale that was sent, by customer, with its sale's header repeated.
WITH gone AS (
    SELECT channel, number, item, sum(if(not_returned, 0, units)) AS returned,
           sum(if(not_returned, units, 0)) AS refunded
    FROM slip GROUP BY ALL
),
slips AS (SELECT channel, number, count(*) AS many FROM slip GROUP BY ALL),
oddities AS (
    SELECT channel, number, count(*) AS many FROM slip WHERE beyond > 0 GROUP BY ALL
),
cancels AS (
    SELECT channel, number, count(*) AS many, sum(cents // 10000) AS points
    FROM line WHERE cancelled GROUP BY ALL
),
taken AS (
    SELECT channel, number, sum(taken_back) AS points FROM back WHERE sent GROUP BY ALL
)
SELECT channel, number, customer, sale.happened, location, copied,
       receipt.total AS cents,
       earned, redeemed,
       cast(ifnull(taken.points, 0) + ifnull(cancels.points, 0) AS BIGINT) AS taken_back,
       ifnull(slips.many, 0) AS slips, ifnull(cancels.many, 0) AS cancels,
       cast(sale.amended AS INTEGER) AS amendments,
       cast(receipt.given_back > 0 AS INTEGER) AS adjustments,
       ifnull(oddities.many, 0) + cast(len(not_adding_up) > 0 AS INTEGER) AS oddities,
       item, left_quantity AS quantity, left_cents AS paid, leaves_from,
       if(line_no = 1, receipt.given_back, 0) AS given_back,
       CASE WHEN channel = 'STORE' THEN 'IMMEDIATE' WHEN picked_up THEN 'PICKUP' ELSE 'SHIP' END
         AS fulfilment,
       cast(ifnull(returned, 0) AS BIGINT) AS returned,
       cast(ifnull(refunded, 0) AS BIGINT) AS refunded,
       if(line.cancelled, left_quantity, 0) AS cancelled
FROM line
JOIN sale USING (channel, number)
JOIN receipt USING (channel, number)
LEFT JOIN gone USING (channel, number, item)
LEFT JOIN slips USING (channel, number)
LEFT JOIN oddities USING (channel, number)
LEFT JOIN cancels USING (channel, number)
LEFT JOIN taken USING (channel, number)
WHERE NOT held_back
ORDER BY customer, channel, number, item;
