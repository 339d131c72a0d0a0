-- A verdict for every fire time: when it was due, what it stands for, and what a run follows from.

ALTER TABLE runs
    ADD COLUMN due_at timestamptz,
    ADD COLUMN fires_since timestamptz
        CHECK (fires_since IS NULL OR (fires_since < fire_time AND outcome = 'skipped')),
    ADD COLUMN origin bigint REFERENCES runs (id) ON DELETE SET NULL,
    ADD COLUMN retryable boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN runs.due_at IS 'The fire time with its jitter';
COMMENT ON COLUMN runs.fires_since IS 'The first fire time that this row stands for; NULL: only its own';
COMMENT ON COLUMN runs.origin IS 'The run that this one repeats, or follows in a chain';
COMMENT ON COLUMN runs.retryable IS 'Whether what made the whole run fail may pass by itself';

-- However often it is asked for, a run is repeated once, and followed once by each job.
CREATE UNIQUE INDEX runs_by_origin ON runs (origin, job, cause) WHERE origin IS NOT NULL;

ALTER TABLE jobs
    ADD COLUMN schedule text,
    ADD COLUMN enabled boolean,
    ADD COLUMN counts_from timestamptz;
COMMENT ON COLUMN jobs.schedule IS 'When the job fires, to notice a change; NULL: not noticed yet';
COMMENT ON COLUMN jobs.enabled IS 'Whether the job fires by itself; NULL: not noticed yet';
COMMENT ON COLUMN jobs.counts_from IS 'Fire times up to here are none of ours; NULL: anchor_at';
