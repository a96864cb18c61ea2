-- Receipt numbers that never came, though a closing has them, or an earlier and a later one of the
-- same terminal came or was closed.
WITH told AS (
    SELECT store, terminal, sequence, bool_or(NOT held_back) AS came, bool_or(sent) AS closed
    FROM used JOIN closing USING (store, terminal, date) GROUP BY ALL
),
known AS (
    SELECT store, terminal, min(sequence) AS lowest, max(sequence) AS highest
    FROM told WHERE came OR closed GROUP BY ALL
)
SELECT store, terminal, sequence
FROM told JOIN known USING (store, terminal)
WHERE NOT came AND (closed OR sequence BETWEEN lowest AND highest)
ORDER BY ALL;
