-- What all customers and all cells add up to.
WITH sent AS (SELECT * FROM sale JOIN receipt USING (channel, number) WHERE NOT held_back),
     sent_line AS (FROM line SEMI JOIN sent USING (channel, number)),
     sent_back AS (SELECT * FROM back WHERE sent)
SELECT 'purchases' AS name, (SELECT count(*) FROM sent) AS value
UNION ALL SELECT 'lines', (SELECT count(*) FROM sent_line)
UNION ALL SELECT 'units sold', (SELECT sum(left_quantity) FROM sent_line)
UNION ALL SELECT 'sales', (SELECT sum(total) FROM sent)
UNION ALL SELECT 'returns', (SELECT count(*) FROM sent_back)
UNION ALL SELECT 'units returned', (SELECT sum(units) FROM slip WHERE NOT not_returned)
UNION ALL SELECT 'units refunded', (SELECT sum(units) FROM slip WHERE not_returned)
UNION ALL SELECT 'points earned', (SELECT sum(earned) FROM sent)
UNION ALL SELECT 'points redeemed', (SELECT sum(redeemed) FROM sent)
UNION ALL SELECT 'points taken back',
                 (SELECT sum(taken_back) FROM sent_back)
                 + (SELECT sum(cents // 10000) FROM sent_line WHERE cancelled)
UNION ALL SELECT 'members', (SELECT count(*) FROM customer)
UNION ALL SELECT 'inquiries', (SELECT count(*) FROM sent_back);
