-- name: write_letters
-- Set aside the accounts whose attempts are used up, each with its letter, in the transaction that
-- notes their failures, and before it does: how they stood until now counts. Used up they are at
-- once ($8); with a failure that wears out ($9), the $10th in a row or a later one, over $11 or more,
-- of an account that is not gone, while the same credential had an answer for somebody since the last
-- of them that was read and stored: what is only confirmed (a 304, a sweep) proves nothing of how we
-- read; or with the first failure of any sort after a person requeued them. The open letter of one
-- that is set aside already is brought up to date, a discarded one is left alone. Back come the
-- letters that are new or open again.
WITH given AS (
    SELECT given.account_id, given.error_class, given.error, given.payload, given.at_once, given.wears_out
    FROM unnest($4::bigint[], $5::text[], $6::text[], $7::text[], $8::boolean[], $9::boolean[])
        AS given (account_id, error_class, error, payload, at_once, wears_out)
), healthy AS MATERIALIZED (
    SELECT platform, credential, max(changed_at) AS read_at
    FROM sync_state
    WHERE kind = $1
    GROUP BY platform, credential
), known AS (
    SELECT given.account_id, given.error_class, given.error, given.payload, accounts.platform,
        sync_state.fail_streak + 1 AS attempts,
        COALESCE(sync_state.failing_since, $2::timestamptz) AS first_at, letter.state AS letter,
        given.at_once OR letter.state = 'requeued' OR (
            given.wears_out AND accounts.state = 'active'
            AND sync_state.fail_streak + 1 >= $10 AND sync_state.failing_since <= $2 - $11::interval
            AND EXISTS (
                SELECT 1 FROM healthy
                WHERE healthy.platform = sync_state.platform
                    AND healthy.credential IS NOT DISTINCT FROM sync_state.credential
                    AND healthy.read_at >= sync_state.attempted_at
            )
        ) AS is_used_up
    FROM given
    JOIN accounts ON accounts.id = given.account_id
    JOIN sync_state ON sync_state.account_id = given.account_id AND sync_state.kind = $1
    LEFT JOIN dead_letters AS letter ON letter.kind = $1
        AND letter.item_key = given.account_id::text AND letter.state IN ('open', 'requeued')
), set_aside AS (
    UPDATE accounts SET state = 'quarantined', state_reason = known.error, state_since = $2
    FROM known
    WHERE accounts.id = known.account_id AND known.is_used_up AND accounts.state IN ('active', 'gone')
    RETURNING accounts.id
), written AS (
    INSERT INTO dead_letters AS mine (kind, item_key, account_id, platform, job, run_id, error_class,
        error, payload, attempts, first_at, last_at, changed_at)
    SELECT $1, known.account_id::text, known.account_id, known.platform, runs.job, runs.id,
        known.error_class, known.error, known.payload, known.attempts, known.first_at, $2, $2
    FROM known
    JOIN runs ON runs.id = $3
    WHERE known.letter = 'open' OR known.account_id IN (SELECT id FROM set_aside)
    ORDER BY known.account_id
    ON CONFLICT (kind, item_key) WHERE state IN ('open', 'requeued') DO UPDATE
    SET state = 'open', job = EXCLUDED.job, run_id = EXCLUDED.run_id,
        error_class = EXCLUDED.error_class, error = EXCLUDED.error, payload = EXCLUDED.payload,
        attempts = mine.attempts + 1, last_at = EXCLUDED.last_at,
        changed_at = CASE WHEN mine.state = 'open' THEN mine.changed_at ELSE EXCLUDED.changed_at END
    RETURNING id, account_id, attempts
)
SELECT written.id, written.account_id, written.attempts
FROM written
JOIN known ON known.account_id = written.account_id
WHERE known.letter IS DISTINCT FROM 'open'
ORDER BY written.id;

-- name: lock_accounts
-- What a run commits waits for the change of these letters, and the change for a run that commits;
-- both take accounts before letters, in the order of their ids.
SELECT id FROM accounts
WHERE id IN (
    SELECT account_id FROM dead_letters
    WHERE state = ANY($1::text[]) AND ($2::bigint IS NULL OR id = $2)
        AND ($3::text IS NULL OR job = $3) AND ($4::text IS NULL OR platform = $4)
        AND ($5::text IS NULL OR error_class = $5)
)
ORDER BY id
FOR NO KEY UPDATE;

-- name: requeue_letters
-- The accounts of these letters are active again, without a failure to their name, due with the next
-- run and asked for alone: that a sweep sees no change says nothing about what could not be read. A
-- discarded letter whose item has another one by now, or is not followed any more, is not touched.
WITH requeued AS (
    UPDATE dead_letters SET state = 'requeued', actor = $6, changed_at = $7
    WHERE state = ANY($1::text[]) AND ($2::bigint IS NULL OR id = $2)
        AND ($3::text IS NULL OR job = $3) AND ($4::text IS NULL OR platform = $4)
        AND ($5::text IS NULL OR error_class = $5)
        AND (state = 'open' OR NOT EXISTS (
            SELECT 1 FROM dead_letters AS other
            WHERE other.kind = dead_letters.kind AND other.item_key = dead_letters.item_key
                AND other.state IN ('open', 'requeued')
        ))
        AND (account_id IS NULL OR EXISTS (
            SELECT 1 FROM accounts
            WHERE accounts.id = dead_letters.account_id AND accounts.state IN ('active', 'quarantined')
        ))
    RETURNING kind, account_id
), active AS (
    UPDATE accounts SET state = 'active', state_reason = '', state_since = $7
    FROM requeued
    WHERE accounts.id = requeued.account_id AND accounts.state = 'quarantined'
), due AS (
    UPDATE sync_state SET due_at = NULL, fail_streak = 0, failing_since = NULL, detailed_at = NULL
    FROM requeued
    WHERE sync_state.account_id = requeued.account_id AND sync_state.kind = requeued.kind
)
SELECT count(*) FROM requeued;

-- name: discard_letters
-- These letters are nobody's business any more; their accounts stay as they are.
WITH discarded AS (
    UPDATE dead_letters SET state = 'discarded', actor = $6, changed_at = $7
    WHERE state = ANY($1::text[]) AND ($2::bigint IS NULL OR id = $2)
        AND ($3::text IS NULL OR job = $3) AND ($4::text IS NULL OR platform = $4)
        AND ($5::text IS NULL OR error_class = $5)
    RETURNING id
)
SELECT count(*) FROM discarded;

-- name: read_letters
-- Newest first, behind $6; each with whom it is about.
SELECT dead_letters.id, dead_letters.kind, dead_letters.item_key, dead_letters.platform,
    dead_letters.job, dead_letters.run_id, dead_letters.error_class, dead_letters.error,
    dead_letters.payload, dead_letters.attempts, dead_letters.first_at, dead_letters.last_at,
    dead_letters.state, dead_letters.actor, dead_letters.changed_at,
    users.key AS user_key, accounts.handle, accounts.state AS account_state
FROM dead_letters
LEFT JOIN accounts ON accounts.id = dead_letters.account_id
LEFT JOIN users ON users.id = accounts.user_id
WHERE dead_letters.state = ANY($1::text[]) AND ($2::bigint IS NULL OR dead_letters.id = $2)
    AND ($3::text IS NULL OR dead_letters.job = $3)
    AND ($4::text IS NULL OR dead_letters.platform = $4)
    AND ($5::text IS NULL OR dead_letters.error_class = $5)
    AND ($6::bigint IS NULL OR dead_letters.id < $6)
ORDER BY dead_letters.id DESC
LIMIT $7;

-- name: letters_of_accounts
-- The letter of each account and kind that still matters: a live one, or the one a person discarded
-- as long as its account is set aside.
SELECT DISTINCT ON (letter.account_id, letter.kind) letter.account_id, letter.kind, letter.id,
    letter.state, letter.attempts, letter.first_at, letter.actor, letter.changed_at
FROM dead_letters AS letter
JOIN accounts ON accounts.id = letter.account_id
WHERE letter.account_id = ANY($1::bigint[]) AND (letter.state IN ('open', 'requeued')
    OR (letter.state = 'discarded' AND accounts.state = 'quarantined'))
ORDER BY letter.account_id, letter.kind, letter.id DESC;

-- name: count_open_letters
SELECT platform, job, error_class, count(*) AS letters
FROM dead_letters
WHERE state = 'open'
GROUP BY platform, job, error_class
ORDER BY platform, job, error_class;
