"""The refreshing of grants: begun by one, committed by who has the answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from syncd.errors import GrantUnreadable
from syncd.model.account import AccountId
from syncd.model.grant import Grant, Renewed
from syncd.store.blocks import load_blocks
from syncd.store.database import Connection, Database, Row
from syncd.store.fence import Fence
from syncd.store.grant_seal import GrantSeal
from syncd.store.sealing import SealBroken
from syncd.store.together import Together

_Key = tuple[AccountId, int]

# Sealing more at once would hold up everything else on the loop.
_TOGETHER = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What a platform answered, at `at`, to the refresh of a grant in this version."""

    account_id: AccountId
    version: int
    renewed: Renewed = field(repr=False)
    at: datetime

    @property
    def key(self) -> tuple[AccountId, int]:
        """Return what the answer is about."""
        return self.account_id, self.version


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    account_id: AccountId
    version: int
    holder: str


class GrantRefreshes:
    """Begins, commits and releases refreshes; calls that come together go together."""

    def __init__(self, database: Database, fence: Fence, seal: GrantSeal, lease: timedelta) -> None:
        self._database = database
        self._fence = fence
        self._seal = seal
        self._lease = lease
        self._sql = load_blocks("grants")
        self._beginning = Together(self._begin, most=_TOGETHER)
        self._committing = Together(self._commit, most=_TOGETHER)
        self._releasing = Together(self._release)

    async def begin(self, account: AccountId, version: int, holder: str) -> Grant | None:
        """See `GrantStore.begin_refresh`."""
        asked = _Asked(account_id=account, version=version, holder=holder)
        found = await self._beginning.ask(asked)
        if isinstance(found, GrantUnreadable):
            raise found
        return found

    async def commit(self, answer: Answered) -> int | None:
        """See `GrantStore.commit_refresh`."""
        return await self._committing.ask(answer)

    async def release(self, account: AccountId, version: int, *, is_answer_lost: bool) -> None:
        """See `GrantStore.release_refresh`."""
        await self._releasing.ask((account, version, is_answer_lost))

    async def _begin(self, asked: Sequence[_Asked]) -> Sequence[Grant | GrantUnreadable | None]:
        # Of those who come together for one grant the first asks for all.
        first: dict[AccountId, _Asked] = {}
        for each in asked:
            first.setdefault(each.account_id, each)
        rows = await self._database.repeat(lambda: self._lend(list(first.values())))
        await self._seal.prepare(rows)
        lent = {AccountId(row["account_id"]): self._seal.opened(row) for row in rows}
        return [
            lent.get(each.account_id) if first[each.account_id] is each else None for each in asked
        ]

    async def _lend(self, asked: Sequence[_Asked]) -> list[Row]:
        async with self._fence.transaction(self._database) as connection:
            rows: list[Row] = await connection.fetch(
                self._sql["begin_refreshes"],
                [each.account_id for each in asked],
                [each.version for each in asked],
                [each.holder for each in asked],
                self._lease,
            )
        return rows

    async def _commit(self, answers: Sequence[Answered]) -> Sequence[int | None]:
        first: dict[_Key, Answered] = {}
        for answer in answers:
            first.setdefault(answer.key, answer)
        # Not inside the transaction: reading keys may take a while.
        await self._seal.sealer.load()
        versions = await self._database.repeat(lambda: self._write(list(first.values())))
        return [
            versions.get(answer.account_id) if first[answer.key] is answer else None
            for answer in answers
        ]

    async def _write(self, answers: Sequence[Answered]) -> dict[AccountId, int]:
        async with self._database.transaction() as connection:
            rows = await connection.fetch(
                self._sql["lock_refreshed"],
                [answer.account_id for answer in answers],
                [answer.version for answer in answers],
            )
            return await self._renew(connection, rows, answers)

    async def _renew(
        self, connection: Connection, rows: Sequence[Row], answers: Sequence[Answered]
    ) -> dict[AccountId, int]:
        by_key, key_id = {answer.key: answer for answer in answers}, self._seal.sealer.newest
        written = [
            (answer, *sealed)
            for row in rows
            for answer in [by_key[AccountId(row["account_id"]), row["version"]]]
            if (sealed := self._sealed(key_id, row, answer.renewed)) is not None
        ]
        if not written:
            return {}
        found = await connection.fetch(
            self._sql["commit_refreshes"],
            key_id,
            [answer.account_id for answer, _, _ in written],
            [refresh for _, refresh, _ in written],
            [access for _, _, access in written],
            [
                answer.at + timedelta(seconds=answer.renewed.expires_in_seconds)
                for answer, _, _ in written
            ],
            [answer.at for answer, _, _ in written],
            [answer.renewed.scopes for answer, _, _ in written],
        )
        return {AccountId(row["account_id"]): row["version"] for row in found}

    def _sealed(self, key_id: str, row: Row, renewed: Renewed) -> tuple[bytes, bytes | None] | None:
        """Seal what the row is to hold; None where the old token stays good but cannot be read."""
        try:
            refresh = renewed.refresh_token or self._seal.refresh_token(row)
        except SealBroken:
            return None
        account = AccountId(row["account_id"])
        tokens = refresh, renewed.access_token
        return self._seal.sealed(key_id, account, row["platform"], tokens)

    async def _release(self, released: Sequence[tuple[AccountId, int, bool]]) -> Sequence[None]:
        async def release() -> None:
            async with self._database.connection() as connection:
                await connection.execute(
                    self._sql["release_refreshes"],
                    *map(list, zip(*released, strict=True)),
                )

        await self._database.repeat(release)
        return [None] * len(released)
