-- What `syncd stale` and `syncd why` ask: the oldest good answers, and everything about one account.
CREATE INDEX sync_state_stale ON sync_state (kind, platform, succeeded_at NULLS FIRST, account_id);
CREATE INDEX item_outcomes_by_account ON item_outcomes (account_id, at DESC);
