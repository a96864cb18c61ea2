-- Receipt numbers that never came, though an earlier and a later one of the same till did.
WITH seen AS (
    SELECT store, terminal, min(sequence) AS lowest, max(sequence) AS highest
    FROM sale WHERE channel = 'STORE' AND NOT held_back GROUP BY ALL
)
SELECT store, terminal, sequence
FROM sale JOIN seen USING (store, terminal)
WHERE held_back AND sequence BETWEEN lowest AND highest
ORDER BY ALL;
