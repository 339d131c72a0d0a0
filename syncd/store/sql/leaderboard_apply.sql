-- name: count_blocks
-- How many rows a temporary table $1 has, and how many blocks they fill.
SELECT count(*) AS rows, pg_relation_size($1::text::regclass) / current_setting('block_size')::bigint AS blocks
FROM {rows};

-- name: update_rows
-- From block $1 up to $2 of what differs. Who wrote a row since it was seen has it his way.
UPDATE {target} AS target
SET
    {column} = changes.{score}{exact},
    {updated} = COALESCE(changes.told_at, $4)
FROM lb_changes AS changes
WHERE changes.ctid >= $1 AND changes.ctid < $2 AND changes.act = ANY($3::text[])
    AND target.ctid = changes.row_ctid AND target.xmin = changes.row_xmin
    AND target.{user} = changes.user_id COLLATE {collation};

-- name: create_rows
-- Takes half as long as the next one, and fails where somebody came to be in the table meanwhile.
INSERT INTO {target} (
    {column},
    {user}, {updated}
)
SELECT
    {score}{exact},
    user_id, COALESCE(told_at, $4)
FROM lb_changes
WHERE ctid >= $1 AND ctid < $2 AND act = ANY($3::text[]);

-- name: create_others
-- Who came to be in the table meanwhile stays as he is there.
INSERT INTO {target} (
    {column},
    {user}, {updated}
)
SELECT
    {score}{exact},
    user_id, COALESCE(told_at, $4)
FROM lb_changes
WHERE ctid >= $1 AND ctid < $2 AND act = ANY($3::text[])
ON CONFLICT ({user}) DO NOTHING;

-- name: delete_rows
-- Each row leaves a tombstone, with every column it had, of run $5 of job $6 in table $7.
WITH gone AS (
    DELETE FROM {target} AS target USING lb_changes AS absent
    WHERE absent.ctid >= $1 AND absent.ctid < $2 AND absent.act = ANY($3::text[])
        AND target.ctid = absent.row_ctid AND target.xmin = absent.row_xmin
        AND target.{user} = absent.user_id COLLATE {collation}
    RETURNING target.{user} COLLATE "C" AS user_id, to_jsonb(target) AS row_data
), kept AS (
    INSERT INTO leaderboard_tombstones (run_id, user_id, job, target, row_data, deleted_at)
    SELECT $5::bigint, user_id, $6::text, $7::text, row_data, $4 FROM gone
    ON CONFLICT (run_id, user_id) DO UPDATE
    SET row_data = EXCLUDED.row_data, deleted_at = EXCLUDED.deleted_at, restored_at = NULL
    RETURNING user_id
)
UPDATE lb_changes SET act = 'gone' FROM kept WHERE lb_changes.user_id = kept.user_id;

-- name: find_middle
-- Of the rows of a temporary table from $1 up to $2: where the second half begins, and who stands there.
SELECT place, user_id, rows
FROM (
    SELECT ctid AS place, user_id, row_number() OVER (ORDER BY ctid) AS number, count(*) OVER () AS rows
    FROM {rows}
    WHERE ctid >= $1 AND ctid < $2 AND act = ANY($3::text[])
) AS numbered
WHERE number = rows / 2 + 1;

-- name: refuse_row
-- The row of a temporary table at $1 is set aside, for the reason $2.
WITH refused AS (
    UPDATE {rows} SET act = 'refused' WHERE ctid = $1 RETURNING user_id
)
INSERT INTO lb_poisoned (user_id, shown, reason) SELECT user_id, left(user_id, 100), $2 FROM refused;
