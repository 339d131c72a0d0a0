-- name: known_target
SELECT target FROM leaderboard_targets WHERE job = $1;

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

-- name: forget_present
-- Who is back on a board, or not in the table any more, is not missing. Who is missing still though
-- PostgreSQL refused to delete the row need not wait anew.
DELETE FROM leaderboard_missing AS marker
WHERE marker.job = $1 AND NOT EXISTS (
    SELECT FROM lb_changes
    WHERE lb_changes.user_id = marker.user_id AND (
        act IN ('approved', 'kept', 'due', 'waiting') OR (act = 'refused' AND NOT EXISTS (
            SELECT FROM lb_staged WHERE lb_staged.user_id = lb_changes.user_id
        ))
    )
);

-- name: forget_deleted
-- Who has no row any more is not missing, whatever is to be thought of the boards.
DELETE FROM leaderboard_missing AS marker
USING lb_changes
WHERE marker.job = $1 AND lb_changes.user_id = marker.user_id AND lb_changes.act = 'gone';

-- name: note_missing
-- One complete run more; beyond $3 it makes no difference, and nothing is written.
INSERT INTO leaderboard_missing AS marker (job, user_id, missing_since)
SELECT $1, user_id, $2
FROM lb_changes
WHERE act IN ('approved', 'kept', 'due', 'waiting')
ORDER BY user_id
ON CONFLICT (job, user_id) DO UPDATE SET missing_runs = marker.missing_runs + 1 WHERE marker.missing_runs < $3;

-- name: note_source
INSERT INTO leaderboard_sources (job, run_id, at, source) VALUES ($1, $2, $3, $4)
ON CONFLICT (job) DO UPDATE SET run_id = EXCLUDED.run_id, at = EXCLUDED.at, source = EXCLUDED.source;

-- name: write_letters
-- The first thousand users who were set aside have a letter each. One that a person discarded says enough
-- as long as its reason is the same.
WITH poisoned AS (
    SELECT shown, min(reason) AS reason FROM lb_poisoned GROUP BY shown ORDER BY shown LIMIT 1000
)
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
    changed_at = CASE WHEN mine.state = 'open' THEN mine.changed_at ELSE EXCLUDED.changed_at END;

-- name: settle_letters
-- Users who are in order again, or gone. A run that saw only some of them ($3) settles these alone.
UPDATE dead_letters SET state = 'resolved', changed_at = $2
WHERE kind = 'leaderboard' AND job = $1 AND state IN ('open', 'requeued', 'discarded')
    AND NOT EXISTS (SELECT FROM lb_poisoned WHERE item_key = $1 || '/' || shown)
    AND (NOT $3 OR EXISTS (SELECT FROM lb_staged WHERE item_key = $1 || '/' || user_id));

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
UPDATE reconciliations
SET drift = $2, numbers = numbers || jsonb_build_object('seconds', (numbers -> 'seconds') || $3::jsonb)
WHERE run_id = $1;
