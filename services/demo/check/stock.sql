-- Every cell, and as location 'total' what EC may see of an item: what all locations together can
-- hand over. A cell that lacks units is a receiving gap there: it takes nothing from the others.
SELECT at_time, location, item, on_hand, committed, unavailable FROM cell
UNION ALL
SELECT at_time, 'total', item,
       cast(sum(greatest(on_hand - committed - unavailable, 0)) AS BIGINT), 0, 0
FROM cell GROUP BY ALL
ORDER BY item, at_time, location;
