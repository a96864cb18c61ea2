-- Every customer's points, over both channels. What a held-back receipt says has not arrived.
WITH movement AS (
    SELECT customer, earned - redeemed AS points FROM sale WHERE NOT held_back
    UNION ALL
    SELECT customer, -taken_back FROM back WHERE sent
    UNION ALL
    SELECT customer, -(line.cents // 10000)
    FROM line JOIN sale USING (channel, number) WHERE cancelled
)
SELECT c_customer_sk AS customer, cast(ifnull(sum(points), 0) AS BIGINT) AS balance
FROM customer LEFT JOIN movement ON customer = c_customer_sk
GROUP BY ALL
ORDER BY ALL;
