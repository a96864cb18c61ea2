-- What docs/demo-data.md says of the generated tables, up to the documents that the shop sends.
-- Written from that page and the tables alone; shares nothing with the code that makes events.

-- One row per sold line of goods, as sold. Null quantity or money is 0 and the line is kept.
-- `left_*`: what an amendment made of it.
CREATE TABLE line AS
WITH of_goods AS (
    SELECT 'STORE' AS channel, ss_ticket_number AS number, ss_item_sk AS item,
           ifnull(ss_quantity, 0) AS quantity,
           cast(ifnull(ss_net_paid, 0) * 100 AS BIGINT) AS cents,
           cast(ifnull(ss_coupon_amt, 0) * 100 AS BIGINT) AS discount,
           cast(NULL AS BIGINT) AS ship_day, false AS cancelled, false AS edited
    FROM store_sales
    UNION ALL
    SELECT 'EC', ws_order_number, ws_item_sk,
           ifnull(ws_quantity, 0),
           cast(ifnull(ws_net_paid, 0) * 100 AS BIGINT),
           cast(ifnull(ws_coupon_amt, 0) * 100 AS BIGINT),
           ws_ship_date_sk,
           -- a line of 0 units has nothing to cancel
           row_number() OVER (ORDER BY ws_order_number, ws_item_sk) % 97 = 0
               AND ifnull(ws_quantity, 0) > 0,
           dense_rank() OVER (ORDER BY ws_order_number) % 41 = 0
    FROM web_sales
),
numbered AS (
    SELECT * EXCLUDE (edited),
           row_number() OVER (PARTITION BY channel, number ORDER BY item) AS line_no,
           edited AND item = min(item) FILTER (quantity >= 2) OVER (PARTITION BY channel, number)
             AS amended
    FROM of_goods
)
SELECT * REPLACE (ifnull(amended, false) AS amended),
       if(amended, quantity - 1, quantity) AS left_quantity,
       if(amended, cents * (quantity - 1) // quantity, cents) AS left_cents,
       if(amended, discount * (quantity - 1) // quantity, discount) AS left_discount
FROM numbered;

-- One row per ticket or order: each header column is the largest that any of its lines has.
CREATE TABLE sale AS
WITH header AS (
    SELECT 'STORE' AS channel, ss_ticket_number AS number, max(ss_customer_sk) AS customer,
           max(ss_sold_date_sk) AS day, max(ss_sold_time_sk) AS second
    FROM store_sales GROUP BY 2
    UNION ALL
    SELECT 'EC', ws_order_number, max(ws_bill_customer_sk),
           max(ws_sold_date_sk), max(ws_sold_time_sk)
    FROM web_sales GROUP BY 2
),
placed AS (
    SELECT *,
           CASE channel WHEN 'STORE' THEN 1 + number % 5 END AS store,
           CASE channel WHEN 'STORE' THEN 1 + (number // 5) % 3 END AS terminal
    FROM header
),
numbered AS (
    SELECT *,
           CASE channel WHEN 'STORE' THEN row_number() OVER till END AS till_place,
           CASE channel WHEN 'STORE' THEN row_number() OVER whole_channel END AS ticket_place,
           row_number() OVER (ORDER BY day, second, channel, number) AS receipt_place,
           CASE channel WHEN 'EC' THEN row_number() OVER (PARTITION BY channel ORDER BY number)
             END AS order_place,
           channel = 'STORE' AND (row_number() OVER whole_channel) % 997 = 0 AS held_back,
           channel = 'STORE' AND (row_number() OVER whole_channel) % 89 = 0 AS copied,
           channel = 'EC' AND order_place % 13 = 0 AS picked_up,
           channel = 'EC' AND order_place % 67 = 0 AS adjusted,
           if(receipt_place % 301 = 0,
              if(receipt_place // 301 % 2 = 1, 'total', 'tender'), 'nothing') AS one_off
    FROM placed
    WINDOW till AS (PARTITION BY channel, store, terminal ORDER BY day, second, number),
           whole_channel AS (PARTITION BY channel ORDER BY day, second, number)
),
summed AS (
    SELECT channel, number, sum(cents // 10000) AS earned, bool_or(amended) AS amended FROM line
    GROUP BY ALL
)
SELECT numbered.*, d_date AS date, d_date + to_seconds(second) AS happened,
       CASE channel WHEN 'STORE' THEN 'store ' || store ELSE 'warehouse' END AS location,
       CASE WHEN channel = 'STORE' THEN 'store ' || store
            WHEN picked_up THEN 'store ' || (1 + number % 5)
            ELSE 'warehouse' END AS leaves_from,
       cast(earned AS BIGINT) AS earned, amended,
       -- Half of what the customer's previous order earned, whatever its channel.
       cast(ifnull(lag(earned) OVER by_customer, 0) // 2 AS BIGINT) AS redeemed,
       lag(channel) OVER by_customer AS previous_channel
FROM numbered JOIN summed USING (channel, number) JOIN date_dim ON d_date_sk = day
WINDOW by_customer AS (PARTITION BY customer ORDER BY day, second, channel, number);

-- One row per returned line whose quantity may be sent: known, and of no more than was sold.
CREATE TABLE back AS
WITH row_of AS (
    SELECT 'STORE' AS channel, sr_ticket_number AS number, sr_item_sk AS item,
           sr_return_quantity AS quantity, sr_returned_date_sk AS day,
           sr_return_time_sk AS second, sr_customer_sk AS returner, sr_reason_sk AS reason
    FROM store_returns
    UNION ALL
    SELECT 'EC', wr_order_number, wr_item_sk, wr_return_quantity, wr_returned_date_sk,
           wr_returned_time_sk, wr_returning_customer_sk, wr_reason_sk
    FROM web_returns
)
SELECT channel, number, item, row_of.quantity, returner, reason,
       sale.customer, sale.store, sale.location,
       ifnull(d_date, cast(sale.date + INTERVAL 1 DAY AS DATE))
         + to_seconds(ifnull(row_of.second, sale.second)) AS happened,
       (line.cents // 10000) * row_of.quantity // line.quantity AS taken_back,
       line.left_quantity AS sold,
       channel = 'EC' AND (row_number() OVER own_channel) % 53 = 0 AS not_returned,
       (row_number() OVER every_channel) % 211 = 0 AS twice,
       NOT sale.held_back AND NOT line.cancelled AS sent
FROM row_of
JOIN line USING (channel, number, item)
JOIN sale USING (channel, number)
LEFT JOIN date_dim ON d_date_sk = row_of.day
WHERE row_of.quantity <= line.quantity
WINDOW own_channel AS (PARTITION BY channel ORDER BY number, item),
       every_channel AS (ORDER BY channel, number, item);
