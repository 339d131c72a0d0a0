-- What a run came to on each platform, and which job had the last good answer about an account.

CREATE TABLE run_platforms (
    run_id    bigint NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    platform  text COLLATE "C" NOT NULL,
    created   bigint NOT NULL DEFAULT 0,
    updated   bigint NOT NULL DEFAULT 0,
    unchanged bigint NOT NULL DEFAULT 0,
    skipped   bigint NOT NULL DEFAULT 0,
    failed    bigint NOT NULL DEFAULT 0,
    failures  jsonb NOT NULL DEFAULT '{}',
    calls     bigint NOT NULL DEFAULT 0,
    saved     bigint NOT NULL DEFAULT 0,
    asked     bigint NOT NULL DEFAULT 0,
    seconds   double precision NOT NULL DEFAULT 0,
    PRIMARY KEY (run_id, platform)
) WITH (fillfactor = 50);
COMMENT ON TABLE run_platforms IS 'Written with every batch of the run: together they are what stands in runs';
COMMENT ON COLUMN run_platforms.seconds IS 'How long the answers that are counted in asked took together';

ALTER TABLE sync_state ADD COLUMN succeeded_job text COLLATE "C" NOT NULL DEFAULT '';
COMMENT ON COLUMN sync_state.succeeded_job IS 'The job whose run had the answer of succeeded_at; empty where that is not known';
