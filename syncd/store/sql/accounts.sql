-- name: enroll_accounts
-- Every account of these platforms ($2) gets its state row for a job kind, and each row one of the
-- credentials ($3) of its platform: the one whose name makes the largest hash with the account's
-- number. So a restart moves nobody, and a credential that comes or goes moves its own share only.
-- Nobody needs a look but who has no credential that is still there, unless one is new: that one has
-- no account yet. Only rows that change are written; safe to repeat.
WITH offered AS (
    SELECT * FROM unnest($2::text[], $3::text[]) AS offered (platform, credential)
), grown AS (
    SELECT offered.platform FROM offered
    WHERE NOT EXISTS (
        SELECT 1 FROM sync_state
        WHERE sync_state.kind = $1 AND sync_state.platform = offered.platform
            AND sync_state.credential = offered.credential
    )
), looked_at AS MATERIALIZED (
    SELECT accounts.id, accounts.platform, sync_state.credential
    FROM accounts
    LEFT JOIN sync_state ON sync_state.account_id = accounts.id AND sync_state.kind = $1
    WHERE accounts.platform IN (SELECT platform FROM offered)
        AND ((accounts.platform, sync_state.credential) NOT IN (SELECT platform, credential FROM offered)
            OR sync_state.credential IS NULL
            OR accounts.platform IN (SELECT platform FROM grown))
)
INSERT INTO sync_state (account_id, kind, platform, credential)
SELECT looked_at.id, $1, looked_at.platform, chosen.credential
FROM looked_at
CROSS JOIN LATERAL (
    SELECT offered.credential FROM offered
    WHERE offered.platform = looked_at.platform
    ORDER BY md5(offered.credential || ':' || looked_at.id) DESC
    LIMIT 1
) AS chosen
WHERE looked_at.credential IS DISTINCT FROM chosen.credential
ORDER BY looked_at.id
ON CONFLICT (account_id, kind) DO UPDATE SET credential = EXCLUDED.credential
WHERE sync_state.credential IS DISTINCT FROM EXCLUDED.credential;

-- name: forget_ahead
-- What was written down under a clock that was ahead of $1 and of PostgreSQL's own by more than an
-- hour counts as never done, else nobody would ask for these accounts until the clocks get there.
-- No account rests for longer than 24 hours. Only such rows are written; safe to repeat.
WITH clocks AS (
    SELECT GREATEST($1::timestamptz, now()) + interval '1 hour' AS latest
)
UPDATE sync_state
SET attempted_at = CASE WHEN attempted_at > latest THEN '-infinity' ELSE attempted_at END,
    succeeded_at = CASE WHEN succeeded_at > latest THEN NULL ELSE succeeded_at END,
    detailed_at = CASE WHEN detailed_at > latest THEN NULL ELSE detailed_at END,
    changed_at = CASE WHEN changed_at > latest THEN NULL ELSE changed_at END,
    failing_since = CASE WHEN failing_since > latest THEN $1 ELSE failing_since END,
    not_found_since = CASE WHEN not_found_since > latest THEN NULL ELSE not_found_since END,
    due_at = CASE WHEN due_at > latest + interval '24 hours' THEN $1 ELSE due_at END
FROM clocks
WHERE GREATEST(attempted_at, succeeded_at, detailed_at, not_found_since, due_at - interval '24 hours')
    > latest;

-- name: count_due
-- What a run that began at $3 still has to do, per platform and credential. $4: only accounts without a success
-- since that instant, or that are to be looked at sooner in spite of one; $5: leave out accounts that
-- failed and still rest; $6: only these users; $8: leave out those that another job than $7 got since
-- that instant.
SELECT sync_state.platform, sync_state.credential, count(*) AS due
FROM sync_state
JOIN accounts ON accounts.id = sync_state.account_id
WHERE sync_state.kind = $1 AND sync_state.platform = ANY($2::text[]) AND sync_state.attempted_at < $3
    AND ($4::timestamptz IS NULL OR sync_state.succeeded_at IS NULL OR sync_state.succeeded_at < $4
        OR (sync_state.fail_streak = 0 AND sync_state.retry_run IS NULL AND sync_state.due_at <= $3))
    AND (NOT $5 OR sync_state.fail_streak = 0 OR sync_state.due_at <= $3)
    AND (accounts.state = 'active'
        OR (accounts.state IN ('gone', 'quarantined')
            AND ($6::text[] IS NOT NULL OR sync_state.attempted_at < $3 - interval '7 days')))
    AND ($6::text[] IS NULL OR accounts.user_id IN (SELECT id FROM users WHERE key = ANY($6)))
    AND ($8::timestamptz IS NULL OR sync_state.succeeded_job IN ('', $7) OR sync_state.succeeded_at IS NULL
        OR sync_state.succeeded_at < $8)
GROUP BY sync_state.platform, sync_state.credential;

-- name: claim_due
-- The next $9 of them on one platform, oldest attempt first, behind the position ($7, $8). Accounts
-- this run already failed with and will try again are left to claim_retries. A sweep is enough for
-- those that are well and were read alone within a week; three and a half days less for some, by
-- their id, so that accounts that were first read together are not all read again together. $11: only
-- those that are bound to this credential. $13: leave out those that another job than $12 got since
-- that instant.
SELECT accounts.id, users.key AS user_key, accounts.platform, accounts.handle,
    COALESCE(accounts.external_id, '') AS external_id, sync_state.etag, sync_state.etag_credential,
    sync_state.attempted_at, 0 AS attempts, sync_state.sweep_key, sync_state.sweep_digest,
    (accounts.state = 'active' AND sync_state.fail_streak = 0 AND sync_state.sweep_key <> ''
        AND sync_state.detailed_at >= $3::timestamptz - interval '7 days'
            + accounts.id % 84 * interval '1 hour') IS TRUE AS is_sweepable
FROM sync_state
JOIN accounts ON accounts.id = sync_state.account_id
JOIN users ON users.id = accounts.user_id
WHERE sync_state.kind = $1 AND sync_state.platform = $2 AND sync_state.attempted_at < $3
    AND (sync_state.attempted_at, sync_state.account_id) > ($7, $8)
    AND ($4::timestamptz IS NULL OR sync_state.succeeded_at IS NULL OR sync_state.succeeded_at < $4
        OR (sync_state.fail_streak = 0 AND sync_state.retry_run IS NULL AND sync_state.due_at <= $3))
    AND (NOT $5 OR sync_state.fail_streak = 0 OR sync_state.due_at <= $3)
    AND (accounts.state = 'active'
        OR (accounts.state IN ('gone', 'quarantined')
            AND ($6::text[] IS NOT NULL OR sync_state.attempted_at < $3 - interval '7 days')))
    AND ($6::text[] IS NULL OR users.key = ANY($6))
    AND sync_state.retry_run IS DISTINCT FROM $10
    AND ($11::text IS NULL OR sync_state.credential = $11)
    AND ($13::timestamptz IS NULL OR sync_state.succeeded_job IN ('', $12) OR sync_state.succeeded_at IS NULL
        OR sync_state.succeeded_at < $13)
ORDER BY sync_state.attempted_at, sync_state.account_id
LIMIT $9;

-- name: claim_retries
-- Accounts this run failed with once or more and is not through with, soonest first. $4: only those
-- that are bound to this credential.
SELECT accounts.id, users.key AS user_key, accounts.platform, accounts.handle,
    COALESCE(accounts.external_id, '') AS external_id, sync_state.etag, sync_state.etag_credential,
    sync_state.attempted_at, sync_state.attempts, sync_state.due_at, sync_state.sweep_key,
    sync_state.sweep_digest, false AS is_sweepable
FROM sync_state
JOIN accounts ON accounts.id = sync_state.account_id
JOIN users ON users.id = accounts.user_id
WHERE sync_state.retry_run = $1 AND sync_state.platform = $2 AND accounts.state IN ('active', 'gone', 'quarantined')
    AND ($4::text IS NULL OR sync_state.credential = $4)
ORDER BY sync_state.due_at
LIMIT $3;

-- name: identify_accounts
-- What an account is called today, and its immutable id. An id that another user's account holds,
-- or that comes twice in one batch, is refused: the row comes back with who holds it.
WITH given AS (
    SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[]) AS given (account_id, external_id, handle)
), ranked AS (
    SELECT given.account_id, given.external_id, given.handle, accounts.platform,
        row_number() OVER same AS place, first_value(users.key) OVER same AS first_key
    FROM given
    JOIN accounts ON accounts.id = given.account_id
    JOIN users ON users.id = accounts.user_id
    WINDOW same AS (PARTITION BY accounts.platform, given.external_id ORDER BY given.account_id)
), held AS (
    SELECT ranked.account_id, ranked.external_id, ranked.handle, ranked.place, ranked.first_key,
        (
            SELECT users.key FROM accounts AS other
            JOIN users ON users.id = other.user_id
            WHERE other.platform = ranked.platform AND other.external_id = ranked.external_id
                AND other.id <> ranked.account_id
        ) AS holder
    FROM ranked
), written AS (
    UPDATE accounts
    SET external_id = held.external_id, handle = held.handle
    FROM held
    WHERE accounts.id = held.account_id AND held.holder IS NULL AND held.place = 1
)
SELECT account_id, COALESCE(holder, first_key) AS holder
FROM held
WHERE holder IS NOT NULL OR place > 1;

-- name: still_followed
-- Which of these may be written: not opted out, paused or deleted since they were claimed. Who opts
-- out from now on waits for the end of this transaction.
SELECT id FROM accounts
WHERE id = ANY($1::bigint[]) AND state IN ('active', 'gone', 'quarantined', 'reauth_required')
ORDER BY id
FOR NO KEY UPDATE;

-- name: upsert_profiles
-- An answer that says the same as the stored one writes nothing and returns no row. A number once
-- told is not taken back by an answer without one.
INSERT INTO profiles (account_id, name, avatar_url, bio, followers, following, public_repos, rating,
    solved, solved_by, raw, raw_hash, mapper_version, fetched_at, changed_at)
SELECT given.account_id, given.name, given.avatar_url, given.bio, given.followers, given.following,
    given.public_repos, given.rating, given.solved, given.solved_by::jsonb,
    convert_from(given.raw, 'UTF8')::jsonb, given.raw_hash, $13, $14, $14
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[],
        $8::double precision[], $9::bigint[], $10::text[], $11::bytea[], $12::bytea[])
    AS given (account_id, name, avatar_url, bio, followers, following, public_repos, rating, solved,
        solved_by, raw, raw_hash)
ON CONFLICT (account_id) DO UPDATE
SET name = EXCLUDED.name, avatar_url = EXCLUDED.avatar_url, bio = EXCLUDED.bio,
    followers = EXCLUDED.followers, following = EXCLUDED.following,
    public_repos = EXCLUDED.public_repos, rating = COALESCE(EXCLUDED.rating, profiles.rating),
    solved = COALESCE(EXCLUDED.solved, profiles.solved),
    solved_by = COALESCE(EXCLUDED.solved_by, profiles.solved_by),
    raw = EXCLUDED.raw, raw_hash = EXCLUDED.raw_hash, mapper_version = EXCLUDED.mapper_version,
    fetched_at = EXCLUDED.fetched_at, changed_at = EXCLUDED.changed_at
WHERE profiles.raw_hash IS DISTINCT FROM EXCLUDED.raw_hash
    OR profiles.mapper_version IS DISTINCT FROM EXCLUDED.mapper_version
RETURNING account_id, (xmax = 0) AS is_new;

-- name: mark_succeeded
-- A good answer ends a row of failures. What is not known of the sweep (an empty key or digest) stays
-- as it is. A column that is the same for all is given once. $9: the run, whose job had the answer.
UPDATE sync_state
SET attempted_at = $2, succeeded_at = $2, succeeded_job = (SELECT job FROM runs WHERE id = $9),
    changed_at = CASE WHEN COALESCE(given.outcome, ($4::text[])[1]) <> 'unchanged' THEN $2
        ELSE sync_state.changed_at END,
    due_at = NULL, retry_run = NULL, attempts = 0, fail_streak = 0,
    outcome = COALESCE(given.outcome, ($4::text[])[1]), failing_since = NULL, error = '',
    not_found_since = NULL, etag = given.etag,
    etag_credential = COALESCE(given.etag_credential, ($6::text[])[1]),
    sweep_key = COALESCE(NULLIF(given.sweep_key, ''), sync_state.sweep_key),
    sweep_digest = COALESCE(NULLIF(given.sweep_digest, ''), sync_state.sweep_digest),
    detailed_at = $2
FROM unnest($3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bytea[])
    AS given (account_id, outcome, etag, etag_credential, sweep_key, sweep_digest)
WHERE sync_state.account_id = given.account_id AND sync_state.kind = $1;

-- name: mark_unchanged
-- A good answer that says that nothing is new, to whoever asked for the account alone ($5) or with
-- others: what was remembered of the last answer stays; so does an empty digest's. $6: the run, whose
-- job had the answer.
UPDATE sync_state
SET attempted_at = $2, succeeded_at = $2, succeeded_job = (SELECT job FROM runs WHERE id = $6), due_at = NULL, retry_run = NULL, attempts = 0,
    fail_streak = 0, outcome = 'unchanged', failing_since = NULL, error = '', not_found_since = NULL,
    sweep_digest = COALESCE(NULLIF(COALESCE(given.sweep_digest, ($4::bytea[])[1]), ''),
        sync_state.sweep_digest),
    detailed_at = CASE WHEN $5 THEN $2 ELSE sync_state.detailed_at END
FROM unnest($3::bigint[], $4::bytea[]) AS given (account_id, sweep_digest)
WHERE sync_state.account_id = given.account_id AND sync_state.kind = $1;

-- name: revive_accounts
-- An account that answered again is no longer gone or quarantined, and what its letter was about is
-- over.
WITH settled AS (
    UPDATE dead_letters SET state = 'resolved', changed_at = $2
    WHERE account_id = ANY($1::bigint[]) AND kind = $3 AND state IN ('open', 'requeued')
)
UPDATE accounts SET state = 'active', state_reason = '', state_since = $2
WHERE id = ANY($1::bigint[]) AND state IN ('gone', 'quarantined')
RETURNING id;

-- name: mark_failed
-- The run is through with these; the longer the streak, the longer they rest (24 h at most).
UPDATE sync_state
SET attempted_at = $2::timestamptz, retry_run = NULL, attempts = 0, fail_streak = sync_state.fail_streak + 1,
    failing_since = COALESCE(sync_state.failing_since, $2::timestamptz),
    outcome = given.outcome, error = given.error,
    due_at = $2::timestamptz + LEAST(
        make_interval(secs => given.rest_seconds * power(4, LEAST(sync_state.fail_streak, 6))),
        interval '24 hours')
FROM unnest($3::bigint[], $4::text[], $5::text[], $6::double precision[])
    AS given (account_id, outcome, error, rest_seconds)
WHERE sync_state.account_id = given.account_id AND sync_state.kind = $1;

-- name: mark_retrying
-- The same run tries these again from due_at on.
UPDATE sync_state
SET retry_run = $2, due_at = given.due_at, attempts = given.attempts, outcome = given.outcome,
    error = given.error
FROM unnest($3::bigint[], $4::text[], $5::text[], $6::timestamptz[], $7::integer[])
    AS given (account_id, outcome, error, due_at, attempts)
WHERE sync_state.account_id = given.account_id AND sync_state.kind = $1;

-- name: record_outcomes
-- An outcome or error that is the same for all is given once. An account that is gone by now has no
-- name any more: its user may have been forgotten. Who forgets one that is there waits for the end of
-- this transaction.
WITH known AS (
    SELECT id FROM accounts WHERE id = ANY($4::bigint[]) ORDER BY id FOR KEY SHARE
)
INSERT INTO item_outcomes (run_id, account_id, platform, user_key, handle, outcome, error, at)
SELECT $1, given.account_id, $2,
    CASE WHEN known.id IS NULL THEN '' ELSE given.user_key END,
    CASE WHEN known.id IS NULL THEN '' ELSE given.handle END,
    COALESCE(given.outcome, ($7::text[])[1]), COALESCE(given.error, ($8::text[])[1]), $3
FROM unnest($4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[])
    AS given (account_id, user_key, handle, outcome, error)
LEFT JOIN known ON known.id = given.account_id
ON CONFLICT (run_id, account_id) DO UPDATE
SET outcome = EXCLUDED.outcome, error = EXCLUDED.error, at = EXCLUDED.at;

-- name: confirm_missing
-- After a run in which the platform answered others who were asked for alone (a sweep comes from
-- another API, and proves nothing of this one): note the first "not found", and call an account gone,
-- set aside or not, when a second one came at least $4 later; a letter about it is over. What one
-- credential ($5) is told proves nothing of what another one cannot see. Repeating it changes
-- nothing.
WITH missing AS (
    SELECT sync_state.account_id, sync_state.not_found_since, sync_state.attempted_at
    FROM sync_state
    WHERE sync_state.kind = $1 AND sync_state.platform = $2 AND sync_state.outcome = 'not_found'
        AND sync_state.attempted_at >= $3
        AND ($5::text IS NULL OR sync_state.credential = $5)
        AND EXISTS (
            SELECT 1 FROM sync_state AS healthy
            WHERE healthy.kind = $1 AND healthy.platform = $2 AND healthy.detailed_at >= $3
                AND ($5::text IS NULL OR healthy.credential = $5)
        )
), first AS (
    UPDATE sync_state SET not_found_since = missing.attempted_at
    FROM missing
    WHERE sync_state.account_id = missing.account_id AND sync_state.kind = $1
        AND missing.not_found_since IS NULL
), gone AS (
    UPDATE accounts
    SET state = 'gone', state_reason = 'not found twice since ' || to_char(missing.not_found_since, 'YYYY-MM-DD HH24:MI'),
        state_since = missing.attempted_at
    FROM missing, users
    WHERE accounts.id = missing.account_id AND accounts.state IN ('active', 'quarantined')
        AND users.id = accounts.user_id
        AND missing.attempted_at - missing.not_found_since >= $4
    RETURNING accounts.id, accounts.platform, accounts.handle, accounts.state_since, accounts.user_id,
        users.key AS user_key
), rescored AS (
    INSERT INTO score_due (user_id) SELECT user_id FROM gone
), settled AS (
    UPDATE dead_letters SET state = 'resolved', changed_at = gone.state_since
    FROM gone
    WHERE dead_letters.account_id = gone.id AND dead_letters.kind = $1
        AND dead_letters.state IN ('open', 'requeued')
)
SELECT gone.id, gone.platform, gone.handle, gone.user_key FROM gone;

-- name: next_retry
-- When the first account that has no success since $2 may be tried again: failed ones at their due
-- time, ones nobody got to as soon as their platform ($3) may be asked by their credential ($4), which
-- is at $5. Nothing comes back where the cycle is complete. It is also complete without those that
-- another job than $6 got since $7.
SELECT min(
    CASE WHEN sync_state.attempted_at < $2 THEN open.at ELSE GREATEST(sync_state.due_at, open.at) END)
FROM unnest($3::text[], $4::text[], $5::timestamptz[]) AS open (platform, credential, at)
JOIN sync_state ON sync_state.platform = open.platform AND sync_state.credential = open.credential
JOIN accounts ON accounts.id = sync_state.account_id
WHERE sync_state.kind = $1 AND accounts.state = 'active'
    AND (sync_state.succeeded_at IS NULL OR sync_state.succeeded_at < $2)
    AND ($7::timestamptz IS NULL OR sync_state.succeeded_job IN ('', $6) OR sync_state.succeeded_at IS NULL
        OR sync_state.succeeded_at < $7);

-- name: next_look
-- When the first account is to be looked at again in spite of a good answer: not before its platform
-- ($2) may be asked by its credential ($3), which is at $4.
SELECT min(GREATEST(sync_state.due_at, open.at))
FROM unnest($2::text[], $3::text[], $4::timestamptz[]) AS open (platform, credential, at)
JOIN sync_state ON sync_state.platform = open.platform AND sync_state.credential = open.credential
JOIN accounts ON accounts.id = sync_state.account_id
WHERE sync_state.kind = $1 AND sync_state.fail_streak = 0 AND sync_state.due_at IS NOT NULL
    AND sync_state.retry_run IS NULL AND accounts.state = 'active';

-- name: freshness
-- Per platform: how many accounts are followed and how many had a success since $3.
SELECT accounts.platform, count(*) AS followed,
    count(*) FILTER (WHERE sync_state.succeeded_at >= $3) AS fresh,
    min(sync_state.succeeded_at) AS oldest_success
FROM accounts
LEFT JOIN sync_state ON sync_state.account_id = accounts.id AND sync_state.kind = $1
WHERE accounts.platform = ANY($2::text[]) AND accounts.state = 'active'
GROUP BY accounts.platform;

-- name: count_by_state
SELECT platform, state, count(*) AS accounts FROM accounts GROUP BY platform, state ORDER BY platform, state;

-- name: mark_skipped
-- The run is through with these without having asked; nothing else about them changes.
UPDATE sync_state SET attempted_at = $2, retry_run = NULL, attempts = 0
WHERE kind = $1 AND account_id = ANY($3::bigint[]);
