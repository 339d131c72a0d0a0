-- name: stage_users
-- The four tables of a mirror run; they are seen by its connection alone and go with it.
CREATE TEMP TABLE mirror_users (key text COLLATE "C" NOT NULL, last_login_at timestamptz, opted_out boolean);

-- name: stage_links
-- Linked handles only: a user without a row is not linked on that platform.
CREATE TEMP TABLE mirror_links (
    key text COLLATE "C" NOT NULL, platform text COLLATE "C" NOT NULL, handle text NOT NULL);

-- name: stage_changes
CREATE TEMP TABLE mirror_changes (
    key text COLLATE "C", platform text COLLATE "C", handle text NOT NULL,
    change text NOT NULL CHECK (change IN ('link', 'replace', 'unlink', 'refused')),
    PRIMARY KEY (key, platform));

-- name: stage_plan
CREATE TEMP TABLE mirror_plan (
    key text COLLATE "C" PRIMARY KEY, last_login_at timestamptz, opted_out boolean, is_new boolean NOT NULL);

-- name: drop_stage
DROP TABLE IF EXISTS pg_temp.mirror_users, pg_temp.mirror_links, pg_temp.mirror_changes, pg_temp.mirror_plan;

-- name: analyze_stage
-- Nothing else gathers the figures of temporary tables, and without them joins go wrong.
ANALYZE mirror_users, mirror_links;

-- name: analyze_plan
ANALYZE mirror_changes, mirror_plan;

-- name: find_duplicates
-- At most three keys that stand there more than once, and how many such keys there are.
SELECT key, count(*) OVER () AS duplicates
FROM mirror_users
GROUP BY key
HAVING count(*) > 1
ORDER BY key
LIMIT 3;

-- name: plan_links
-- What differs on the platforms $1. Who is the same account is decided as in link_accounts.
INSERT INTO mirror_changes (key, platform, handle, change)
SELECT COALESCE(wanted.key, held.key), COALESCE(wanted.platform, held.platform), COALESCE(wanted.handle, ''),
    CASE WHEN held.key IS NULL THEN 'link' WHEN wanted.key IS NULL THEN 'unlink' ELSE 'replace' END
FROM mirror_links AS wanted
FULL JOIN (
    SELECT users.key, accounts.platform, accounts.handle, accounts.linked_as
    FROM accounts
    JOIN users ON users.id = accounts.user_id
    JOIN mirror_users ON mirror_users.key = users.key
    WHERE accounts.platform = ANY($1::text[])
) AS held ON held.key = wanted.key AND held.platform = wanted.platform
WHERE held.key IS NULL OR wanted.key IS NULL
    OR lower(wanted.handle) NOT IN (lower(held.linked_as), lower(held.handle));

-- name: next_links
-- Links to be made, in the order of (key, platform), behind ($1, $2).
SELECT key, platform, handle
FROM mirror_changes
WHERE (key, platform) > ($1, $2) AND change IN ('link', 'replace')
ORDER BY key, platform
LIMIT $3;

-- name: refuse_links
UPDATE mirror_changes SET change = 'refused'
FROM unnest($1::text[], $2::text[]) AS refused (key, platform)
WHERE mirror_changes.key = refused.key AND mirror_changes.platform = refused.platform;

-- name: drop_changes
-- What was ordered meanwhile is newer; it is not weighed either.
DELETE FROM mirror_changes WHERE key = ANY($1::text[]);

-- name: plan_users
-- Whom to put: new users, and those of whom something changed.
INSERT INTO mirror_plan (key, last_login_at, opted_out, is_new)
SELECT given.key, given.last_login_at, given.opted_out, users.id IS NULL
FROM mirror_users AS given
LEFT JOIN users ON users.key = given.key
LEFT JOIN (SELECT DISTINCT key FROM mirror_changes WHERE change <> 'refused') AS changed ON changed.key = given.key
WHERE users.id IS NULL OR changed.key IS NOT NULL
    OR (given.last_login_at IS NOT NULL AND given.last_login_at IS DISTINCT FROM users.last_login_at)
    OR (given.opted_out AND NOT users.opted_out);

-- name: weigh_links
-- Of the users that were named: how many were linked on each platform, and how many would lose that.
SELECT wanted.platform,
    (
        SELECT count(*)
        FROM accounts
        JOIN users ON users.id = accounts.user_id
        JOIN mirror_users ON mirror_users.key = users.key
        WHERE accounts.platform = wanted.platform
    ) AS held,
    (
        SELECT count(*)
        FROM mirror_changes
        WHERE mirror_changes.platform = wanted.platform AND change IN ('unlink', 'replace')
    ) AS removed
FROM unnest($1::text[]) AS wanted (platform);

-- name: weigh_users
SELECT (SELECT count(*) FROM mirror_users) AS named, count(*) AS held,
    count(*) FILTER (WHERE mirror_users.key IS NULL) AS removed
FROM users
LEFT JOIN mirror_users ON mirror_users.key = users.key
WHERE users.is_mirrored;

-- name: weigh_opt_outs
-- Of the users that were named: how many have not opted out, and how many would.
SELECT count(*) AS held, count(*) FILTER (WHERE mirror_users.opted_out) AS removed
FROM users
JOIN mirror_users ON mirror_users.key = users.key
WHERE NOT users.opted_out;

-- name: count_unnamed
-- Links of mirrored users on platforms $1, about which the query says nothing.
SELECT accounts.platform, count(*) AS links
FROM accounts
JOIN users ON users.id = accounts.user_id
WHERE users.is_mirrored AND accounts.platform = ANY($1::text[])
GROUP BY accounts.platform
ORDER BY accounts.platform;

-- name: count_plan
-- Each user who was named counts once; who has a handle that was refused counts as skipped.
SELECT count(*) FILTER (WHERE refused.key IS NULL AND mirror_plan.is_new) AS created,
    count(*) FILTER (WHERE refused.key IS NULL AND NOT mirror_plan.is_new) AS updated,
    count(*) FILTER (WHERE refused.key IS NULL AND mirror_plan.key IS NULL) AS unchanged,
    count(refused.key) AS skipped
FROM mirror_users AS given
LEFT JOIN mirror_plan ON mirror_plan.key = given.key
LEFT JOIN (SELECT DISTINCT key FROM mirror_changes WHERE change = 'refused') AS refused ON refused.key = given.key;

-- name: next_planned
-- Whom to put, in the order of keys, behind $1; an empty handle disconnects.
SELECT plan.key, plan.last_login_at, plan.opted_out,
    COALESCE(
        jsonb_object_agg(changes.platform, changes.handle) FILTER (WHERE changes.key IS NOT NULL), '{}'
    ) AS accounts
FROM (
    SELECT key, last_login_at, opted_out FROM mirror_plan WHERE key > $1 ORDER BY key LIMIT $2
) AS plan
LEFT JOIN mirror_changes AS changes ON changes.key = plan.key AND changes.change <> 'refused'
GROUP BY plan.key, plan.last_login_at, plan.opted_out
ORDER BY plan.key;

-- name: drop_planned
DELETE FROM mirror_plan WHERE key = ANY($1::text[]);

-- name: adopt_users
-- From now on the query decides about everybody it named.
UPDATE users SET is_mirrored = true
FROM mirror_users
WHERE mirror_users.key = users.key AND NOT users.is_mirrored;

-- name: find_absent
SELECT users.key
FROM users
LEFT JOIN mirror_users ON mirror_users.key = users.key
WHERE users.is_mirrored AND mirror_users.key IS NULL
ORDER BY users.key;

-- name: list_refused
-- The first hundred are listed. They have no account, so they are numbered downwards from -1.
INSERT INTO item_outcomes (run_id, account_id, platform, user_key, handle, outcome, error, at)
SELECT $1, -row_number() OVER (ORDER BY key, platform), platform, key, left(handle, 300), 'refused_handle',
    'cannot be a name on ' || platform, $2
FROM mirror_changes
WHERE change = 'refused'
ORDER BY key, platform
LIMIT 100
ON CONFLICT (run_id, account_id) DO NOTHING;
