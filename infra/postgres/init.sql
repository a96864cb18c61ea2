-- The registry keeps its rows beside ours, in a database of its own.
CREATE DATABASE registry;
