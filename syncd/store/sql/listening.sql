-- name: read_cursors
-- The newest play that is stored of each account's user; who has none has no row.
SELECT accounts.id AS account_id, newest.played_at
FROM accounts
CROSS JOIN LATERAL (
    SELECT played_at FROM listening_data
    WHERE listening_data.user_id = accounts.user_id
    ORDER BY played_at DESC
    LIMIT 1
) AS newest
WHERE accounts.id = ANY($1::bigint[]);

-- name: store_plays
-- Pages of plays, a row of $1 to $3 for each: whose it is, whether it holds as many as can be had, and
-- its oldest play; $4 to $12 are the plays. One that is stored already stays as it is, also where it
-- comes twice in a page. A full page of which even the oldest play is newer than all that is stored
-- leaves a gap, which is noted once. Back comes, for each page, how many of its plays were new, the
-- newest that was stored before, and whether a gap was noted. Writers of the same plays wait for each
-- other in one order.
WITH page AS MATERIALIZED (
    SELECT page.account_id, accounts.user_id, page.is_full, page.oldest, known.newest
    FROM unnest($1::bigint[], $2::boolean[], $3::timestamptz[]) AS page (account_id, is_full, oldest)
    JOIN accounts ON accounts.id = page.account_id
    LEFT JOIN LATERAL (
        SELECT played_at AS newest FROM listening_data
        WHERE listening_data.user_id = accounts.user_id
        ORDER BY played_at DESC
        LIMIT 1
    ) AS known ON true
), inserted AS (
    INSERT INTO listening_data (user_id, artist_id, track_id, played_at, artist_ids, album_id,
        duration_ms, context_uri, isrc, ingested_run)
    SELECT page.user_id, given.artist_id, given.track_id, given.played_at,
        string_to_array(given.artist_ids, chr(31)), given.album_id, given.duration_ms,
        given.context_uri, given.isrc, $13
    FROM unnest($4::bigint[], $5::text[], $6::text[], $7::timestamptz[], $8::text[], $9::text[],
            $10::integer[], $11::text[], $12::text[])
        AS given (account_id, artist_id, track_id, played_at, artist_ids, album_id, duration_ms,
            context_uri, isrc)
    JOIN page ON page.account_id = given.account_id
    ORDER BY page.user_id, given.artist_id, given.track_id, given.played_at
    ON CONFLICT DO NOTHING
    RETURNING user_id
), gaps AS (
    INSERT INTO listening_gaps (account_id, after, before, run_id, found_at)
    SELECT page.account_id, page.newest, page.oldest, $13, $14
    FROM page
    WHERE page.is_full AND page.oldest > page.newest
    ON CONFLICT (account_id, after) DO NOTHING
    RETURNING account_id
)
SELECT page.account_id, page.newest, count(inserted.user_id) AS inserted,
    page.account_id IN (SELECT account_id FROM gaps) AS has_gap
FROM page
LEFT JOIN inserted ON inserted.user_id = page.user_id
GROUP BY page.account_id, page.newest;

-- name: mark_hasty
-- Of these, plays may be lost: they are looked at again before it is their turn.
UPDATE sync_state SET due_at = given.due_at
FROM unnest($2::bigint[], $3::timestamptz[]) AS given (account_id, due_at)
WHERE sync_state.account_id = given.account_id AND sync_state.kind = $1;

-- name: add_counts
-- Part of the transaction that holds what they count; of a run that stores nothing they say what it
-- would have stored.
INSERT INTO listening_runs (run_id, inserted, repeated, skipped, gaps)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (run_id) DO UPDATE
SET inserted = listening_runs.inserted + EXCLUDED.inserted,
    repeated = listening_runs.repeated + EXCLUDED.repeated,
    skipped = listening_runs.skipped + EXCLUDED.skipped,
    gaps = listening_runs.gaps + EXCLUDED.gaps;

-- name: read_counts
SELECT run_id, inserted, repeated, skipped, gaps FROM listening_runs WHERE run_id = ANY($1::bigint[]);

-- name: read_gaps
-- Newest first.
SELECT accounts.platform, listening_gaps.after, listening_gaps.before, listening_gaps.run_id,
    listening_gaps.found_at
FROM users
JOIN accounts ON accounts.user_id = users.id
JOIN listening_gaps ON listening_gaps.account_id = accounts.id
WHERE users.key = $1
ORDER BY listening_gaps.after DESC
LIMIT $2;

-- name: forget_plays
-- At most $2 plays of a user; safe to repeat until there are none.
DELETE FROM listening_data
USING (
    SELECT listening_data.user_id, listening_data.artist_id, listening_data.track_id,
        listening_data.played_at
    FROM users
    JOIN listening_data ON listening_data.user_id = users.id
    WHERE users.key = $1
    ORDER BY listening_data.played_at
    LIMIT $2
) AS oldest
WHERE listening_data.user_id = oldest.user_id AND listening_data.artist_id = oldest.artist_id
    AND listening_data.track_id = oldest.track_id AND listening_data.played_at = oldest.played_at;

-- name: forget_gaps
DELETE FROM listening_gaps
USING accounts, users
WHERE listening_gaps.account_id = accounts.id AND accounts.user_id = users.id AND users.key = $1;

-- name: wait_briefly
-- Whoever reads plays or writes some waits behind one who waits to make a month. An autovacuum that is in
-- the way is ended by PostgreSQL once it was for deadlock_timeout, a second: longer than that it must be.
SELECT set_config('lock_timeout', '2s', true);

-- name: wait_for_turn
-- Nobody else makes partitions before the end of this transaction.
SELECT pg_advisory_xact_lock($1);

-- name: missing_partitions
-- Statements that make the months of plays from $1 on, $2 of them, that have no partition of their own,
-- where we may: such a month begins with none. One of which plays lie in the first partition already
-- stays there.
SELECT format(
    'CREATE TABLE IF NOT EXISTS %I PARTITION OF listening_data FOR VALUES FROM (%L) TO (%L)',
    'listening_data_' || to_char(month.begins AT TIME ZONE 'UTC', 'YYYY_MM'), month.begins,
    (month.begins AT TIME ZONE 'UTC' + interval '1 month') AT TIME ZONE 'UTC') AS statement
FROM generate_series(0, $2::integer - 1) AS ahead (months)
CROSS JOIN LATERAL (
    SELECT (date_trunc('month', $1::timestamptz AT TIME ZONE 'UTC') + ahead.months * interval '1 month')
        AT TIME ZONE 'UTC' AS begins
) AS month
WHERE to_regclass('listening_data_' || to_char(month.begins AT TIME ZONE 'UTC', 'YYYY_MM')) IS NULL
    AND pg_has_role((SELECT relowner FROM pg_class WHERE oid = 'listening_data'::regclass), 'MEMBER')
    AND has_schema_privilege(current_schema(), 'CREATE')
    AND NOT EXISTS (
        SELECT 1 FROM listening_data_all
        WHERE played_at >= month.begins
            AND played_at < (month.begins AT TIME ZONE 'UTC' + interval '1 month') AT TIME ZONE 'UTC'
    )
ORDER BY month.begins;
