"""Grants as the platform's own site hands them over: a file, or one by one; all or nothing.

A site exports the same file night after night. The refresh token in it may have been exchanged for
another one long ago, so what was given before changes nothing, however old it looks by now.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import itemgetter

from syncd.errors import BadInput, GrantUnreadable
from syncd.model.account import AccountId, UserEntry
from syncd.model.grant import Grant, GrantEntry, Health
from syncd.store.blocks import load_blocks
from syncd.store.database import Connection, Database, Row, undo
from syncd.store.fence import Fence
from syncd.store.grant_seal import GrantSeal
from syncd.store.translation import RowRefused
from syncd.store.users import UserStore

_KIND = "listening"
# What a statement takes at once; sealing more would hold up everything else on the loop.
_SLICE = 200

Placed = tuple[int, GrantEntry]
"""An entry, and which of those that were given it is, from 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantResult:
    """What putting grants came to; with `problems` nothing was written.

    A problem is a sentence and which entry it is about, from 0. `withdrawn` are accounts that must
    not be asked for any more, `readmitted` those that may be from now on.
    """

    created: int = 0
    renewed: int = 0
    same: int = 0
    problems: Sequence[tuple[int, str]] = ()
    withdrawn: frozenset[AccountId] = frozenset()
    readmitted: frozenset[AccountId] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class _News:
    """What is to be stored; `digest` is of the token that was given."""

    entry: GrantEntry
    digest: bytes


@dataclass(slots=True, kw_only=True)
class _Tally:
    created: int = 0
    renewed: int = 0
    same: int = 0
    problems: list[tuple[int, str]] = field(default_factory=list)
    withdrawn: set[AccountId] = field(default_factory=set)
    readmitted: set[AccountId] = field(default_factory=set)

    def result(self) -> GrantResult:
        if self.problems:
            return GrantResult(problems=sorted(self.problems))
        return GrantResult(
            created=self.created,
            renewed=self.renewed,
            same=self.same,
            withdrawn=frozenset(self.withdrawn),
            readmitted=frozenset(self.readmitted),
        )


class GrantImport:
    """Puts grants, with the users and accounts that they name."""

    def __init__(self, database: Database, fence: Fence, seal: GrantSeal, users: UserStore) -> None:
        self._database = database
        self._fence = fence
        self._seal = seal
        self._users = users
        self._sql = load_blocks("grants")

    async def put(self, entries: Sequence[GrantEntry], *, dry_run: bool) -> GrantResult:
        """See `GrantStore.put`."""
        placed = sorted(enumerate(entries), key=lambda each: each[1].key)
        if problems := _twice(placed):
            return GrantResult(problems=problems)
        await self._have_keys(dry_run=dry_run)
        if not dry_run:
            self._users.orders.note([entry.key for entry in entries])
        try:
            return await self._database.repeat(lambda: self._put_once(placed, dry_run=dry_run))
        except RowRefused as exc:
            raise BadInput(
                "the database refuses a key, a handle, scopes or a date of these grants",
                hint="look for one that is very long or holds unusual characters",
            ) from exc

    async def _have_keys(self, *, dry_run: bool) -> None:
        """Make the key file at the first import, unless stored tokens need the one that is gone."""
        sealer = self._seal.sealer
        if await sealer.reload():
            return
        async with self._database.connection() as connection:
            are_needed = await connection.fetchval(self._sql["any_tokens"])
        if are_needed:
            raise sealer.missing()
        if not dry_run:
            await sealer.make()

    async def _put_once(self, placed: Sequence[Placed], *, dry_run: bool) -> GrantResult:
        tally = _Tally()
        async with self._database.connection() as connection:
            transaction = connection.transaction()
            await transaction.start()
            try:
                if not dry_run:
                    await self._fence.show(connection)
                for start in range(0, len(placed), _SLICE):
                    part = placed[start : start + _SLICE]
                    await self._put_slice(connection, part, tally, dry_run=dry_run)
            except BaseException:
                await undo(connection, transaction)
                raise
            if dry_run or tally.problems:
                await transaction.rollback()
            else:
                await transaction.commit()
        return tally.result()

    async def _put_slice(
        self, connection: Connection, placed: Sequence[Placed], tally: _Tally, *, dry_run: bool
    ) -> None:
        linked = await self._users.put_within(connection, _users_of(placed))
        tally.withdrawn |= linked.withdrawn
        found = await connection.fetch(
            self._sql["find_accounts"],
            [entry.key for _, entry in placed],
            [entry.platform for _, entry in placed],
        )
        wrong = [
            (place, problem)
            for (place, entry), row in zip(placed, found, strict=True)
            if (problem := _problem(entry, row))
        ]
        tally.problems += wrong
        if tally.problems:
            return
        accounts = [AccountId(row["account_id"]) for row in found]
        given = dict(zip(accounts, (entry for _, entry in placed), strict=True))
        changed = await self._changed(connection, given, tally)
        if changed and not dry_run:
            await self._write(connection, changed)
            tally.readmitted |= set(changed)

    async def _changed(
        self, connection: Connection, given: Mapping[AccountId, GrantEntry], tally: _Tally
    ) -> dict[AccountId, _News]:
        """Return what is to be written, by account; what is stored is ours until the end."""
        rows = await connection.fetch(self._sql["lock_grants"], list(given))
        await self._seal.prepare(rows)
        known = {AccountId(row["account_id"]): row for row in rows}
        changed: dict[AccountId, _News] = {}
        for account, entry in given.items():
            if account not in known:
                tally.created += 1
                changed[account] = _News(entry=entry, digest=_digest(account, entry))
                continue
            row = known[account]
            news = _news(account, entry, row, self._seal.opened(row))
            if news is None:
                tally.same += 1
            else:
                tally.renewed += 1
                changed[account] = news
        return changed

    async def _write(self, connection: Connection, changed: Mapping[AccountId, _News]) -> None:
        entries, key_id = [news.entry for news in changed.values()], self._seal.sealer.newest
        sealed = [
            self._seal.sealed(
                key_id, account, entry.platform, (entry.refresh_token, entry.access_token)
            )
            for account, entry in zip(changed, entries, strict=True)
        ]
        await connection.execute(
            self._sql["put_grants"],
            key_id,
            list(changed),
            [refresh for refresh, _ in sealed],
            [access for _, access in sealed],
            [entry.scopes for entry in entries],
            [entry.access_expires_at for entry in entries],
            [entry.granted_at for entry in entries],
            [news.digest for news in changed.values()],
        )
        await connection.execute(self._sql["admit_accounts"], list(changed), _KIND)


def _news(
    account: AccountId, entry: GrantEntry, row: Row, stored: Grant | GrantUnreadable
) -> _News | None:
    """Return what an entry changes of a grant that is stored; None: nothing.

    Of a consent that is older than what is known, or no newer with the token that was given before,
    nothing is taken; a newer consent with that token moves the calendar.
    """
    digest = _digest(account, entry)
    news = _News(entry=entry, digest=digest)
    if isinstance(stored, GrantUnreadable):
        return news
    is_dead = stored.health is Health.DEAD
    is_known = digest == row["given_digest"] or entry.refresh_token == stored.refresh_token
    is_newer = entry.granted_at > row["granted_at"]
    if not is_known:
        return None if entry.granted_at < row["granted_at"] and not is_dead else news
    if not is_newer:
        return None
    return news if is_dead else _News(entry=_kept(entry, row, stored), digest=row["given_digest"])


def _kept(entry: GrantEntry, row: Row, stored: Grant) -> GrantEntry:
    """Return a newer consent with the tokens that came of refreshing those of the entry."""
    return replace(
        entry,
        refresh_token=stored.refresh_token,
        access_token=stored.access_token,
        access_expires_at=stored.access_expires_at,
        scopes=entry.scopes or row["scopes"],
    )


def _twice(placed: Sequence[Placed]) -> list[tuple[int, str]]:
    first: dict[tuple[str, str], int] = {}
    return [
        (place, f"{entry.platform} of this user was given before, by entry {first_place + 1}")
        for place, entry in sorted(placed, key=itemgetter(0))
        if (first_place := first.setdefault((entry.key, entry.platform), place)) != place
    ]


def _users_of(placed: Sequence[Placed]) -> list[UserEntry]:
    """Return each user once, with the accounts that are named."""
    accounts: dict[str, dict[str, str]] = {}
    for _, entry in placed:
        named = accounts.setdefault(entry.key, {})
        if entry.handle:
            named[entry.platform] = entry.handle
    return [UserEntry(key=key, accounts=named) for key, named in accounts.items()]


def _problem(entry: GrantEntry, row: Row) -> str:
    """Say why a grant cannot be stored; empty where it can."""
    if row["account_id"] is None:
        return f"handle: is missing, and no {entry.platform} account of this user is linked yet"
    if row["opted_out"]:
        return "its user opted out, and may be asked for nothing: let them opt in first"
    return ""


def _digest(account: AccountId, entry: GrantEntry) -> bytes:
    """Return what tells the refresh token of an entry from another one, and nothing else."""
    return hashlib.sha256(f"{account}|{entry.refresh_token}".encode()).digest()
