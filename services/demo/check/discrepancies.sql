-- The whole list of what does not fit; columns that a kind has nothing to say in are null.
SELECT 'over_return' AS kind, location, cast(item AS VARCHAR) AS item, NULL AS terminal,
       channel, number, happened, beyond AS units
FROM slip WHERE beyond > 0
UNION ALL
SELECT 'negative_stock', location, cast(item AS VARCHAR), NULL, NULL, NULL, NULL, -on_hand
FROM cell WHERE at_time = 'now' AND on_hand < 0
UNION ALL
-- The events that the terminal told by its wrong clock: each sale, and its points if there are any.
SELECT 'clock', location, NULL, terminal, NULL, NULL, NULL,
       cast(sum(1 + if(earned > 0, 1, 0) + if(redeemed > 0, 1, 0)) AS BIGINT)
FROM (
    SELECT *, row_number() OVER (PARTITION BY monday ORDER BY sequence) AS nth
    FROM sale, (SELECT unnest([DATE '2001-03-05', DATE '2001-09-03']) AS monday)
    WHERE channel = 'STORE' AND store = 3 AND terminal = 2 AND NOT held_back AND date >= monday
)
WHERE date < monday + 7 OR nth = 1
GROUP BY ALL
ORDER BY ALL;
