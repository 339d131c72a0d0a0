-- name: take_up
-- For this session: memory for a part of what is hashed ($1), no plans that go wrong because nothing is
-- known of temporary tables, a mark of which schema's syncd this is and in which epoch ($2) it leads, and
-- the lock of table $3 if nobody has it: one at a time works on a table of this database, however many syncd
-- there are.
SELECT set_config('work_mem', $1, false), set_config('jit', 'off', false), set_config('enable_mergejoin', 'off', false),
    set_config('plan_cache_mode', 'force_custom_plan', false),
    pg_advisory_lock_shared(hashtext('syncd epoch of ' || current_schema), $2::bigint::integer),
    pg_try_advisory_lock(hashtextextended('syncd leaderboard ' || $3, 0)) AS is_ours;

-- name: take_up_within
-- The same for this transaction, where a session keeps nothing.
SELECT set_config('work_mem', $1, true), set_config('jit', 'off', true), set_config('enable_mergejoin', 'off', true),
    set_config('plan_cache_mode', 'force_custom_plan', true),
    pg_advisory_xact_lock_shared(hashtext('syncd epoch of ' || current_schema), $2::bigint::integer),
    pg_try_advisory_xact_lock(hashtextextended('syncd leaderboard ' || $3, 0)) AS is_ours;

-- name: wait_briefly
SELECT set_config('lock_timeout', '3s', true);

-- name: lock_target
SELECT pg_advisory_lock(hashtextextended('syncd leaderboard ' || $1, 0));

-- name: lock_target_within
SELECT pg_advisory_xact_lock(hashtextextended('syncd leaderboard ' || $1, 0));

-- name: let_go
-- What `take_up` took: a session has no other locks of this kind.
SELECT pg_advisory_unlock_all();

-- name: forget_settings
-- Before what is said for a transaction alone: it would be forgotten as well.
RESET ALL;

-- name: end_elders
-- A process of our schema that led before epoch $2 and still holds table $1, frozen or killed in the midst
-- of a statement, will write nothing any more: its session is ended.
SELECT pg_terminate_backend(held.pid, 5000)
FROM pg_locks AS held
JOIN pg_locks AS marked USING (pid, database, locktype)
JOIN pg_stat_activity AS session USING (pid)
WHERE locktype = 'advisory' AND datname = current_database() AND usename = current_user
    AND held.granted AND held.objsubid = 1
    AND (held.classid::bigint << 32) | held.objid::bigint = hashtextextended('syncd leaderboard ' || $1, 0)
    AND marked.granted AND marked.objsubid = 2 AND marked.objid::bigint < $2::bigint
    AND marked.classid::bigint = hashtext('syncd epoch of ' || current_schema)::bigint & 4294967295;

-- name: wait_for_no_disk
SELECT set_config('synchronous_commit', 'off', true);

-- name: stage_users
-- What the boards say, as it comes: a user may be there several times. NULL: not on that board. Rows that
-- cannot be long need no second table for what is too long: half of what it costs to make one.
CREATE TEMP TABLE lb_staged (
    user_id varchar(400) COLLATE "C" NOT NULL,
    {score} double precision,
    told_at timestamptz
);

-- name: stage_changes
-- What differs, with the version of the row that was seen: `act` is create, update, unfit (a score or an id
-- that the table cannot hold) or missing (on no board), and then approved, kept, due, waiting or protected;
-- gone once deleted, back where the user is on a board again, refused once PostgreSQL would not have it.
CREATE TEMP TABLE lb_changes (
    user_id text COLLATE "C" NOT NULL, act text COLLATE "C" NOT NULL, row_ctid tid, row_xmin xid,
    {score} double precision,
    told_at timestamptz, is_overturned boolean NOT NULL, is_new boolean
);

-- name: stage_poisoned
CREATE TEMP TABLE lb_poisoned (user_id text COLLATE "C", shown text COLLATE "C" NOT NULL, reason text NOT NULL);

-- name: stage_missing
-- Whom a plan would delete; made where one is held.
CREATE TEMP TABLE IF NOT EXISTS lb_missing (user_id text COLLATE "C" NOT NULL);

-- name: drop_stage
DROP TABLE IF EXISTS pg_temp.lb_staged, pg_temp.lb_poisoned, pg_temp.lb_changes, pg_temp.lb_missing,
    pg_temp.lb_recalled;

-- name: set_aside
INSERT INTO lb_poisoned (user_id, shown, reason)
SELECT user_id, shown, reason FROM unnest($1::text[], $2::text[], $3::text[]) AS poisoned (shown, reason, user_id);

-- name: drop_poisoned
-- Who is set aside is not synced, even if another page had nothing against him.
DELETE FROM lb_staged USING lb_poisoned WHERE lb_staged.user_id = lb_poisoned.user_id;

-- name: drop_offboard
-- Who was asked for and is on no board: only a look at all boards may say that he is missing.
DELETE FROM lb_staged
WHERE (
        true
        AND {score} IS NULL
    );

-- name: stage_once
CREATE TEMP TABLE lb_once (
    user_id varchar(400) COLLATE "C" NOT NULL,
    {score} double precision,
    told_at timestamptz
);

-- name: deduplicate
-- Of several scores of a user on a board the greatest stays.
INSERT INTO lb_once (
    user_id,
    {score},
    told_at
)
SELECT user_id,
    max({score}),
    max(told_at)
FROM lb_staged
GROUP BY user_id;

-- name: drop_staged
DROP TABLE lb_staged;

-- name: rename_once
ALTER TABLE lb_once RENAME TO lb_staged;

-- name: forget_changes
TRUNCATE lb_changes;

-- name: compare
-- All that differs, in one look at both sides; {side} is FULL, or LEFT where only those who were staged
-- are looked at. Numbers are compared as Redis has them. New rows lie there in the order of
-- their ids: an index takes them twice as fast.
INSERT INTO lb_changes (
    user_id, act, row_ctid, row_xmin,
    {score},
    told_at, is_overturned
)
SELECT COALESCE(staged.user_id, target.{user}),
    CASE
        WHEN staged.user_id IS NULL THEN 'missing'
        WHEN char_length(staged.user_id) > {longest}
            OR staged.{score} < 0 OR staged.{score} >= {most}
            OR staged.{score}::text::numeric <> round(staged.{score}::text::numeric, {digits}::integer)
        THEN 'unfit'
        WHEN target.{user} IS NULL THEN 'create'
        ELSE 'update'
    END,
    target.ctid, target.xmin,
    COALESCE(staged.{score}, 0),
    staged.told_at,
    (
        false
        OR (staged.{score} <> 0 AND target.{column} <> 0 AND staged.{score} <> target.{column})
    ) IS TRUE
FROM lb_staged AS staged
{side} JOIN {target} AS target ON target.{user} = staged.user_id COLLATE {collation}
WHERE staged.user_id IS NULL OR target.{user} IS NULL
    OR target.{column} IS DISTINCT FROM COALESCE(staged.{score}, 0)
    OR (staged.told_at IS NOT NULL AND target.{updated} IS DISTINCT FROM staged.told_at::{told})
ORDER BY CASE WHEN target.{user} IS NULL THEN staged.user_id END;

-- name: count_changes
-- What was staged and what differs. `users` are those who are staged, {score}_users those with a score on a
-- board, {score}_sum the sum of these; more than 1e290 could not be summed up. `most` is the greatest score.
-- `base` are the rows that the table has; `protected` those of users who were set aside. In the order of
-- `compare` a new user who is there twice stands behind himself.
SELECT weighed.*, counted.*, (SELECT count(*) FROM {target}) AS base, (
        SELECT count(*)
        FROM (SELECT DISTINCT user_id FROM lb_poisoned) AS given
        JOIN {target} AS target ON target.{user} = given.user_id COLLATE {collation}
    ) AS protected
FROM (
    SELECT count(*) AS users,
        count(*) FILTER (WHERE {score} > 0) AS {score}_users, COALESCE(sum(LEAST({score}, 1e290)) FILTER (WHERE {score} > 0), 0) AS {score}_sum,
        max(GREATEST(
            {score},
            0
        )) AS most
    FROM lb_staged
) AS weighed
CROSS JOIN (
    SELECT count(*) FILTER (WHERE act = 'create') AS created, count(*) FILTER (WHERE act = 'update') AS updated,
        count(*) FILTER (WHERE act = 'update' AND is_overturned) AS overturned,
        count(*) FILTER (WHERE act = 'missing') AS missing, count(*) FILTER (WHERE act = 'unfit') AS unfit,
        count(*) FILTER (WHERE row_ctid IS NULL) AS new, count(*) FILTER (WHERE is_repeat) AS repeats
    FROM (
        SELECT act, row_ctid, is_overturned, user_id = lag(user_id) OVER () AS is_repeat FROM lb_changes
    ) AS changes
) AS counted;

-- name: set_unfit_aside
INSERT INTO lb_poisoned (user_id, shown, reason)
SELECT user_id, left(user_id, 100),
    CASE
        WHEN char_length(user_id) > {longest} THEN 'the id is longer than the {longest} characters of its column'
        WHEN {score} < 0 OR {score} >= {most} OR {score}::text::numeric <> round({score}::text::numeric, {digits}::integer) THEN format('column %s cannot hold the score %s', {label}, {score})
    END
FROM lb_changes
WHERE act = 'unfit';

-- name: sort_absent
-- Who is on no board, by what job $1 knows of them: $2 runs and $3 long must they be missing at $4.
-- What is known is looked up one by one (OFFSET keeps it so): nothing is known yet of how much a run
-- before wrote, and a join took the square of it. Returns how many of them are what.
WITH known AS (
    SELECT changes.ctid AS place, marker.user_id IS NULL AS is_new,
        CASE
            WHEN poisoned.user_id IS NOT NULL THEN 'protected'
            WHEN EXISTS (
                SELECT FROM plan_rows
                WHERE plan_rows.user_id = changes.user_id
                    AND plan_rows.plan_id = (SELECT id FROM plans WHERE job = $1 AND state = 'approved')
            ) THEN 'approved'
            WHEN marker.kept_by IS NOT NULL THEN 'kept'
            WHEN COALESCE(marker.missing_runs, 0) + 1 >= $2
                AND COALESCE(marker.missing_since, $4::timestamptz) <= $4::timestamptz - $3::interval THEN 'due'
            ELSE 'waiting'
        END AS act
    FROM lb_changes AS changes
    LEFT JOIN LATERAL (
        SELECT user_id, missing_runs, missing_since, kept_by FROM leaderboard_missing AS noted
        WHERE noted.job = $1 AND noted.user_id = changes.user_id OFFSET 0
    ) AS marker ON true
    LEFT JOIN (SELECT DISTINCT user_id FROM lb_poisoned) AS poisoned ON poisoned.user_id = changes.user_id
    WHERE changes.act = 'missing'
), sorted AS (
    UPDATE lb_changes SET act = known.act, is_new = known.is_new FROM known WHERE lb_changes.ctid = known.place
    RETURNING lb_changes.act, lb_changes.is_new
)
SELECT count(*) AS missing, count(*) FILTER (WHERE is_new) AS newly,
    count(*) FILTER (WHERE act = 'due') AS due, count(*) FILTER (WHERE act = 'approved') AS approved,
    count(*) FILTER (WHERE act = 'kept') AS kept
FROM sorted
WHERE act IN ('approved', 'kept', 'due', 'waiting');

-- name: has_canary
-- Whether user $1 is on a board: in the table and not missing there, or new, or set aside.
SELECT EXISTS (SELECT FROM lb_changes WHERE user_id = $1 AND act = 'create')
    OR EXISTS (SELECT FROM lb_poisoned WHERE user_id = $1)
    OR (
        EXISTS (SELECT FROM {target} WHERE {user} = $1)
        AND NOT EXISTS (
            SELECT FROM lb_changes WHERE user_id = $1 AND act IN ('approved', 'kept', 'due', 'waiting')
        )
    );

-- name: count_still_missing
-- How many rows of plan $1 are missing yet.
SELECT count(*) AS rows
FROM lb_changes
WHERE act IN ('waiting', 'due', 'approved', 'kept')
    AND (SELECT true FROM plan_rows WHERE plan_id = $1 AND plan_rows.user_id = lb_changes.user_id);

-- name: index_absent
CREATE INDEX IF NOT EXISTS lb_changes_to_delete ON lb_changes (user_id) WHERE act IN ('due', 'approved');

-- name: next_absent
SELECT user_id
FROM lb_changes
WHERE act IN ('due', 'approved') AND user_id > $1 AND act = ANY($2::text[])
ORDER BY user_id
LIMIT $3;

-- name: spare
UPDATE lb_changes SET act = 'back' WHERE user_id = ANY($1::text[]) AND act IN ('due', 'approved');

-- name: digest_absent
-- What stands for the rows a plan would hold, in whatever order they are, and the first of them.
SELECT md5(concat_ws(' ', count(*), bit_xor(hashtextextended(user_id, 1)), sum(hashtextextended(user_id, 2)::numeric)))
    AS digest,
    ARRAY(
        SELECT user_id FROM lb_changes WHERE act IN ('waiting', 'due', 'approved') ORDER BY user_id LIMIT 20
    ) AS sample
FROM lb_changes
WHERE act IN ('waiting', 'due', 'approved');

-- name: fill_missing
INSERT INTO lb_missing (user_id) SELECT user_id FROM lb_changes WHERE act IN ('waiting', 'due', 'approved');

-- name: count_inexact
-- Scores that a double cannot tell from their neighbours.
SELECT
    count(*) FILTER (WHERE {score} >= 9007199254740992) +
    0 AS scores
FROM lb_staged;

-- name: weigh_target
-- The table as `count_changes` weighs what is staged, held_users and the like for those of its rows that are
-- not to be like the boards: none unless $1. `protected` are the rows of users who were set aside.
SELECT weighed.*, held.*, (
        SELECT count(*)
        FROM (SELECT DISTINCT user_id FROM lb_poisoned) AS given
        JOIN {target} AS target ON target.{user} = given.user_id COLLATE {collation}
    ) AS protected
FROM (
    SELECT
        count(*) FILTER (WHERE {column} > 0) AS {score}_users, COALESCE(sum(LEAST({column}::double precision, 1e290)) FILTER (WHERE {column} > 0), 0) AS {score}_sum,
        count(*) AS users
    FROM {target}
) AS weighed
CROSS JOIN (
    SELECT
        count(*) FILTER (WHERE {column} > 0) AS held_{score}_users, COALESCE(sum(LEAST({column}::double precision, 1e290)) FILTER (WHERE {column} > 0), 0) AS held_{score}_sum,
        count(*) AS held_users
    FROM (
        SELECT user_id FROM lb_changes WHERE $1 AND act IN ('approved', 'kept', 'due', 'waiting', 'back')
        UNION
        SELECT user_id FROM lb_poisoned WHERE $1 AND user_id IS NOT NULL
    ) AS given
    JOIN {target} AS target ON target.{user} = given.user_id COLLATE {collation}
) AS held;

-- name: count_drift
-- Rows that differ although nothing holds them back; with $1 updates are held.
SELECT count(*) AS rows
FROM lb_staged AS staged
{side} JOIN {target} AS target ON target.{user} = staged.user_id COLLATE {collation}
WHERE (
        staged.user_id IS NULL OR target.{user} IS NULL
        OR target.{column} IS DISTINCT FROM COALESCE(staged.{score}, 0)
    )
    AND NOT EXISTS (
        SELECT FROM lb_poisoned
        WHERE lb_poisoned.user_id = COALESCE(staged.user_id, target.{user} COLLATE "C")
    )
    AND NOT EXISTS (
        SELECT FROM lb_changes
        WHERE lb_changes.user_id = target.{user} COLLATE "C"
            AND (act IN ('approved', 'kept', 'due', 'waiting', 'back') OR ($1 AND act = 'update'))
    );
