"""Reading all users, or all grants, from the daemon page by page."""

from __future__ import annotations

from collections.abc import Iterator

from syncd.web.client import ControlClient, Json, api_path

_PAGE = 1_000


def iter_users(client: ControlClient, after: str = "") -> Iterator[Json]:
    """Yield the users behind a key, in the order of their keys; never holds more than a page."""
    yield from _pages(client, "users", after)


def iter_grants(client: ControlClient, after: str, state: str | None) -> Iterator[Json]:
    """Yield the grants of users behind a key, of one state or all, in the order of the keys."""
    yield from _pages(client, "tokens", after, state=state)


def _pages(client: ControlClient, subject: str, after: str, **query: str | None) -> Iterator[Json]:
    while True:
        asked = {"after": after, "limit": _PAGE, **query}
        page = client.get(api_path(subject), asked)[subject]
        yield from page
        if len(page) < _PAGE:
            return
        after = page[-1]["key"]
