-- Every customer has a store card and an EC account with one phone number: they are one member.
SELECT c_customer_sk AS customer, unnest(['account', 'card']) AS profile
FROM customer
ORDER BY ALL;
