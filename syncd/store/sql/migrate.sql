-- name: wait_for_turn
-- One process migrates at a time; the lock ends with the transaction.
SELECT pg_advisory_xact_lock($1);

-- name: schema_statement
-- The schema's name cannot be a parameter of CREATE SCHEMA: PostgreSQL quotes it for us.
-- Nothing comes back where it exists already: a role without the right to create one is fine then.
SELECT format('CREATE SCHEMA IF NOT EXISTS %I', $1::text) WHERE to_regnamespace(quote_ident($1)) IS NULL;

-- name: lacking_grant
-- What somebody must grant this role before it can create tables in the schema; NULL when it can.
SELECT CASE
    WHEN to_regnamespace(quote_ident($1::text)) IS NULL THEN
        CASE WHEN NOT has_database_privilege(current_database(), 'CREATE')
            THEN format('GRANT CREATE ON DATABASE %I TO %I', current_database(), current_user) END
    WHEN NOT has_schema_privilege($1, 'USAGE') OR NOT has_schema_privilege($1, 'CREATE')
        THEN format('GRANT USAGE, CREATE ON SCHEMA %I TO %I', $1, current_user)
END;

-- name: lacking_use
-- What somebody must grant this role before it can use the tables that are there; NULL when it can.
-- Two of them speak for all: the schema may hold tables of others.
SELECT format('GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %I TO %I', $1::text, current_user)
WHERE NOT (has_table_privilege('migrations', 'SELECT') AND has_table_privilege('runs', 'SELECT')
    AND has_table_privilege('runs', 'INSERT') AND has_table_privilege('runs', 'UPDATE'));

-- name: create_ledger
CREATE TABLE IF NOT EXISTS migrations (
    version    integer PRIMARY KEY,
    name       text NOT NULL,
    checksum   text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);

-- name: ledger_exists
SELECT to_regclass('migrations') IS NOT NULL;

-- name: applied
SELECT version, checksum FROM migrations ORDER BY version;

-- name: record
INSERT INTO migrations (version, name, checksum) VALUES ($1, $2, $3);
