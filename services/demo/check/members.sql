-- Every customer has a store card and an EC account, and is one person, whatever the two have in common.
SELECT c_customer_sk AS customer, unnest(['account', 'card']) AS profile
FROM customer
ORDER BY ALL;
