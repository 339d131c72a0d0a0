-- Leaderboards: the table that follows Redis, who is missing there and since when, what waits for a
-- person, and what lets a person take a deletion back.

CREATE TABLE pomo_leaderboard (
    user_id      text COLLATE "C" PRIMARY KEY,
    daily_pomo   double precision NOT NULL DEFAULT 0,
    weekly_pomo  double precision NOT NULL DEFAULT 0,
    monthly_pomo double precision NOT NULL DEFAULT 0,
    yearly_pomo  double precision NOT NULL DEFAULT 0,
    updated_at   timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 85);
COMMENT ON TABLE pomo_leaderboard IS 'The scores of Redis; no index on them: Redis knows the ranks';

CREATE TABLE leaderboard_missing (
    job           text COLLATE "C" NOT NULL,
    user_id       text COLLATE "C" NOT NULL,
    missing_runs  integer NOT NULL DEFAULT 1 CHECK (missing_runs > 0),
    missing_since timestamptz NOT NULL,
    kept_by       bigint,
    PRIMARY KEY (job, user_id)
);
COMMENT ON TABLE leaderboard_missing IS 'Rows of the table whose users were on no board; written by complete runs alone';
COMMENT ON COLUMN leaderboard_missing.kept_by IS 'The plan whose rejection keeps the row until the user is back on a board';

CREATE TABLE leaderboard_targets (
    job    text COLLATE "C" PRIMARY KEY,
    target text NOT NULL
);
COMMENT ON TABLE leaderboard_targets IS 'Which table a job follows: who is missing, and what waits, is about that one';

-- What the guard compares with: the last complete run whose source was in order.
CREATE TABLE leaderboard_sources (
    job          text COLLATE "C" PRIMARY KEY,
    run_id       bigint NOT NULL,
    at           timestamptz NOT NULL,
    source       jsonb NOT NULL
);

CREATE TABLE reconciliations (
    run_id             bigint PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
    job                text COLLATE "C" NOT NULL,
    mode               text NOT NULL CHECK (mode IN ('full', 'incremental')),
    is_complete        boolean NOT NULL,
    is_dry             boolean NOT NULL,
    at                 timestamptz NOT NULL,
    numbers            jsonb NOT NULL,
    drift              jsonb,
    plan_id            bigint,
    backup_id          bigint
);
CREATE INDEX reconciliations_by_job ON reconciliations (job, run_id DESC);
COMMENT ON COLUMN reconciliations.numbers IS 'Counts, phases, notes and verdict: model/leaderboard.py, Reconciliation';

CREATE TABLE plans (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job           text COLLATE "C" NOT NULL,
    run_id        bigint NOT NULL,
    state         text NOT NULL DEFAULT 'held' CHECK (
        state IN ('held', 'approved', 'rejected', 'applied', 'expired', 'replaced')),
    deletes       bigint NOT NULL CHECK (deletes >= 0),
    updates       bigint NOT NULL CHECK (updates >= 0),
    holds_updates boolean NOT NULL,
    base          bigint NOT NULL,
    reasons       jsonb NOT NULL,
    is_hard       boolean NOT NULL,
    digest        text NOT NULL,
    sample        jsonb NOT NULL,
    created_at    timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL,
    decided_at    timestamptz,
    decided_by    text NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX plans_open ON plans (job) WHERE state IN ('held', 'approved');

CREATE TABLE plan_rows (
    plan_id bigint NOT NULL REFERENCES plans (id) ON DELETE CASCADE,
    user_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (plan_id, user_id)
);
COMMENT ON TABLE plan_rows IS 'Whom the plan would delete';

CREATE TABLE leaderboard_tombstones (
    run_id      bigint NOT NULL,
    user_id     text COLLATE "C" NOT NULL,
    job         text COLLATE "C" NOT NULL,
    target      text NOT NULL,
    row_data    jsonb NOT NULL,
    deleted_at  timestamptz NOT NULL,
    restored_at timestamptz,
    PRIMARY KEY (run_id, user_id)
);
CREATE INDEX leaderboard_tombstones_by_age ON leaderboard_tombstones (deleted_at);
COMMENT ON COLUMN leaderboard_tombstones.row_data IS 'The whole row as it was, every column of the table';

CREATE TABLE leaderboard_backups (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job        text COLLATE "C" NOT NULL,
    run_id     bigint NOT NULL,
    table_name text NOT NULL,
    target     text NOT NULL,
    rows       bigint NOT NULL,
    taken_at   timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
COMMENT ON TABLE leaderboard_backups IS 'Copies of the table from before large changes, in this schema';
