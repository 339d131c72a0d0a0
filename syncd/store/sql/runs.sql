-- name: claim_fires
-- All that one look decided, in one statement. Exactly one holder gets a row for (job, fire_time),
-- however many ask and whenever they crash. It gets the same row again when it asks again, as long as
-- the run waits, and may decide otherwise then: a reply may have been lost. What others have, or what
-- began, is not among the rows.
INSERT INTO runs (job, kind, cause, fire_time, due_at, fires_since, outcome, skip_reason, options,
    claimed_at, finished_at, holder)
SELECT fire.job, fire.kind, fire.cause, fire.fire_time, fire.due_at, fire.fires_since,
    CASE WHEN fire.skip_reason IS NULL THEN 'claimed' ELSE 'skipped' END, fire.skip_reason,
    fire.options, $9::timestamptz, CASE WHEN fire.skip_reason IS NOT NULL THEN $9::timestamptz END, $10
FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[],
    $6::timestamptz[], $7::text[], $8::jsonb[]) WITH ORDINALITY
    AS fire (job, kind, cause, fire_time, due_at, fires_since, skip_reason, options, place)
ORDER BY fire.place
ON CONFLICT (job, fire_time) DO UPDATE
SET outcome = EXCLUDED.outcome, skip_reason = EXCLUDED.skip_reason,
    fires_since = EXCLUDED.fires_since, finished_at = EXCLUDED.finished_at
WHERE runs.outcome = 'claimed' AND runs.holder = EXCLUDED.holder
RETURNING id, job, fire_time, outcome;

-- name: create_run
-- Who asks again with the same key gets the same row: a reply may have been lost. Shows the epoch $8 of
-- lease $7 as `show_epoch` does: no row, and none written, where it does not lead.
WITH fence AS MATERIALIZED (
    SELECT epoch FROM leases WHERE name = $7 AND epoch = $8 FOR KEY SHARE
)
INSERT INTO runs (job, kind, cause, outcome, options, claimed_at, order_key)
SELECT $1, $2, $3, 'claimed', $4::jsonb, $5::timestamptz, $6::uuid FROM fence
ON CONFLICT (order_key) WHERE order_key IS NOT NULL DO UPDATE SET order_key = EXCLUDED.order_key
RETURNING id;

-- name: drop_orders
-- Rows whose numbers nobody was told; one that was begun after all is left alone.
DELETE FROM runs WHERE order_key = ANY($1::uuid[]) AND outcome = 'claimed';

-- name: follow_run
-- However often it is asked for, a job follows a run once, and a run is repeated once. Who asks again
-- gets the same row as long as it waits, as it is decided now: a reply may have been lost.
INSERT INTO runs (job, kind, cause, outcome, skip_reason, options, claimed_at, finished_at, attempt, origin)
VALUES ($1, $2, $3, CASE WHEN $8::text IS NULL THEN 'claimed' ELSE 'skipped' END, $8::text, $4,
    $5::timestamptz, CASE WHEN $8::text IS NOT NULL THEN $5::timestamptz END, $6, $7)
ON CONFLICT (origin, job, cause) WHERE origin IS NOT NULL DO UPDATE
SET outcome = EXCLUDED.outcome, skip_reason = EXCLUDED.skip_reason, finished_at = EXCLUDED.finished_at
WHERE runs.outcome = 'claimed'
RETURNING id;

-- name: add_report
-- A run that is no longer ours gets no counts, and its transaction is rolled back. With a platform
-- ($13) its share of the run grows by the same: $14 answers took $15 seconds together. Shows the epoch $17 of
-- lease $16 as `show_epoch` does: no row, and none written, where it does not lead.
WITH fence AS MATERIALIZED (
    SELECT epoch FROM leases WHERE name = $16 AND epoch = $17 FOR KEY SHARE
), counted AS (
    UPDATE runs
    SET created = created + $3, updated = updated + $4, unchanged = unchanged + $5,
        deleted = deleted + $6, skipped = skipped + $7, failed = failed + $8,
        calls = calls + $9, saved = saved + $10, heartbeat_at = $11,
        failures = CASE WHEN $12::jsonb = '{}' THEN failures ELSE (
            SELECT COALESCE(jsonb_object_agg(word, total) FILTER (WHERE total <> 0), '{}')
            FROM (
                SELECT word, sum(amount::bigint) AS total
                FROM (
                    SELECT * FROM jsonb_each_text(runs.failures)
                    UNION ALL
                    SELECT * FROM jsonb_each_text($12)
                ) AS each_failure (word, amount)
                GROUP BY word
            ) AS summed
        ) END
    WHERE id = $1 AND holder = $2 AND outcome = 'running' AND EXISTS (SELECT FROM fence)
    RETURNING id
), shared AS (
    INSERT INTO run_platforms (run_id, platform, created, updated, unchanged, skipped, failed, calls,
        saved, failures, asked, seconds)
    SELECT counted.id, $13::text, $3, $4, $5, $7, $8, $9, $10, $12, $14::bigint, $15::double precision
    FROM counted
    WHERE $13 IS NOT NULL
    ON CONFLICT (run_id, platform) DO UPDATE
    SET created = run_platforms.created + EXCLUDED.created,
        updated = run_platforms.updated + EXCLUDED.updated,
        unchanged = run_platforms.unchanged + EXCLUDED.unchanged,
        skipped = run_platforms.skipped + EXCLUDED.skipped,
        failed = run_platforms.failed + EXCLUDED.failed,
        calls = run_platforms.calls + EXCLUDED.calls,
        saved = run_platforms.saved + EXCLUDED.saved,
        asked = run_platforms.asked + EXCLUDED.asked,
        seconds = run_platforms.seconds + EXCLUDED.seconds,
        failures = CASE WHEN EXCLUDED.failures = '{}' THEN run_platforms.failures ELSE (
            SELECT jsonb_object_agg(word, total)
            FROM (
                SELECT word, sum(amount::bigint) AS total
                FROM (
                    SELECT * FROM jsonb_each_text(run_platforms.failures)
                    UNION ALL
                    SELECT * FROM jsonb_each_text(EXCLUDED.failures)
                ) AS each_failure (word, amount)
                GROUP BY word
            ) AS summed
        ) END
)
SELECT id FROM fence LEFT JOIN counted ON true;

-- name: platform_reports
-- What runs came to on each platform so far, in the order of the platforms' names.
SELECT run_id, platform, created, updated, unchanged, 0 AS deleted, skipped, failed, calls, saved, failures,
    asked, seconds
FROM run_platforms
WHERE run_id = ANY($1::bigint[])
ORDER BY run_id, platform;

-- name: abandon_run
UPDATE runs
SET outcome = $4, finished_at = $2, error = $3
WHERE id = $1 AND outcome IN ('claimed', 'running', 'interrupted')
RETURNING id;

-- name: interrupt_left_runs
-- At start: whatever still says running has nobody who runs it.
UPDATE runs
SET outcome = 'interrupted', holder = ''
WHERE outcome = 'running' AND holder <> $1
RETURNING id;

-- name: open_runs
SELECT id, job, kind, cause, outcome, fire_time, due_at, fires_since, origin, skip_reason, options,
    attempt, resumed, claimed_at, started_at, finished_at, created, updated, unchanged, deleted,
    skipped, failed, calls, saved, failures, error, hint, retryable
FROM runs
WHERE outcome IN ('claimed', 'interrupted')
ORDER BY id;

-- name: read_run
SELECT id, job, kind, cause, outcome, fire_time, due_at, fires_since, origin, skip_reason, options,
    attempt, resumed, claimed_at, started_at, finished_at, created, updated, unchanged, deleted,
    skipped, failed, calls, saved, failures, error, hint, retryable
FROM runs
WHERE id = $1;

-- name: list_runs
-- Newest first, below $2; a NULL job means every job.
SELECT id, job, kind, cause, outcome, fire_time, due_at, fires_since, origin, skip_reason, options,
    attempt, resumed, claimed_at, started_at, finished_at, created, updated, unchanged, deleted,
    skipped, failed, calls, saved, failures, error, hint, retryable
FROM runs
WHERE ($1::text IS NULL OR job = $1) AND ($2::bigint IS NULL OR id < $2)
ORDER BY id DESC
LIMIT $3;

-- name: last_runs
-- The newest run of each job that was about everybody and did the job's own work: no skipped fire, no
-- dry run, no other act. With $2 only those that tell how the job is: ended by themselves, and not
-- narrowed to a platform or by a limit that was reached, unless every run of the job has that limit ($3).
SELECT latest.id, latest.job, latest.kind, latest.cause, latest.outcome, latest.fire_time,
    latest.due_at, latest.fires_since, latest.origin, latest.retryable, latest.skip_reason, latest.options, latest.attempt, latest.resumed, latest.claimed_at,
    latest.started_at, latest.finished_at, latest.created, latest.updated, latest.unchanged,
    latest.deleted, latest.skipped, latest.failed, latest.calls, latest.saved, latest.failures,
    latest.error, latest.hint
FROM unnest($1::text[], $3::bigint[]) AS wanted (job, most)
CROSS JOIN LATERAL (
    SELECT * FROM runs
    WHERE runs.job = wanted.job AND runs.outcome <> 'skipped'
        AND jsonb_array_length(runs.options -> 'only') = 0
        AND NOT (runs.options ->> 'dry_run')::boolean AND COALESCE(runs.options ->> 'act', '') = ''
        AND (NOT $2 OR (runs.outcome IN ('succeeded', 'partial', 'failed', 'held', 'abandoned')
            AND runs.options ->> 'platform' = ''
            AND (runs.options ->> 'limit' IS NULL OR (runs.options ->> 'limit')::bigint >= wanted.most
                OR runs.seen < (runs.options ->> 'limit')::bigint)))
    ORDER BY runs.id DESC
    LIMIT 1
) AS latest;

-- name: settle_jobs
-- One row a job, all in one statement. The first caller sets the anchor. A job whose schedule changed
-- or that is switched on counts from $4, unless its past is asked for ($5); none counts from the
-- future, where the clock was set back. NULL in schedule or enabled was written by a version that did
-- not know them: no change.
INSERT INTO jobs (job, anchor_at, schedule, enabled, counts_from)
SELECT wanted.job, $4::timestamptz, wanted.schedule, wanted.enabled, $4::timestamptz
FROM unnest($1::text[], $2::text[], $3::boolean[]) AS wanted (job, schedule, enabled)
ON CONFLICT (job) DO UPDATE
SET schedule = EXCLUDED.schedule, enabled = EXCLUDED.enabled,
    counts_from = CASE
        WHEN jobs.job <> ALL ($5::text[])
            AND (jobs.schedule <> EXCLUDED.schedule OR (EXCLUDED.enabled AND NOT jobs.enabled))
            THEN EXCLUDED.counts_from
        ELSE LEAST(COALESCE(jobs.counts_from, jobs.anchor_at), EXCLUDED.counts_from)
    END
WHERE jobs.schedule IS DISTINCT FROM EXCLUDED.schedule OR jobs.enabled IS DISTINCT FROM EXCLUDED.enabled
    OR jobs.counts_from IS NULL OR jobs.counts_from > EXCLUDED.counts_from;

-- name: switch_off_others
-- A job that is gone is off: should it come back, it does not catch up with what it missed.
UPDATE jobs SET enabled = false
WHERE job <> ALL ($1::text[]) AND enabled IS DISTINCT FROM false;

-- name: known_jobs
-- With the newest fire time that has a row and is not later than $2: clocks are set back.
SELECT jobs.job, jobs.anchor_at, jobs.counts_from, latest.fire_time
FROM jobs
LEFT JOIN LATERAL (
    SELECT fire_time FROM runs
    WHERE runs.job = jobs.job AND fire_time <= $2
    ORDER BY fire_time DESC
    LIMIT 1
) AS latest ON true
WHERE jobs.job = ANY ($1::text[]);

-- name: read_anchors
SELECT job, anchor_at FROM jobs WHERE job = ANY($1::text[]);

-- name: run_items
SELECT platform, user_key, handle, outcome, error, at
FROM item_outcomes
WHERE run_id = $1 AND ($2::text IS NULL OR outcome = $2)
ORDER BY at, account_id
LIMIT $3;

-- name: interrupt_run
-- A drained run waits for the next start; it uses up no attempt. Its holder may say so again.
UPDATE runs SET outcome = 'interrupted'
WHERE id = $1 AND holder = $2 AND outcome IN ('running', 'interrupted')
RETURNING id;

-- name: syncs_of_user
-- The newest whole fetches of one user that a person asked for, found by their own index.
SELECT id, job, kind, cause, outcome, fire_time, due_at, fires_since, origin, skip_reason, options,
    attempt, resumed, claimed_at, started_at, finished_at, created, updated, unchanged, deleted,
    skipped, failed, calls, saved, failures, error, hint, retryable
FROM runs
WHERE options -> 'only' ->> 0 = $1 AND jsonb_array_length(options -> 'only') = 1
    AND cause = 'manual' AND (options ->> 'full')::boolean AND NOT (options ->> 'dry_run')::boolean
ORDER BY id DESC
LIMIT $2;
