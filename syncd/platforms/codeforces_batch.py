"""Codeforces' answers about many at once: who is still asked for, and whom each row is about."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from syncd.errors import BadPayload, ItemError, PlatformDown
from syncd.model.account import Account, AccountId
from syncd.model.profile import Fetched, Unchanged

Found = Fetched | Unchanged | ItemError
_Pages = Callable[[str], Awaitable[str | None]]


class Batch:
    """The accounts of one call: which are still asked for, and what came of the others.

    Args:
        accounts: whom to ask for.
    """

    def __init__(self, accounts: Sequence[Account]) -> None:
        # Once a page was kept from us, no other is asked for.
        self.is_kept_from_pages = False
        self.found: dict[AccountId, Found] = {}
        self.asked: dict[str, list[Account]] = {}
        self._written: dict[str, str] = {}
        for account in accounts:
            self._add(account, account.handle)

    def handles(self) -> list[str]:
        """Return the handles to ask for, each once."""
        return [self._written[key] for key in self.asked]

    def accounts(self) -> list[Account]:
        """Return who is still asked for."""
        return [account for accounts in self.asked.values() for account in accounts]

    def holds(self, handle: str) -> bool:
        """Tell whether a handle is asked for."""
        return handle.lower() in self.asked

    def drop(self, handle: str, error: ItemError) -> None:
        """Ask no more for a handle."""
        for account in self.asked.pop(handle.lower()):
            self._fail(account, error)

    def rename(self, handle: str, now: str) -> None:
        """Ask for the same people under another handle."""
        for account in self.asked.pop(handle.lower()):
            self._add(account, now)

    def give_up(self, error: BadPayload) -> None:
        """Let everybody who is still asked for fail."""
        for handle in list(self.asked):
            self.drop(handle, error)

    def _fail(self, account: Account, error: ItemError) -> None:
        own = type(error)(f"{account.handle!r} {error}")
        own.sample = error.sample
        self.found[account.id] = own

    def _add(self, account: Account, handle: str) -> None:
        key = handle.lower()
        self._written.setdefault(key, handle)
        self.asked.setdefault(key, []).append(account)


class Witness:
    """Tells whether a row is about whom its place says, though it bears another name.

    Rows come in the order asked. The page of the handle decides; where pages are kept from us, the
    place does if all whom we know by name stand in theirs. After one row about somebody else no
    other is believed.

    Args:
        page_of: asks whose page the one of a handle is.
        handles: who was asked for.
        rows: what was told of them, as many.
    """

    def __init__(self, page_of: _Pages, handles: Sequence[str], rows: Sequence[Any]) -> None:
        asked = [handle.lower() for handle in handles]
        names = [row["handle"].lower() if has_handle(row) else "" for row in rows]
        known = [name == key for key, name in zip(asked, names, strict=True) if name in asked]
        named = [name for name in names if name]
        self._page_of = page_of
        self._knows_nobody = not known
        self._is_in_order = all(known) and len(set(named)) == len(named)
        self._is_kept = False
        self._is_believed = True

    async def confirms(self, handle: str, row: Any) -> bool:
        """Tell whether a row is about a handle.

        Raises:
            PlatformDown: the page is kept from us, and there is nobody to know the order by.
        """
        if self._is_believed:
            self._is_believed = has_handle(row) and await self._is_renamed(handle, row["handle"])
        return self._is_believed

    async def _is_renamed(self, handle: str, now: str) -> bool:
        page = None if self._is_kept else await self._page_of(handle)
        self._is_kept = page is None
        if self._is_kept and self._knows_nobody:
            raise PlatformDown(
                f"cannot tell whether {handle!r} is called {now[:50]!r} now: "
                "codeforces keeps its pages from us"
            )
        return self._is_in_order if self._is_kept else page == now


def has_handle(row: Any) -> bool:
    """Tell whether a row says whose it is."""
    return isinstance(row, dict) and isinstance(row.get("handle"), str)
