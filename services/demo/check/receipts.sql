-- Every sale's receipt as it is in the end, with its tenders as rung up: one row a sale.
WITH charged AS (
    SELECT channel, number,
           list((line_no, kind, if(kind = 'GOODS', item, NULL),
                 kind = 'GOODS' AND ifnull(store = 2, false) AND item % 10 = 0,
                 left_quantity, left_cents, left_discount, rate,
                 if(line_no = 1, given_back, 0)) ORDER BY line_no) AS lines,
           ifnull(list((line_no, left_discount) ORDER BY line_no) FILTER (left_discount > 0), [])
             AS discounts
    FROM charge JOIN sale USING (channel, number) JOIN receipt USING (channel, number)
    GROUP BY ALL
),
taxed AS (
    SELECT channel, number, list((rate, net, tax) ORDER BY rate) AS taxes, sum(tax) AS tax
    FROM tax WHERE state = 'left' GROUP BY ALL
),
paid AS (
    SELECT channel, number, list((kind, amount) ORDER BY nth) AS tenders FROM tender GROUP BY ALL
)
SELECT channel, number, total, lines, discounts, taxes, cast(tax AS BIGINT) AS tax, tenders,
       not_adding_up, amended OR given_back > 0 OR len(not_adding_up) > 0 AS rare
FROM sale
JOIN receipt USING (channel, number)
JOIN charged USING (channel, number)
JOIN taxed USING (channel, number)
JOIN paid USING (channel, number)
WHERE NOT held_back
ORDER BY channel, number;
