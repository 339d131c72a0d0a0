-- name: last_user
-- The last of the next $2 users with preferences behind user $1; no row: there is none behind it.
SELECT max(user_id) AS user_id
FROM (
    SELECT user_id FROM notify_preferences WHERE user_id > $1 ORDER BY user_id LIMIT $2
) AS next
HAVING max(user_id) IS NOT NULL;

-- name: count_live
-- How many contests somebody may have to be told of: to come within the longest lead, or new about
-- their schedule.
SELECT count(*) FROM contests
WHERE starts_at > $1 AND (starts_at <= $1 + interval '168 hours' OR occasion <> 'announced');

-- name: read_quiet
-- The different quiet hours among users $1 (exclusive) to $2.
SELECT DISTINCT timezone, quiet_from, quiet_until
FROM notify_preferences
WHERE user_id > $1 AND user_id <= $2 AND quiet_from IS NOT NULL;

-- name: wait_for_turn
-- Nobody else makes deliveries before the end of this transaction.
SELECT pg_advisory_xact_lock($1);

-- name: plan_well
-- Everything is joined by hashing; a hundred thousand rows are, at most, a second's work that way. The
-- planner thinks of ten leads a user and would sort all of them; there are one or two. Where statistics
-- are of a moment in which rows were being made, it takes many for none, and would compare each with
-- each for minutes. A plan for any range of users takes each for a short one.
SELECT set_config('enable_mergejoin', 'off', true), set_config('enable_nestloop', 'off', true),
    set_config('plan_cache_mode', 'force_custom_plan', true);

-- name: arm
-- Make every delivery that is due for users $1 (exclusive) to $2 at $3, and that is not there yet:
-- reminders from their lead before the start on; what is new about a schedule since seven days at
-- most, at once. Nothing is due once its contest began, but for a start that moved into the past: who
-- waits for the later one is told until then, or until the end. What began since $4, and could have
-- been told before, is made as expired, so that what was missed can be seen. What is new about a
-- schedule is told to who was reached there when it became so. $5: the channels there are. $6 to $9:
-- which quiet hours are now, and when they end; what became due in them waits for their end, unless the
-- contest begins before. $10: only these users; $11: only these addresses and users. Safe to repeat:
-- nothing is made twice, and who holds `wait_for_turn` is alone (ON CONFLICT would cost as much as half
-- of the insertion). A name of kilobytes is cut before it is copied for everybody; what is sent is
-- shorter. Back comes how many there were.
WITH live AS MATERIALIZED (
    SELECT id, platform, left(name, 500) AS name, url, starts_at, ends_at, previous_starts_at,
        schedule_version, occasion, occasion_at, cancelled_at IS NOT NULL AS is_cancelled, first_seen_at,
        starts_at <= $3 AS is_over,
        CASE WHEN starts_at > $3 THEN starts_at ELSE LEAST(ends_at, previous_starts_at) END AS told_until
    FROM contests
    WHERE starts_at > $4
        OR (occasion = 'moved' AND starts_at <= $3 AND ends_at > $3 AND previous_starts_at > $3)
), due AS MATERIALIZED (
    SELECT live.id, 'reminder' AS occasion, lead.hours::smallint AS hours, live.starts_at AS expires_at,
        live.starts_at - make_interval(hours => lead.hours) AS due_at, live.is_over
    FROM live
    CROSS JOIN generate_series(1, 168) AS lead (hours)
    WHERE NOT live.is_cancelled AND live.starts_at > $4
        AND live.starts_at - make_interval(hours => lead.hours) <= $3
        AND (NOT live.is_over OR live.first_seen_at < live.starts_at)
    UNION ALL
    SELECT live.id, live.occasion, 0::smallint, live.told_until, live.occasion_at, false
    FROM live
    WHERE live.occasion <> 'announced' AND live.told_until > $3
        AND (NOT live.is_over OR live.occasion = 'moved')
        AND live.occasion_at BETWEEN $3::timestamptz - interval '7 days' AND $3
), quiet AS MATERIALIZED (
    SELECT * FROM unnest($6::text[], $7::time[], $8::time[], $9::timestamptz[])
        AS given (timezone, quiet_from, quiet_until, ends_at)
), person AS (
    SELECT preferences.user_id, preferences.platforms, address.channel, lead.hours,
        COALESCE(quiet.ends_at, '-infinity') AS quiet_ends_at, address.state_since AS reached_since,
        GREATEST(preferences.updated_at, address.state_since) AS since
    FROM notify_preferences AS preferences
    JOIN users ON users.id = preferences.user_id AND NOT users.opted_out
        AND users.id > $1 AND users.id <= $2
    JOIN notify_addresses AS address ON address.user_id = preferences.user_id
        AND address.state = 'active' AND address.channel = ANY($5::text[])
        AND address.user_id > $1 AND address.user_id <= $2
    CROSS JOIN LATERAL unnest(array_append(preferences.leads, 0::smallint)) AS lead (hours)
    LEFT JOIN quiet ON quiet.timezone = preferences.timezone
        AND quiet.quiet_from = preferences.quiet_from AND quiet.quiet_until = preferences.quiet_until
    WHERE preferences.user_id > $1 AND preferences.user_id <= $2
        AND ($10::text[] IS NULL OR users.key = ANY($10))
        AND ($11::text[] IS NULL OR users.key = ANY($11) OR address.address = ANY($11))
), made AS (
    INSERT INTO notifications (user_id, contest_id, channel, occasion, lead_hours, schedule_version,
        platform, contest_name, contest_url, starts_at, ends_at, previous_starts_at, due_at,
        expires_at, state, next_attempt_at, error, created_at, updated_at)
    SELECT person.user_id, live.id, person.channel, due.occasion, due.hours, live.schedule_version,
        live.platform, live.name, live.url, live.starts_at, live.ends_at, live.previous_starts_at,
        GREATEST(due.due_at, quiet_end.at), due.expires_at,
        CASE WHEN due.is_over THEN 'expired' ELSE 'pending' END,
        CASE WHEN NOT due.is_over THEN GREATEST($3, quiet_end.at) END,
        CASE WHEN due.is_over THEN 'the contest began while nothing was sent' ELSE '' END, $3, $3
    FROM person
    JOIN due ON due.hours = person.hours
    JOIN live ON live.id = due.id
    CROSS JOIN LATERAL (
        SELECT CASE WHEN due.expires_at > person.quiet_ends_at THEN person.quiet_ends_at END AS at
    ) AS quiet_end
    WHERE (person.platforms = '{}' OR live.platform = ANY(person.platforms))
        AND (NOT due.is_over OR person.since < due.due_at)
        AND (due.occasion = 'reminder' OR person.reached_since <= due.due_at)
        AND NOT EXISTS (
            SELECT FROM notifications AS there
            WHERE there.user_id > $1 AND there.user_id <= $2
                AND there.user_id = person.user_id AND there.contest_id = live.id
                AND there.channel = person.channel AND there.occasion = due.occasion
                AND there.lead_hours = due.hours AND there.schedule_version = live.schedule_version
        )
    RETURNING channel, occasion, state, next_attempt_at
)
SELECT channel, occasion, count(*) AS deliveries, count(*) FILTER (WHERE state = 'expired') AS missed,
    count(*) FILTER (WHERE next_attempt_at > $3) AS later
FROM made
GROUP BY channel, occasion;

-- name: digest_zones
-- In which time zones somebody wants a digest.
SELECT DISTINCT timezone FROM notify_preferences WHERE wants_digest;

-- name: arm_digests
-- Make the digest of the day for those of users $1 (exclusive) to $2 who want one, where a contest was
-- first seen since the last one that was not lost, and is to come. $3 now, $5 channels, $6 to $9 quiet
-- hours, $10 and $11 whom it is about: as for `arm`. $12 to $14: in which zones it is time, since when,
-- on which day. A day's digest is made once. $4 is of no use here.
WITH fresh AS MATERIALIZED (
    SELECT platform, first_seen_at FROM contests
    WHERE first_seen_at > $3::timestamptz - interval '7 days' AND starts_at > $3 AND cancelled_at IS NULL
), zone AS MATERIALIZED (
    SELECT * FROM unnest($12::text[], $13::timestamptz[], $14::integer[]) AS given (timezone, due_at, day)
), quiet AS MATERIALIZED (
    SELECT * FROM unnest($6::text[], $7::time[], $8::time[], $9::timestamptz[])
        AS given (timezone, quiet_from, quiet_until, ends_at)
), made AS (
    INSERT INTO notifications (user_id, contest_id, channel, occasion, lead_hours, schedule_version,
        platform, contest_name, contest_url, starts_at, ends_at, previous_starts_at, due_at,
        expires_at, next_attempt_at, created_at, updated_at)
    SELECT preferences.user_id, 0, address.channel, 'digest', 0, zone.day, '', '', '', zone.due_at,
        zone.due_at, since.at, zone.due_at, zone.due_at + interval '24 hours',
        GREATEST($3, quiet.ends_at), $3, $3
    FROM notify_preferences AS preferences
    JOIN zone ON zone.timezone = preferences.timezone
    JOIN users ON users.id = preferences.user_id AND NOT users.opted_out
    JOIN notify_addresses AS address ON address.user_id = preferences.user_id
        AND address.state = 'active' AND address.channel = ANY($5::text[])
    LEFT JOIN quiet ON quiet.timezone = preferences.timezone
        AND quiet.quiet_from = preferences.quiet_from AND quiet.quiet_until = preferences.quiet_until
    CROSS JOIN LATERAL (
        SELECT GREATEST(zone.due_at - interval '7 days',
            COALESCE(max(last.due_at), zone.due_at - interval '24 hours')) AS at
        FROM notifications AS last
        WHERE last.user_id = preferences.user_id AND last.contest_id = 0
            AND last.channel = address.channel AND last.occasion = 'digest' AND last.due_at < zone.due_at
            AND last.state NOT IN ('failed', 'expired', 'dropped')
    ) AS since
    WHERE preferences.user_id > $1 AND preferences.user_id <= $2 AND preferences.wants_digest
        AND $4::timestamptz IS NOT NULL
        AND COALESCE(quiet.ends_at, '-infinity') < zone.due_at + interval '24 hours'
        AND ($10::text[] IS NULL OR users.key = ANY($10))
        AND ($11::text[] IS NULL OR users.key = ANY($11) OR address.address = ANY($11))
        AND EXISTS (
            SELECT FROM fresh
            WHERE fresh.first_seen_at > since.at AND fresh.first_seen_at <= zone.due_at
                AND (preferences.platforms = '{}' OR fresh.platform = ANY(preferences.platforms))
        )
    ON CONFLICT DO NOTHING
    RETURNING channel, occasion, next_attempt_at
)
SELECT channel, occasion, count(*) AS deliveries, 0 AS missed,
    count(*) FILTER (WHERE next_attempt_at > $3) AS later
FROM made
GROUP BY channel, occasion;

-- name: expire_outdated
-- What waits and is not true any more is not sent: its contest moved, or takes place or not after all.
WITH outdated AS (
    SELECT waiting.id, contests.occasion
    FROM contests
    JOIN notifications AS waiting ON waiting.contest_id = contests.id
    WHERE waiting.state = 'pending'
        AND (contests.schedule_version > waiting.schedule_version
            OR (contests.cancelled_at IS NOT NULL AND waiting.occasion <> 'cancelled'))
    LIMIT $2
)
UPDATE notifications
SET state = 'expired', next_attempt_at = NULL, updated_at = $1,
    error = CASE outdated.occasion WHEN 'moved' THEN 'the contest moved'
        WHEN 'cancelled' THEN 'the contest was cancelled' ELSE 'the contest takes place after all' END
FROM outdated
WHERE notifications.id = outdated.id AND notifications.state = 'pending';

-- name: expire_overdue
-- What waited until its contest began is not sent; at most $2 at once.
UPDATE notifications
SET state = 'expired', next_attempt_at = NULL, updated_at = $1,
    error = CASE WHEN error = '' THEN 'the contest began before it could be sent'
        ELSE left('the contest began before it could be sent; last: ' || error, 400) END
WHERE id IN (
    SELECT id FROM notifications WHERE state = 'pending' AND expires_at <= $1 LIMIT $2
) AND state = 'pending';

-- name: forget_orphans
-- Users who went while rows were made for them leave those behind; at most $1 at once.
DELETE FROM notifications
WHERE id IN (
    SELECT notifications.id FROM notifications
    LEFT JOIN users ON users.id = notifications.user_id
    WHERE notifications.state = 'pending' AND users.id IS NULL
    LIMIT $1
);
