-- name: pick
-- What is to be sent next over channel $2: what begins first, of what may be tried at $1, $3 at most.
-- Rows that somebody takes at the same moment are left to them. $4: only these users, $5: only these
-- addresses and users; what is about others waits.
SELECT id FROM notifications
WHERE state = 'pending' AND channel = $2 AND next_attempt_at <= $1
    AND ($4::text[] IS NULL
        OR user_id IN (SELECT users.id FROM users WHERE users.key = ANY($4)))
    AND ($5::text[] IS NULL
        OR user_id IN (SELECT users.id FROM users WHERE users.key = ANY($5))
        OR user_id IN (
            SELECT notify_addresses.user_id FROM notify_addresses
            WHERE notify_addresses.channel = $2 AND notify_addresses.address = ANY($5)))
ORDER BY expires_at, next_attempt_at
LIMIT $3
FOR UPDATE SKIP LOCKED;

-- name: claim
-- Take what was picked in this transaction, $2, for run $3. Nobody else has those rows until 20 minutes
-- are over, by the clock of the database. What is out of date, whose user does not want it any more,
-- or has no address, is set aside instead.
WITH judged AS (
    SELECT row.id, users.key AS user_key, address.address, preferences.timezone, preferences.language,
        preferences.quiet_from, preferences.quiet_until,
        CASE
            WHEN row.expires_at <= $1::timestamptz THEN 'the contest began before it could be sent'
            WHEN contests.schedule_version > row.schedule_version THEN 'the contest moved'
            WHEN contests.cancelled_at IS NOT NULL AND row.occasion <> 'cancelled'
                THEN 'the contest was cancelled'
            ELSE ''
        END AS expired,
        CASE
            WHEN users.id IS NULL OR users.opted_out THEN 'the user opted out'
            WHEN address.address IS NULL THEN 'the user has no address there'
            WHEN row.occasion = 'digest' AND preferences.wants_digest THEN ''
            WHEN row.occasion <> 'digest'
                AND (preferences.platforms = '{}' OR row.platform = ANY(preferences.platforms))
                AND (row.occasion <> 'reminder' OR row.lead_hours = ANY(preferences.leads)) THEN ''
            ELSE 'the user does not want it any more'
        END AS dropped
    FROM notifications AS row
    LEFT JOIN contests ON contests.id = row.contest_id
    LEFT JOIN users ON users.id = row.user_id
    LEFT JOIN notify_preferences AS preferences ON preferences.user_id = row.user_id
    LEFT JOIN notify_addresses AS address ON address.user_id = row.user_id
        AND address.channel = row.channel AND address.state = 'active'
    WHERE row.id = ANY($2::bigint[])
)
UPDATE notifications
SET state = verdict.state, updated_at = $1,
    next_attempt_at = NULL, error = CASE WHEN verdict.state = 'sending' THEN notifications.error
        ELSE judged.expired || CASE WHEN judged.expired = '' THEN judged.dropped ELSE '' END END,
    attempts = notifications.attempts + CASE WHEN verdict.state = 'sending' THEN 1 ELSE 0 END,
    lease_until = CASE WHEN verdict.state = 'sending' THEN clock_timestamp() + interval '20 minutes' END,
    holder = verdict.holder
FROM judged
CROSS JOIN LATERAL (
    SELECT runs.id || '@' || runs.holder AS holder,
        CASE WHEN judged.expired <> '' THEN 'expired' WHEN judged.dropped <> '' THEN 'dropped'
            ELSE 'sending' END AS state
    FROM runs WHERE runs.id = $3 AND runs.outcome = 'running'
) AS verdict
WHERE notifications.id = judged.id AND notifications.id = ANY($2::bigint[])
RETURNING notifications.id, notifications.user_id, notifications.state, judged.user_key,
    notifications.channel, notifications.occasion, notifications.lead_hours, judged.address,
    notifications.platform, notifications.contest_name, notifications.contest_url,
    notifications.starts_at, notifications.ends_at, notifications.previous_starts_at,
    notifications.due_at, notifications.expires_at, notifications.attempts, notifications.unknowns,
    judged.timezone, judged.language, judged.quiet_from, judged.quiet_until;

-- name: put_back
-- What run $1 claimed over channel $2 and did not send ($3: what it did) waits again, as if it had not
-- been claimed. Safe to repeat.
UPDATE notifications
SET state = 'pending', next_attempt_at = updated_at, attempts = attempts - 1, lease_until = NULL
WHERE state = 'sending' AND channel = $2 AND id <> ALL($3::bigint[])
    AND holder = (SELECT runs.id || '@' || runs.holder FROM runs WHERE runs.id = $1);

-- name: digest_contests
-- What digests tell of: contests to come that were first seen in their time, at most $3 each.
SELECT digest.id, fresh.platform, fresh.name, fresh.url, fresh.starts_at, fresh.ends_at
FROM notifications AS digest
JOIN notify_preferences AS preferences ON preferences.user_id = digest.user_id
CROSS JOIN LATERAL (
    SELECT platform, name, url, starts_at, ends_at FROM contests
    WHERE first_seen_at > digest.previous_starts_at AND first_seen_at <= digest.due_at
        AND starts_at > $2 AND cancelled_at IS NULL
        AND (preferences.platforms = '{}' OR platform = ANY(preferences.platforms))
    ORDER BY starts_at, id
    LIMIT $3
) AS fresh
WHERE digest.id = ANY($1::bigint[])
ORDER BY digest.id, fresh.starts_at;

-- name: settle
-- What came of deliveries that run $1 claimed; whoever else has taken one since keeps it. One of which
-- it was thought meanwhile that nobody knows is known now. Safe to repeat. Back come those it was about.
UPDATE notifications
SET state = given.state, next_attempt_at = given.next_attempt_at, reference = given.reference,
    error = given.error, hint = given.hint, updated_at = $2::timestamptz, lease_until = NULL,
    attempts = notifications.attempts - CASE WHEN given.is_attempt THEN 0 ELSE 1 END,
    unknowns = notifications.unknowns + CASE WHEN given.is_unknown AND notifications.state = 'sending'
        THEN 1 ELSE 0 END,
    sent_at = CASE WHEN given.state = 'sent' THEN $2::timestamptz END,
    sent_on = CASE WHEN given.state = 'sent' THEN ($2::timestamptz AT TIME ZONE 'UTC')::date END
FROM unnest($3::bigint[], $4::text[], $5::timestamptz[], $6::text[], $7::text[], $8::text[],
        $9::boolean[], $10::boolean[])
    AS given (id, state, next_attempt_at, reference, error, hint, is_attempt, is_unknown)
WHERE notifications.id = given.id AND notifications.id = ANY($3::bigint[])
    AND (notifications.state = 'sending' OR (notifications.state = 'unknown' AND given.state = 'sent'))
    AND notifications.holder = (SELECT runs.id || '@' || runs.holder FROM runs WHERE runs.id = $1)
RETURNING notifications.id;

-- name: note_refusals
-- Addresses that refused for good, as long as they are those that were tried: dead at once ($5), or
-- when they did so on three different days. Back comes who has a dead one now.
UPDATE notify_addresses
SET failed_days = days.failed, state = days.state,
    state_reason = CASE WHEN days.state = 'dead' THEN given.reason ELSE notify_addresses.state_reason END,
    state_since = CASE WHEN days.state = 'dead' THEN $2::timestamptz ELSE notify_addresses.state_since END
FROM unnest($3::bigint[], $4::text[], $5::boolean[], $6::text[])
    AS given (user_id, address, is_dead, reason)
JOIN notify_addresses AS known ON known.user_id = given.user_id AND known.channel = $1
    AND known.address = given.address AND known.state = 'active'
CROSS JOIN LATERAL (
    SELECT array_agg(DISTINCT each.day) AS failed,
        CASE WHEN given.is_dead OR count(DISTINCT each.day) >= 3 THEN 'dead' ELSE 'active' END AS state
    FROM unnest(known.failed_days || ($2::timestamptz AT TIME ZONE 'UTC')::date) AS each (day)
) AS days
WHERE notify_addresses.user_id = given.user_id AND notify_addresses.channel = $1
    AND notify_addresses.address = given.address AND notify_addresses.state = 'active'
RETURNING notify_addresses.user_id, notify_addresses.state;

-- name: forgive
-- What was delivered refutes earlier refusals.
UPDATE notify_addresses SET failed_days = '{}'
FROM unnest($2::bigint[], $3::text[]) AS given (user_id, address)
WHERE notify_addresses.user_id = given.user_id AND notify_addresses.channel = $1
    AND notify_addresses.address = given.address AND notify_addresses.failed_days <> '{}';

-- name: recover
-- Nobody works on these any more, and nobody knows whether they arrived: their lease is over, their
-- run ended or its process is gone, or run $1 itself left them behind. Over the channels in $3 they
-- are sent once more, where that was not done before and they are still worth it; others are kept
-- for a person. At most $4 at once. Back comes what became of each.
WITH left_over AS (
    SELECT id FROM notifications
    WHERE state = 'sending'
        AND (lease_until <= clock_timestamp() OR split_part(holder, '@', 1) = $1::bigint::text
            OR NOT EXISTS (
                SELECT FROM runs
                WHERE runs.outcome = 'running' AND runs.id || '@' || runs.holder = notifications.holder
            ))
    LIMIT $4
    FOR UPDATE SKIP LOCKED
)
UPDATE notifications
SET state = verdict.state, unknowns = notifications.unknowns + 1, updated_at = $2::timestamptz, lease_until = NULL,
    next_attempt_at = CASE WHEN verdict.state = 'pending' THEN $2::timestamptz END,
    error = 'syncd ended while it was sent', hint = 'it may have arrived, or not'
FROM left_over
JOIN notifications AS was ON was.id = left_over.id
LEFT JOIN users ON users.id = was.user_id
CROSS JOIN LATERAL (
    SELECT CASE WHEN was.channel = ANY($3::text[]) AND was.unknowns = 0 AND was.expires_at > $2::timestamptz
        THEN 'pending' ELSE 'unknown' END AS state
) AS verdict
WHERE notifications.id = left_over.id
RETURNING notifications.id, COALESCE(users.key, '') AS user_key, notifications.channel,
    notifications.occasion, notifications.state;

-- name: next_attempts
-- Per channel: when the first of what waits for another attempt may be tried. What could be tried at
-- $2 already and was not is left to the next fire time: a limit or a pause is in its way.
SELECT channel, min(next_attempt_at) AS at FROM notifications
WHERE state = 'pending' AND channel = ANY($1::text[]) AND next_attempt_at > $2
    AND expires_at > next_attempt_at
GROUP BY channel;

-- name: count_waiting
-- How many wait over each of these channels, narrowed as for `claim`, and may be tried at $2.
SELECT channel, count(*) AS deliveries FROM notifications
WHERE state = 'pending' AND channel = ANY($1::text[]) AND next_attempt_at <= $2 AND expires_at > $2
    AND ($3::text[] IS NULL OR user_id IN (SELECT users.id FROM users WHERE users.key = ANY($3)))
GROUP BY channel;

-- name: outbox
-- What is not settled: by channel and state, and since when the first of what is due at $1 is so. Each
-- half goes through an index of its own: of what is settled there may be millions.
SELECT channel, state, count(*) AS deliveries, min(due_at) FILTER (WHERE due_at <= $1) AS oldest_due_at
FROM notifications
WHERE state = 'pending'
GROUP BY channel, state
UNION ALL
SELECT channel, state, count(*), min(due_at) FILTER (WHERE due_at <= $1)
FROM notifications
WHERE state IN ('sending', 'unknown')
GROUP BY channel, state;

-- name: dead_addresses
SELECT channel, count(*) AS addresses FROM notify_addresses WHERE state = 'dead' GROUP BY channel;
