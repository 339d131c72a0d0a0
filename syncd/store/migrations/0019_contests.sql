-- What platforms announce, and what became of it.

CREATE TABLE contests (
    id                 bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    platform           text COLLATE "C" NOT NULL CHECK (platform <> ''),
    external_id        text COLLATE "C" NOT NULL CHECK (external_id <> ''),
    joint_id           text COLLATE "C" CHECK (joint_id <> ''),
    name               text NOT NULL,
    url                text NOT NULL,
    starts_at          timestamptz NOT NULL,
    ends_at            timestamptz NOT NULL,
    duration_seconds   bigint NOT NULL CHECK (duration_seconds >= 0),
    kind               text NOT NULL DEFAULT '',
    rated_range        text NOT NULL DEFAULT '',
    schedule_version   integer NOT NULL DEFAULT 1,
    occasion           text NOT NULL DEFAULT 'announced' CHECK (
        occasion IN ('announced', 'moved', 'cancelled', 'restored')),
    occasion_at        timestamptz NOT NULL,
    previous_starts_at timestamptz,
    source             text COLLATE "C" NOT NULL,
    raw                jsonb NOT NULL,
    first_seen_at      timestamptz NOT NULL,
    last_seen_at       timestamptz NOT NULL,
    changed_at         timestamptz NOT NULL,
    missing_since      timestamptz,
    missing_looks      integer NOT NULL DEFAULT 0,
    cancelled_at       timestamptz,
    CHECK (ends_at >= starts_at),
    CHECK ((occasion = 'cancelled') = (cancelled_at IS NOT NULL)),
    CHECK ((missing_looks = 0) = (missing_since IS NULL))
) WITH (fillfactor = 90);
-- A contest is one row, whichever of its ids it goes by today.
CREATE UNIQUE INDEX contests_by_id ON contests (platform, (COALESCE(joint_id, external_id)));
CREATE INDEX contests_to_come ON contests (starts_at) WHERE cancelled_at IS NULL;
CREATE INDEX contests_ended ON contests (ends_at);
COMMENT ON COLUMN contests.external_id IS 'The platform''s own id, as it was given last';
COMMENT ON COLUMN contests.joint_id IS
    'What its ids have in common where it goes by several (START134 of START134B); NULL: it goes by one';
COMMENT ON COLUMN contests.schedule_version IS
    'Grows when the start moves by 60 s or more, or a cancelled contest takes place after all: reminders begin anew';
COMMENT ON COLUMN contests.occasion IS 'What was last new about its schedule, at occasion_at';
COMMENT ON COLUMN contests.previous_starts_at IS 'The start before it moved';
COMMENT ON COLUMN contests.source IS 'Who told what is stored: the platform itself, or a list of many platforms';
COMMENT ON COLUMN contests.raw IS 'What its source told when anything else of the row changed last';
COMMENT ON COLUMN contests.last_seen_at IS 'Of the last look whose list named it; once it has ended, to a day';
COMMENT ON COLUMN contests.missing_looks IS 'In how many complete lists in a row it was not, since missing_since';

-- What changed, when it was noticed; the contest may be gone since.
CREATE TABLE contest_changes (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    contest_id bigint NOT NULL REFERENCES contests (id) ON DELETE CASCADE,
    noticed_at timestamptz NOT NULL,
    what       text NOT NULL CHECK (what IN (
        'start', 'end', 'name', 'duration', 'kind', 'cancelled', 'restored')),
    before     text NOT NULL,
    after      text NOT NULL
);
CREATE INDEX contest_changes_of ON contest_changes (contest_id, noticed_at);
COMMENT ON COLUMN contest_changes.before IS 'Instants are UTC in ISO 8601, durations seconds';

-- When each source of contests was asked last, and what it said.
CREATE TABLE contest_looks (
    source      text COLLATE "C" PRIMARY KEY,
    tried_at    timestamptz NOT NULL,
    looked_at   timestamptz,
    fail_streak integer NOT NULL DEFAULT 0,
    error       text NOT NULL DEFAULT '',
    retry_at    timestamptz
);
COMMENT ON COLUMN contest_looks.looked_at IS 'When it last told a list that could be used';
COMMENT ON COLUMN contest_looks.retry_at IS 'When it may be tried again ahead of its schedule';
