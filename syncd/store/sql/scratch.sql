-- name: is_there
-- The schema is there, with whatever is in it.
SELECT to_regnamespace(quote_ident($1::text)) IS NOT NULL;

-- name: drop_statement
-- A schema's name cannot be a parameter of DROP SCHEMA: PostgreSQL quotes it for us. Nothing comes
-- back for a schema that was not made to be thrown away.
SELECT format('DROP SCHEMA IF EXISTS %I CASCADE', $1::text) WHERE starts_with($1::text, 'syncd_selftest_');

-- name: scores
-- The daily scores of the table that follows the boards, in the order of the users.
SELECT daily_pomo FROM pomo_leaderboard ORDER BY user_id;
