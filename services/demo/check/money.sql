-- What receipts say of money, by docs/demo-data.md: lines, tax by rate, tenders, what does not add up.

-- Every line of every receipt, shipping included, as sold and as an amendment left it.
CREATE TABLE charge AS
SELECT channel, number, line_no, 'GOODS' AS kind, item, quantity, cents, discount,
       left_quantity, left_cents, left_discount, if(item % 5 = 0, 800, 1000) AS rate
FROM line
UNION ALL
SELECT 'EC', ws_order_number, count(*) + 1, 'SHIPPING', NULL, 1, shipping, 0, 1, shipping, 0, 1000
FROM (
    SELECT *, cast(sum(ifnull(ws_ext_ship_cost, 0)) OVER (PARTITION BY ws_order_number) * 100
                   AS BIGINT) AS shipping
    FROM web_sales
)
GROUP BY ws_order_number, shipping;

-- The tax of each rate, rounded down once; `state`: as sold, or as the receipt is in the end.
CREATE TABLE tax AS
SELECT state, channel, number, rate, gross, gross * rate // (10000 + rate) AS tax,
       gross - gross * rate // (10000 + rate) AS net
FROM (
    SELECT unnest(['sold', 'left']) AS state, channel, number, rate,
           unnest([cast(sum(cents) AS BIGINT), cast(sum(left_cents) AS BIGINT)]) AS gross
    FROM charge GROUP BY channel, number, rate
);

-- What was paid when the sale was rung up; `nth`: the points come first.
CREATE TABLE tender AS
WITH due AS (
    SELECT *, if(customer IS NULL, 0, least(redeemed, total)) AS by_points
    FROM (
        SELECT channel, number, one_off, customer, redeemed,
               any_value(if(one_off = 'total', 1, 0)) + sum(cents) AS total
        FROM charge JOIN sale USING (channel, number) GROUP BY ALL
    )
),
paid AS (
    SELECT channel, number, one_off, 1 AS nth, 'POINTS' AS kind, by_points AS amount FROM due
    UNION ALL
    SELECT channel, number, one_off, 2,
           CASE WHEN channel = 'EC' AND number % 4 = 0 THEN 'CASH_ON_DELIVERY'
                WHEN channel = 'EC' OR number % 3 = 1 THEN 'CARD'
                WHEN number % 3 = 0 THEN 'CASH' ELSE 'E_MONEY' END,
           total - by_points
    FROM due
)
SELECT channel, number, nth, kind,
       cast(amount - if(one_off = 'tender' AND nth = max(nth) OVER whole, 1, 0) AS BIGINT) AS amount
FROM paid WHERE amount > 0
WINDOW whole AS (PARTITION BY channel, number);

-- One row per sale: what its receipt comes to in the end, and what of it does not.
CREATE TABLE receipt AS
WITH first_line AS (
    SELECT channel, number, cents // 10 AS tenth FROM line WHERE line_no = 1
)
SELECT channel, number,
       cast(sum(left_cents) + if(one_off = 'total' AND NOT amended, 1, 0) AS BIGINT) AS total,
       if(adjusted, tenth, 0) AS given_back,
       CASE WHEN amended OR one_off = 'nothing' THEN []
            WHEN one_off = 'total' THEN ['lines', 'tax'] ELSE ['tenders'] END AS not_adding_up
FROM charge
JOIN sale USING (channel, number)
JOIN first_line USING (channel, number)
GROUP BY channel, number, one_off, amended, adjusted, tenth;
