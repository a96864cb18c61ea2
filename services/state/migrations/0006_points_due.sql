-- A sale is found by its transaction alone, whoever owns it.
alter table hitotsu.points_due drop column if exists owner_id;
