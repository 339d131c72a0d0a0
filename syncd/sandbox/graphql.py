"""GitHub's GraphQL endpoint, as far as it tells about many users at once.

https://docs.github.com/en/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api
Errors come with status 200, beside the data or without it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from syncd.sandbox.counters import Counters
from syncd.sandbox.limits import Budget
from syncd.sandbox.nodes import find_node, user_node
from syncd.sandbox.person import AccountType
from syncd.sandbox.population import Population
from syncd.sandbox.selection import Selection, SyntaxFault, read_selection

MOST_IDS = 100
COST = 1
RATE_LIMIT_FIELDS = frozenset({"limit", "cost", "remaining", "used", "resetAt", "nodeCount"})
ROOT_FIELDS = frozenset({"nodes", "rateLimit"})


class GraphQL:
    """Answers `nodes(ids: $ids)` with users, and `rateLimit`.

    `most_ids` is how many ids are answered in one call before the resource limits are exceeded,
    `failing` holds the indexes of users about whom every call errors, `is_forbidden` refuses every
    credential; all three may be changed at any time.

    Args:
        population: who can be asked for.
        counters: what was seen.
    """

    def __init__(self, population: Population, counters: Counters) -> None:
        self.most_ids = MOST_IDS
        self.failing: frozenset[int] = frozenset()
        self.is_forbidden = False
        self._population = population
        self._counters = counters

    def answer(self, body: bytes, budget: Budget) -> dict[str, Any]:
        """Answer one call that was let in; it costs its points whatever is wrong with it."""
        budget.charge()
        self._counters.graphql_used += COST
        try:
            asked = json.loads(body)
            selection = read_selection(asked["query"])
            ids = [str(node_id) for node_id in asked.get("variables", {}).get("ids", [])]
        except SyntaxFault as fault:
            return {"errors": [{"message": str(fault)}]}
        except (ValueError, KeyError, TypeError, AttributeError):
            return {"errors": [{"message": "A query attribute must be specified and a string."}]}
        self._counters.graphql_ids += len(ids)
        if wrong := _undefined(selection):
            return {"errors": wrong}
        return self._answer(selection, ids, budget)

    def _answer(self, selection: Selection, ids: list[str], budget: Budget) -> dict[str, Any]:
        if len(ids) > MOST_IDS:
            text = f"You may not provide more than {MOST_IDS} node ids; you provided {len(ids)}."
            return {"data": None, "errors": [_error("ARGUMENT_LIMIT", text, ["nodes"])]}
        if len(ids) > self.most_ids:
            text = "Resource limits for this query exceeded."
            return {"data": None, "errors": [_error("RESOURCE_LIMITS_EXCEEDED", text, ["nodes"])]}
        data: dict[str, Any] = {}
        errors: list[dict[str, Any]] = []
        if "nodes" in selection:
            found = [self._node(node_id, place) for place, node_id in enumerate(ids)]
            data["nodes"] = [
                None if node is None else _picked(node, selection["nodes"]) for node, _ in found
            ]
            errors = [error for _, error in found if error is not None]
        if "rateLimit" in selection:
            data["rateLimit"] = _kept(_rate_limit(budget), selection["rateLimit"])
        return {"data": data, "errors": errors} if errors else {"data": data}

    def _node(
        self, node_id: str, place: int
    ) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
        index = find_node(self._population, node_id)
        path = ["nodes", place]
        if index is None:
            text = f"Could not resolve to a node with the global id of '{node_id}'."
            return None, _error("NOT_FOUND", text, path)
        if index in self.failing:
            return None, _error("SERVICE_UNAVAILABLE", "Something went wrong.", path)
        kind = self._population.account_type(index)
        if kind is not AccountType.USER:
            return {"__typename": str(kind)}, None
        return user_node(self._population.document(index)), None


def rate_limited() -> dict[str, Any]:
    """Return what is answered, with status 200, when the points are used up."""
    return {
        "errors": [{"type": "RATE_LIMITED", "message": "API rate limit exceeded for user ID 1."}]
    }


def _picked(node: Mapping[str, Any], selection: Selection) -> dict[str, Any]:
    fields: Selection = {"__typename": {}} if "__typename" in selection else {}
    return _kept(node, fields | selection.get(f"... on {node['__typename']}", {}))


def _kept(whole: Mapping[str, Any], fields: Iterable[str]) -> dict[str, Any]:
    return {name: whole[name] for name in fields}


def _rate_limit(budget: Budget) -> dict[str, Any]:
    reset = datetime.fromtimestamp(budget.reset_at, UTC)
    return {
        "limit": budget.limit,
        "cost": COST,
        "remaining": max(0, budget.remaining),
        "used": budget.used,
        "resetAt": f"{reset:%Y-%m-%dT%H:%M:%SZ}",
        "nodeCount": 0,
    }


def _undefined(selection: Selection) -> list[dict[str, Any]]:
    """Name every field that the schema does not have."""
    nodes = selection.get("nodes", {})
    asked = [
        ("Query", selection, ROOT_FIELDS),
        ("RateLimit", selection.get("rateLimit", {}), RATE_LIMIT_FIELDS),
        ("User", nodes.get("... on User", {}), USER_FIELDS),
    ]
    return [
        {
            "path": ["query", name],
            "extensions": {"code": "undefinedField", "typeName": kind, "fieldName": name},
            "message": f"Field '{name}' doesn't exist on type '{kind}'",
        }
        for kind, fields, known in asked
        for name in fields
        if name not in known
    ]


def _error(kind: str, message: str, path: list[Any]) -> dict[str, Any]:
    return {
        "type": kind,
        "path": path,
        "locations": [{"line": 3, "column": 3}],
        "message": message,
    }


USER_FIELDS = frozenset(user_node(Population(0, 1, organizations=0, bots=0).document(0)))
