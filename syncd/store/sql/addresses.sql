-- name: turn_address_off
-- End an address at its user's wish; what was ended stays as it was, with the first reason.
UPDATE notify_addresses
SET state = 'off', state_reason = $3, state_since = $4
FROM users
WHERE users.key = $1 AND notify_addresses.user_id = users.id AND notify_addresses.channel = $2
    AND notify_addresses.state <> 'off'
RETURNING notify_addresses.user_id;
