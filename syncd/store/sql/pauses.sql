-- name: pause
-- A second pause of the same thing replaces the first.
INSERT INTO pauses (scope, key, why, until, actor, paused_at)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (scope, key) DO UPDATE
SET why = EXCLUDED.why, until = EXCLUDED.until, actor = EXCLUDED.actor, paused_at = EXCLUDED.paused_at;

-- name: resume
DELETE FROM pauses WHERE scope = $1 AND key = $2 RETURNING key;

-- name: read_pauses
-- Ended ones too: a fire time that fell into one is not caught up with afterwards.
SELECT scope, key, why, until, actor, paused_at
FROM pauses
ORDER BY scope, key;
