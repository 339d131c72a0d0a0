-- name: followed
-- How the table of each job ($1) follows its boards: what its newest run that was no dry run said,
-- what the newest one that compared both sides found, and the plan that waits at $2. A job that has
-- not run has no row.
SELECT wanted.job, latest.numbers, measured.run_id, measured.at, measured.drift, plans.id AS plan_id,
    plans.state, plans.deletes, plans.updates, plans.holds_updates, plans.base, plans.reasons,
    plans.is_hard, plans.expires_at
FROM unnest($1::text[]) AS wanted (job)
CROSS JOIN LATERAL (
    SELECT numbers FROM reconciliations
    WHERE reconciliations.job = wanted.job AND NOT is_dry
    ORDER BY run_id DESC
    LIMIT 1
) AS latest
LEFT JOIN LATERAL (
    SELECT run_id, at, drift FROM reconciliations
    WHERE reconciliations.job = wanted.job AND NOT is_dry AND drift IS NOT NULL
    ORDER BY run_id DESC
    LIMIT 1
) AS measured ON true
LEFT JOIN plans ON plans.job = wanted.job
    AND (plans.state = 'approved' OR (plans.state = 'held' AND plans.expires_at > $2::timestamptz));

-- name: last_synced
-- When the newest run ended that wrote what Redis says, all of it or its safe part.
SELECT finished_at FROM runs
WHERE job = $1 AND outcome IN ('succeeded', 'partial', 'held')
    AND jsonb_array_length(options -> 'only') = 0 AND NOT (options ->> 'dry_run')::boolean
    AND COALESCE(options ->> 'act', '') = ''
ORDER BY id DESC
LIMIT 1;

-- name: has_table
SELECT to_regclass($1) IS NOT NULL;

-- name: count_users
-- The name stands for the job's table.
SELECT count(*) FROM pomo_leaderboard;
