-- name: freshness_ages
-- Since when followed accounts have been without news, per platform: the median, the worst tenth and
-- the worst hundredth. $1, $2: pairs of job kind and platform that are synced. An account that was
-- never fetched counts from when it was linked.
SELECT accounts.platform,
    percentile_disc(ARRAY[0.5, 0.9, 0.99])
        WITHIN GROUP (ORDER BY COALESCE(sync_state.succeeded_at, accounts.linked_at) DESC) AS since
FROM unnest($1::text[], $2::text[]) AS synced (kind, platform)
JOIN accounts ON accounts.platform = synced.platform AND accounts.state = 'active'
LEFT JOIN sync_state ON sync_state.account_id = accounts.id AND sync_state.kind = synced.kind
GROUP BY accounts.platform;

-- name: fresh_shares
-- Per job: which share of its followed accounts had a success since the instant in $4.
SELECT synced.job, avg((COALESCE(sync_state.succeeded_at >= synced.since, false))::integer)::float8 AS share
FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[]) AS synced (job, kind, platform, since)
JOIN accounts ON accounts.platform = synced.platform AND accounts.state = 'active'
LEFT JOIN sync_state ON sync_state.account_id = accounts.id AND sync_state.kind = synced.kind
GROUP BY synced.job;

-- name: last_completed
-- Per job: when its newest run about everybody ended that went through all of them, whether or not
-- some failed; one that was stopped, or kept from a platform, says so in `error`, and one that
-- reached its limit left somebody out.
SELECT wanted.job, latest.finished_at
FROM unnest($1::text[]) AS wanted (job)
CROSS JOIN LATERAL (
    SELECT runs.finished_at FROM runs
    WHERE runs.job = wanted.job AND runs.outcome IN ('succeeded', 'partial') AND runs.error = ''
        AND jsonb_array_length(runs.options -> 'only') = 0 AND runs.options ->> 'platform' = ''
        AND NOT (runs.options ->> 'dry_run')::boolean AND COALESCE(runs.options ->> 'act', '') = ''
        AND COALESCE(runs.seen < (runs.options ->> 'limit')::bigint, true)
    ORDER BY runs.id DESC
    LIMIT 1
) AS latest;

-- name: last_successes
-- Per job: when its newest run about everybody that succeeded ended: no dry run, no other act, no limit reached.
SELECT wanted.job, latest.finished_at
FROM unnest($1::text[]) AS wanted (job)
CROSS JOIN LATERAL (
    SELECT runs.finished_at FROM runs
    WHERE runs.job = wanted.job AND runs.outcome = 'succeeded'
        AND jsonb_array_length(runs.options -> 'only') = 0 AND runs.options ->> 'platform' = ''
        AND NOT (runs.options ->> 'dry_run')::boolean AND COALESCE(runs.options ->> 'act', '') = ''
        AND COALESCE(runs.seen < (runs.options ->> 'limit')::bigint, true)
    ORDER BY runs.id DESC
    LIMIT 1
) AS latest;
