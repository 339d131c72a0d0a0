-- name: read_alerts
-- In the order in which they were decided.
SELECT job, topic, condition, run_id, first_run, since, plan_id, detail, told_at
FROM alert_states
ORDER BY run_id, topic DESC, job;

-- name: keep_alert
-- One row a job and topic: what is kept last stands.
INSERT INTO alert_states (job, topic, condition, run_id, first_run, since, plan_id, detail, told_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (job, topic) DO UPDATE
SET condition = EXCLUDED.condition, run_id = EXCLUDED.run_id, first_run = EXCLUDED.first_run,
    since = EXCLUDED.since, plan_id = EXCLUDED.plan_id, detail = EXCLUDED.detail,
    told_at = EXCLUDED.told_at;

-- name: drop_alert
DELETE FROM alert_states WHERE job = $1 AND topic = $2;

-- name: count_bad_runs
-- Runs of a job from $2 on and before $3 that ended badly.
SELECT count(*) FROM runs
WHERE job = $1 AND id >= $2 AND id < $3 AND outcome IN ('failed', 'held', 'abandoned');

-- name: newest_plans
-- What waits, or waited last, for a person's decision about each of these jobs.
SELECT DISTINCT ON (job) id, job, state, deletes, updates, holds_updates, base, reasons, is_hard, expires_at
FROM plans
WHERE job = ANY ($1::text[])
ORDER BY job, id DESC;
