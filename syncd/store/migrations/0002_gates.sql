-- What the way to each platform remembers: pauses the platform asked for, and its circuit breaker.

CREATE TABLE gates (
    platform        text COLLATE "C" NOT NULL CHECK (platform <> ''),
    credential      text COLLATE "C" NOT NULL CHECK (credential <> ''),
    fingerprint     text COLLATE "C" NOT NULL,
    paused_until    timestamptz,
    pause_cause     text NOT NULL DEFAULT '',
    pauses_in_a_row integer NOT NULL DEFAULT 0 CHECK (pauses_in_a_row >= 0),
    openings        integer NOT NULL DEFAULT 0 CHECK (openings >= 0),
    opened_at       timestamptz,
    open_until      timestamptz,
    failure         text NOT NULL DEFAULT '' CHECK (failure IN ('', 'blocked', 'transient')),
    error           text NOT NULL DEFAULT '',
    written_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (platform, credential),
    CHECK ((openings > 0) = (opened_at IS NOT NULL)),
    CHECK ((openings > 0) = (open_until IS NOT NULL))
);
COMMENT ON COLUMN gates.fingerprint IS 'Names the credential''s content; another one inherits nothing';
COMMENT ON COLUMN gates.openings IS 'How often in a row the breaker opened; 0 while it is closed';
