"""Somebody who stands in every table, in every column that can tell who somebody is."""

from __future__ import annotations

KEY, OTHER = "zz-forget-key", "zz-other-key"
HANDLE, FORMER, NUMBER = "zz-forget-handle", "zz-forget-former", "zz-forget-number"
NAMES = (KEY, HANDLE, FORMER, NUMBER)

EVERYWHERE = """
INSERT INTO users (key) VALUES ('zz-forget-key'), ('zz-other-key');
INSERT INTO accounts (user_id, platform, handle, linked_as, external_id, state, state_reason)
    SELECT id, 'github', 'zz-forget-handle', 'zz-forget-former', 'zz-forget-number', 'active',
    'of zz-forget-handle' FROM users WHERE key = 'zz-forget-key';
INSERT INTO accounts (user_id, platform, handle, linked_as, state, state_reason) SELECT id,
    'github', 'else', 'else', 'quarantined', 'linked already, to user ''zz-forget-key''' FROM
    users WHERE key = 'zz-other-key';
INSERT INTO sync_state (account_id, kind, platform, error) SELECT id, 'profiles', 'github',
    'linked already, to user ''zz-forget-key''' FROM accounts;
UPDATE sync_state SET etag = 'zz-forget-number', sweep_key = 'zz-forget-number', sweep_digest =
    'zz-forget-number' FROM accounts WHERE accounts.id = account_id AND handle =
    'zz-forget-handle';
INSERT INTO profiles (account_id, name, avatar_url, bio, raw, raw_hash, mapper_version,
    fetched_at, changed_at, solved_by) SELECT id, 'zz-forget-handle', 'zz-forget-handle',
    'zz-forget-handle', '{"login": "zz-forget-handle"}', 'zz-forget-handle', 1, now(), now(),
    '{"of": "zz-forget-handle"}' FROM accounts WHERE handle = 'zz-forget-handle';
INSERT INTO user_scores SELECT id, 1, '{"of": "zz-forget-handle"}', 'v1', now() FROM users WHERE
    key = 'zz-forget-key';
INSERT INTO notify_preferences (user_id, platforms, leads) SELECT id, '{atcoder}', '{24}' FROM
    users WHERE key = 'zz-forget-key';
INSERT INTO notify_addresses (user_id, channel, address, state, state_reason) SELECT id, 'email',
    'zz-forget-handle@example.com', 'dead', 'zz-forget-handle is not there' FROM users WHERE key =
    'zz-forget-key';
INSERT INTO notifications (user_id, contest_id, channel, occasion, lead_hours, schedule_version,
    platform, contest_name, contest_url, starts_at, ends_at, due_at, expires_at, state, reference,
    error, hint) SELECT id, 1, 'email', 'reminder', 24, 1, 'atcoder', 'ABC 400',
    'https://atcoder.example/abc400', now(), now(), now(), now(), 'failed', 'zz-forget-handle',
    'zz-forget-handle is not there', 'ask zz-forget-handle' FROM users WHERE key = 'zz-forget-key';
INSERT INTO score_due (user_id) SELECT id FROM users WHERE key = 'zz-forget-key';
INSERT INTO oauth_tokens (account_id, key_id, refresh_ct, access_ct, scopes, granted_at,
    refresh_expires_at, health_reason, given_digest) SELECT id, 'k1', 'zz-forget-handle',
    'zz-forget-handle', 'zz-forget-handle', now(), now(), 'zz-forget-handle', 'zz-forget-handle'
    FROM accounts WHERE handle = 'zz-forget-handle';
INSERT INTO listening_data (user_id, artist_id, track_id, played_at, artist_ids, album_id,
    context_uri, isrc, ingested_run) SELECT id, 'zz-forget-handle', 'zz-forget-handle', now() -
    number * interval '1 minute', ARRAY['zz-forget-handle'], 'zz-forget-handle',
    'zz-forget-handle', 'zz-forget-handle', 1 FROM users, generate_series(1, 25) AS number WHERE
    key = 'zz-forget-key';
INSERT INTO listening_gaps SELECT id, now(), now(), 1, now() FROM accounts WHERE handle =
    'zz-forget-handle';
INSERT INTO runs (job, kind, cause, outcome, claimed_at, options, error, hint) VALUES ('sync',
    'profiles', 'manual', 'failed', now(),
    '{"only": ["zz-forget-key", "zz-other-key"], "platform": "", "dry_run": false}',
    'cannot GET /users/zz-forget-handle on github: HTTP 500', 'ask zz-forget-handle');
INSERT INTO item_outcomes SELECT 1, id, 'github', 'zz-forget-key', handle, 'failed',
    'cannot read ''zz-forget-handle''', now() FROM accounts;
UPDATE item_outcomes SET user_key = 'zz-other-key', error =
    'linked already, to user ''zz-forget-key''' WHERE handle = 'else';
INSERT INTO item_outcomes VALUES (1, -1, 'github', 'zz-forget-key', 'zz-forget-former',
    'refused_handle', '', now());
INSERT INTO dead_letters (kind, item_key, account_id, platform, job, error_class, error,
    payload, attempts, first_at, last_at, changed_at) SELECT 'profiles', id::text, id, 'github',
    'sync', 'unsuitable', 'linked already, to user ''zz-forget-key''',
    'he said zz-forget-handle', 5, now(), now(), now() FROM accounts;
INSERT INTO dead_letters (kind, item_key, job, error_class, error, attempts, first_at, last_at,
    changed_at) VALUES ('leaderboard', 'boards/zz-forget-key', 'boards', 'poisoned', 'is odd',
    1, now(), now(), now());
INSERT INTO pauses VALUES ('account', 'github:zz-forget-handle', '', NULL, 'ops', now()),
    ('platform', 'github', 'zz-forget-key asked us to', NULL, 'ops', now());
INSERT INTO gates (platform, credential, fingerprint, error) VALUES ('github', 'other', 'f',
    'cannot GET /user/zz-forget-number on github: HTTP 500');
INSERT INTO job_overrides (job, enabled, why, changed_at) VALUES ('sync', true,
    'for zz-forget-key', now());
INSERT INTO pomo_leaderboard (user_id, daily_pomo) VALUES ('zz-forget-key', 5), ('zz-other-key',
    6);
INSERT INTO leaderboard_missing (job, user_id, missing_since) VALUES ('boards', 'zz-forget-key',
    now());
INSERT INTO plans (job, run_id, deletes, updates, holds_updates, base, reasons, is_hard, digest,
    sample, created_at, expires_at) VALUES ('boards', 1, 1, 0, false, 2,
    '["the canary ''zz-forget-key'' is on no board"]', false, 'd', '["zz-forget-key"]', now(),
    now());
INSERT INTO plan_rows SELECT id, 'zz-forget-key' FROM plans;
INSERT INTO leaderboard_tombstones VALUES (1, 'zz-forget-key', 'boards', 'pomo_leaderboard',
    '{"user_id": "zz-forget-key"}', now());
INSERT INTO leaderboard_backups (job, run_id, table_name, target, rows, taken_at, expires_at)
    VALUES ('boards', 1, 'leaderboard_backup_1', 'pomo_leaderboard', 2, now(), now());
CREATE TABLE leaderboard_backup_1 AS TABLE pomo_leaderboard;
INSERT INTO reconciliations (run_id, job, mode, is_complete, is_dry, at, numbers) VALUES (1,
    'boards', 'full', true, false, now(),
    '{"sample": ["zz-forget-key"], "notes": [], "verdict": {"reasons": ["''zz-forget-key''"]}}');
INSERT INTO alert_states (job, topic, condition, run_id, first_run, since, detail) VALUES
    ('sync', 'runs', 'failed', 1, 1, now(), '{"reasons": ["''zz-forget-handle'' is odd"]}');
"""
