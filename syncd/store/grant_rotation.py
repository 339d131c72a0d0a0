"""Rotating keys: everything that an older key sealed is sealed with the newest one."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from syncd.model.account import AccountId
from syncd.store.blocks import load_blocks
from syncd.store.database import Database, Row
from syncd.store.fence import Fence
from syncd.store.grant_seal import GrantSeal
from syncd.store.sealing import SealBroken

BATCH = 1_000

_AS_READ = ("account_id", "key_id", "refresh_ct", "access_ct")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotated:
    """What rotating came to.

    `is_new` tells that the key was made for it; `unused` are keys of the file that nothing needs
    any more, `left` those that rows which cannot be opened still name, with how many.
    """

    key_id: str
    is_new: bool
    resealed: int = 0
    unused: Sequence[str] = ()
    left: Mapping[str, int] = field(default_factory=dict)


class GrantRotation:
    """Seals rows anew, batch by batch; killed at any point, the next call goes on behind it."""

    def __init__(self, database: Database, fence: Fence, seal: GrantSeal) -> None:
        self._database = database
        self._fence = fence
        self._seal = seal
        self._sql = load_blocks("grants")
        self._turn = asyncio.Lock()

    async def rotate(self, limit: int) -> int:
        """See `GrantStore.rotate`; rows that cannot be opened are passed over and stay."""
        await self._seal.sealer.load()
        behind, resealed = 0, 0
        while not resealed:
            rows = await self._read(behind, limit)
            if not rows:
                break
            resealed = await self._reseal(rows)
            behind = rows[-1]["account_id"]
        return resealed

    async def _read(self, behind: int, limit: int) -> list[Row]:
        sealer = self._seal.sealer
        async with self._database.connection() as connection:
            rows: list[Row] = await connection.fetch(
                self._sql["read_sealed"], behind, sorted(sealer.known), sealer.newest, limit
            )
        return rows

    async def _reseal(self, rows: Sequence[Row]) -> int:
        """Write a batch; who wrote a row since it was read sealed it with the newest key."""
        key_id = self._seal.sealer.newest
        # Beside the loop, which it would hold up.
        sealed = await asyncio.to_thread(self._all_again, key_id, rows)

        async def write() -> int:
            async with self._fence.transaction(self._database) as connection:
                status: str = await connection.execute(
                    self._sql["reseal"],
                    key_id,
                    *([row[name] for row, _, _ in sealed] for name in _AS_READ),
                    [refresh for _, refresh, _ in sealed],
                    [access for _, _, access in sealed],
                )
            return int(status.rpartition(" ")[2])

        return await self._database.repeat(write)

    def _all_again(self, key_id: str, rows: Sequence[Row]) -> list[tuple[Row, bytes, bytes | None]]:
        return [(row, *again) for row in rows if (again := self._again(key_id, row)) is not None]

    def _again(self, key_id: str, row: Row) -> tuple[bytes, bytes | None] | None:
        account, platform = AccountId(row["account_id"]), row["platform"]
        try:
            return self._seal.sealed(key_id, account, platform, self._seal.tokens(row))
        except SealBroken:
            return None

    async def keys_in_use(self) -> Mapping[str, int]:
        """See `GrantStore.keys_in_use`."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(self._sql["keys_in_use"])
        return {row["key_id"]: row["grants"] for row in rows}

    async def rotate_key(self) -> Rotated:
        """See `GrantStore.rotate_key`; those who ask at once take turns."""
        async with self._turn:
            return await self._rotate_key()

    async def _rotate_key(self) -> Rotated:
        sealer = self._seal.sealer
        if not await sealer.reload():
            if await self.keys_in_use():
                raise sealer.missing()
            await sealer.make()
            return Rotated(key_id=sealer.newest, is_new=True)
        # What is sealed anew with the key that is there was left over from a rotation that was cut
        # off, or waits for a key that a person added.
        resealed = await self._rotate_all()
        is_new = not resealed
        if is_new:
            await sealer.add_key()
            resealed = await self._rotate_all()
        in_use = await self.keys_in_use()
        unused = tuple(sorted(sealer.known - set(in_use) - {sealer.newest}))
        left = {key_id: count for key_id, count in in_use.items() if key_id != sealer.newest}
        return Rotated(
            key_id=sealer.newest, is_new=is_new, resealed=resealed, unused=unused, left=left
        )

    async def _rotate_all(self) -> int:
        resealed = 0
        while done := await self.rotate(BATCH):
            resealed += done
        return resealed
