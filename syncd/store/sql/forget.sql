-- name: find_user
SELECT id, is_mirrored, is_mirrored AND opted_out AS is_kept FROM users WHERE key = $1;

-- name: find_accounts
SELECT accounts.id, accounts.platform, accounts.handle, accounts.linked_as, COALESCE(accounts.external_id, '') AS external_id
FROM accounts
JOIN users ON users.id = accounts.user_id
WHERE users.key = $1
ORDER BY accounts.id;

-- name: find_former
-- What accounts of the user were called that may be gone by now.
SELECT DISTINCT platform, handle FROM item_outcomes WHERE user_key = $1;

-- name: find_addresses
-- How the user is reached; a subscription is a secret that stands nowhere else.
SELECT held.address
FROM notify_addresses AS held
JOIN users ON users.id = held.user_id
WHERE users.key = $1 AND held.address NOT LIKE '{%';

-- name: stop_asking
-- The grants go first, in the same transaction in which nobody asks for the accounts any more. Should what
-- follows be cut off, the reason tells how to go on.
WITH chosen AS (
    SELECT accounts.id FROM accounts
    JOIN users ON users.id = accounts.user_id
    WHERE users.key = $1
    ORDER BY accounts.id
    FOR UPDATE OF accounts
), ungranted AS (
    DELETE FROM oauth_tokens USING chosen WHERE oauth_tokens.account_id = chosen.id
)
UPDATE accounts SET state = 'opted_out', state_reason = $2, state_since = now()
FROM chosen
WHERE accounts.id = chosen.id;

-- name: count_rows
-- What goes with the user.
WITH chosen AS (
    SELECT id FROM users WHERE key = $1
), linked AS (
    SELECT accounts.id FROM accounts JOIN chosen ON chosen.id = accounts.user_id
)
SELECT
    (SELECT count(*) FROM chosen) AS users,
    (SELECT count(*) FROM linked) AS accounts,
    (SELECT count(*) FROM oauth_tokens JOIN linked ON linked.id = account_id) AS oauth_tokens,
    (SELECT count(*) FROM profiles JOIN linked ON linked.id = account_id) AS profiles,
    (SELECT count(*) FROM sync_state JOIN linked ON linked.id = account_id) AS sync_state,
    (SELECT count(*) FROM user_scores JOIN chosen ON chosen.id = user_id) AS user_scores,
    (SELECT count(*) FROM listening_data JOIN chosen ON chosen.id = user_id) AS listening_data,
    (SELECT count(*) FROM listening_gaps JOIN linked ON linked.id = account_id) AS listening_gaps,
    (SELECT count(*) FROM notify_preferences JOIN chosen ON chosen.id = user_id) AS notify_preferences,
    (SELECT count(*) FROM notify_addresses JOIN chosen ON chosen.id = user_id) AS notify_addresses,
    (SELECT count(*) FROM notifications JOIN chosen ON chosen.id = user_id) AS notifications,
    (SELECT count(*) FROM dead_letters JOIN linked ON linked.id = account_id) AS dead_letters;

-- name: forget_due
DELETE FROM score_due WHERE user_id = $1;

-- name: forget_outcomes
-- Counts of runs stay; whom they were about goes, also what was said of accounts he had before ($2).
DELETE FROM item_outcomes WHERE user_key = $1 OR account_id = ANY($2::bigint[]);

-- name: forget_letters
-- Those about accounts went with them; these are about ids on boards.
DELETE FROM dead_letters WHERE kind = 'leaderboard' AND item_key = job || '/' || $1;

-- name: forget_pauses
DELETE FROM pauses WHERE scope = 'account' AND key = ANY($1::text[]);

-- name: forget_missing
DELETE FROM leaderboard_missing WHERE user_id = $1;

-- name: forget_planned
DELETE FROM plan_rows WHERE user_id = $1;

-- name: forget_tombstones
DELETE FROM leaderboard_tombstones WHERE user_id = $1;

-- name: find_copies
SELECT job, table_name, target FROM leaderboard_backups ORDER BY id;

-- name: find_table
-- How statements name a table ($1 its schema, empty: syncd's own) and a column; nothing where either is missing.
SELECT format('%I.%I', spaces.nspname, classes.relname) AS board, quote_ident(columns.attname) AS who
FROM pg_class AS classes
JOIN pg_namespace AS spaces ON spaces.oid = classes.relnamespace
JOIN pg_attribute AS columns ON columns.attrelid = classes.oid AND columns.attnum > 0 AND NOT columns.attisdropped
WHERE spaces.nspname = COALESCE(NULLIF($1, ''), current_schema)::text
    AND classes.relname = $2::text AND classes.relkind IN ('r', 'p') AND columns.attname = $3::text;

-- name: forget_row
DELETE FROM {board} WHERE {who}::text = $1;

-- name: clean_texts
-- Names ($1, a regular expression) become a mark; a letter's payload must not outgrow its limit by that.
UPDATE {noted} SET {words} = left(regexp_replace({words}, $1, $2, 'g'), 2048)
WHERE {words} <> '' AND {words} ~ $1;

-- name: find_noted
-- JSON in which a name stands, or a key or a word that looks like one.
SELECT ctid::text AS place, {document} AS document FROM {noted} WHERE {document}::text ~ $1 FOR UPDATE;

-- name: clean_noted
UPDATE {noted} SET {document} = given.document
FROM unnest($1::text[], $2::jsonb[]) AS given (place, document)
WHERE {noted}.ctid = given.place::tid;
