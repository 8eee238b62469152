-- How far a sync came: the next attempt of the same task goes on there.
ALTER TABLE sync_run ADD COLUMN place jsonb;
