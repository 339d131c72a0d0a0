-- name: write_gates
-- The last word about a gate stays; all of them in one statement.
INSERT INTO gates (platform, credential, fingerprint, paused_until, pause_cause, pauses_in_a_row,
    openings, opened_at, open_until, failure, error, used_up)
SELECT platform, credential, fingerprint, paused_until, pause_cause, pauses_in_a_row,
    openings, opened_at, open_until, failure, error, used_up
FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::text[], $6::int[],
    $7::int[], $8::timestamptz[], $9::timestamptz[], $10::text[], $11::text[],
    $12::jsonb[])
    AS told (platform, credential, fingerprint, paused_until, pause_cause, pauses_in_a_row,
        openings, opened_at, open_until, failure, error, used_up)
ON CONFLICT (platform, credential) DO UPDATE
SET fingerprint = EXCLUDED.fingerprint, paused_until = EXCLUDED.paused_until,
    pause_cause = EXCLUDED.pause_cause, pauses_in_a_row = EXCLUDED.pauses_in_a_row,
    openings = EXCLUDED.openings, opened_at = EXCLUDED.opened_at, open_until = EXCLUDED.open_until,
    failure = EXCLUDED.failure, error = EXCLUDED.error, used_up = EXCLUDED.used_up,
    written_at = now();

-- name: read_gates
SELECT platform, credential, fingerprint, paused_until, pause_cause, pauses_in_a_row,
    openings, opened_at, open_until, failure, error, used_up
FROM gates
ORDER BY platform, credential;
