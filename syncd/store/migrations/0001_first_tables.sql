-- Users, the accounts they linked, what the platforms said about them, and the ledger of runs.

CREATE TABLE users (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key           text COLLATE "C" NOT NULL UNIQUE CHECK (length(key) BETWEEN 1 AND 128),
    opted_out     boolean NOT NULL DEFAULT false,
    last_login_at timestamptz,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE users IS 'The platform''s own users; key is the platform''s name for them';

CREATE TABLE accounts (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id      bigint NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    platform     text COLLATE "C" NOT NULL CHECK (platform <> ''),
    handle       text NOT NULL CHECK (length(handle) BETWEEN 1 AND 300),
    linked_as    text NOT NULL,
    external_id  text COLLATE "C" CHECK (external_id <> ''),
    state        text NOT NULL DEFAULT 'active' CHECK (
        state IN ('active', 'paused', 'opted_out', 'reauth_required', 'gone', 'quarantined')),
    state_reason text NOT NULL DEFAULT '',
    state_since  timestamptz NOT NULL DEFAULT now(),
    linked_at    timestamptz NOT NULL DEFAULT now(),
    UNIQUE (user_id, platform),
    UNIQUE (platform, external_id)
);
CREATE INDEX accounts_by_handle ON accounts (platform, lower(handle));
COMMENT ON COLUMN accounts.handle IS 'The name the platform uses today';
COMMENT ON COLUMN accounts.linked_as IS
    'The name we were told; a rename does not change it, so that telling it again changes nothing';
COMMENT ON COLUMN accounts.external_id IS 'The platform''s immutable id; handles are renamed and reused';

-- Rewritten on every pass, hence apart from accounts. One row per account and job kind, so that
-- two jobs of one kind (a main and a backup run) share what they know about freshness.
CREATE TABLE sync_state (
    account_id      bigint NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    kind            text COLLATE "C" NOT NULL,
    platform        text COLLATE "C" NOT NULL,
    attempted_at    timestamptz NOT NULL DEFAULT '-infinity',
    succeeded_at    timestamptz,
    changed_at      timestamptz,
    due_at          timestamptz,
    retry_run       bigint,
    attempts        integer NOT NULL DEFAULT 0,
    fail_streak     integer NOT NULL DEFAULT 0,
    outcome         text NOT NULL DEFAULT '',
    error           text NOT NULL DEFAULT '',
    not_found_since timestamptz,
    etag            text NOT NULL DEFAULT '',
    etag_credential text NOT NULL DEFAULT '',
    PRIMARY KEY (account_id, kind)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX sync_state_oldest ON sync_state (kind, platform, attempted_at, account_id);
CREATE INDEX sync_state_retry ON sync_state (retry_run, platform, due_at) WHERE retry_run IS NOT NULL;
CREATE INDEX sync_state_failing ON sync_state (kind, due_at) WHERE fail_streak > 0;
COMMENT ON COLUMN sync_state.attempted_at IS 'When a run was last through with the account';
COMMENT ON COLUMN sync_state.due_at IS 'After a failure: when to try again';

CREATE TABLE profiles (
    account_id     bigint PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE,
    name           text,
    avatar_url     text,
    bio            text,
    followers      bigint,
    following      bigint,
    public_repos   bigint,
    rating         double precision,
    solved         bigint,
    raw            jsonb NOT NULL,
    raw_hash       bytea NOT NULL,
    mapper_version integer NOT NULL,
    fetched_at     timestamptz NOT NULL,
    changed_at     timestamptz NOT NULL
);

CREATE TABLE jobs (
    job       text COLLATE "C" PRIMARY KEY,
    anchor_at timestamptz NOT NULL
);
COMMENT ON COLUMN jobs.anchor_at IS 'Where the counting of `every` began; a restart does not move it';

CREATE TABLE runs (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job          text COLLATE "C" NOT NULL,
    kind         text COLLATE "C" NOT NULL,
    cause        text NOT NULL CHECK (cause IN ('schedule', 'manual', 'catch_up', 'chained', 'retry')),
    fire_time    timestamptz,
    outcome      text NOT NULL CHECK (outcome IN ('claimed', 'running', 'succeeded', 'partial', 'failed',
        'held', 'cancelled', 'interrupted', 'abandoned', 'skipped')),
    skip_reason  text CHECK (skip_reason IN ('coalesced', 'overlap', 'paused', 'too_late')),
    options      jsonb NOT NULL DEFAULT '{}',
    attempt      integer NOT NULL DEFAULT 1,
    resumed      integer NOT NULL DEFAULT 0,
    holder       text NOT NULL DEFAULT '',
    claimed_at   timestamptz NOT NULL,
    started_at   timestamptz,
    finished_at  timestamptz,
    heartbeat_at timestamptz,
    created      bigint NOT NULL DEFAULT 0,
    updated      bigint NOT NULL DEFAULT 0,
    unchanged    bigint NOT NULL DEFAULT 0,
    deleted      bigint NOT NULL DEFAULT 0,
    skipped      bigint NOT NULL DEFAULT 0,
    failed       bigint NOT NULL DEFAULT 0,
    seen         bigint GENERATED ALWAYS AS (created + updated + unchanged + deleted + skipped + failed) STORED,
    calls        bigint NOT NULL DEFAULT 0,
    saved        bigint NOT NULL DEFAULT 0,
    failures     jsonb NOT NULL DEFAULT '{}',
    error        text NOT NULL DEFAULT '',
    hint         text NOT NULL DEFAULT '',
    UNIQUE (job, fire_time),
    CHECK ((outcome = 'skipped') = (skip_reason IS NOT NULL)),
    CHECK ((cause IN ('schedule', 'catch_up')) = (fire_time IS NOT NULL))
);
CREATE INDEX runs_by_job ON runs (job, id DESC);
CREATE INDEX runs_open ON runs (id) WHERE outcome IN ('claimed', 'running', 'interrupted');

-- Items a run changed, skipped or failed; unchanged ones are only counted.
CREATE TABLE item_outcomes (
    run_id     bigint NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    account_id bigint NOT NULL,
    platform   text COLLATE "C" NOT NULL,
    user_key   text COLLATE "C" NOT NULL,
    handle     text NOT NULL,
    outcome    text NOT NULL,
    error      text NOT NULL DEFAULT '',
    at         timestamptz NOT NULL,
    PRIMARY KEY (run_id, account_id)
);

CREATE TABLE pauses (
    scope     text NOT NULL CHECK (scope IN ('all', 'job', 'platform', 'account')),
    key       text COLLATE "C" NOT NULL,
    why       text NOT NULL DEFAULT '',
    until     timestamptz,
    actor     text NOT NULL DEFAULT '',
    paused_at timestamptz NOT NULL,
    PRIMARY KEY (scope, key)
);
