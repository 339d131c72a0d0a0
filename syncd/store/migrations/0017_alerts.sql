-- What a person was told of each job, and what they are still to be told.

CREATE TABLE alert_states (
    job       text COLLATE "C" NOT NULL,
    topic     text NOT NULL CHECK (topic IN ('runs', 'change')),
    condition text NOT NULL CHECK (condition IN ('failed', 'abandoned', 'held', 'well', 'changed')),
    run_id    bigint NOT NULL,
    first_run bigint NOT NULL,
    since     timestamptz NOT NULL,
    plan_id   bigint,
    detail    jsonb NOT NULL DEFAULT '{}',
    told_at   timestamptz,
    PRIMARY KEY (job, topic)
);
COMMENT ON COLUMN alert_states.condition IS 'How the job was when this was decided';
COMMENT ON COLUMN alert_states.first_run IS 'The run with which the trouble began that lasts or has just ended';
COMMENT ON COLUMN alert_states.plan_id IS 'The newest plan that was told of';
COMMENT ON COLUMN alert_states.told_at IS 'NULL: decided, and still to be told';
