-- name: known
-- Which table job $1 follows, and what Redis said to its last complete run; NULL where nothing is known.
SELECT target, source.run_id, source.at, source.source
FROM (SELECT $1::text AS job) AS asked
LEFT JOIN leaderboard_targets USING (job)
LEFT JOIN leaderboard_sources AS source USING (job);

-- name: note_target
INSERT INTO leaderboard_targets (job, target) VALUES ($1, $2)
ON CONFLICT (job) DO UPDATE SET target = EXCLUDED.target;

-- name: forget_markers
DELETE FROM leaderboard_missing WHERE job = $1;

-- name: forget_plans
-- Nobody shall approve for one table what was planned for another.
UPDATE plans SET state = 'replaced' WHERE job = $1 AND state IN ('held', 'approved', 'rejected');

-- name: forget_source
DELETE FROM leaderboard_sources WHERE job = $1;

-- name: mark
-- What a complete run of job $1 at $2 knows of who is missing, and what Redis said of itself ($5, told to run
-- $4). Who is back on a board, or not in the table any more, is not missing. Who is missing still though
-- PostgreSQL refused to delete the row need not wait anew. For the others it is one complete run more;
-- beyond $3 it makes no difference, and nothing is written.
WITH present AS (
    DELETE FROM leaderboard_missing AS marker
    WHERE marker.job = $1 AND NOT EXISTS (
        SELECT FROM lb_changes
        WHERE lb_changes.user_id = marker.user_id AND (
            act IN ('approved', 'kept', 'due', 'waiting') OR (act = 'refused' AND NOT EXISTS (
                SELECT FROM lb_staged WHERE lb_staged.user_id = lb_changes.user_id
            ))
        )
    )
), missing AS (
    INSERT INTO leaderboard_missing AS marker (job, user_id, missing_since)
    SELECT $1, user_id, $2
    FROM lb_changes
    WHERE act IN ('approved', 'kept', 'due', 'waiting')
    ORDER BY user_id
    ON CONFLICT (job, user_id) DO UPDATE SET missing_runs = marker.missing_runs + 1 WHERE marker.missing_runs < $3
)
INSERT INTO leaderboard_sources (job, run_id, at, source)
SELECT $1, $4, $2, $5::jsonb WHERE $5 IS NOT NULL
ON CONFLICT (job) DO UPDATE SET run_id = EXCLUDED.run_id, at = EXCLUDED.at, source = EXCLUDED.source;

-- name: forget_deleted
-- Who has no row any more is not missing, whatever is to be thought of the boards.
DELETE FROM leaderboard_missing AS marker
USING lb_changes
WHERE marker.job = $1 AND lb_changes.user_id = marker.user_id AND lb_changes.act = 'gone';

-- name: settle
-- What run $2 of job $1 at $3 left, in numbers; a run that is not dry ($6) brings its letters up to date.
--
-- The first thousand users who were set aside have a letter each. One that a person discarded says enough
-- as long as its reason is the same. Settled are letters of users who are in order again, or gone; a run
-- that saw only some of them ($4) settles these alone.
--
-- Not written are rows that were to be deleted ($5) and were not, rows that nobody wants deleted yet, rows
-- that were refused, new ones and those that the table has. `aside_users` were set aside, of whom so many
-- have a row. The rest is what the run came to so far, in earlier transactions.
WITH poisoned AS (
    SELECT shown, min(reason) AS reason FROM lb_poisoned WHERE NOT $6 GROUP BY shown ORDER BY shown LIMIT 1000
), written AS (
    INSERT INTO dead_letters AS mine (kind, item_key, job, run_id, error_class, error, attempts, first_at, last_at,
        changed_at)
    SELECT 'leaderboard', $1::text || '/' || shown, $1, $2, 'poisoned', reason, 1, $3, $3, $3
    FROM poisoned
    WHERE NOT EXISTS (
        SELECT FROM dead_letters AS discarded
        WHERE discarded.kind = 'leaderboard' AND discarded.item_key = $1 || '/' || shown
            AND discarded.state = 'discarded' AND discarded.error = reason
    )
    ON CONFLICT (kind, item_key) WHERE state IN ('open', 'requeued') DO UPDATE
    SET state = 'open', run_id = EXCLUDED.run_id, error = EXCLUDED.error, attempts = mine.attempts + 1,
        last_at = EXCLUDED.last_at,
        changed_at = CASE WHEN mine.state = 'open' THEN mine.changed_at ELSE EXCLUDED.changed_at END
), settled AS (
    UPDATE dead_letters SET state = 'resolved', changed_at = $3
    WHERE NOT $6 AND kind = 'leaderboard' AND job = $1 AND state IN ('open', 'requeued', 'discarded')
        AND NOT EXISTS (SELECT FROM lb_poisoned WHERE item_key = $1 || '/' || shown)
        AND (NOT $4 OR EXISTS (SELECT FROM lb_staged WHERE item_key = $1 || '/' || user_id))
)
SELECT left_over.*, aside.*, created, updated, unchanged, deleted, skipped, failed, calls, saved, failures
FROM (
    SELECT count(*) FILTER (WHERE act = ANY($5::text[])) AS undone,
        count(*) FILTER (WHERE act IN ('waiting', 'due', 'approved') AND act <> ALL($5::text[])) AS resting,
        count(*) FILTER (WHERE act = 'kept') AS kept,
        count(*) FILTER (WHERE act = 'refused' AND row_ctid IS NULL) AS refused_new,
        count(*) FILTER (WHERE act = 'refused' AND row_ctid IS NOT NULL) AS refused_old
    FROM lb_changes
) AS left_over
CROSS JOIN (
    SELECT count(*) AS aside_users, count(target.{user}) AS aside_rows
    FROM (SELECT DISTINCT user_id, CASE WHEN user_id IS NULL THEN shown END FROM lb_poisoned) AS given
    LEFT JOIN {target} AS target ON target.{user} = given.user_id COLLATE {collation}
) AS aside
CROSS JOIN runs
WHERE runs.id = $2;

-- name: counted
-- What the run came to so far, in earlier transactions.
SELECT created, updated, unchanged, deleted, skipped, failed, calls, saved, failures FROM runs WHERE id = $1;

-- name: note_reconciliation
INSERT INTO reconciliations (run_id, job, mode, is_complete, is_dry, at, numbers, plan_id, backup_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (run_id) DO UPDATE
SET mode = EXCLUDED.mode, is_complete = EXCLUDED.is_complete, is_dry = EXCLUDED.is_dry, at = EXCLUDED.at,
    numbers = EXCLUDED.numbers, plan_id = EXCLUDED.plan_id,
    backup_id = COALESCE(EXCLUDED.backup_id, reconciliations.backup_id);

-- name: note_drift
-- Shows the epoch $6 of lease $5 as `show_epoch` does: no row, and none written, where it does not lead. With
-- $4 it waits for no disk: that the run ended is written later, and whoever loses this loses that as well.
WITH fence AS MATERIALIZED (
    SELECT epoch FROM leases WHERE name = $5 AND epoch = $6 FOR KEY SHARE
), noted AS (
    UPDATE reconciliations
    SET drift = $2, numbers = numbers || jsonb_build_object('seconds', (numbers -> 'seconds') || $3::jsonb)
    WHERE run_id = $1 AND EXISTS (SELECT FROM fence)
)
SELECT epoch, CASE WHEN $4 THEN set_config('synchronous_commit', 'off', true) END AS waits FROM fence;
