-- What users score over all their platforms, and whose score is to be computed again.

ALTER TABLE profiles ADD COLUMN solved_by jsonb;
COMMENT ON COLUMN profiles.solved_by IS 'Solved problems by the platform''s own words, where it tells them apart';

CREATE TABLE user_scores (
    user_id         bigint PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    total           double precision NOT NULL,
    parts           jsonb NOT NULL,
    formula_version text COLLATE "C" NOT NULL,
    computed_at     timestamptz NOT NULL
);
CREATE INDEX user_scores_by_total ON user_scores (total DESC, user_id);
COMMENT ON TABLE user_scores IS 'A user without a part has no row: no score is not a score of 0';
COMMENT ON COLUMN user_scores.parts IS 'By platform: score skill volume rating solved solved_by measure weight reason as_of';

CREATE TABLE score_formulas (
    formula_version text COLLATE "C" PRIMARY KEY,
    parameters      jsonb NOT NULL,
    first_used_at   timestamptz NOT NULL
);
COMMENT ON TABLE score_formulas IS 'The parameters behind a version, by platform';

-- Written with what changes a score, in its transaction. A user may stand here many times, so that
-- those who write wait for nobody; whoever computes takes away the rows it has read.
CREATE TABLE score_due (
    user_id bigint NOT NULL,
    id      bigint GENERATED ALWAYS AS IDENTITY,
    PRIMARY KEY (user_id, id)
) WITH (autovacuum_vacuum_scale_factor = 0.02);
