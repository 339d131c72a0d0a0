-- name: set_preferences
-- What is NULL stays as it is, or as it is for who says nothing; has_quiet tells whether the quiet hours
-- are given. Who wants what they wanted is not written. The caller's transaction holds the users' rows.
WITH given AS (
    SELECT users.id AS user_id, wanted.platforms, wanted.leads, wanted.timezone, wanted.has_quiet,
        wanted.quiet_from, wanted.quiet_until, wanted.language, wanted.wants_digest
    FROM jsonb_to_recordset($1::jsonb) AS wanted (key text, platforms text[], leads smallint[], timezone text,
        has_quiet boolean, quiet_from time, quiet_until time, language text, wants_digest boolean)
    JOIN users ON users.key = wanted.key
), wanted AS (
    SELECT given.user_id, COALESCE(given.platforms, held.platforms, '{}') AS platforms,
        COALESCE(given.leads, held.leads, '{24}') AS leads,
        COALESCE(given.timezone, held.timezone, 'UTC') AS timezone,
        CASE WHEN given.has_quiet THEN given.quiet_from ELSE held.quiet_from END AS quiet_from,
        CASE WHEN given.has_quiet THEN given.quiet_until ELSE held.quiet_until END AS quiet_until,
        COALESCE(given.language, held.language, 'en') AS language,
        COALESCE(given.wants_digest, held.wants_digest, false) AS wants_digest
    FROM given
    LEFT JOIN notify_preferences AS held ON held.user_id = given.user_id
), written AS (
    INSERT INTO notify_preferences AS mine (
        user_id, platforms, leads, timezone, quiet_from, quiet_until, language, wants_digest)
    SELECT wanted.user_id, wanted.platforms, wanted.leads, wanted.timezone, wanted.quiet_from,
        wanted.quiet_until, wanted.language, wanted.wants_digest
    FROM wanted
    LEFT JOIN notify_preferences AS held ON held.user_id = wanted.user_id
    WHERE held.user_id IS NULL
        OR (held.platforms, held.leads, held.timezone, held.quiet_from, held.quiet_until, held.language,
            held.wants_digest) IS DISTINCT FROM (wanted.platforms, wanted.leads, wanted.timezone,
            wanted.quiet_from, wanted.quiet_until, wanted.language, wanted.wants_digest)
    ON CONFLICT (user_id) DO UPDATE
    SET platforms = EXCLUDED.platforms, leads = EXCLUDED.leads, timezone = EXCLUDED.timezone,
        quiet_from = EXCLUDED.quiet_from, quiet_until = EXCLUDED.quiet_until, language = EXCLUDED.language,
        wants_digest = EXCLUDED.wants_digest, updated_at = now()
    RETURNING mine.user_id
)
SELECT users.key FROM written JOIN users ON users.id = written.user_id;

-- name: set_addresses
-- An address that is another one begins anew, whatever was known of the one before; the same one is active
-- again only where that is asked for ($4).
WITH given AS (
    SELECT users.id AS user_id, wanted.channel, wanted.address
    FROM unnest($1::text[], $2::text[], $3::text[]) AS wanted (key, channel, address)
    JOIN users ON users.key = wanted.key
), written AS (
    INSERT INTO notify_addresses AS mine (user_id, channel, address)
    SELECT given.user_id, given.channel, given.address
    FROM given
    LEFT JOIN notify_addresses AS held ON held.user_id = given.user_id AND held.channel = given.channel
    WHERE held.user_id IS NULL OR held.address <> given.address OR ($4::boolean AND held.state <> 'active')
    ON CONFLICT (user_id, channel) DO UPDATE
    SET address = EXCLUDED.address, state = 'active', state_reason = '', state_since = now(), failed_days = '{}'
    RETURNING mine.user_id
)
SELECT DISTINCT users.key FROM written JOIN users ON users.id = written.user_id;

-- name: drop_addresses
-- Of the users $1 whatever is none of the ($2, $3).
WITH dropped AS (
    DELETE FROM notify_addresses USING users
    WHERE users.key = ANY($1::text[]) AND notify_addresses.user_id = users.id AND NOT EXISTS (
        SELECT FROM unnest($2::text[], $3::text[]) AS kept (key, channel)
        WHERE kept.key = users.key AND kept.channel = notify_addresses.channel
    )
    RETURNING users.key
)
SELECT DISTINCT key FROM dropped;

-- name: drop_preferences
WITH chosen AS (
    SELECT id, key FROM users WHERE key = ANY($1::text[])
), addresses AS (
    DELETE FROM notify_addresses USING chosen WHERE notify_addresses.user_id = chosen.id
    RETURNING notify_addresses.user_id
), preferences AS (
    DELETE FROM notify_preferences USING chosen WHERE notify_preferences.user_id = chosen.id
    RETURNING notify_preferences.user_id
)
SELECT key FROM chosen
WHERE id IN (SELECT user_id FROM addresses) OR id IN (SELECT user_id FROM preferences);

-- name: read_preferences
SELECT users.key, wanted.platforms, wanted.leads, wanted.timezone, wanted.quiet_from, wanted.quiet_until,
    wanted.language, wanted.wants_digest
FROM notify_preferences AS wanted
JOIN users ON users.id = wanted.user_id
WHERE users.key = ANY($1::text[]);

-- name: read_addresses
SELECT users.key, held.channel, held.address, held.state, held.state_reason, held.state_since
FROM notify_addresses AS held
JOIN users ON users.id = held.user_id
WHERE users.key = ANY($1::text[])
ORDER BY users.key, held.channel;

-- name: read_zones
-- Who is due is one statement about everybody: a zone that PostgreSQL does not know would fail it.
SELECT name FROM pg_timezone_names;
