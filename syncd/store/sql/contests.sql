-- name: wait_for_turn
-- Lists are stored one after the other, whoever looked: contests and contests-near may do so at once.
SELECT pg_advisory_xact_lock($1);

-- name: store_told
-- Contests as a source ($1) told of them at $2; $3 is since when the platform's own word counts, $4 how
-- many seconds make a start another one. A row that says the same stays as it is, but for when it was
-- seen: while it matters each time, afterwards once a day. Another source than the platform itself
-- changes no row that the platform told since $3, nor one that is cancelled or has ended. Back comes how
-- many rows are new and how many changed, with each contest whose schedule turned; nothing else makes
-- its reminders begin anew. A kind or a range that is not told stays as it is known.
WITH told AS MATERIALIZED (
    SELECT told.platform, told.external_id, told.joint_id, told.name, told.url, told.starts_at,
        told.ends_at, told.duration_seconds, told.kind, told.rated_range, told.raw
    FROM unnest($5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::timestamptz[],
            $11::timestamptz[], $12::bigint[], $13::text[], $14::text[], $15::jsonb[])
        AS told (platform, external_id, joint_id, name, url, starts_at, ends_at, duration_seconds, kind,
            rated_range, raw)
), known AS MATERIALIZED (
    SELECT contests.id, told.platform, told.external_id, told.joint_id, told.name, told.url,
        told.starts_at, told.ends_at, told.duration_seconds, told.raw,
        COALESCE(NULLIF(told.kind, ''), contests.kind) AS kind,
        COALESCE(NULLIF(told.rated_range, ''), contests.rated_range) AS rated_range,
        contests.name AS old_name, contests.starts_at AS old_start, contests.ends_at AS old_end,
        contests.duration_seconds AS old_duration, contests.kind AS old_kind,
        contests.cancelled_at IS NOT NULL AS is_back,
        abs(extract(epoch FROM told.starts_at - contests.starts_at)) >= $4::double precision AS has_moved,
        (told.external_id, told.name, told.url, told.starts_at, told.ends_at, told.duration_seconds,
            COALESCE(NULLIF(told.kind, ''), contests.kind),
            COALESCE(NULLIF(told.rated_range, ''), contests.rated_range))
        IS DISTINCT FROM
        (contests.external_id, contests.name, contests.url, contests.starts_at, contests.ends_at,
            contests.duration_seconds, contests.kind, contests.rated_range) AS differs,
        contests.source <> $1 AS is_taken_over
    FROM told
    JOIN contests ON contests.platform = told.platform
        AND COALESCE(contests.joint_id, contests.external_id) = told.joint_id
    WHERE $1 IN (told.platform, contests.source)
        OR (contests.cancelled_at IS NULL AND contests.ends_at > $2 AND contests.last_seen_at < $3)
), written AS (
    UPDATE contests
    SET external_id = known.external_id, joint_id = NULLIF(known.joint_id, known.external_id),
        name = known.name, url = known.url, starts_at = known.starts_at, ends_at = known.ends_at,
        duration_seconds = known.duration_seconds, kind = known.kind, rated_range = known.rated_range,
        raw = known.raw, source = $1, last_seen_at = $2, missing_since = NULL, missing_looks = 0,
        cancelled_at = NULL,
        changed_at = CASE WHEN known.differs OR known.is_back THEN $2 ELSE contests.changed_at END,
        schedule_version = contests.schedule_version
            + CASE WHEN known.has_moved OR known.is_back THEN 1 ELSE 0 END,
        occasion = CASE
            WHEN known.has_moved THEN 'moved'
            WHEN known.is_back THEN 'restored'
            ELSE contests.occasion
        END,
        occasion_at = CASE
            WHEN known.has_moved OR known.is_back THEN $2 ELSE contests.occasion_at
        END,
        previous_starts_at = CASE
            WHEN known.has_moved THEN known.old_start
            WHEN known.is_back THEN NULL
            ELSE contests.previous_starts_at
        END
    FROM known
    WHERE contests.id = known.id AND (known.differs OR known.is_back OR known.is_taken_over)
), seen AS (
    UPDATE contests
    SET last_seen_at = $2, missing_since = NULL, missing_looks = 0
    FROM known
    WHERE contests.id = known.id AND NOT (known.differs OR known.is_back OR known.is_taken_over)
        AND (contests.missing_since IS NOT NULL OR contests.ends_at > $2 OR contests.last_seen_at < $3)
), inserted AS (
    INSERT INTO contests (platform, external_id, joint_id, name, url, starts_at, ends_at,
        duration_seconds, kind, rated_range, occasion_at, source, raw, first_seen_at, last_seen_at,
        changed_at)
    SELECT told.platform, told.external_id, NULLIF(told.joint_id, told.external_id), told.name, told.url,
        told.starts_at, told.ends_at, told.duration_seconds, told.kind, told.rated_range, $2, $1,
        told.raw, $2, $2, $2
    FROM told
    LEFT JOIN contests ON contests.platform = told.platform
        AND COALESCE(contests.joint_id, contests.external_id) = told.joint_id
    WHERE contests.id IS NULL
    ORDER BY told.platform, told.starts_at, told.external_id
    RETURNING id
), noted AS (
    INSERT INTO contest_changes (contest_id, noticed_at, what, before, after)
    SELECT known.id, $2, change.what, change.before, change.after
    FROM known
    CROSS JOIN LATERAL (
        VALUES ('restored', known.is_back, 'cancelled', 'announced'),
            ('start', known.old_start <> known.starts_at,
                to_char(known.old_start AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
                to_char(known.starts_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')),
            ('end', known.old_end <> known.ends_at,
                to_char(known.old_end AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
                to_char(known.ends_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')),
            ('duration', known.old_duration <> known.duration_seconds,
                known.old_duration::text, known.duration_seconds::text),
            ('name', known.old_name <> known.name, known.old_name, known.name),
            ('kind', known.old_kind <> known.kind, known.old_kind, known.kind)
    ) AS change (what, is_so, before, after)
    WHERE change.is_so
)
SELECT counted.created, counted.updated, known.platform, known.external_id, known.name,
    CASE WHEN known.has_moved THEN 'moved' ELSE 'restored' END AS occasion, known.starts_at,
    known.old_start
FROM (
    SELECT (SELECT count(*) FROM inserted) AS created,
        (SELECT count(*) FROM known WHERE differs OR is_back) AS updated
) AS counted
LEFT JOIN known ON known.has_moved OR known.is_back
ORDER BY known.platform, known.starts_at, known.external_id;

-- name: weigh_missing
-- Of the contests to come at $2 that a platform ($1) told itself: how many there are, how many of them
-- are not among $4, and how many of those were not there before a look that began at $3 either.
SELECT count(*) AS coming,
    count(*) FILTER (WHERE told.id IS NULL) AS missing,
    count(*) FILTER (WHERE told.id IS NULL AND contests.missing_since < $3) AS due
FROM contests
LEFT JOIN unnest($4::text[]) AS told (id) ON told.id = COALESCE(contests.joint_id, contests.external_id)
WHERE contests.platform = $1 AND contests.source = $1 AND contests.cancelled_at IS NULL
    AND contests.starts_at > $2;

-- name: mark_missing
-- Those that weigh_missing counts; the second look in a row that misses one cancels it. What began
-- before the first look ended ($3) is no second one. Back come those that are cancelled.
WITH missing AS (
    UPDATE contests
    SET missing_looks = contests.missing_looks + 1, missing_since = COALESCE(contests.missing_since, $2),
        cancelled_at = CASE WHEN contests.missing_since < $3 THEN $2 END,
        occasion = CASE WHEN contests.missing_since < $3 THEN 'cancelled' ELSE contests.occasion END,
        occasion_at = CASE WHEN contests.missing_since < $3 THEN $2 ELSE contests.occasion_at END,
        changed_at = CASE WHEN contests.missing_since < $3 THEN $2 ELSE contests.changed_at END
    FROM (
        SELECT contests.id
        FROM contests
        LEFT JOIN unnest($4::text[]) AS told (id)
            ON told.id = COALESCE(contests.joint_id, contests.external_id)
        WHERE contests.platform = $1 AND contests.source = $1 AND contests.cancelled_at IS NULL
            AND contests.starts_at > $2 AND told.id IS NULL
            AND (contests.missing_since IS NULL OR contests.missing_since < $3)
    ) AS gone
    WHERE contests.id = gone.id
    RETURNING contests.id, contests.platform, contests.external_id, contests.name,
        contests.occasion, contests.starts_at, contests.cancelled_at
), noted AS (
    INSERT INTO contest_changes (contest_id, noticed_at, what, before, after)
    SELECT id, $2, 'cancelled', 'announced', 'cancelled' FROM missing WHERE cancelled_at IS NOT NULL
)
SELECT platform, external_id, name, occasion, starts_at, NULL::timestamptz AS old_start
FROM missing
WHERE cancelled_at IS NOT NULL
ORDER BY starts_at, external_id;

-- name: has_any
SELECT EXISTS (SELECT FROM contests WHERE source = $1);

-- name: note_look
-- A source was asked at $2: with an error ($3) or without. Where it may pass ($4) the source may be
-- tried again $5 later, twice as late each time in a row, eight times at most, and not before $6.
INSERT INTO contest_looks (source, tried_at, looked_at, fail_streak, error, retry_at)
VALUES ($1, $2, CASE WHEN $3 = '' THEN $2::timestamptz END, CASE WHEN $3 = '' THEN 0 ELSE 1 END, $3,
    CASE WHEN $4 THEN GREATEST($2::timestamptz + $5::interval, $6::timestamptz) END)
ON CONFLICT (source) DO UPDATE
SET tried_at = EXCLUDED.tried_at, error = EXCLUDED.error,
    looked_at = COALESCE(EXCLUDED.looked_at, contest_looks.looked_at),
    fail_streak = CASE WHEN $3 = '' THEN 0 ELSE contest_looks.fail_streak + 1 END,
    retry_at = CASE WHEN $4 THEN GREATEST(
        $2::timestamptz + $5::interval * (2 ^ LEAST(contest_looks.fail_streak, 3)), $6::timestamptz) END;

-- name: near_platforms
-- Of whom something starts in a while, or should have started a moment ago: a delay is often told late.
SELECT DISTINCT platform
FROM contests
WHERE platform = ANY($1::text[]) AND cancelled_at IS NULL AND starts_at > $2 AND starts_at <= $3;

-- name: failing
-- Sources whose last look failed and may be repeated, and when.
SELECT source, retry_at FROM contest_looks WHERE source = ANY($1::text[]) AND retry_at IS NOT NULL;

-- name: count_contests
-- By platform: those to come at $1, those under way, over, and cancelled ones.
SELECT platform,
    CASE
        WHEN cancelled_at IS NOT NULL THEN 'cancelled'
        WHEN starts_at > $1 THEN 'coming'
        WHEN ends_at > $1 THEN 'running'
        ELSE 'ended'
    END AS state,
    count(*) AS contests
FROM contests
GROUP BY 1, 2;

-- name: read_looks
SELECT source, tried_at, looked_at, fail_streak, error, retry_at FROM contest_looks;
