-- name: begin_runs
-- started_at is kept when a run is resumed: what was read since then is not read again. Who holds
-- a run already may begin it again and changes nothing: a reply may have been lost. A run that does
-- not wait any more has no row; where epoch $5 of lease $4 does not lead there is none at all, not even
-- one of NULLs (`show_epoch` says what that promises).
WITH fence AS MATERIALIZED (
    SELECT epoch FROM leases WHERE name = $4 AND epoch = $5 FOR KEY SHARE
), begun AS (
    UPDATE runs
    SET outcome = 'running', holder = $3, started_at = COALESCE(runs.started_at, asked.at),
        heartbeat_at = asked.at,
        resumed = runs.resumed + CASE WHEN runs.started_at IS NULL OR runs.outcome = 'running' THEN 0 ELSE 1 END
    FROM unnest($1::bigint[], $2::timestamptz[]) AS asked (id, at)
    WHERE EXISTS (SELECT FROM fence) AND runs.id = asked.id
        AND (runs.outcome IN ('claimed', 'interrupted') OR (runs.outcome = 'running' AND runs.holder = $3))
    RETURNING runs.id, job, kind, cause, outcome, fire_time, due_at, fires_since, origin, skip_reason,
        options, attempt, resumed, claimed_at, started_at, finished_at, created, updated, unchanged,
        deleted, skipped, failed, calls, saved, failures, error, hint, retryable
)
SELECT id, job, kind, cause, outcome, fire_time, due_at, fires_since, origin, skip_reason, options, attempt,
    resumed, claimed_at, started_at, finished_at, created, updated, unchanged, deleted, skipped, failed,
    calls, saved, failures, error, hint, retryable
FROM fence
LEFT JOIN begun ON true;

-- name: finish_runs
-- A run ends once. Its holder may end it the same way again and changes nothing: a reply may have
-- been lost; anybody else gets no row. Where epoch $9 of lease $8 does not lead there is none at all, as
-- with `begin_runs`.
WITH fence AS MATERIALIZED (
    SELECT epoch FROM leases WHERE name = $8 AND epoch = $9 FOR KEY SHARE
), ended AS (
    UPDATE runs
    SET outcome = ending.outcome, finished_at = COALESCE(runs.finished_at, ending.at),
        error = ending.error, hint = ending.hint, retryable = ending.retryable, heartbeat_at = ending.at
    FROM unnest($1::bigint[], $2::text[], $3::timestamptz[], $4::text[], $5::text[], $6::boolean[])
        AS ending (id, outcome, at, error, hint, retryable)
    WHERE EXISTS (SELECT FROM fence) AND runs.id = ending.id AND runs.holder = $7
        AND runs.outcome IN ('running', ending.outcome)
    RETURNING runs.id, job, kind, cause, runs.outcome, fire_time, due_at, fires_since, origin, skip_reason,
        options, attempt, resumed, claimed_at, started_at, finished_at, created, updated, unchanged,
        deleted, skipped, failed, calls, saved, failures, runs.error, runs.hint, runs.retryable
)
SELECT id, job, kind, cause, outcome, fire_time, due_at, fires_since, origin, skip_reason, options, attempt,
    resumed, claimed_at, started_at, finished_at, created, updated, unchanged, deleted, skipped, failed,
    calls, saved, failures, error, hint, retryable
FROM fence
LEFT JOIN ended ON true;

-- name: read_runs
SELECT id, job, kind, cause, outcome, fire_time, due_at, fires_since, origin, skip_reason, options,
    attempt, resumed, claimed_at, started_at, finished_at, created, updated, unchanged, deleted,
    skipped, failed, calls, saved, failures, error, hint, retryable
FROM runs
WHERE id = ANY ($1::bigint[]);

-- name: cycle_starts
-- When each job's last whole pass began: retries fill up that one.
SELECT wanted.job, whole.began_at
FROM unnest($1::text[]) AS wanted (job)
LEFT JOIN LATERAL (
    -- As the index runs_whole has it.
    SELECT started_at AS began_at FROM runs
    WHERE runs.job = wanted.job AND cause <> 'retry' AND NOT (options ->> 'dry_run')::boolean
        AND jsonb_array_length(options -> 'only') = 0 AND options ->> 'platform' = ''
        AND options ->> 'limit' IS NULL AND started_at IS NOT NULL
    ORDER BY runs.started_at DESC
    LIMIT 1
) AS whole ON true;
