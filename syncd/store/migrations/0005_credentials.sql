-- By which credential of its platform an account is asked for, so that its ETag holds.
ALTER TABLE sync_state ADD COLUMN credential text COLLATE "C";
COMMENT ON COLUMN sync_state.credential IS
    'The name in config.toml; NULL until a run binds it. Adding or removing one moves only its share';
