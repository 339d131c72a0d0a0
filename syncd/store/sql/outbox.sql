-- name: read_outbox
-- Newest first, numbered below $5; each with whom it is for, and how their address stands now.
SELECT told.id, users.key AS user_key, told.channel, told.occasion, told.lead_hours, told.platform,
    told.contest_name, told.contest_url, told.starts_at, told.ends_at, told.previous_starts_at, told.due_at,
    told.expires_at, told.state, told.attempts, told.next_attempt_at, told.sent_at, told.reference, told.error,
    told.hint, told.created_at, told.updated_at, told.read_at, held.address, held.state AS address_state
FROM notifications AS told
LEFT JOIN users ON users.id = told.user_id
LEFT JOIN notify_addresses AS held ON held.user_id = told.user_id AND held.channel = told.channel
WHERE told.state = ANY($1::text[]) AND ($2::text IS NULL OR told.channel = $2)
    AND ($3::text IS NULL OR told.user_id = (SELECT chosen.id FROM users AS chosen WHERE chosen.key = $3))
    AND ($4::bigint IS NULL OR told.id = $4) AND ($5::bigint IS NULL OR told.id < $5)
ORDER BY told.id DESC
LIMIT $6;

-- name: retry_deliveries
-- Delivery $1, or all of which nobody knows whether they arrived (over channel $2): they wait again, with
-- all their attempts, unless something is in the way that lasts. What is being sent, or was, is left to
-- whoever sent it. Safe to repeat. Back comes what was in the way, and of how many.
WITH judged AS (
    SELECT told.id,
        CASE
            WHEN told.expires_at <= $3::timestamptz THEN 'its contest has begun'
            WHEN contests.cancelled_at IS NOT NULL AND told.occasion <> 'cancelled' THEN 'its contest was cancelled'
            WHEN contests.schedule_version > told.schedule_version
                THEN 'its contest moved: other deliveries tell of it'
            WHEN users.id IS NULL THEN 'its user is gone'
            WHEN users.opted_out THEN 'its user opted out'
            WHEN held.state IS NULL THEN 'its user has no address there any more'
            WHEN held.state = 'off' THEN 'its user unsubscribed'
            WHEN held.state = 'dead' THEN 'nobody is at that address any more'
            ELSE ''
        END AS hindrance
    FROM notifications AS told
    LEFT JOIN contests ON contests.id = told.contest_id
    LEFT JOIN users ON users.id = told.user_id
    LEFT JOIN notify_addresses AS held ON held.user_id = told.user_id AND held.channel = told.channel
    WHERE told.state = ANY($4::text[]) AND ($1::bigint IS NULL OR told.id = $1)
        AND ($2::text IS NULL OR told.channel = $2)
), retried AS (
    UPDATE notifications
    SET state = 'pending', attempts = 0, next_attempt_at = $3::timestamptz, lease_until = NULL, error = '',
        hint = '', updated_at = $3::timestamptz
    FROM judged
    WHERE notifications.id = judged.id AND judged.hindrance = '' AND notifications.state = ANY($4::text[])
    RETURNING notifications.id
)
SELECT judged.hindrance, count(*) AS deliveries, count(retried.id) AS retried
FROM judged
LEFT JOIN retried ON retried.id = judged.id
GROUP BY judged.hindrance
ORDER BY deliveries DESC, judged.hindrance;

-- name: drop_delivery
-- It is never sent; what is being sent, or was, is left. Safe to repeat.
UPDATE notifications
SET state = 'dropped', next_attempt_at = NULL, error = 'dropped by ' || $2::text, hint = '',
    updated_at = $3::timestamptz
WHERE id = $1 AND state = ANY($4::text[]);

-- name: mark_read
-- The first time counts.
UPDATE notifications SET read_at = $2
WHERE id = $1 AND read_at IS NULL AND state IN ('sent', 'unknown');

-- name: count_deliveries
-- What was settled since $1, by the day (UTC) it was; of a day's deliveries, how many were read since.
SELECT COALESCE(sent_on, (updated_at AT TIME ZONE 'UTC')::date) AS day, channel,
    count(*) FILTER (WHERE state = 'sent') AS sent, count(*) FILTER (WHERE state = 'failed') AS failed,
    count(*) FILTER (WHERE state = 'unknown') AS unknown, count(*) FILTER (WHERE state = 'expired') AS expired,
    count(*) FILTER (WHERE state = 'dropped') AS dropped, count(*) FILTER (WHERE read_at IS NOT NULL) AS read
FROM notifications
WHERE updated_at >= $1 AND state IN ('sent', 'failed', 'unknown', 'expired', 'dropped')
GROUP BY 1, 2
ORDER BY 1 DESC, 2;
