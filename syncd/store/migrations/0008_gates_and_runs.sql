-- What is used up of each resource of a platform, and what metrics and "sync now" ask of the runs.

ALTER TABLE gates ADD COLUMN used_up jsonb NOT NULL DEFAULT '{}';
COMMENT ON COLUMN gates.used_up IS 'By the name of a resource: when there will be more of it';
COMMENT ON COLUMN gates.fingerprint IS 'Names the credential''s content and the address; another one inherits nothing';

CREATE INDEX runs_succeeded ON runs (job, id DESC)
WHERE outcome = 'succeeded' AND jsonb_array_length(options -> 'only') = 0
    AND options ->> 'platform' = '' AND NOT (options ->> 'dry_run')::boolean;

CREATE INDEX runs_completed ON runs (job, id DESC)
WHERE outcome IN ('succeeded', 'partial') AND error = '' AND jsonb_array_length(options -> 'only') = 0
    AND options ->> 'platform' = '' AND NOT (options ->> 'dry_run')::boolean;

CREATE INDEX runs_of_user ON runs ((options -> 'only' ->> 0), id DESC)
WHERE jsonb_array_length(options -> 'only') = 1;
