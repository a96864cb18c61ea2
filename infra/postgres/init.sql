-- The registry stores its rows in a database of its own, in the same Postgres.
CREATE DATABASE registry;
