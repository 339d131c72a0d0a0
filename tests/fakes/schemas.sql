-- What `fakes.schemas` asks PostgreSQL, to give a test the schema of the one before, empty.

-- name: relations
-- What stands in a schema, so that what a test makes beside it can be told apart.
SELECT array_agg(oid) FROM pg_class WHERE relnamespace = $1::text::regnamespace;

-- name: contents
-- What a table holds.
SELECT jsonb_agg(to_jsonb(held)) FROM {table} AS held;

-- name: filled
-- The tables that hold something, or did; what fits into a few pages is quickly emptied row by row.
SELECT format('%I.%I', nspname, relname) AS name, pg_relation_size(pg_class.oid) <= 65536 AS is_small
FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE nspname = $1 AND relkind = 'r' AND pg_relation_size(pg_class.oid) > 0;

-- name: lock
-- How to wait for whoever is still at it.
SELECT 'LOCK TABLE ' || string_agg(format('%I.%I', nspname, relname), ', ')
FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE nspname = $1 AND relkind IN ('r', 'p');

-- name: strangers
-- How to drop what a test made in a schema: all but these relations ($2).
SELECT format('DROP %s IF EXISTS %I.%I CASCADE',
    CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE'
        WHEN 'i' THEN 'INDEX' WHEN 'I' THEN 'INDEX' WHEN 'c' THEN 'TYPE' ELSE 'TABLE' END, nspname, relname)
FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE nspname = $1 AND pg_class.oid <> ALL($2::oid[])
-- Tables take their indexes along.
ORDER BY relkind NOT IN ('r', 'p');

-- name: restart_sequences
-- Sequences that gave a number begin again. CASE decides who is asked for one.
SELECT setval(pg_class.oid, seqstart, false)
FROM pg_class JOIN pg_sequence ON seqrelid = pg_class.oid
WHERE relnamespace = $1::text::regnamespace
    AND CASE relkind WHEN 'S' THEN pg_sequence_last_value(pg_class.oid) END IS NOT NULL;

-- name: forget_statistics
-- What was measured of the rows of before says nothing about those to come.
WITH forgotten AS (
    DELETE FROM pg_statistic USING pg_class
    WHERE starelid = pg_class.oid AND relnamespace = $1::text::regnamespace
)
UPDATE pg_class SET relpages = 0, reltuples = -1, relallvisible = 0
WHERE relnamespace = $1::text::regnamespace AND relkind IN ('r', 'p') AND (relpages <> 0 OR reltuples <> -1);

-- name: shape
-- One line for everything about a schema but its name and its rows: what a test changed for good
-- makes another one. Rows of the catalog are named by who wrote them, where that is only DDL.
WITH named AS (
    SELECT pg_class.* FROM pg_class WHERE relnamespace = $1::text::regnamespace
), lines (line) AS (
    SELECT concat_ws(' ', oid, relname, relkind, relowner, relacl, relhasrules, relhastriggers,
        relrowsecurity, relforcerowsecurity, reloptions, relpersistence, relispartition, relreplident)
    FROM named
    UNION ALL SELECT concat_ws(' ', nspowner, nspacl) FROM pg_namespace WHERE nspname = $1
    UNION ALL SELECT concat_ws(' ', 'a', attrelid, attnum, pg_attribute.xmin)
        FROM pg_attribute JOIN named ON attrelid = named.oid
    UNION ALL SELECT concat_ws(' ', 'd', pg_attrdef.oid, pg_attrdef.xmin)
        FROM pg_attrdef JOIN named ON adrelid = named.oid
    UNION ALL SELECT concat_ws(' ', 'c', pg_constraint.oid, pg_constraint.xmin)
        FROM pg_constraint JOIN named ON conrelid = named.oid
    UNION ALL SELECT concat_ws(' ', 't', pg_trigger.oid, pg_trigger.xmin)
        FROM pg_trigger JOIN named ON tgrelid = named.oid
    UNION ALL SELECT concat_ws(' ', 'i', indexrelid, indisvalid, indisready, indislive)
        FROM pg_index JOIN named ON indexrelid = named.oid
    UNION ALL SELECT concat_ws(' ', 'r', pg_rewrite.oid, pg_rewrite.xmin)
        FROM pg_rewrite JOIN named ON ev_class = named.oid
    UNION ALL SELECT concat_ws(' ', 'p', pg_policy.oid, pg_policy.xmin)
        FROM pg_policy JOIN named ON polrelid = named.oid
    UNION ALL SELECT concat_ws(' ', 'h', inhrelid, inhparent) FROM pg_inherits JOIN named ON inhrelid = named.oid
    UNION ALL SELECT concat_ws(' ', 's', oid, xmin)
        FROM pg_statistic_ext WHERE stxnamespace = $1::text::regnamespace
    UNION ALL SELECT concat_ws(' ', 'q', seqrelid, pg_sequence.xmin)
        FROM pg_sequence JOIN named ON seqrelid = named.oid
    UNION ALL SELECT concat_ws(' ', 'f', oid, xmin) FROM pg_proc WHERE pronamespace = $1::text::regnamespace
    UNION ALL SELECT concat_ws(' ', 'y', oid, typname) FROM pg_type WHERE typnamespace = $1::text::regnamespace
)
SELECT md5(string_agg(line, E'\n' ORDER BY line)) FROM lines;
