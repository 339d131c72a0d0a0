-- name: bound_statement
-- For the transaction at hand, in the platform's own database.
SELECT set_config('statement_timeout', $1, true);
