"""GraphQL's view of the population: node ids, and the fields of a User, from the same people.

https://docs.github.com/en/graphql/guides/using-global-node-ids
https://docs.github.com/en/graphql/reference/objects#user
"""

from __future__ import annotations

import re
from base64 import b64decode, urlsafe_b64decode
from binascii import Error
from typing import Any

from syncd.sandbox.draw import Draw
from syncd.sandbox.person import Document
from syncd.sandbox.population import Population

OLD = re.compile(rb"[0-9]{2,3}:(?:User|Organization|Bot)([0-9]{1,12})")
NEW = re.compile(r"(?:U|O|BOT)_([A-Za-z0-9_-]+)")
PACKED = b"\x92\x00\xce"


def find_node(population: Population, node_id: str) -> int | None:
    """Return whom a node id of either format names, unless they are gone."""
    number = _account_id(node_id)
    return None if number is None else population.find_id(number)


def _account_id(node_id: str) -> int | None:
    try:
        if new := NEW.fullmatch(node_id):
            packed = urlsafe_b64decode(new[1] + "=" * (-len(new[1]) % 4))
            is_ours = packed.startswith(PACKED) and len(packed) == len(PACKED) + 4
            return int.from_bytes(packed[len(PACKED) :]) if is_ours else None
        old = OLD.fullmatch(b64decode(node_id, validate=True))
    except (Error, ValueError):
        return None
    return int(old[1]) if old else None


def user_node(document: Document) -> dict[str, Any]:
    """Return the User of a profile, all fields a caller may ask for, in GraphQL's own words."""
    # The picture has a mark of its present content here, which REST does not show.
    mark = Draw(document["id"], "picture", document["updated_at"]).below(2**32)
    return {
        "__typename": "User",
        "id": document["node_id"],
        "databaseId": document["id"],
        "login": document["login"],
        "name": document.get("name"),
        "company": document.get("company"),
        "bio": document.get("bio") or "",
        "location": document.get("location"),
        "email": document.get("email") or "",
        "websiteUrl": document.get("blog") or None,
        "twitterUsername": document.get("twitter_username"),
        "createdAt": document["created_at"],
        "updatedAt": document["updated_at"],
        "avatarUrl": f"https://avatars.githubusercontent.com/u/{document['id']}?u={mark:08x}&v=4",
        "url": document["html_url"],
        "isHireable": bool(document.get("hireable")),
        "isSiteAdmin": document.get("site_admin", False),
        "followers": {"totalCount": document["followers"]},
        "following": {"totalCount": document["following"]},
        "repositories": {"totalCount": document["public_repos"]},
        "gists": {"totalCount": document["public_gists"]},
    }
