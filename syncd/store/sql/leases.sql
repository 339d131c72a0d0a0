-- name: read_lease
-- How long it lasts is for the database's clock alone to say.
SELECT holder, instance, epoch, taken_at, listen, version,
    COALESCE(EXTRACT(EPOCH FROM expires_at - clock_timestamp()), 0)::float8 AS seconds_left
FROM leases
WHERE name = $1 AND isfinite(expires_at);

-- name: lock_lease
-- Waits for every transaction that has shown the epoch and has not ended: what it writes is written
-- before the epoch moves, or not at all.
SELECT epoch FROM leases WHERE name = $1 FOR UPDATE;

-- name: take_lease
-- One of those who ask gets it: who finds it expired, or held by an earlier process of the same
-- state directory, which is dead.
UPDATE leases
SET holder = $2, instance = $3, listen = $4, version = $5, epoch = epoch + 1,
    taken_at = clock_timestamp(), expires_at = clock_timestamp() + $6::interval
WHERE name = $1 AND (expires_at <= clock_timestamp() OR (instance = $3 AND $3 <> ''))
RETURNING epoch;

-- name: renew_lease
-- Of the holder alone; changes no key, so that it waits for nobody who shows the epoch.
UPDATE leases SET expires_at = clock_timestamp() + $3::interval
WHERE name = $1 AND epoch = $2
RETURNING epoch;

-- name: release_lease
-- The epoch stays: the next one to lead makes it another.
UPDATE leases SET expires_at = '-infinity' WHERE name = $1 AND epoch = $2 RETURNING epoch;

-- name: show_epoch
-- The fence: a row comes back as long as this epoch leads, and nobody takes the lease over before the
-- end of the transaction. It does not stand in the way of a renewal, nor of anybody else who shows it.
SELECT epoch FROM leases WHERE name = $1 AND epoch = $2 FOR KEY SHARE;
