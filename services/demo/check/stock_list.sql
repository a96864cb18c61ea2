-- The list of all stock names the codes that were told: a barcode has what was told under it.
SELECT location, item, false AS barcode, on_hand, committed, unavailable FROM cell
WHERE at_time = 'now' AND NOT (location = 'store 2' AND item % 10 = 0)
UNION ALL
SELECT location, item, scanned, cast(sum(units) AS BIGINT), cast(sum(promised) AS BIGINT),
       cast(sum(blocked) AS BIGINT)
FROM movement WHERE location = 'store 2' AND item % 10 = 0
GROUP BY ALL
ORDER BY ALL;
