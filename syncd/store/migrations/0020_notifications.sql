-- Who wants to be told of what, how, and what was told.

CREATE TABLE notify_preferences (
    user_id      bigint PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    platforms    text[] COLLATE "C" NOT NULL,
    leads        smallint[] NOT NULL CHECK (
        cardinality(leads) BETWEEN 1 AND 10 AND 1 <= ALL (leads) AND 168 >= ALL (leads)),
    timezone     text NOT NULL DEFAULT 'UTC',
    quiet_from   time,
    quiet_until  time,
    language     text NOT NULL DEFAULT 'en',
    wants_digest boolean NOT NULL DEFAULT false,
    updated_at   timestamptz NOT NULL DEFAULT now(),
    CHECK ((quiet_from IS NULL) = (quiet_until IS NULL)),
    CHECK (quiet_from <> quiet_until)
);
COMMENT ON COLUMN notify_preferences.platforms IS 'Of whose contests; empty: of all';
COMMENT ON COLUMN notify_preferences.leads IS 'Hours before the start';
COMMENT ON COLUMN notify_preferences.quiet_from IS 'In the user''s timezone; may lie behind quiet_until: over midnight';

CREATE TABLE notify_addresses (
    user_id      bigint NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    channel      text COLLATE "C" NOT NULL CHECK (channel <> ''),
    address      text NOT NULL CHECK (address <> ''),
    state        text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'off', 'dead')),
    state_reason text NOT NULL DEFAULT '',
    state_since  timestamptz NOT NULL DEFAULT now(),
    failed_days  date[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (user_id, channel)
);
COMMENT ON COLUMN notify_addresses.state IS
    'off: the user does not want it (unsubscribed); dead: the channel says that nobody is there';
COMMENT ON COLUMN notify_addresses.failed_days IS 'Days on which it was refused for good; the third makes it dead';

-- The outbox and the history in one: a row is made once, claimed, sent, and kept. What is told stands
-- in it, since the contest may be gone by then.
CREATE TABLE notifications (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id          bigint NOT NULL,
    contest_id       bigint NOT NULL,
    channel          text COLLATE "C" NOT NULL,
    occasion         text COLLATE "C" NOT NULL CHECK (
        occasion IN ('reminder', 'moved', 'cancelled', 'restored', 'digest')),
    lead_hours       smallint NOT NULL,
    schedule_version integer NOT NULL,
    platform         text COLLATE "C" NOT NULL,
    contest_name     text NOT NULL,
    contest_url      text NOT NULL,
    starts_at        timestamptz NOT NULL,
    ends_at          timestamptz NOT NULL,
    previous_starts_at timestamptz,
    due_at           timestamptz NOT NULL,
    expires_at       timestamptz NOT NULL,
    state            text COLLATE "C" NOT NULL DEFAULT 'pending' CHECK (state IN (
        'pending', 'sending', 'sent', 'failed', 'unknown', 'expired', 'dropped')),
    attempts         smallint NOT NULL DEFAULT 0,
    unknowns         smallint NOT NULL DEFAULT 0,
    next_attempt_at  timestamptz,
    lease_until      timestamptz,
    holder           text NOT NULL DEFAULT '',
    sent_at          timestamptz,
    sent_on          date,
    reference        text NOT NULL DEFAULT '',
    error            text NOT NULL DEFAULT '',
    hint             text NOT NULL DEFAULT '',
    created_at       timestamptz NOT NULL DEFAULT now(),
    updated_at       timestamptz NOT NULL DEFAULT now(),
    read_at          timestamptz,
    UNIQUE (user_id, contest_id, channel, occasion, lead_hours, schedule_version)
) WITH (fillfactor = 85);
COMMENT ON TABLE notifications IS 'One row for each reminder and channel; never deleted with its contest';
COMMENT ON COLUMN notifications.contest_id IS 'Of table contests, or of a contest that was there; 0: a digest';
COMMENT ON COLUMN notifications.lead_hours IS 'Of reminders; 0 of everything else';
COMMENT ON COLUMN notifications.previous_starts_at IS
    'The start before it moved; of a digest: contests count as new that were first seen since';
COMMENT ON COLUMN notifications.next_attempt_at IS 'Of what is pending: not before';
COMMENT ON COLUMN notifications.unknowns IS
    'How often nobody knew whether it arrived: more than 0, and it may have arrived twice, or not at all';
COMMENT ON COLUMN notifications.holder IS 'Which run claimed it last, of which process';
-- What is next on a channel: what begins first, of what may be tried now.
CREATE INDEX notifications_pending ON notifications (channel, expires_at, next_attempt_at)
    WHERE state = 'pending';
CREATE INDEX notifications_open ON notifications (state, channel) WHERE state IN ('sending', 'unknown');
-- What a person looks at, newest first: of what was sent there are millions.
CREATE INDEX notifications_unsent ON notifications (id) WHERE state <> 'sent';

-- A user who is gone leaves nothing behind. No foreign key: a hundred thousand rows are made at once,
-- and each would look for its user. The schema is that of the trigger's table, whoever deletes.
CREATE FUNCTION forget_notifications() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format(
        'DELETE FROM %I.notifications WHERE user_id IN (SELECT id FROM gone)', TG_TABLE_SCHEMA);
    RETURN NULL;
END
$$;
CREATE TRIGGER forget_notifications AFTER DELETE ON users
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION forget_notifications();
