-- What a sweep (one question about many accounts) said about each account, and when its raw copy was
-- last confirmed by asking for it alone.
ALTER TABLE sync_state ADD COLUMN sweep_key text NOT NULL DEFAULT '';
ALTER TABLE sync_state ADD COLUMN sweep_digest bytea NOT NULL DEFAULT '';
ALTER TABLE sync_state ADD COLUMN detailed_at timestamptz;
COMMENT ON COLUMN sync_state.sweep_key IS 'How a sweep names the account (GitHub: its node id)';
COMMENT ON COLUMN sync_state.sweep_digest IS 'Hash of what a sweep says; another one means a change';
COMMENT ON COLUMN sync_state.detailed_at IS 'The last good answer about this account alone';

-- Until now every success was one of those.
UPDATE sync_state
SET detailed_at = sync_state.succeeded_at, sweep_key = COALESCE(profiles.raw ->> 'node_id', '')
FROM profiles
WHERE profiles.account_id = sync_state.account_id AND sync_state.succeeded_at IS NOT NULL;
