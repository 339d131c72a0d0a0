-- name: reference_time
-- By which time things are old: our clock or the database's, whichever says less. Where both leapt
-- ahead within the last day, over a week in which nothing ran, ages count to before that only.
WITH recent AS (
    SELECT claimed_at, lag(claimed_at) OVER (ORDER BY id) AS before
    FROM (SELECT id, claimed_at FROM runs WHERE id < $2 ORDER BY id DESC LIMIT 5000) AS newest
), present AS (
    SELECT LEAST($1::timestamptz, now()) AS at
), last_run AS (
    SELECT max(claimed_at) AS at FROM recent
)
SELECT COALESCE(
    CASE WHEN present.at - last_run.at > interval '7 days' THEN last_run.at END,
    (
        SELECT max(before) FROM recent
        WHERE claimed_at > present.at - interval '1 day' AND claimed_at - before > interval '7 days'
    ),
    present.at
)
FROM present, last_run;

-- name: count_contests
SELECT count(*) FROM contests WHERE ends_at < $1;

-- name: clear_contests
-- Notifications about them stay: what was told stands in these.
WITH page AS (
    SELECT id, ends_at FROM contests WHERE id > ($2::bigint[])[1] ORDER BY id LIMIT $3
), gone AS (
    DELETE FROM contests USING page
    WHERE contests.id = page.id AND contests.ends_at < $1
    RETURNING 1
)
SELECT (SELECT count(*) FROM gone) AS items, (SELECT ARRAY[max(id), 0] FROM page) AS last;

-- name: count_read_notifications
SELECT count(*) FROM notifications
WHERE GREATEST(read_at, expires_at) < $1 AND read_at IS NOT NULL
    AND state IN ('sent', 'expired', 'dropped');

-- name: clear_read_notifications
-- What failed, or nobody knows about, waits for a person however old it is. What was read before its
-- contest begins stays until then: without it the reminder would be made once more.
WITH page AS (
    SELECT id FROM notifications WHERE id > ($2::bigint[])[1] ORDER BY id LIMIT $3
), gone AS (
    DELETE FROM notifications USING page
    WHERE notifications.id = page.id AND GREATEST(read_at, expires_at) < $1
        AND read_at IS NOT NULL AND state IN ('sent', 'expired', 'dropped')
    RETURNING 1
)
SELECT (SELECT count(*) FROM gone) AS items, (SELECT ARRAY[max(id), 0] FROM page) AS last;

-- name: count_unread_notifications
SELECT count(*) FROM notifications
WHERE read_at IS NULL AND GREATEST(expires_at, updated_at) < $1
    AND state IN ('sent', 'expired', 'dropped');

-- name: clear_unread_notifications
WITH page AS (
    SELECT id FROM notifications WHERE id > ($2::bigint[])[1] ORDER BY id LIMIT $3
), gone AS (
    DELETE FROM notifications USING page
    WHERE notifications.id = page.id AND read_at IS NULL AND GREATEST(expires_at, updated_at) < $1
        AND state IN ('sent', 'expired', 'dropped')
    RETURNING 1
)
SELECT (SELECT count(*) FROM gone) AS items, (SELECT ARRAY[max(id), 0] FROM page) AS last;

-- name: weigh_inactive
-- How many users would be marked, of how many, and when anybody's last login was told.
SELECT count(*) FILTER (WHERE last_login_at < $1 AND inactive_since IS NULL) AS due, count(*) AS users,
    max(last_login_at) AS newest_login
FROM users;

-- name: count_inactive_users
SELECT count(*) FROM users
WHERE last_login_at < $1 AND inactive_since IS NULL;

-- name: clear_inactive_users
-- A user without a login date is never one of them.
WITH page AS (
    SELECT id FROM users WHERE id > ($2::bigint[])[1] ORDER BY id LIMIT $3
), marked AS (
    UPDATE users SET inactive_since = now(), updated_at = now() FROM page
    WHERE users.id = page.id AND last_login_at < $1 AND inactive_since IS NULL
    RETURNING 1
)
SELECT (SELECT count(*) FROM marked) AS items, (SELECT ARRAY[max(id), 0] FROM page) AS last;

-- name: count_expired_grants
SELECT count(*) FROM oauth_tokens
WHERE health = 'dead' AND refresh_expires_at < $1 AND num_nonnulls(refresh_ct, access_ct) > 0
    AND refresh_holder = '';

-- name: clear_expired_grants
-- The state stays, so that the user can be told why nothing is read any more.
WITH page AS (
    SELECT account_id FROM oauth_tokens WHERE account_id > ($2::bigint[])[1] ORDER BY account_id LIMIT $3
), cleared AS (
    UPDATE oauth_tokens
    SET refresh_ct = NULL, access_ct = NULL, access_expires_at = NULL, version = version + 1
    FROM page
    WHERE oauth_tokens.account_id = page.account_id AND health = 'dead' AND refresh_expires_at < $1
        AND num_nonnulls(refresh_ct, access_ct) > 0 AND refresh_holder = ''
    RETURNING 1
)
SELECT (SELECT count(*) FROM cleared) AS items, (SELECT ARRAY[max(account_id), 0] FROM page) AS last;

-- name: count_outcomes
SELECT count(*) FROM item_outcomes WHERE at < $1 AND run_id <> ALL ($2::bigint[]);

-- name: clear_outcomes
-- Of runs that go on ($4) every outcome stays.
WITH page AS (
    SELECT run_id, account_id FROM item_outcomes WHERE (run_id, account_id) > (($2::bigint[])[1], ($2::bigint[])[2])
    ORDER BY run_id, account_id LIMIT $3
), gone AS (
    DELETE FROM item_outcomes AS outcome USING page
    WHERE outcome.run_id = page.run_id AND outcome.account_id = page.account_id
        AND outcome.at < $1 AND outcome.run_id <> ALL ($4::bigint[])
    RETURNING 1
)
SELECT (SELECT count(*) FROM gone) AS items,
    (SELECT ARRAY[run_id, account_id] FROM page ORDER BY run_id DESC, account_id DESC LIMIT 1) AS last;

-- name: open_runs_now
SELECT COALESCE(array_agg(id), '{}') FROM runs WHERE outcome IN ('claimed', 'running', 'interrupted');

-- name: protected_runs
-- What somebody still asks for: of each job the newest fifty, the newest of each outcome (of those
-- about everybody as well: when a job last succeeded is told by one of these) and the one by which its
-- next fire time is known; runs that go on, and those that something else names.
SELECT COALESCE(array_agg(DISTINCT kept.id), '{}')
FROM (
    SELECT id FROM (
        SELECT id, row_number() OVER (PARTITION BY job ORDER BY id DESC) AS place FROM runs
    ) AS placed WHERE place <= 50
    UNION ALL SELECT max(id) FROM runs GROUP BY job, outcome
    UNION ALL (
        SELECT max(id) FROM runs
        WHERE jsonb_array_length(options -> 'only') = 0 AND options ->> 'platform' = ''
            AND NOT (options ->> 'dry_run')::boolean AND COALESCE(options ->> 'act', '') = ''
        GROUP BY job, outcome
    )
    UNION ALL (SELECT DISTINCT ON (job) id FROM runs WHERE fire_time IS NOT NULL ORDER BY job, fire_time DESC)
    UNION ALL SELECT id FROM runs WHERE outcome IN ('claimed', 'running', 'interrupted')
    UNION ALL SELECT origin FROM runs WHERE outcome IN ('claimed', 'running', 'interrupted')
    UNION ALL SELECT run_id FROM plans WHERE state IN ('held', 'approved')
    UNION ALL SELECT run_id FROM alert_states
    UNION ALL SELECT first_run FROM alert_states
    UNION ALL SELECT run_id FROM leaderboard_sources
    UNION ALL SELECT run_id FROM leaderboard_backups
    UNION ALL SELECT DISTINCT run_id FROM leaderboard_tombstones
    UNION ALL SELECT DISTINCT run_id FROM dead_letters WHERE state IN ('open', 'requeued')
    UNION ALL SELECT DISTINCT retry_run FROM sync_state WHERE retry_run IS NOT NULL
) AS kept
WHERE kept.id IS NOT NULL;

-- name: count_runs
SELECT count(*) FROM runs WHERE finished_at < $1 AND id <> ALL ($2::bigint[]);

-- name: clear_runs
WITH page AS (
    SELECT id FROM runs WHERE id > ($2::bigint[])[1] ORDER BY id LIMIT $3
), gone AS (
    DELETE FROM runs USING page
    WHERE runs.id = page.id AND finished_at < $1 AND runs.id <> ALL ($4::bigint[])
        AND outcome NOT IN ('claimed', 'running', 'interrupted')
    RETURNING 1
)
SELECT (SELECT count(*) FROM gone) AS items, (SELECT ARRAY[max(id), 0] FROM page) AS last;

-- name: count_letters
SELECT count(*) FROM dead_letters
WHERE state IN ('resolved', 'discarded') AND changed_at < $1;

-- name: clear_letters
WITH page AS (
    SELECT id FROM dead_letters WHERE id > ($2::bigint[])[1] ORDER BY id LIMIT $3
), gone AS (
    DELETE FROM dead_letters USING page
    WHERE dead_letters.id = page.id AND state IN ('resolved', 'discarded') AND changed_at < $1
    RETURNING 1
)
SELECT (SELECT count(*) FROM gone) AS items, (SELECT ARRAY[max(id), 0] FROM page) AS last;

-- name: count_tombstones_left
SELECT count(*) FROM leaderboard_tombstones AS tombstone
WHERE deleted_at < $1 AND NOT EXISTS (
    SELECT FROM runs WHERE runs.job = tombstone.job AND runs.claimed_at >= $1);

-- name: clear_tombstones_left
-- Of jobs that have not run since: those that run see to theirs, as they are told to.
WITH page AS (
    SELECT run_id, user_id, row_number() OVER () AS place FROM leaderboard_tombstones AS tombstone
    WHERE deleted_at < $1 AND NOT EXISTS (
        SELECT FROM runs WHERE runs.job = tombstone.job AND runs.claimed_at >= $1)
    LIMIT $3
), gone AS (
    DELETE FROM leaderboard_tombstones AS tombstone USING page
    WHERE tombstone.run_id = page.run_id AND tombstone.user_id = page.user_id
    RETURNING 1
)
SELECT (SELECT count(*) FROM gone) AS items, (SELECT ARRAY[max(place) + ($2::bigint[])[1], 0] FROM page) AS last;

-- name: add_counts
INSERT INTO cleanup_counts (run_id, rule, items)
SELECT $1, given.rule, given.items FROM unnest($2::text[], $3::bigint[]) AS given (rule, items)
WHERE given.items > 0
ON CONFLICT (run_id, rule) DO UPDATE SET items = cleanup_counts.items + EXCLUDED.items;

-- name: return_users
-- Of the next $3 behind user $2 that are inactive: who logged in since is active again. Back comes the
-- last of them, nothing where there was none.
WITH page AS (
    SELECT id FROM users WHERE id > $2 AND inactive_since IS NOT NULL ORDER BY id LIMIT $3
), returned AS (
    UPDATE users SET inactive_since = NULL, updated_at = now() FROM page
    WHERE users.id = page.id AND last_login_at >= $1
)
SELECT max(id) AS last FROM page;

-- name: read_counts
SELECT run_id, rule, items FROM cleanup_counts WHERE run_id = ANY($1::bigint[]) ORDER BY run_id, rule;
