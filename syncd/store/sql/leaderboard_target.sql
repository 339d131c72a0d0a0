-- name: find_problems
-- Why the table $2 of schema $1 cannot follow the boards, a sentence a row, each with the statement that
-- mends it where one does. Its columns: $3 names the user, $4 says since when, $5 one for each board.
WITH target AS (
    SELECT pg_class.oid, relkind, nspname, pg_namespace.oid AS schema,
        format('%I.%I', nspname, relname) AS name
    FROM pg_class
    JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE nspname = $1 AND relname = $2
), fit AS (
    SELECT oid, schema, nspname, name FROM target WHERE relkind = 'r'
), wanted AS (
    SELECT name, role, place
    FROM (VALUES ($3::text, 'user', 0::bigint), ($4, 'updated', 1)) AS fixed (name, role, place)
    UNION ALL
    SELECT name, 'score', place + 1 FROM unnest($5::text[]) WITH ORDINALITY AS board (name, place)
), found AS (
    SELECT wanted.name, wanted.role, wanted.place, fit.oid AS target_id, fit.name AS target, attnum, attnotnull,
        attgenerated, format_type(atttypid, atttypmod) AS type,
        COALESCE(collisdeterministic, true) AS is_exact,
        CASE role
            WHEN 'user' THEN atttypid IN ('text'::regtype, 'varchar'::regtype)
            WHEN 'updated' THEN atttypid = 'timestamptz'::regtype
            ELSE atttypid IN ('float8'::regtype, 'numeric'::regtype, 'int8'::regtype, 'int4'::regtype,
                'int2'::regtype)
        END AS is_fit,
        CASE role
            WHEN 'user' THEN 'text' WHEN 'updated' THEN 'timestamptz' ELSE 'double precision'
        END AS best
    FROM fit
    CROSS JOIN wanted
    LEFT JOIN pg_attribute ON attrelid = fit.oid AND attname = wanted.name AND attnum > 0 AND NOT attisdropped
    LEFT JOIN pg_collation ON pg_collation.oid = attcollation
), problems (place, sentence, mend) AS (
    SELECT 0, format('there is no table %I.%I', $1::text, $2::text),
        format('CREATE TABLE %I.%I (%I text PRIMARY KEY, %s, %I timestamptz NOT NULL DEFAULT now())', $1::text,
            $2::text, $3::text, (
                SELECT string_agg(format('%I double precision NOT NULL DEFAULT 0', column_name), ', ')
                FROM unnest($5::text[]) AS column_name
            ), $4::text)
    WHERE NOT EXISTS (SELECT FROM target)
    UNION ALL
    SELECT 1, format('%s is %s, not an ordinary table', name, CASE relkind
        WHEN 'v' THEN 'a view' WHEN 'm' THEN 'a materialized view' WHEN 'f' THEN 'a foreign table'
        WHEN 'p' THEN 'a partitioned table' ELSE 'something else' END), NULL
    FROM target
    WHERE relkind <> 'r'
    UNION ALL
    SELECT 2 + place, format('column %I is missing', name), format('ALTER TABLE %s ADD COLUMN %I %s', target, name,
        CASE role
            WHEN 'user' THEN 'text PRIMARY KEY' WHEN 'updated' THEN 'timestamptz NOT NULL DEFAULT now()'
            ELSE 'double precision NOT NULL DEFAULT 0'
        END)
    FROM found
    WHERE attnum IS NULL
    UNION ALL
    SELECT 2 + place, format('column %I is %s, not %s', name, type, CASE role
        WHEN 'user' THEN 'text or varchar' WHEN 'updated' THEN 'timestamptz'
        ELSE 'double precision, numeric, bigint, integer or smallint' END),
        format('ALTER TABLE %s ALTER COLUMN %I TYPE %s USING %I%s', target, name, best, name, CASE
            WHEN type LIKE 'timestamp%without time zone' THEN ' AT TIME ZONE ''UTC''' ELSE '::' || best END)
    FROM found
    WHERE attnum IS NOT NULL AND NOT is_fit
    UNION ALL
    SELECT 2 + place, format('column %I is generated: nothing can be written to it', name),
        format('ALTER TABLE %s ALTER COLUMN %I DROP EXPRESSION', target, name)
    FROM found
    WHERE attgenerated <> ''
    UNION ALL
    SELECT 200, format('column %I takes ids that differ for the same', name),
        format('ALTER TABLE %s ALTER COLUMN %I TYPE %s COLLATE "C"', target, name, type)
    FROM found
    WHERE role = 'user' AND is_fit AND NOT is_exact
    UNION ALL
    SELECT 201, format('column %I may be empty', name), format('ALTER TABLE %s ALTER COLUMN %I SET NOT NULL', target, name)
    FROM found
    WHERE role = 'user' AND is_fit AND NOT attnotnull
    UNION ALL
    SELECT 202, format('column %I has no unique index of its own', name),
        format('ALTER TABLE %s ADD UNIQUE (%I)', target, name)
    FROM found
    WHERE role = 'user' AND attnum IS NOT NULL AND NOT EXISTS (
        SELECT FROM pg_index
        WHERE indrelid = target_id AND indisunique AND indisvalid AND indimmediate AND indpred IS NULL
            AND indnkeyatts = 1 AND indkey[0] = attnum
    )
    UNION ALL
    SELECT 300, format('column %I must be given a value, and syncd knows none', attname),
        format('ALTER TABLE %s ALTER COLUMN %I DROP NOT NULL', fit.name, attname)
    FROM fit
    JOIN pg_attribute ON attrelid = fit.oid AND attnum > 0 AND NOT attisdropped
    WHERE attnotnull AND NOT atthasdef AND attidentity = '' AND attname NOT IN (SELECT name FROM wanted)
    UNION ALL
    SELECT 400, format('rows of %s would change with the rows that are deleted here, and no undo brings that back',
        conrelid::regclass),
        format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname)
    FROM fit
    JOIN pg_constraint ON confrelid = fit.oid AND contype = 'f' AND confdeltype IN ('c', 'n', 'd')
    UNION ALL
    SELECT 500, format('row security hides rows from role %I', current_user),
        format('ALTER TABLE %s DISABLE ROW LEVEL SECURITY', name)
    FROM fit
    WHERE row_security_active(oid)
    UNION ALL
    SELECT 501, format('role %I may not use schema %I', current_user, nspname),
        format('GRANT USAGE ON SCHEMA %I TO %I', nspname, current_user)
    FROM fit
    WHERE NOT has_schema_privilege(schema, 'USAGE')
    UNION ALL
    SELECT 502, format('role %I may not %s', current_user, string_agg(grant_name, ', ')),
        format('GRANT %s ON %s TO %I', string_agg(grant_name, ', '), name, current_user)
    FROM fit
    CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS grant_name
    WHERE NOT has_table_privilege(oid, grant_name)
    GROUP BY name
)
SELECT sentence, mend FROM problems ORDER BY place, sentence;

-- name: name_target
-- What the blocks about a table that passed call it and its columns, quoted, a row for the column of each board
-- in the order of $5. `longest` is how many characters an id may have, `told` the type with the precision of
-- the times that it keeps. A score fits where it is less than `most` and has no more than `digits` behind the
-- point; `exact` makes a decimal number of it that has not one digit more.
--
-- Few tables in one FROM: PostgreSQL takes longer to plan this than to do it.
WITH fit AS MATERIALIZED (
    SELECT pg_class.oid, format('%I.%I', nspname, relname) AS target
    FROM pg_class
    JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE nspname = $1 AND relname = $2
), named AS MATERIALIZED (
    SELECT fit.oid, target, format_type(told.atttypid, told.atttypmod) AS told,
        COALESCE(NULLIF(id.atttypmod, -1) - 4, 2147483647)::text AS longest,
        format('%s.%I', collnamespace::regnamespace, collname) AS collation
    FROM fit
    JOIN pg_attribute AS id ON id.attrelid = fit.oid AND id.attname = $3
    JOIN pg_attribute AS told ON told.attrelid = fit.oid AND told.attname = $4
    JOIN pg_collation ON pg_collation.oid = id.attcollation
)
SELECT target, quote_ident($3::text) AS user, quote_ident($4::text) AS updated, told, longest, named.collation,
    'score_' || place AS score, quote_ident(board.attname) AS column, quote_literal(board.attname) AS label,
    CASE WHEN board.atttypid = 'numeric'::regtype THEN '::text::numeric' ELSE '' END AS exact,
    CASE
        WHEN board.atttypid = 'int2'::regtype THEN '32768' WHEN board.atttypid = 'int4'::regtype THEN '2147483648'
        WHEN board.atttypid = 'int8'::regtype THEN '9223372036854775808'
        WHEN board.atttypid = 'numeric'::regtype AND board.atttypmod <> -1
            THEN '1e' || ((board.atttypmod - 4) >> 16) - ((((board.atttypmod - 4) & 2047) # 1024) - 1024)
        ELSE '''Infinity'''
    END AS most,
    CASE
        WHEN board.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype) THEN '0'
        WHEN board.atttypid = 'numeric'::regtype AND board.atttypmod <> -1
            THEN ((((board.atttypmod - 4) & 2047) # 1024) - 1024)::text
        ELSE 'NULL'
    END AS digits
FROM named
CROSS JOIN unnest($5::text[]) WITH ORDINALITY AS wanted (name, place)
JOIN pg_attribute AS board ON board.attrelid = named.oid AND board.attname = wanted.name
ORDER BY place;

-- name: all_columns
-- Every column of the table $2 of schema $1 that can be written, quoted.
SELECT attname AS name, quote_ident(attname) AS column
FROM pg_attribute
JOIN pg_class ON pg_class.oid = attrelid
JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE nspname = $1 AND relname = $2 AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
ORDER BY attnum;
