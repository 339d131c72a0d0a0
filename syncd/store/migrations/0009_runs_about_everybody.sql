-- A run that reached its limit was not about everybody: metrics pass over it.

DROP INDEX runs_succeeded;
CREATE INDEX runs_succeeded ON runs (job, id DESC)
WHERE outcome = 'succeeded' AND jsonb_array_length(options -> 'only') = 0
    AND options ->> 'platform' = '' AND NOT (options ->> 'dry_run')::boolean
    AND COALESCE(seen < (options ->> 'limit')::bigint, true);

DROP INDEX runs_completed;
CREATE INDEX runs_completed ON runs (job, id DESC)
WHERE outcome IN ('succeeded', 'partial') AND error = '' AND jsonb_array_length(options -> 'only') = 0
    AND options ->> 'platform' = '' AND NOT (options ->> 'dry_run')::boolean
    AND COALESCE(seen < (options ->> 'limit')::bigint, true);
