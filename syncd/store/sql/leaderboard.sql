-- name: read_reconciliation
-- Of run $1, or the newest of job $2 that changed or could have changed the table.
SELECT run_id, job, mode, is_complete, is_dry, at, numbers, drift, plan_id, backup_id
FROM reconciliations
WHERE ($1::bigint IS NULL OR run_id = $1) AND ($2::text IS NULL OR (job = $2 AND NOT is_dry))
ORDER BY run_id DESC
LIMIT 1;

-- name: last_source
SELECT run_id, at, source FROM leaderboard_sources WHERE job = $1;

-- name: forget_tombstones
-- Some of job $1 that were written before $2.
DELETE FROM leaderboard_tombstones
WHERE ctid = ANY (ARRAY(SELECT ctid FROM leaderboard_tombstones WHERE job = $1 AND deleted_at < $2 LIMIT $3));

-- name: has_old
-- Whether anything of job $1 is past its time, or any plan is, or is decided about since $5 and its rows are of
-- no more use: a look that writes nothing.
SELECT EXISTS (SELECT FROM leaderboard_tombstones WHERE job = $1 AND deleted_at < $3)
        OR EXISTS (SELECT FROM leaderboard_backups WHERE job = $1 AND expires_at <= $2)
        OR (SELECT count(*) FROM leaderboard_backups WHERE job = $1) > $4 AS of_job,
    EXISTS (SELECT FROM plans WHERE state = 'held' AND expires_at <= $2)
        OR EXISTS (
            SELECT FROM plans
            JOIN plan_rows ON plan_rows.plan_id = plans.id
            WHERE plans.state IN ('replaced', 'expired') OR (plans.state = 'applied' AND plans.decided_at < $5)
        ) AS of_plans;

-- name: old_backups
-- Those whose time is over, and all but the newest $3.
SELECT id, format('%I.%I', current_schema, table_name) AS backup
FROM leaderboard_backups
WHERE job = $1
    AND (expires_at <= $2 OR id NOT IN (
        SELECT id FROM leaderboard_backups WHERE job = $1 ORDER BY id DESC LIMIT $3
    ))
ORDER BY id;

-- name: drop_backup
DROP TABLE IF EXISTS {backup};

-- name: forget_backup
DELETE FROM leaderboard_backups WHERE id = $1;
