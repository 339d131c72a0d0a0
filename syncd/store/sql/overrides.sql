-- name: keep_override
-- The row is replaced as a whole: of two changes the later one stands.
INSERT INTO job_overrides (job, enabled, schedule, every, timezone, why, actor, changed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (job) DO UPDATE
SET enabled = EXCLUDED.enabled, schedule = EXCLUDED.schedule, every = EXCLUDED.every,
    timezone = EXCLUDED.timezone, why = EXCLUDED.why, actor = EXCLUDED.actor,
    changed_at = EXCLUDED.changed_at;

-- name: drop_override
DELETE FROM job_overrides WHERE job = $1;

-- name: all_overrides
SELECT job, enabled, schedule, every, timezone, why, actor, changed_at
FROM job_overrides
ORDER BY job;
