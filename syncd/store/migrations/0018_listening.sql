-- What users granted us, and what they listened to.

CREATE TABLE oauth_tokens (
    account_id         bigint PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE,
    key_id             text COLLATE "C" NOT NULL CHECK (key_id <> ''),
    refresh_ct         bytea,
    access_ct          bytea,
    scopes             text NOT NULL DEFAULT '',
    access_expires_at  timestamptz,
    granted_at         timestamptz NOT NULL,
    refresh_expires_at timestamptz NOT NULL,
    version            integer NOT NULL DEFAULT 1,
    health             text NOT NULL DEFAULT 'ok' CHECK (health IN ('ok', 'suspect', 'dead')),
    health_reason      text NOT NULL DEFAULT '',
    suspect_since      timestamptz,
    noticed_days       integer CHECK (noticed_days > 0),
    refresh_holder     text NOT NULL DEFAULT '',
    refresh_began_at   timestamptz,
    refresh_until      timestamptz,
    interrupted_at     timestamptz,
    refreshed_at       timestamptz,
    given_digest       bytea NOT NULL,
    CHECK ((health = 'suspect') = (suspect_since IS NOT NULL)),
    CHECK (refresh_ct IS NOT NULL OR health = 'dead'),
    CHECK ((refresh_holder = '') = (refresh_until IS NULL))
) WITH (fillfactor = 80);
CREATE INDEX oauth_tokens_expiring ON oauth_tokens (refresh_expires_at) WHERE health <> 'dead';
COMMENT ON TABLE oauth_tokens IS 'Grants of users; tokens are sealed, their keys are not in this database';
COMMENT ON COLUMN oauth_tokens.version IS 'Grows with every change of the tokens: a slower writer changes nothing';
COMMENT ON COLUMN oauth_tokens.noticed_days IS 'The last notice said that the consent ends in so many days';
COMMENT ON COLUMN oauth_tokens.refresh_until IS
    'Somebody asks for new tokens until then; past and still there: that was cut off, the answer may be lost';
COMMENT ON COLUMN oauth_tokens.interrupted_at IS 'When a refresh began that was cut off; nobody had an answer since';
COMMENT ON COLUMN oauth_tokens.given_digest IS
    'Of the refresh token as it was given: a file that is imported again must not undo what was refreshed since';

-- One row a play. The key holds the instant, so that monthly partitions can be split off the first one.
CREATE TABLE listening_data (
    user_id      bigint NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    artist_id    text COLLATE "C" NOT NULL,
    track_id     text COLLATE "C" NOT NULL CHECK (track_id <> ''),
    played_at    timestamptz(3) NOT NULL,
    artist_ids   text[] COLLATE "C" NOT NULL DEFAULT '{}',
    album_id     text COLLATE "C",
    duration_ms  integer CHECK (duration_ms >= 0),
    context_uri  text COLLATE "C",
    isrc         text COLLATE "C",
    ingested_run bigint NOT NULL,
    UNIQUE (user_id, artist_id, track_id, played_at)
) PARTITION BY RANGE (played_at);
CREATE TABLE listening_data_all PARTITION OF listening_data DEFAULT;
CREATE INDEX listening_data_newest ON listening_data (user_id, played_at DESC);
COMMENT ON COLUMN listening_data.artist_id IS 'The first artist; empty where a local file has none';
COMMENT ON COLUMN listening_data.played_at IS 'As the platform gives it: about the end of the play';

-- What a run came to in plays; its own counts are about users.
CREATE TABLE listening_runs (
    run_id   bigint PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
    inserted bigint NOT NULL DEFAULT 0,
    repeated bigint NOT NULL DEFAULT 0,
    skipped  bigint NOT NULL DEFAULT 0,
    gaps     bigint NOT NULL DEFAULT 0
);

-- Where a whole page was new: plays between these instants may be lost.
CREATE TABLE listening_gaps (
    account_id bigint NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    after      timestamptz NOT NULL,
    before     timestamptz NOT NULL,
    run_id     bigint NOT NULL,
    found_at   timestamptz NOT NULL,
    PRIMARY KEY (account_id, after)
);

-- Whose consent ends soon is told as well.
ALTER TABLE alert_states DROP CONSTRAINT alert_states_topic_check;
ALTER TABLE alert_states ADD CHECK (topic IN ('runs', 'change', 'grants'));
ALTER TABLE alert_states DROP CONSTRAINT alert_states_condition_check;
ALTER TABLE alert_states ADD CHECK (
    condition IN ('failed', 'abandoned', 'held', 'well', 'changed', 'expiring'));
