-- Event ledgers know documents from here on. Records below `documents_from` were judged by their
-- event ids alone, and these verdicts stand. Projectors of before cannot write to the ledgers any
-- more: their epochs end.
alter table hitotsu.checkpoint add column if not exists documents_from bigint not null default 0;
update hitotsu.checkpoint set documents_from = next_offset, epoch = epoch + 1, owner = null
where next_offset > 0;
