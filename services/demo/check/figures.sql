-- What was seen of the rows themselves, before any receipt is held back.
SELECT (SELECT count(*) FROM line WHERE channel = 'STORE') AS store_lines,
       (SELECT count(*) FROM line WHERE channel = 'EC') AS web_lines,
       (SELECT count(*) FROM sale WHERE channel = 'STORE') AS tickets,
       (SELECT count(*) FROM sale WHERE channel = 'EC') AS orders,
       (SELECT count(*) FROM (FROM sale SELECT customer GROUP BY 1
                              HAVING count(DISTINCT channel) = 2)) AS in_both_channels,
       (SELECT sum(earned) FROM sale) AS earned,
       (SELECT sum(redeemed) FROM sale) AS redeemed,
       (SELECT count(*) FROM sale WHERE redeemed > 0) AS redeeming,
       (SELECT count(*) FROM sale WHERE redeemed > 0 AND previous_channel <> channel)
           AS redeeming_across,
       (SELECT sum(taken_back) FROM back) AS taken_back,
       (SELECT count(*) FROM back) AS returns,
       (SELECT count(DISTINCT customer) FROM sale) AS buyers,
       (SELECT min(balance) FROM (
            SELECT customer, sum(points) AS balance FROM (
                SELECT customer, earned - redeemed AS points FROM sale
                UNION ALL SELECT customer, -taken_back FROM back) GROUP BY 1)) AS lowest_balance;
