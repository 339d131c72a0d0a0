-- name: stale_accounts
-- Active accounts without a good answer for longest, the ones that never had any first. $1, $2: the
-- job kinds that are asked for, each with a platform. Who was linked since the last run has no state
-- row yet and never had an answer either.
SELECT users.key AS user_key, oldest.id, oldest.platform, oldest.handle, oldest.state, oldest.kind,
    oldest.linked_at, oldest.succeeded_at, NULLIF(oldest.attempted_at, '-infinity') AS attempted_at,
    oldest.due_at, oldest.retry_run, COALESCE(oldest.fail_streak, 0) AS fail_streak,
    COALESCE(oldest.outcome, '') AS outcome, COALESCE(oldest.error, '') AS error, oldest.credential,
    COALESCE(oldest.succeeded_job, '') AS succeeded_job
FROM unnest($1::text[], $2::text[]) AS wanted (kind, platform)
CROSS JOIN LATERAL (
    (
        SELECT accounts.id, accounts.user_id, accounts.platform, accounts.handle, accounts.state,
            sync_state.kind, accounts.linked_at, sync_state.succeeded_at, sync_state.attempted_at,
            sync_state.due_at, sync_state.retry_run, sync_state.fail_streak, sync_state.outcome,
            sync_state.error, sync_state.credential, sync_state.succeeded_job
        FROM sync_state
        JOIN accounts ON accounts.id = sync_state.account_id
        WHERE sync_state.kind = wanted.kind AND sync_state.platform = wanted.platform
            AND accounts.state = 'active'
        ORDER BY sync_state.succeeded_at NULLS FIRST, sync_state.account_id
        LIMIT $3
    )
    UNION ALL
    (
        SELECT accounts.id, accounts.user_id, accounts.platform, accounts.handle, accounts.state,
            wanted.kind, accounts.linked_at, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
        FROM accounts
        LEFT JOIN sync_state ON sync_state.account_id = accounts.id AND sync_state.kind = wanted.kind
        WHERE accounts.platform = wanted.platform AND accounts.state = 'active'
            AND sync_state.account_id IS NULL
        ORDER BY accounts.id
        LIMIT $3
    )
) AS oldest
JOIN users ON users.id = oldest.user_id
ORDER BY oldest.succeeded_at NULLS FIRST, oldest.id
LIMIT $3;

-- name: count_stale
-- How many active accounts had no good answer since $3, per kind ($1) and platform ($2); who never
-- had one counts from the day of the link. A NULL instant counts nobody.
SELECT count(*)
FROM unnest($1::text[], $2::text[], $3::timestamptz[]) AS wanted (kind, platform, since)
JOIN accounts ON accounts.platform = wanted.platform AND accounts.state = 'active'
LEFT JOIN sync_state ON sync_state.account_id = accounts.id AND sync_state.kind = wanted.kind
WHERE COALESCE(sync_state.succeeded_at, accounts.linked_at) < wanted.since;

-- name: accounts_of_user
-- Every account of a user for each kind ($2) that reads its platform ($3), with the run that had its
-- last good answer: the one that wrote it down, else the newest that was under way at that instant.
SELECT users.key AS user_key, accounts.id, accounts.platform, accounts.handle, accounts.linked_as,
    COALESCE(accounts.external_id, '') AS external_id, accounts.state, accounts.state_reason,
    accounts.state_since, accounts.linked_at, COALESCE(wanted.kind, '') AS kind,
    sync_state.succeeded_at, NULLIF(sync_state.attempted_at, '-infinity') AS attempted_at,
    sync_state.due_at, sync_state.retry_run, COALESCE(sync_state.fail_streak, 0) AS fail_streak,
    COALESCE(sync_state.outcome, '') AS outcome, COALESCE(sync_state.error, '') AS error,
    sync_state.credential, COALESCE(sync_state.succeeded_job, '') AS succeeded_job, fresh.id AS fresh_run,
    fresh.job AS fresh_job, fresh.cause AS fresh_cause,
    EXISTS (SELECT 1 FROM profiles WHERE profiles.account_id = accounts.id) AS has_answer
FROM users
JOIN accounts ON accounts.user_id = users.id
LEFT JOIN unnest($2::text[], $3::text[]) AS wanted (kind, platform) ON wanted.platform = accounts.platform
LEFT JOIN sync_state ON sync_state.account_id = accounts.id AND sync_state.kind = wanted.kind
LEFT JOIN runs AS fresh ON fresh.id = COALESCE(
    (
        SELECT max(item_outcomes.run_id) FROM item_outcomes
        WHERE item_outcomes.account_id = accounts.id AND item_outcomes.at = sync_state.succeeded_at
    ),
    (
        SELECT runs.id FROM runs
        WHERE runs.kind = wanted.kind AND runs.started_at <= sync_state.succeeded_at
            AND (runs.finished_at IS NULL OR runs.finished_at >= sync_state.succeeded_at)
            AND NOT (runs.options ->> 'dry_run')::boolean
            AND runs.options ->> 'platform' IN ('', accounts.platform)
            AND (jsonb_array_length(runs.options -> 'only') = 0 OR runs.options -> 'only' ? users.key)
        ORDER BY runs.id DESC
        LIMIT 1
    )
)
WHERE users.key = $1
ORDER BY accounts.platform, wanted.kind;

-- name: attempts_of_accounts
-- The newest $2 attempts on record of each account. Unchanged answers are only counted by runs and
-- stand nowhere but in sync_state.
SELECT item.account_id, item.run_id, runs.job, runs.kind, runs.cause, item.outcome, item.error, item.at
FROM unnest($1::bigint[]) AS wanted (account_id)
CROSS JOIN LATERAL (
    SELECT item_outcomes.account_id, item_outcomes.run_id, item_outcomes.outcome,
        item_outcomes.error, item_outcomes.at
    FROM item_outcomes
    WHERE item_outcomes.account_id = wanted.account_id
    ORDER BY item_outcomes.at DESC
    LIMIT $2
) AS item
JOIN runs ON runs.id = item.run_id
ORDER BY item.at DESC, item.run_id DESC;
