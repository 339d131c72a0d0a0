-- name: ping
-- Whether PostgreSQL answers, how fast, and whether our tables are there. It need not read much.
SELECT EXISTS (SELECT FROM migrations);

-- name: is_direct
-- Whether the connection is a session of its own: the process that greeted us is the one that answers,
-- and it has what we asked for at the start.
SELECT pg_backend_pid() = $1 AND current_setting('search_path') = $2;

-- name: preamble
-- The statement with which each transaction begins where a session keeps nothing: for the schema $1,
-- with transactions cut off that are idle for $2 milliseconds (0: never).
SELECT format(
    'SET LOCAL search_path TO %I; SET LOCAL lock_timeout TO ''10s''; SET LOCAL timezone TO ''UTC''; '
    'SET LOCAL idle_in_transaction_session_timeout TO %L',
    $1::text, $2::text
);
