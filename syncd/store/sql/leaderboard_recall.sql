-- name: next_scores
-- Users with a score on any board, in the order of their ids, behind $1.
SELECT {user} AS user_id,
    COALESCE({column}, 0)::double precision AS {score},
    {updated} AS updated_at
FROM {target}
WHERE {user} COLLATE "C" > $1 AND (
        false
        OR {column} > 0
    )
ORDER BY {user} COLLATE "C"
LIMIT $2;

-- name: find_backup
SELECT id, target, rows, format('%I.%I', current_schema, table_name) AS backup
FROM leaderboard_backups
WHERE (id = $1 OR $1 IS NULL) AND (run_id = $2 OR $2 IS NULL) AND job = $3
ORDER BY id
LIMIT 1;

-- name: next_backup
-- The number of the next copy, and what it is called; `backup` is that quoted, in the schema of syncd.
SELECT id, 'leaderboard_backup_' || id AS table_name,
    format('%I.%I', current_schema, 'leaderboard_backup_' || id) AS backup
FROM nextval(pg_get_serial_sequence('leaderboard_backups', 'id')) AS id;

-- name: create_backup
-- A copy of the table as this statement sees it.
CREATE TABLE {backup} AS TABLE {target};

-- name: note_backup
INSERT INTO leaderboard_backups (id, job, run_id, table_name, target, rows, taken_at, expires_at)
OVERRIDING SYSTEM VALUE
VALUES ($1, $2, $3, $4, $5, $6, $7, $8);

-- name: stage_recalled
-- Rows to be put back as they were: `act` is create, update or refused.
CREATE TEMP TABLE lb_recalled (
    user_id text COLLATE "C" NOT NULL, act text COLLATE "C" NOT NULL, row_ctid tid, row_xmin xid,
    lb_row jsonb NOT NULL
);

-- name: recall_tombstones
-- What run $1 deleted from table $3 and nobody put back yet.
INSERT INTO lb_recalled (user_id, act, lb_row)
SELECT user_id, 'create', row_data
FROM leaderboard_tombstones
WHERE run_id = $1 AND job = $2 AND target = $3 AND restored_at IS NULL;

-- name: recall_backup
-- What the table has otherwise, or not at all.
INSERT INTO lb_recalled (user_id, act, row_ctid, row_xmin, lb_row)
SELECT backup.{user}, CASE WHEN target.{user} IS NULL THEN 'create' ELSE 'update' END, target.ctid, target.xmin,
    to_jsonb(backup)
FROM {backup} AS backup
LEFT JOIN {target} AS target ON target.{user} = backup.{user}
WHERE target.{user} IS NULL OR EXISTS (
        SELECT FROM jsonb_each(to_jsonb(backup)) AS kept
        WHERE to_jsonb(target) ? kept.key AND to_jsonb(target) -> kept.key <> kept.value
    );

-- name: recalled_columns
-- The columns of the table that recalled rows have and that can be given, quoted; those that can be changed.
SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) AS columns,
    string_agg(quote_ident(attname), ', ' ORDER BY attnum) FILTER (WHERE attidentity = '') AS changeable
FROM pg_attribute
WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
    AND attname::text IN (SELECT jsonb_object_keys(lb_row) FROM (SELECT lb_row FROM lb_recalled LIMIT 1) AS first);

-- name: put_back
-- Who came to be in the table meanwhile stays as he is there.
INSERT INTO {target} ({columns}) OVERRIDING SYSTEM VALUE
SELECT {columns}
FROM (
    SELECT lb_row FROM lb_recalled WHERE ctid >= $1 AND ctid < $2 AND act = ANY($3::text[])
) AS recalled
CROSS JOIN LATERAL jsonb_populate_record(NULL::{target}, lb_row)
ON CONFLICT ({user}) DO NOTHING;

-- name: set_back
-- Who wrote a row since it was seen has it his way.
UPDATE {target} AS target
SET ({changeable}) = (SELECT {changeable} FROM jsonb_populate_record(NULL::{target}, recalled.lb_row))
FROM lb_recalled AS recalled
WHERE recalled.ctid >= $1 AND recalled.ctid < $2 AND recalled.act = ANY($3::text[])
    AND target.ctid = recalled.row_ctid AND target.xmin = recalled.row_xmin;

-- name: count_recalled
SELECT count(*) AS rows, count(*) FILTER (WHERE act = 'create') AS created,
    count(*) FILTER (WHERE act = 'update') AS updated, count(*) FILTER (WHERE act = 'refused') AS refused
FROM lb_recalled;

-- name: count_tombstones
SELECT count(*) AS rows FROM leaderboard_tombstones WHERE run_id = $1 AND job = $2 AND target = $3;

-- name: note_restored
-- The tombstones of run $1 whose users have a row again.
UPDATE leaderboard_tombstones AS tombstone SET restored_at = $2
FROM {target} AS target
WHERE tombstone.run_id = $1 AND tombstone.restored_at IS NULL
    AND target.{user} = tombstone.user_id COLLATE {collation};
