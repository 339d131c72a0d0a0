-- Items whose attempts are used up, kept for a person. A letter is about an item of a job kind, as
-- sync_state is: two jobs of one kind (a main and a backup run) share what they know about it.

ALTER TABLE sync_state ADD COLUMN failing_since timestamptz;
COMMENT ON COLUMN sync_state.failing_since IS 'The first failure of the streak';

CREATE TABLE dead_letters (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind        text COLLATE "C" NOT NULL CHECK (kind <> ''),
    item_key    text COLLATE "C" NOT NULL CHECK (item_key <> ''),
    account_id  bigint REFERENCES accounts (id) ON DELETE CASCADE,
    platform    text COLLATE "C" NOT NULL DEFAULT '',
    job         text COLLATE "C" NOT NULL,
    run_id      bigint,
    error_class text COLLATE "C" NOT NULL,
    error       text NOT NULL,
    payload     text NOT NULL DEFAULT '' CHECK (length(payload) <= 2048),
    attempts    integer NOT NULL CHECK (attempts > 0),
    first_at    timestamptz NOT NULL,
    last_at     timestamptz NOT NULL,
    state       text NOT NULL DEFAULT 'open' CHECK (
        state IN ('open', 'requeued', 'resolved', 'discarded')),
    actor       text NOT NULL DEFAULT '',
    changed_at  timestamptz NOT NULL
);
CREATE UNIQUE INDEX dead_letters_live ON dead_letters (kind, item_key) WHERE state IN ('open', 'requeued');
CREATE INDEX dead_letters_by_state ON dead_letters (state, id);
CREATE INDEX dead_letters_by_account ON dead_letters (account_id);
COMMENT ON COLUMN dead_letters.item_key IS 'What the kind calls the item; of an account its id';
COMMENT ON COLUMN dead_letters.account_id IS 'The letters of an account that is deleted go with it';
COMMENT ON COLUMN dead_letters.job IS 'The job whose run used up the last attempt; run_id names that run';
COMMENT ON COLUMN dead_letters.payload IS 'The beginning of the answer, escaped and without credentials';
COMMENT ON COLUMN dead_letters.actor IS 'Who requeued or discarded it last';
COMMENT ON COLUMN dead_letters.changed_at IS 'When it came into its state';

-- Accounts that are quarantined already wait for a person as well.
INSERT INTO dead_letters (kind, item_key, account_id, platform, job, run_id, error_class, error,
    attempts, first_at, last_at, changed_at)
SELECT sync_state.kind, accounts.id::text, accounts.id, accounts.platform, COALESCE(latest.job, ''),
    latest.run_id, sync_state.outcome, accounts.state_reason, GREATEST(sync_state.fail_streak, 1),
    accounts.state_since, GREATEST(sync_state.attempted_at, accounts.state_since), accounts.state_since
FROM accounts
JOIN sync_state ON sync_state.account_id = accounts.id AND sync_state.fail_streak > 0
LEFT JOIN LATERAL (
    SELECT item_outcomes.run_id, runs.job FROM item_outcomes
    JOIN runs ON runs.id = item_outcomes.run_id AND runs.kind = sync_state.kind
    WHERE item_outcomes.account_id = accounts.id
    ORDER BY item_outcomes.at DESC
    LIMIT 1
) AS latest ON true
WHERE accounts.state = 'quarantined';
