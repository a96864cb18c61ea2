-- What terminals tell of their days, by docs/demo-data.md: numbers, training receipts, closings.

-- Every number that a terminal used. `number`: of the ticket; null: for training.
CREATE TABLE used AS
WITH of_terminal AS (
    SELECT store, terminal, date, happened, number, till_place, 0 AS later, held_back
    FROM sale WHERE channel = 'STORE'
    UNION ALL
    SELECT store, terminal, date, happened, NULL, till_place, 1, false
    FROM sale WHERE ticket_place % 400 = 0
)
SELECT *, store = 5 AND terminal = 1 AS starts_anew,
       row_number() OVER (
           PARTITION BY store, terminal, if(starts_anew, date, NULL) ORDER BY till_place, later
       ) AS sequence
FROM of_terminal;

-- Every day that a terminal closed; `sent`: unless the closing was lost.
CREATE TABLE closing AS
SELECT store, terminal, date, min(sequence) AS first, max(sequence) AS last, count(*) AS numbers,
       row_number() OVER (ORDER BY date, store, terminal) % 61 <> 0 AS sent
FROM used GROUP BY store, terminal, date;

-- Every terminal's day of which anything is known, with its numbers by what became of them.
CREATE TABLE terminal_day AS
WITH by_number AS (
    SELECT store, terminal, date, sequence, held_back, closing.sent AS closed,
           -- at the terminal that starts anew: it came on a day whose closing was lost
           starts_anew AND held_back AND closing.sent AND EXISTS (
               FROM used AS other SEMI JOIN closing AS lost
               ON lost.store = other.store AND lost.terminal = other.terminal
                   AND lost.date = other.date AND NOT lost.sent
               WHERE other.store = used.store AND other.terminal = used.terminal
                   AND other.sequence = used.sequence AND NOT other.held_back
           ) AND NOT EXISTS (
               FROM closing AS other
               WHERE other.sent AND other.store = used.store AND other.terminal = used.terminal
                   AND other.date <> used.date AND other.last >= used.sequence
           ) AS elsewhere
    FROM used JOIN closing USING (store, terminal, date)
),
between_closed AS (
    SELECT lost.store, lost.terminal, lost.date
    FROM closing AS lost
    JOIN closing AS before ON before.store = lost.store AND before.terminal = lost.terminal
        AND before.date = lost.date - 1 AND before.sent
    JOIN closing AS after ON after.store = lost.store AND after.terminal = lost.terminal
        AND after.date = lost.date + 1 AND after.sent
    WHERE NOT lost.sent AND NOT (lost.store = 5 AND lost.terminal = 1)
)
SELECT store, terminal, date, closed,
       count(*) FILTER (NOT held_back) AS received,
       ifnull(list(sequence ORDER BY sequence) FILTER (held_back AND NOT elsewhere), []) AS missing,
       ifnull(list(sequence ORDER BY sequence) FILTER (elsewhere), []) AS elsewhere
FROM by_number
GROUP BY store, terminal, date, closed
HAVING closed OR received > 0 OR EXISTS (
    FROM between_closed AS silent
    WHERE silent.store = by_number.store AND silent.terminal = by_number.terminal
        AND silent.date = by_number.date
);
