-- An amendment changes a line's quantity: settled units are a part of what it was when they were
-- settled. Null: as the line is now.
alter table hitotsu.points_decided add column if not exists quantity bigint;
