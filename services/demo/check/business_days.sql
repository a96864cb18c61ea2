-- Every terminal's business day, and the web shop's, which has no terminal: what it lacks, and sums.
-- Each sum is (received, closed); what was closed is null without a closing.
WITH place AS (
    SELECT channel, number, location, terminal, date, held_back, ifnull(sent, false) AS closed
    FROM sale LEFT JOIN closing USING (store, terminal, date)
),
tender_sum AS (
    SELECT location, terminal, date, kind,
           cast(ifnull(sum(amount) FILTER (NOT held_back), 0) AS BIGINT) AS received,
           cast(if(closed, sum(amount), NULL) AS BIGINT) AS told
    FROM tender JOIN place USING (channel, number)
    GROUP BY location, terminal, date, kind, closed HAVING closed OR NOT bool_and(held_back)
),
tax_sum AS (
    SELECT location, terminal, date, rate,
           cast(ifnull(sum(net) FILTER (NOT held_back), 0) AS BIGINT) AS received_net,
           cast(ifnull(sum(tax) FILTER (NOT held_back), 0) AS BIGINT) AS received_tax,
           cast(if(closed, sum(net), NULL) AS BIGINT) AS told_net,
           cast(if(closed, sum(tax), NULL) AS BIGINT) AS told_tax
    FROM tax JOIN place USING (channel, number) WHERE state = 'sold'
    GROUP BY location, terminal, date, rate, closed HAVING closed OR NOT bool_and(held_back)
),
tenders AS (
    SELECT location, terminal, date, list((kind, received, told)) AS tenders,
           bool_or(told <> received) AS tenders_differ
    FROM tender_sum GROUP BY ALL
),
taxes AS (
    SELECT location, terminal, date,
           list((rate, received_net, received_tax, told_net, told_tax)) AS taxes,
           bool_or((told_net, told_tax) <> (received_net, received_tax)) AS taxes_differ
    FROM tax_sum GROUP BY ALL
),
day AS (
    SELECT 'store ' || terminal_day.store AS location, terminal_day.terminal,
           terminal_day.date, if(closed, numbers, NULL) AS closed, received,
           -- of a day without closing only those between two closed days are known to be missing
           if(closed OR received = 0, missing, []) AS missing, elsewhere
    FROM terminal_day JOIN closing USING (store, terminal, date)
    UNION ALL
    SELECT DISTINCT location, NULL, date, NULL, 0, [], [] FROM sale WHERE channel = 'EC'
)
SELECT day.location, day.date, day.terminal, closed, received, missing, elsewhere,
       list_filter([
           if(day.terminal IS NOT NULL AND closed IS NULL, 'not_closed', NULL),
           if(len(missing) > 0, 'numbers_missing', NULL),
           if(len(elsewhere) > 0, 'numbers_elsewhere', NULL),
           if(closed IS NOT NULL AND tenders_differ, 'tenders_differ', NULL),
           if(closed IS NOT NULL AND taxes_differ, 'taxes_differ', NULL)
       ], lack -> lack IS NOT NULL) AS lacks,
       ifnull(tenders, []) AS tenders, ifnull(taxes, []) AS taxes
FROM day
LEFT JOIN tenders ON tenders.location = day.location AND tenders.date = day.date
    AND tenders.terminal IS NOT DISTINCT FROM day.terminal
LEFT JOIN taxes ON taxes.location = day.location AND taxes.date = day.date
    AND taxes.terminal IS NOT DISTINCT FROM day.terminal
ORDER BY day.location, day.date, day.terminal;
