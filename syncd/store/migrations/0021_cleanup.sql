-- What is old goes: who has not been here for long is marked, and what each rule came to is counted.

ALTER TABLE users ADD COLUMN inactive_since timestamptz;
COMMENT ON COLUMN users.inactive_since IS
    'Marked by the clean-up after long without a login; a newer login takes it back';

CREATE TABLE cleanup_counts (
    run_id bigint NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    rule   text COLLATE "C" NOT NULL,
    items  bigint NOT NULL,
    PRIMARY KEY (run_id, rule)
);
COMMENT ON TABLE cleanup_counts IS 'What each rule of a run removed, cleared or marked; of a dry run: would have';
