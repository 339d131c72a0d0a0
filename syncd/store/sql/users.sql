-- name: put_users
-- New keys are created; a NULL login date or opt-out leaves what is known.
INSERT INTO users (key, opted_out, last_login_at)
SELECT given.key, COALESCE(given.opted_out, false), given.last_login_at
FROM unnest($1::text[], $2::boolean[], $3::timestamptz[]) AS given (key, opted_out, last_login_at)
ON CONFLICT (key) DO UPDATE
SET last_login_at = COALESCE(EXCLUDED.last_login_at, users.last_login_at), updated_at = now(),
    inactive_since = CASE WHEN EXCLUDED.last_login_at > users.last_login_at THEN NULL ELSE users.inactive_since END
WHERE EXCLUDED.last_login_at IS DISTINCT FROM users.last_login_at AND EXCLUDED.last_login_at IS NOT NULL
RETURNING key, (xmax = 0) AS is_new;

-- name: link_accounts
-- One account per user and platform. The name we were told, or the platform's own new name for the
-- account, is the account we have: after a rename the old name may be a stranger's. Any other name
-- is another account: what was known of the old one goes with it. Users and accounts are looked up
-- one by one (OFFSET keeps it so): where PostgreSQL takes tables for empty that are being filled, a
-- join compared everybody with everybody.
WITH given AS (
    SELECT users.id AS user_id, wanted.key, users.opted_out, wanted.platform, wanted.handle
    FROM unnest($1::text[], $2::text[], $3::text[]) AS wanted (key, platform, handle)
    CROSS JOIN LATERAL (SELECT id, opted_out FROM users WHERE users.key = wanted.key OFFSET 0) AS users
), held AS MATERIALIZED (
    SELECT given.*, accounts.id AS account_id,
        lower(given.handle) NOT IN (lower(accounts.linked_as), lower(accounts.handle)) AS is_other
    FROM given
    LEFT JOIN LATERAL (
        SELECT id, platform, linked_as, handle FROM accounts WHERE accounts.user_id = given.user_id OFFSET 0
    ) AS accounts ON accounts.platform = given.platform
), moved AS (
    -- Asked again: the platform may have renamed it at this moment.
    DELETE FROM accounts
    WHERE id = ANY(ARRAY(SELECT account_id FROM held WHERE is_other)) AND EXISTS (
            SELECT FROM held
            WHERE held.account_id = accounts.id
                AND lower(held.handle) NOT IN (lower(accounts.linked_as), lower(accounts.handle))
        )
    RETURNING accounts.id, accounts.user_id
), rescored AS (
    INSERT INTO score_due (user_id) SELECT user_id FROM moved
)
SELECT held.user_id, held.key, held.opted_out, held.platform, held.handle, moved.id AS old_id
FROM held
LEFT JOIN moved ON moved.id = held.account_id
WHERE held.account_id IS NULL OR moved.id IS NOT NULL;

-- name: add_accounts
INSERT INTO accounts (user_id, platform, handle, linked_as, state, state_reason)
SELECT given.user_id, given.platform, given.handle, given.handle,
    CASE WHEN given.opted_out THEN 'opted_out' ELSE 'active' END,
    CASE WHEN given.opted_out THEN 'the user opted out' ELSE '' END
FROM unnest($1::bigint[], $2::boolean[], $3::text[], $4::text[])
    AS given (user_id, opted_out, platform, handle)
ON CONFLICT (user_id, platform) DO NOTHING
RETURNING id;

-- name: unlink_accounts
WITH unlinked AS (
    DELETE FROM accounts USING users, unnest($1::text[], $2::text[]) AS gone (key, platform)
    WHERE users.key = gone.key AND accounts.user_id = users.id AND accounts.platform = gone.platform
    RETURNING accounts.id, accounts.user_id, users.key
), rescored AS (
    INSERT INTO score_due (user_id) SELECT user_id FROM unlinked
)
SELECT id, key FROM unlinked;

-- name: set_opted_out
-- Every account of the user stops (or goes on) at the next item, what the user granted is removed, and
-- no letter about it waits for a person any more; asking twice changes nothing. The score of who
-- opted out stays as it is.
WITH chosen AS (
    UPDATE users SET opted_out = $2, updated_at = now()
    WHERE key = ANY($1::text[]) AND opted_out <> $2
    RETURNING id, key
), revoked AS (
    DELETE FROM oauth_tokens USING accounts, chosen
    WHERE $2 AND accounts.user_id = chosen.id AND oauth_tokens.account_id = accounts.id
), touched AS (
    UPDATE accounts
    SET state = CASE WHEN $2 THEN 'opted_out' ELSE 'active' END,
        state_reason = CASE WHEN $2 THEN 'the user opted out' ELSE '' END,
        state_since = now()
    FROM chosen
    WHERE accounts.user_id = chosen.id AND (accounts.state = 'opted_out') <> $2
    RETURNING accounts.id, accounts.user_id
), rescored AS (
    INSERT INTO score_due (user_id) SELECT id FROM chosen WHERE NOT $2
), settled AS (
    UPDATE dead_letters SET state = 'resolved', changed_at = now()
    FROM touched
    WHERE dead_letters.account_id = touched.id AND dead_letters.state IN ('open', 'requeued')
)
SELECT chosen.key, COALESCE(array_agg(touched.id) FILTER (WHERE touched.id IS NOT NULL), '{}') AS accounts
FROM chosen
LEFT JOIN touched ON touched.user_id = chosen.id
GROUP BY chosen.key;

-- name: delete_users
-- Accounts, their state, profiles, and whatever users were told go with them. Of a mirrored user who opted out the
-- key and the opt-out are kept, else the query brings them back without it; $2 tells whether it
-- still names them, and those whom it does not are ordinary users from then on.
WITH chosen AS (
    SELECT id, opted_out AND is_mirrored AS is_kept FROM users WHERE key = ANY($1::text[]) ORDER BY key FOR UPDATE
), doomed AS (
    SELECT accounts.id FROM accounts JOIN chosen ON chosen.id = accounts.user_id
), gone AS (
    DELETE FROM users USING chosen WHERE users.id = chosen.id AND NOT chosen.is_kept
), emptied AS (
    DELETE FROM accounts USING chosen WHERE accounts.user_id = chosen.id AND chosen.is_kept
), untold AS (
    DELETE FROM notifications USING chosen WHERE notifications.user_id = chosen.id
), unasked AS (
    DELETE FROM notify_preferences USING chosen WHERE notify_preferences.user_id = chosen.id AND chosen.is_kept
), unreached AS (
    DELETE FROM notify_addresses USING chosen WHERE notify_addresses.user_id = chosen.id AND chosen.is_kept
), unscored AS (
    DELETE FROM user_scores USING chosen WHERE user_scores.user_id = chosen.id AND chosen.is_kept
), kept AS (
    UPDATE users SET last_login_at = NULL, is_mirrored = $2, updated_at = now()
    FROM chosen
    WHERE users.id = chosen.id AND chosen.is_kept
)
SELECT (SELECT count(*) FROM chosen) AS users, COALESCE(array_agg(doomed.id), '{}') AS accounts FROM doomed;

-- name: read_users
-- In the order of their keys, after $1; with $2 only these.
SELECT users.key, users.opted_out, users.last_login_at, users.created_at, users.is_mirrored AS mirrored,
    users.inactive_since, COALESCE(
        jsonb_agg(jsonb_build_object(
            'platform', accounts.platform, 'handle', accounts.handle, 'state', accounts.state,
            'state_reason', accounts.state_reason, 'external_id', accounts.external_id,
            'fresh_at', sync_state.succeeded_at, 'attempted_at',
            NULLIF(sync_state.attempted_at, '-infinity'), 'outcome', sync_state.outcome,
            'error', sync_state.error, 'fail_streak', sync_state.fail_streak
        ) ORDER BY accounts.platform) FILTER (WHERE accounts.id IS NOT NULL),
        '[]'
    ) AS accounts
FROM (
    SELECT id, key, opted_out, last_login_at, created_at, is_mirrored, inactive_since
    FROM users
    WHERE key > $1 AND ($2::text[] IS NULL OR key = ANY($2))
    ORDER BY key
    LIMIT $3
) AS users
LEFT JOIN accounts ON accounts.user_id = users.id
LEFT JOIN sync_state ON sync_state.account_id = accounts.id AND sync_state.kind = 'profiles'
GROUP BY users.key, users.opted_out, users.last_login_at, users.created_at, users.is_mirrored,
    users.inactive_since
ORDER BY users.key;

-- name: unknown_keys
-- Which of these nobody has, in the order given.
SELECT wanted.key
FROM unnest($1::text[]) WITH ORDINALITY AS wanted (key, place)
WHERE NOT EXISTS (SELECT FROM users WHERE users.key = wanted.key)
ORDER BY wanted.place;

-- name: count_users
SELECT count(*) FROM users;
