-- Whom the query of [users] brought: only they go when it names them no longer.
ALTER TABLE users ADD COLUMN is_mirrored boolean NOT NULL DEFAULT false;
CREATE INDEX users_mirrored ON users (key) WHERE is_mirrored;
COMMENT ON COLUMN users.is_mirrored IS 'Named by the query of [users]; not by API or import alone';
