-- The whole list of what does not fit; columns that a kind has nothing to say in are null.
WITH told_wrongly AS (
    FROM (
        SELECT *, row_number() OVER (PARTITION BY monday ORDER BY till_place) AS nth
        FROM sale, (SELECT unnest([DATE '2001-03-05', DATE '2001-09-03']) AS monday)
        WHERE channel = 'STORE' AND store = 3 AND terminal = 2 AND NOT held_back AND date >= monday
    )
    WHERE date < monday + 7 OR nth = 1
)
SELECT 'over_return' AS kind, location, cast(item AS VARCHAR) AS item, NULL AS terminal,
       channel, number, happened, beyond AS units
FROM slip WHERE beyond > 0
UNION ALL
SELECT 'negative_stock', location, cast(item AS VARCHAR), NULL, NULL, NULL, NULL, -on_hand
FROM cell WHERE at_time = 'now' AND on_hand < 0
UNION ALL
SELECT 'sums', location, NULL, NULL, channel, number, happened, NULL
FROM sale JOIN receipt USING (channel, number) WHERE NOT held_back AND len(not_adding_up) > 0
UNION ALL
-- The events that the terminal told by its wrong clock: each sale, and its points if there are any;
-- and of the days of these sales the closing and what was used for training.
SELECT 'clock', location, NULL, terminal, NULL, NULL, NULL,
       cast(any_value(others) + sum(1 + if(earned > 0, 1, 0) + if(redeemed > 0, 1, 0)) AS BIGINT)
FROM (
    SELECT *, (SELECT count(*) FROM closing AS c
               WHERE c.store = 3 AND c.terminal = 2 AND c.sent AND list_contains(dates, c.date))
            + (SELECT count(*) FROM used AS u
               WHERE u.store = 3 AND u.terminal = 2 AND u.number IS NULL
                   AND list_contains(dates, u.date)) AS others
    FROM (SELECT *, list(date) OVER () AS dates FROM told_wrongly)
)
GROUP BY ALL
ORDER BY ALL;
