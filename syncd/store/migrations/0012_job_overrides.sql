-- What people changed of jobs at run time, over what config.toml says.

CREATE TABLE job_overrides (
    job        text COLLATE "C" PRIMARY KEY,
    enabled    boolean,
    schedule   text CHECK (schedule <> ''),
    every      interval CHECK (every > interval '0'),
    timezone   text CHECK (timezone <> ''),
    why        text NOT NULL DEFAULT '',
    actor      text NOT NULL DEFAULT '',
    changed_at timestamptz NOT NULL,
    CHECK (schedule IS NULL OR every IS NULL),
    CHECK (num_nonnulls(enabled, schedule, every, timezone) > 0)
);
COMMENT ON TABLE job_overrides IS 'A key that is NULL is as config.toml says; schedule and every stand in place of both';
