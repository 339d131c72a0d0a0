-- name: stage_missing
-- Whom a plan would delete, as `hold_rows` takes them; of one transaction or session.
CREATE TEMP TABLE IF NOT EXISTS lb_missing (user_id text COLLATE "C" NOT NULL);

-- name: read_plans
-- Newest first, as they stand at $1; NULL in $2 (number) and $3 (job) means any. A held plan is
-- expired from that instant on, whether or not somebody wrote it down.
WITH standing AS (
    SELECT id, job, run_id, deletes, updates, holds_updates, base, reasons, is_hard, digest, sample,
        created_at, expires_at, decided_at, decided_by,
        CASE WHEN state = 'held' AND expires_at <= $1 THEN 'expired' ELSE state END AS state
    FROM plans
    WHERE ($2::bigint IS NULL OR id = $2) AND ($3::text IS NULL OR job = $3)
)
SELECT id, job, run_id, state, deletes, updates, holds_updates, base, reasons, is_hard, digest, sample,
    created_at, expires_at, decided_at, decided_by
FROM standing
WHERE state = ANY($4::text[])
ORDER BY id DESC
LIMIT $5;

-- name: plan_rows
SELECT user_id FROM plan_rows WHERE plan_id = $1 ORDER BY user_id LIMIT $2;

-- name: expire_plans
UPDATE plans SET state = 'expired' WHERE state = 'held' AND expires_at <= $1;

-- name: lock_open
-- The open plan of a job, which nobody decides about before the end of this transaction.
SELECT id, digest, is_hard, holds_updates
FROM plans
WHERE job = $1 AND state IN ('held', 'approved')
FOR UPDATE;

-- name: replace_open
UPDATE plans SET state = 'replaced' WHERE job = $1 AND state IN ('held', 'approved');

-- name: withdraw_held
UPDATE plans SET state = 'replaced' WHERE job = $1 AND state = 'held';

-- name: hold_plan
INSERT INTO plans (job, run_id, deletes, updates, holds_updates, base, reasons, is_hard, digest, sample,
    created_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
RETURNING id;

-- name: hold_rows
INSERT INTO plan_rows (plan_id, user_id) SELECT $1, user_id FROM lb_missing;

-- name: apply_plan
UPDATE plans SET state = 'applied' WHERE id = $1 AND state = 'approved' RETURNING id;

-- name: decide_plan
-- Of two who decide at once one gets the row: it must stand as it was seen ($2). A job has one open
-- plan, so one that was rejected ($3: approved) is not taken up again beside a newer one.
UPDATE plans SET state = $3, decided_by = $4, decided_at = $5
WHERE id = $1 AND state = $2 AND ($3 = 'rejected' OR NOT EXISTS (
    SELECT 1 FROM plans AS other
    WHERE other.job = plans.job AND other.id <> plans.id AND other.state IN ('held', 'approved')
))
RETURNING id;

-- name: keep_rows
-- The rows of a rejected plan stay until their users are back on a board. Who has no marker yet (a
-- hard plan writes none) gets one; what another rejection keeps is left alone. In the order of the
-- ids, so that two who write markers do not lock each other out.
INSERT INTO leaderboard_missing AS marker (job, user_id, missing_since, kept_by)
SELECT plans.job, plan_rows.user_id, plans.created_at, plans.id
FROM plans
JOIN plan_rows ON plan_rows.plan_id = plans.id
WHERE plans.id = $1
ORDER BY plan_rows.user_id
ON CONFLICT (job, user_id) DO UPDATE SET kept_by = EXCLUDED.kept_by WHERE marker.kept_by IS NULL;

-- name: release_rows
UPDATE leaderboard_missing SET kept_by = NULL WHERE job = $1 AND kept_by = $2;

-- name: forget_rows
-- Some rows of plans that nobody can decide about any more: whom an applied one deleted is told by
-- tombstones, and for as long as $1 by its rows too.
DELETE FROM plan_rows
WHERE ctid = ANY (ARRAY(
    SELECT plan_rows.ctid
    FROM plans
    JOIN plan_rows ON plan_rows.plan_id = plans.id
    WHERE plans.state IN ('replaced', 'expired') OR (plans.state = 'applied' AND plans.decided_at < $1)
    LIMIT $2
));

-- name: count_tombstones
-- How many rows that a run deleted were not put back yet.
SELECT count(*) FROM leaderboard_tombstones WHERE run_id = $1 AND restored_at IS NULL;

-- name: read_backups
-- Newest first; NULL in $1 (number) and $2 (job) means any.
SELECT id, job, run_id, table_name, target, rows, taken_at, expires_at
FROM leaderboard_backups
WHERE ($1::bigint IS NULL OR id = $1) AND ($2::text IS NULL OR job = $2)
ORDER BY id DESC
LIMIT $3;
