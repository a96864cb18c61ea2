-- One inquiry of whoever brought goods back, under reason and category, about item and store.
SELECT returner AS customer,
       'return/' || lower(replace(ifnull(r_reason_desc, 'no reason'), ' ', '-'))
                 || '/' || lower(ifnull(i_category, 'unsorted')) AS topic,
       channel, item, store
FROM back
LEFT JOIN reason ON r_reason_sk = reason
LEFT JOIN item ON i_item_sk = back.item
WHERE sent
ORDER BY ALL;
