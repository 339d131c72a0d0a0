"""Reading all users from the daemon, page by page."""

from __future__ import annotations

from collections.abc import Iterator

from syncd.web.client import ControlClient, Json, api_path

_PAGE = 1_000


def iter_users(client: ControlClient, after: str = "") -> Iterator[Json]:
    """Yield the users behind a key, in the order of their keys; never holds more than a page."""
    while True:
        page = client.get(api_path("users"), {"after": after, "limit": _PAGE})["users"]
        yield from page
        if len(page) < _PAGE:
            return
        after = page[-1]["key"]
