-- name: load_grants
-- With the platform, to which the tokens are sealed. A lease that lapsed means that a refresh was cut
-- off. The dead are left out.
SELECT grants.account_id, accounts.platform, grants.version, grants.key_id, grants.refresh_ct,
    grants.access_ct, grants.access_expires_at, grants.refresh_expires_at, grants.health,
    grants.suspect_since,
    COALESCE(grants.interrupted_at,
        CASE WHEN grants.refresh_until <= clock_timestamp() THEN grants.refresh_began_at END) AS interrupted_at
FROM oauth_tokens AS grants
JOIN accounts ON accounts.id = grants.account_id
WHERE grants.account_id = ANY($1::bigint[]) AND grants.health <> 'dead';

-- name: begin_refreshes
-- One of those who ask for a grant gets it: who knows its version while nobody is at it. Whoever waits
-- for the row sees what the first one made of it. By the database's clock alone.
WITH given AS (
    SELECT * FROM unnest($1::bigint[], $2::integer[], $3::text[]) AS given (account_id, version, holder)
), free AS (
    SELECT grants.account_id, given.holder, accounts.platform, grants.refresh_began_at AS cut_off_at
    FROM oauth_tokens AS grants
    JOIN given ON given.account_id = grants.account_id
    JOIN accounts ON accounts.id = grants.account_id
    WHERE grants.version = given.version AND grants.health <> 'dead'
        AND (grants.refresh_until IS NULL OR grants.refresh_until <= clock_timestamp())
    ORDER BY grants.account_id
    FOR UPDATE OF grants
)
UPDATE oauth_tokens AS grants
SET refresh_holder = free.holder, refresh_began_at = clock_timestamp(),
    refresh_until = clock_timestamp() + $4::interval,
    interrupted_at = COALESCE(grants.interrupted_at, free.cut_off_at)
FROM free
WHERE grants.account_id = free.account_id
RETURNING grants.account_id, free.platform, grants.version, grants.key_id, grants.refresh_ct,
    grants.access_ct, grants.access_expires_at, grants.refresh_expires_at, grants.health,
    grants.suspect_since, grants.interrupted_at;

-- name: lock_refreshed
-- Those whose version is still the one that was refreshed; nobody changes them before the end. Who was
-- given up because the answer was not known is among them: here it is.
SELECT grants.account_id, accounts.platform, grants.version, grants.key_id, grants.refresh_ct
FROM oauth_tokens AS grants
JOIN unnest($1::bigint[], $2::integer[]) AS given (account_id, version) ON given.account_id = grants.account_id
JOIN accounts ON accounts.id = grants.account_id
WHERE grants.version = given.version AND (grants.health <> 'dead' OR grants.refresh_expires_at > accounts.state_since)
ORDER BY grants.account_id
FOR UPDATE OF grants;

-- name: commit_refreshes
-- Of rows that are locked. An answer makes a suspect, or who was given up, good again, and says that
-- none was lost.
WITH renewed AS (
    UPDATE oauth_tokens AS grants
    SET key_id = $1, refresh_ct = given.refresh_ct, access_ct = given.access_ct,
        access_expires_at = given.access_expires_at, refreshed_at = given.refreshed_at,
        scopes = COALESCE(NULLIF(given.scopes, ''), grants.scopes), version = grants.version + 1,
        health = 'ok', health_reason = '', suspect_since = NULL, refresh_holder = '',
        refresh_began_at = NULL, refresh_until = NULL, interrupted_at = NULL
    FROM unnest($2::bigint[], $3::bytea[], $4::bytea[], $5::timestamptz[], $6::timestamptz[], $7::text[])
        AS given (account_id, refresh_ct, access_ct, access_expires_at, refreshed_at, scopes)
    WHERE grants.account_id = given.account_id
    RETURNING grants.account_id, grants.version
), admitted AS (
    UPDATE accounts SET state = 'active', state_reason = '', state_since = now()
    FROM renewed
    WHERE accounts.id = renewed.account_id AND accounts.state = 'reauth_required'
)
SELECT account_id, version FROM renewed;

-- name: release_refreshes
-- Where an answer may be lost ($3), the row says so from then on.
UPDATE oauth_tokens AS grants
SET refresh_holder = '', refresh_began_at = NULL, refresh_until = NULL,
    interrupted_at = COALESCE(grants.interrupted_at,
        CASE WHEN given.is_answer_lost THEN grants.refresh_began_at END)
FROM unnest($1::bigint[], $2::integer[], $3::boolean[]) AS given (account_id, version, is_answer_lost)
WHERE grants.account_id = given.account_id AND grants.version = given.version
    AND grants.refresh_until IS NOT NULL;

-- name: mark_suspect
-- Since when stays as it was; a version that moved on is not what was refused.
UPDATE oauth_tokens
SET health = 'suspect', suspect_since = COALESCE(suspect_since, $4), health_reason = $3,
    refresh_holder = '', refresh_began_at = NULL, refresh_until = NULL
WHERE account_id = $1 AND version = $2 AND health <> 'dead'
RETURNING suspect_since;

-- name: clear_suspects
-- Also who was given up since then, unless the consent has ended.
WITH doubted AS (
    SELECT grants.account_id
    FROM oauth_tokens AS grants
    JOIN accounts ON accounts.id = grants.account_id
    WHERE grants.suspect_since >= $1
        OR (grants.health = 'dead' AND accounts.state = 'reauth_required' AND accounts.state_since >= $1
            AND grants.refresh_expires_at > accounts.state_since)
), admitted AS (
    UPDATE accounts SET state = 'active', state_reason = '', state_since = now()
    FROM doubted
    WHERE accounts.id = doubted.account_id AND accounts.state = 'reauth_required'
)
UPDATE oauth_tokens AS grants SET health = 'ok', suspect_since = NULL, health_reason = ''
FROM doubted
WHERE grants.account_id = doubted.account_id;

-- name: mark_dead
-- The tokens stay, sealed; the account is not asked for any more.
WITH dead AS (
    UPDATE oauth_tokens
    SET health = 'dead', suspect_since = NULL, health_reason = $3, refresh_holder = '',
        refresh_began_at = NULL, refresh_until = NULL
    WHERE account_id = $1 AND version = $2 AND health <> 'dead'
    RETURNING account_id
), stopped AS (
    UPDATE accounts SET state = 'reauth_required', state_reason = $3, state_since = $4
    FROM dead
    WHERE accounts.id = dead.account_id AND accounts.state IN ('active', 'gone', 'quarantined')
)
SELECT account_id FROM dead;

-- name: count_refreshed
SELECT count(*) FROM oauth_tokens AS grants
JOIN accounts ON accounts.id = grants.account_id
WHERE accounts.platform = $1 AND grants.refreshed_at >= $2;

-- name: read_standings
-- In the order of users' keys, after $1; $3 is a state of the account, or the health of the grant, or
-- expiring: it is good and ends within 30 days.
SELECT grants.account_id, users.key AS user_key, accounts.platform, accounts.handle, accounts.state,
    COALESCE(NULLIF(accounts.state_reason, ''), grants.health_reason) AS state_reason, grants.health,
    grants.scopes, grants.key_id, grants.granted_at, grants.refresh_expires_at,
    grants.access_expires_at, grants.refreshed_at, grants.suspect_since
FROM oauth_tokens AS grants
JOIN accounts ON accounts.id = grants.account_id
JOIN users ON users.id = accounts.user_id
WHERE users.key > $1
    AND ($3::text IS NULL OR $3 IN (accounts.state, grants.health)
        OR $3 = 'expiring' AND accounts.state = 'active' AND grants.health <> 'dead'
            AND grants.refresh_expires_at <= now() + interval '30 days')
ORDER BY users.key, accounts.platform
LIMIT $2;

-- name: forget_ahead
-- What was decided under a clock that was ahead of $2 and of PostgreSQL's own by more than an hour
-- counts as never decided: consents that had not ended, refusals that are not old yet.
WITH ahead AS (
    SELECT grants.account_id
    FROM oauth_tokens AS grants
    JOIN accounts ON accounts.id = grants.account_id
    WHERE accounts.platform = $1
        AND GREATEST(grants.suspect_since,
            CASE WHEN accounts.state = 'reauth_required' THEN accounts.state_since END)
            > GREATEST($2::timestamptz, now()) + interval '1 hour'
), admitted AS (
    UPDATE accounts SET state = 'active', state_reason = '', state_since = $2
    FROM ahead
    WHERE accounts.id = ahead.account_id AND accounts.state = 'reauth_required'
)
UPDATE oauth_tokens AS grants
SET health = 'ok', health_reason = '', suspect_since = NULL, noticed_days = NULL
FROM ahead
WHERE grants.account_id = ahead.account_id;

-- name: end_consents
-- Six months after the consent it is over, whatever was refreshed since.
WITH ended AS (
    UPDATE oauth_tokens AS grants
    SET health = 'dead', suspect_since = NULL, refresh_holder = '', refresh_began_at = NULL,
        refresh_until = NULL, health_reason = 'the consent of '
            || to_char(grants.granted_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') || ' ended after six months'
    FROM accounts
    WHERE accounts.id = grants.account_id AND accounts.platform = $1
        AND grants.refresh_expires_at <= $2 AND grants.health <> 'dead'
    RETURNING grants.account_id, grants.health_reason, grants.granted_at, grants.refresh_expires_at
)
SELECT ended.account_id, users.key AS user_key, accounts.handle, ended.health_reason AS reason,
    ended.granted_at, ended.refresh_expires_at
FROM ended
JOIN accounts ON accounts.id = ended.account_id
JOIN users ON users.id = accounts.user_id
ORDER BY users.key;

-- name: drop_revoked
-- Who opted out while a grant was being stored.
DELETE FROM oauth_tokens AS grants USING accounts
WHERE accounts.id = grants.account_id AND accounts.platform = $1 AND accounts.state = 'opted_out';

-- name: stop_dead
-- Whose consent ended just now, and whoever was made active although the grant is dead. A statement of
-- its own: right after an import PostgreSQL knows nothing of the tables, and would compare all with all.
UPDATE accounts SET state = 'reauth_required', state_reason = grants.health_reason, state_since = $2
FROM oauth_tokens AS grants
WHERE grants.account_id = accounts.id AND accounts.platform = $1 AND grants.health = 'dead'
    AND accounts.state IN ('active', 'gone', 'quarantined');

-- name: stop_ungranted
-- Who is linked and granted nothing cannot be asked for.
UPDATE accounts SET state = 'reauth_required', state_reason = 'no grant yet: import one', state_since = $2
WHERE platform = $1 AND state = 'active'
    AND NOT EXISTS (SELECT FROM oauth_tokens WHERE oauth_tokens.account_id = accounts.id);

-- name: notice_ends
-- Each of the two notices ($3, in days) comes once for a consent; who is seen late gets the last one.
WITH due AS (
    SELECT grants.account_id,
        (SELECT min(days) FROM unnest($3::integer[]) AS notice (days)
            WHERE grants.refresh_expires_at <= $2::timestamptz + make_interval(days => days)) AS days
    FROM oauth_tokens AS grants
    JOIN accounts ON accounts.id = grants.account_id
    WHERE accounts.platform = $1 AND grants.health <> 'dead'
        AND grants.refresh_expires_at <= $2::timestamptz
            + make_interval(days => (SELECT max(days) FROM unnest($3::integer[]) AS notice (days)))
)
UPDATE oauth_tokens AS grants SET noticed_days = due.days
FROM due
JOIN accounts ON accounts.id = due.account_id
JOIN users ON users.id = accounts.user_id
WHERE grants.account_id = due.account_id AND (grants.noticed_days IS NULL OR grants.noticed_days > due.days)
RETURNING grants.account_id, users.key AS user_key, accounts.handle, grants.refresh_expires_at,
    ceil(EXTRACT(EPOCH FROM grants.refresh_expires_at - $2) / 86400)::integer AS days;

-- name: find_accounts
-- What is known of those whose grants are given, in that order.
SELECT given.place, users.opted_out, accounts.id AS account_id, accounts.state
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS given (key, platform, place)
LEFT JOIN users ON users.key = given.key
LEFT JOIN accounts ON accounts.user_id = users.id AND accounts.platform = given.platform
ORDER BY given.place;

-- name: lock_grants
SELECT grants.account_id, accounts.platform, grants.version, grants.key_id, grants.refresh_ct,
    grants.access_ct, grants.access_expires_at, grants.refresh_expires_at, grants.health,
    grants.suspect_since, grants.interrupted_at, grants.given_digest, grants.granted_at, grants.scopes
FROM oauth_tokens AS grants
JOIN accounts ON accounts.id = grants.account_id
WHERE grants.account_id = ANY($1::bigint[])
ORDER BY grants.account_id
FOR UPDATE OF grants;

-- name: put_grants
-- A consent lasts six months by the calendar, in UTC. What a refresh is about that is under way is
-- another version then, also where the grant was removed meanwhile: versions grow by one in many
-- seconds, so who was linked some time ago begins with one that was never there.
INSERT INTO oauth_tokens AS grants (account_id, key_id, refresh_ct, access_ct, scopes, access_expires_at,
    granted_at, refresh_expires_at, given_digest, version)
SELECT given.account_id, $1, given.refresh_ct, given.access_ct, given.scopes, given.access_expires_at,
    given.granted_at, (given.granted_at AT TIME ZONE 'UTC' + interval '6 months') AT TIME ZONE 'UTC',
    given.given_digest, 1 + GREATEST(ceil(EXTRACT(EPOCH FROM now() - accounts.linked_at)), 0)::integer
FROM unnest($2::bigint[], $3::bytea[], $4::bytea[], $5::text[], $6::timestamptz[], $7::timestamptz[], $8::bytea[])
    AS given (account_id, refresh_ct, access_ct, scopes, access_expires_at, granted_at, given_digest)
JOIN accounts ON accounts.id = given.account_id
ORDER BY given.account_id
ON CONFLICT (account_id) DO UPDATE
SET key_id = EXCLUDED.key_id, refresh_ct = EXCLUDED.refresh_ct, access_ct = EXCLUDED.access_ct,
    scopes = EXCLUDED.scopes, access_expires_at = EXCLUDED.access_expires_at,
    noticed_days = CASE WHEN grants.granted_at < EXCLUDED.granted_at THEN NULL ELSE grants.noticed_days END,
    granted_at = EXCLUDED.granted_at, refresh_expires_at = EXCLUDED.refresh_expires_at,
    given_digest = EXCLUDED.given_digest, version = grants.version + 1, health = 'ok',
    health_reason = '', suspect_since = NULL, refresh_holder = '', refresh_began_at = NULL,
    refresh_until = NULL, interrupted_at = NULL;

-- name: admit_accounts
-- A new grant makes an account one that is asked for, due with the next run; what its letter was about
-- is over.
WITH active AS (
    UPDATE accounts SET state = 'active', state_reason = '', state_since = now()
    WHERE id = ANY($1::bigint[]) AND state IN ('reauth_required', 'gone', 'quarantined')
), settled AS (
    UPDATE dead_letters SET state = 'resolved', changed_at = now()
    WHERE account_id = ANY($1::bigint[]) AND kind = $2 AND state IN ('open', 'requeued')
)
UPDATE sync_state SET due_at = NULL, fail_streak = 0, failing_since = NULL
WHERE account_id = ANY($1::bigint[]) AND kind = $2;

-- name: any_tokens
SELECT EXISTS (SELECT FROM oauth_tokens WHERE refresh_ct IS NOT NULL);

-- name: read_sealed
-- The next rows behind $1 that a known key ($2) other than the newest ($3) sealed.
SELECT grants.account_id, accounts.platform, grants.key_id, grants.refresh_ct, grants.access_ct
FROM oauth_tokens AS grants
JOIN accounts ON accounts.id = grants.account_id
WHERE grants.account_id > $1 AND grants.key_id = ANY($2::text[]) AND grants.key_id <> $3
    AND grants.refresh_ct IS NOT NULL
ORDER BY grants.account_id
LIMIT $4;

-- name: reseal
-- The version stays: the tokens are the same. A row that was written since it was read is sealed anew
-- already, and left alone.
UPDATE oauth_tokens AS grants
SET key_id = $1, refresh_ct = given.refresh_ct, access_ct = given.access_ct
FROM unnest($2::bigint[], $3::text[], $4::bytea[], $5::bytea[], $6::bytea[], $7::bytea[])
    AS given (account_id, old_key_id, old_refresh_ct, old_access_ct, refresh_ct, access_ct)
WHERE grants.account_id = given.account_id AND grants.key_id = given.old_key_id
    AND grants.refresh_ct = given.old_refresh_ct
    AND grants.access_ct IS NOT DISTINCT FROM given.old_access_ct;

-- name: keys_in_use
SELECT key_id, count(*) AS grants FROM oauth_tokens
WHERE refresh_ct IS NOT NULL
GROUP BY key_id
ORDER BY key_id;
