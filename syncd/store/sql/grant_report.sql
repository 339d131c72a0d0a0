-- name: count_grants
-- How grants of each platform stand as of $1; `expiring` are good ones that end by $2. Who has to
-- grant again and who never did are told apart.
SELECT accounts.platform,
    count(*) FILTER (WHERE accounts.state = 'active' AND oauth_tokens.health = 'ok') AS ok,
    count(*) FILTER (WHERE accounts.state = 'active' AND oauth_tokens.health = 'suspect') AS suspect,
    count(*) FILTER (
        WHERE accounts.state = 'reauth_required' AND oauth_tokens.account_id IS NOT NULL
    ) AS reauth_required,
    count(*) FILTER (WHERE oauth_tokens.account_id IS NULL) AS ungranted,
    count(*) FILTER (
        WHERE accounts.state = 'active' AND oauth_tokens.health <> 'dead'
            AND oauth_tokens.refresh_expires_at > $1 AND oauth_tokens.refresh_expires_at <= $2
    ) AS expiring,
    min(oauth_tokens.refresh_expires_at) FILTER (
        WHERE accounts.state = 'active' AND oauth_tokens.health <> 'dead'
            AND oauth_tokens.refresh_expires_at > $1
    ) AS first_expires_at
FROM accounts
LEFT JOIN oauth_tokens ON oauth_tokens.account_id = accounts.id
WHERE accounts.platform = ANY ($3::text[]) AND accounts.state IN ('active', 'reauth_required')
GROUP BY accounts.platform;

-- name: listeners
-- What is known of the grants and plays of some accounts. Plays are counted over all of the user.
SELECT accounts.id, accounts.platform, oauth_tokens.health, oauth_tokens.health_reason, oauth_tokens.scopes,
    oauth_tokens.granted_at, oauth_tokens.refresh_expires_at, oauth_tokens.access_expires_at,
    oauth_tokens.refreshed_at, oauth_tokens.suspect_since, plays.stored, plays.newest_at
FROM accounts
LEFT JOIN oauth_tokens ON oauth_tokens.account_id = accounts.id
CROSS JOIN LATERAL (
    SELECT count(*) AS stored, max(listening_data.played_at) AS newest_at
    FROM listening_data
    WHERE listening_data.user_id = accounts.user_id
) AS plays
WHERE accounts.id = ANY ($1::bigint[]);
