-- name: ping
-- Asks for nothing: whether PostgreSQL answers, and how fast.
SELECT 1;
