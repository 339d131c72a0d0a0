-- What is asked at every start and every fire costs the same however many runs there were.

CREATE INDEX runs_whole ON runs (job, started_at DESC)
WHERE cause <> 'retry' AND NOT (options ->> 'dry_run')::boolean
    AND jsonb_array_length(options -> 'only') = 0 AND options ->> 'platform' = ''
    AND options ->> 'limit' IS NULL AND started_at IS NOT NULL;

-- Not those that were skipped: a job that is paused has thousands in a row.
CREATE INDEX runs_newest ON runs (job, id DESC)
WHERE outcome <> 'skipped' AND jsonb_array_length(options -> 'only') = 0;
