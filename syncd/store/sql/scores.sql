-- name: find_failing
-- Which of these accounts ($2) failed with the last attempt: a good answer changes their users' scores
-- even if it says nothing new.
SELECT account_id FROM sync_state
WHERE kind = $1 AND account_id = ANY($2::bigint[])
    AND outcome NOT IN ('', 'created', 'updated', 'unchanged');

-- name: mark_due
-- The scores of whom these accounts belong to are to be computed again.
INSERT INTO score_due (user_id) SELECT DISTINCT user_id FROM accounts WHERE id = ANY($1::bigint[]);

-- name: mark_outdated
-- Whoever has a score, or an answer of one of these platforms ($2), is to be computed again unless the
-- score is of version $1 (an empty one is nobody's). Users who opted out are left as they are.
INSERT INTO score_due (user_id)
SELECT users.id
FROM users
LEFT JOIN user_scores ON user_scores.user_id = users.id
WHERE NOT users.opted_out AND user_scores.formula_version IS DISTINCT FROM $1
    AND (user_scores.user_id IS NOT NULL OR EXISTS (
        SELECT 1 FROM accounts
        JOIN profiles ON profiles.account_id = accounts.id
        WHERE accounts.user_id = users.id AND accounts.platform = ANY($2::text[]) AND accounts.state <> 'gone'
    ));

-- name: count_due
SELECT count(DISTINCT user_id) FROM score_due;

-- name: read_due
-- Whose scores are due by the next $3 marks behind ($1, $2): those marks, and one row for each of the
-- user's accounts on these platforms ($4) that had a good answer and is not gone. Numbers are stale
-- where the last attempt failed; one that is to be tried again is no failure yet. Who opted out or was
-- deleted comes alone, as nobody to compute.
WITH page AS (
    SELECT user_id, id FROM score_due
    WHERE (user_id, id) > ($1, $2)
    ORDER BY user_id, id
    LIMIT $3
), due AS (
    SELECT user_id, array_agg(id) AS marks FROM page GROUP BY user_id
)
SELECT due.user_id, due.marks, users.id IS NOT NULL AS is_followed, accounts.platform, profiles.rating,
    profiles.solved, profiles.solved_by, COALESCE(sync_state.succeeded_at, profiles.fetched_at) AS as_of,
    COALESCE(sync_state.outcome, '') NOT IN ('', 'created', 'updated', 'unchanged')
        AND (sync_state.retry_run IS NULL OR sync_state.fail_streak > 0) AS is_stale
FROM due
-- One by one by their key: joined as a whole, every page would read the whole table.
LEFT JOIN LATERAL (
    SELECT id FROM users WHERE id = due.user_id AND NOT opted_out OFFSET 0
) AS users ON true
LEFT JOIN (
    accounts
    JOIN profiles ON profiles.account_id = accounts.id
    LEFT JOIN sync_state ON sync_state.account_id = accounts.id AND sync_state.kind = 'profiles'
) ON accounts.user_id = users.id AND accounts.platform = ANY($4::text[]) AND accounts.state <> 'gone'
ORDER BY due.user_id, accounts.platform;

-- name: keep_formula
INSERT INTO score_formulas (formula_version, parameters, first_used_at)
VALUES ($1, $2::text::jsonb, $3)
ON CONFLICT (formula_version) DO NOTHING;

-- name: upsert_scores
-- A score that says the same as the stored one is not written and returns no row; neither is one of a
-- user who was deleted meanwhile.
INSERT INTO user_scores (user_id, total, parts, formula_version, computed_at)
SELECT given.user_id, given.total, given.parts::jsonb, $4, $5
FROM unnest($1::bigint[], $2::double precision[], $3::text[]) AS given (user_id, total, parts)
JOIN users ON users.id = given.user_id
ORDER BY given.user_id
FOR KEY SHARE OF users
ON CONFLICT (user_id) DO UPDATE
SET total = EXCLUDED.total, parts = EXCLUDED.parts, formula_version = EXCLUDED.formula_version,
    computed_at = EXCLUDED.computed_at
WHERE (user_scores.total, user_scores.parts, user_scores.formula_version)
    IS DISTINCT FROM (EXCLUDED.total, EXCLUDED.parts, EXCLUDED.formula_version)
RETURNING user_id;

-- name: drop_scores
-- Who has no part left has no score.
DELETE FROM user_scores WHERE user_id = ANY($1::bigint[]) RETURNING user_id;

-- name: settle_due
-- Takes away what was read ($3), all of it users from $1 to $2, and nothing that was marked since.
DELETE FROM score_due WHERE user_id BETWEEN $1 AND $2 AND id = ANY($3::bigint[]);

-- name: read_score
SELECT user_scores.total, user_scores.parts, user_scores.formula_version, user_scores.computed_at,
    score_formulas.parameters, EXISTS (SELECT 1 FROM score_due WHERE score_due.user_id = users.id) AS is_due
FROM users
LEFT JOIN user_scores ON user_scores.user_id = users.id
LEFT JOIN score_formulas ON score_formulas.formula_version = user_scores.formula_version
WHERE users.key = $1;

-- name: highest_totals
-- The $1 users with the highest scores, all of them where it is NULL; ties in the order of sign-up.
SELECT users.key, user_scores.total
FROM user_scores
JOIN users ON users.id = user_scores.user_id
ORDER BY user_scores.total DESC, user_scores.user_id
LIMIT $1;
