-- name: followed
-- How the table of each job ($1) follows its boards: what its newest run that was no dry run said, and
-- what the newest one that compared the whole of both sides found. A job that has not run has no row.
SELECT wanted.job, latest.numbers -> 'seconds' AS seconds, measured.run_id, measured.at, measured.drift
FROM unnest($1::text[]) AS wanted (job)
CROSS JOIN LATERAL (
    SELECT numbers FROM reconciliations
    WHERE reconciliations.job = wanted.job AND NOT is_dry
    ORDER BY run_id DESC
    LIMIT 1
) AS latest
LEFT JOIN LATERAL (
    SELECT run_id, at, drift FROM reconciliations
    WHERE reconciliations.job = wanted.job AND NOT is_dry AND is_complete AND drift IS NOT NULL
    ORDER BY run_id DESC
    LIMIT 1
) AS measured ON true;

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
