"""GitHub's sweep: a hundred users in one GraphQL call, and what makes two answers alike.

Facts: docs.github.com/graphql, "Rate limits and query limits for the GraphQL API": `nodes` takes
100 ids, an error may come with status 200, with or without data. There are no ETags. Contribution
fields are left out: they cost the server most. Values go by variables only. What is left of the
quota stands in the headers, as it does of REST.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from syncd.errors import SweepRefused
from syncd.model.account import Account, AccountId, SweepMark
from syncd.model.sweep import Swept
from syncd.outbound.answers import Kind, Response, Verdict
from syncd.outbound.reader import excerpt

GRAPHQL = "graphql"
"""The resource that GitHub counts GraphQL under."""

MOST_IDS = 100

_QUERY = """
query($ids: [ID!]!) {
  nodes(ids: $ids) {
    ... on User {
      databaseId login name company bio location websiteUrl twitterUsername updatedAt
      followers { totalCount }
      following { totalCount }
      repositories(privacy: PUBLIC, ownerAffiliations: OWNER) { totalCount }
    }
  }
}
"""

# What both APIs tell, by its name in REST and in GraphQL. The picture is not among them: REST shows
# an address that stays the same when the picture is changed.
_SHARED = (
    ("login", "login"),
    ("name", "name"),
    ("company", "company"),
    ("bio", "bio"),
    ("location", "location"),
    ("blog", "websiteUrl"),
    ("twitter_username", "twitterUsername"),
    ("updated_at", "updatedAt"),
    ("followers", "followers"),
    ("following", "following"),
    ("public_repos", "repositories"),
)

_REST, _GRAPHQL = zip(*_SHARED, strict=True)

_LIMITED = frozenset({"RATE_LIMITED", "RATE_LIMIT"})
_REFUSED = frozenset({"FORBIDDEN", "INSUFFICIENT_SCOPES"})
_UNKNOWN = "NOT_FOUND"
# So few may all be accounts that are kept from us; of more it is the credential.
_FEW = 5


def question(accounts: Sequence[Account]) -> dict[str, Any]:
    """Return the body of a sweep about accounts that have a mark."""
    ids = [account.mark.key for account in accounts if account.mark is not None]
    return {"query": _QUERY, "variables": {"ids": ids}}


def judge_errors(data: Any, seconds: float | None) -> Verdict | None:
    """Judge the errors that come with status 200, where they are about the quota.

    Args:
        data: the decoded answer.
        seconds: how long until the quota's window ends; None where that is not known.
    """
    if any(error.get("type") in _LIMITED for error in _errors(data)):
        cause = "GraphQL quota used up"
        return Verdict(kind=Kind.PAUSE, cause=cause, pause_seconds=seconds, is_used_up=True)
    return None


def read_sweep(response: Response, accounts: Sequence[Account]) -> Swept:
    """Read the answer to `question`; what it holds is kept, whatever is missing.

    Raises:
        SweepRefused: it does not answer such questions to us.
    """
    data, errors = response.data, _errors(response.data)
    if response.status != 200 or not isinstance(data, dict):
        raise SweepRefused(f"github refuses GraphQL: HTTP {response.status}{_words(errors)}")
    nodes = _nodes(data, len(accounts))
    _check_rights(errors, nodes)
    failed = {error["path"][1]: error.get("type") for error in errors if _is_about_one(error)}
    digests, errored = {}, set()
    for place, (account, node) in enumerate(zip(accounts, nodes, strict=True)):
        if isinstance(node, dict) and place not in failed:
            digests.update(_digest_by_id(node, account))
        elif failed.get(place) != _UNKNOWN:
            errored.add(account.id)
    is_strained = any(_is_too_much(error) for error in errors)
    return Swept(digests=digests, errored=frozenset(errored), is_strained=is_strained)


def mark_of(profile: Mapping[str, Any]) -> SweepMark | None:
    """Return by which id a sweep asks for somebody whom REST told of, and what it should say."""
    key = profile.get("node_id")
    if not isinstance(key, str) or not key or profile.get("type", "User") != "User":
        return None
    return SweepMark(key=key, digest=_digest([profile.get(name) for name in _REST]))


def _digest_by_id(node: Mapping[str, Any], account: Account) -> dict[AccountId, bytes]:
    """Return the digest of a user, nothing of a bot, an organization or somebody else."""
    if str(node.get("databaseId")) != account.external_id:
        return {}
    values = [node.get(name) for name in _GRAPHQL]
    plain = [value.get("totalCount") if isinstance(value, dict) else value for value in values]
    return {account.id: _digest(plain)}


def _digest(values: Sequence[Any]) -> bytes:
    """Hash values that mean the same to the same: REST says "" where GraphQL says null."""
    same = [" ".join(value.split()) or None if type(value) is str else value for value in values]
    # How Python writes a list says where each value ends, and of which kind it is.
    return hashlib.blake2b(repr(same).encode(), digest_size=16).digest()


def _errors(data: Any) -> list[dict[str, Any]]:
    errors = data.get("errors") if isinstance(data, dict) else None
    if not isinstance(errors, list):
        return []
    return [error for error in errors if isinstance(error, dict)]


def _nodes(data: Mapping[str, Any], wanted: int) -> Sequence[Any]:
    """Return a node, or None, for each account that was asked about."""
    whole = data.get("data")
    nodes = whole.get("nodes") if isinstance(whole, dict) else None
    if not isinstance(nodes, list) or len(nodes) != wanted:
        return [None] * wanted
    return nodes


def _is_about_one(error: Mapping[str, Any]) -> bool:
    """Tell whether an error names one node: its path is ["nodes", 7] or goes on from there."""
    path = error.get("path")
    return isinstance(path, list) and len(path) > 1 and path[0] == "nodes" and type(path[1]) is int


def _is_too_much(error: Mapping[str, Any]) -> bool:
    """Tell whether an error is about the question as a whole, or says that it was too large."""
    kind = str(error.get("type"))
    return not _is_about_one(error) or "LIMIT" in kind or "TIMEOUT" in kind


def _check_rights(errors: Sequence[Mapping[str, Any]], nodes: Sequence[Any]) -> None:
    """Raise where nobody was answered because of us or of our question."""
    refused = [error for error in errors if error.get("type") in _REFUSED or _is_misasked(error)]
    is_about_us = len(nodes) > _FEW or not all(map(_is_kept_from_us, refused))
    if refused and is_about_us and not any(isinstance(node, dict) for node in nodes):
        raise SweepRefused(f"github refuses GraphQL{_words(refused)}")


def _is_kept_from_us(error: Mapping[str, Any]) -> bool:
    """Tell whether an error may be about one account alone."""
    return error.get("type") == "FORBIDDEN" and _is_about_one(error)


def _is_misasked(error: Mapping[str, Any]) -> bool:
    """Tell whether the question itself is wrong: a server that is too old for one of its fields."""
    extensions = error.get("extensions")
    return "type" not in error and isinstance(extensions, dict) and "code" in extensions


def _words(errors: Sequence[Mapping[str, Any]]) -> str:
    return f": {excerpt(str(errors[0].get('message')).encode())}" if errors else ""
