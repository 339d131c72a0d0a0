"""Grants: the tokens of users, sealed, each refreshed by one at a time.

Who refreshes holds a lease on the row by the database's clock; who has an answer writes it if the
version is still the one that was refreshed. So two processes never spend one refresh token, and a
slow one changes nothing. What is written for a run is fenced, but for the answer of a platform: it
may be the only copy of a token, and the version alone decides whether it counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from syncd.errors import GrantUnreadable
from syncd.model.account import AccountId
from syncd.model.grant import Grant, GrantEntry, GrantStanding, Health, Renewed
from syncd.store.blocks import load_blocks
from syncd.store.database import Database
from syncd.store.fence import Fence
from syncd.store.grant_calendar import GrantCalendar, Settled
from syncd.store.grant_import import GrantImport, GrantResult
from syncd.store.grant_refreshes import Answered, GrantRefreshes
from syncd.store.grant_rotation import BATCH, GrantRotation, Rotated
from syncd.store.grant_seal import GrantSeal
from syncd.store.sealing import Sealer
from syncd.store.users import UserStore

LEASE = timedelta(seconds=60)


class GrantStore:
    """Owns the table `oauth_tokens`.

    Args:
        database: where it is.
        fence: shown by whatever begins or judges; `LeaseLost` where somebody else leads.
        sealer: opens and seals the tokens.
        users: makes users and accounts that an import names, and notes the order.
    """

    def __init__(
        self, database: Database, fence: Fence, sealer: Sealer, users: UserStore | None = None
    ) -> None:
        self._database = database
        self._fence = fence
        self._sql = load_blocks("grants")
        self._seal = GrantSeal(sealer)
        self._refreshes = GrantRefreshes(database, fence, self._seal, LEASE)
        self._calendar = GrantCalendar(database, fence)
        self._rotation = GrantRotation(database, fence, self._seal)
        self._import = GrantImport(database, fence, self._seal, users or UserStore(database, fence))

    async def load(
        self, accounts: Sequence[AccountId]
    ) -> Mapping[AccountId, Grant | GrantUnreadable]:
        """Read grants with their tokens, in one statement; the dead are left out.

        Raises:
            KeysUnfit: there are no keys to open any.
        """
        async with self._database.connection() as connection:
            rows = await connection.fetch(self._sql["load_grants"], list(accounts))
        await self._seal.prepare(rows)
        return {AccountId(row["account_id"]): self._seal.opened(row) for row in rows}

    async def begin_refresh(self, account: AccountId, version: int, holder: str) -> Grant | None:
        """Take the right to refresh a grant for a minute; those who ask together go together.

        None: the version moved on, the grant is dead, or somebody else is at it. Its
        `interrupted_at` tells that an earlier refresh was cut off.

        Raises:
            GrantUnreadable: its tokens cannot be opened.
            LeaseLost: somebody else leads.
        """
        return await self._refreshes.begin(account, version, holder)

    async def commit_refresh(
        self, account: AccountId, version: int, renewed: Renewed, at: datetime
    ) -> int | None:
        """Store what the platform answered at `at`, and return the new version.

        A grant that was given up for want of it is good again. None, and nothing written: the
        version moved on, the consent ended, or the grant is gone. Safe to repeat. Those who ask
        together go together; who leads does not matter.
        """
        answer = Answered(account_id=account, version=version, renewed=renewed, at=at)
        return await self._refreshes.commit(answer)

    async def release_refresh(
        self, account: AccountId, version: int, *, is_answer_lost: bool = False
    ) -> None:
        """Give the right back: the request failed for a passing reason.

        Where its answer may be lost, whoever is next finds the grant's `interrupted_at` set.
        """
        await self._refreshes.release(account, version, is_answer_lost=is_answer_lost)

    async def mark_suspect(
        self, account: AccountId, version: int, reason: str, at: datetime
    ) -> datetime:
        """Note that the platform refused a grant; return since when it is suspect.

        That first instant stays. A version that moved on is not marked.
        """
        async with self._fence.transaction(self._database) as connection:
            since: datetime | None = await connection.fetchval(
                self._sql["mark_suspect"], account, version, reason, at
            )
        return since or at

    async def clear_suspects(self, since: datetime) -> int:
        """Take back what was held of refused grants since an instant; return of how many."""
        async with self._fence.transaction(self._database) as connection:
            status: str = await connection.execute(self._sql["clear_suspects"], since)
        return int(status.rpartition(" ")[2])

    async def mark_dead(self, account: AccountId, version: int, reason: str, at: datetime) -> bool:
        """Stop asking for an account until its user consents again; False: the version moved on."""

        async def mark() -> bool:
            async with self._fence.transaction(self._database) as connection:
                found = await connection.fetchval(
                    self._sql["mark_dead"], account, version, reason, at
                )
            return found is not None

        return await self._database.repeat(mark)

    async def refreshed_since(self, platform: str, at: datetime) -> int:
        """Count the grants of a platform that were refreshed since an instant."""
        async with self._database.connection() as connection:
            found: int = await connection.fetchval(self._sql["count_refreshed"], platform, at)
        return found

    async def settle(self, platform: str, at: datetime) -> Settled:
        """Do what the calendar says: end consents, stop the ungranted, give notice. Repeatable."""
        return await self._calendar.settle(platform, at)

    async def put(self, entries: Sequence[GrantEntry], *, dry_run: bool) -> GrantResult:
        """Store grants as the platform's own site hands them over, all or nothing.

        What was given before changes nothing, also where it was refreshed since. A dry run says
        what would come of it, and writes nothing.

        Raises:
            BadInput: the database refuses a key, a handle or a date.
            KeysUnfit: the keys of what is stored are gone, or none can be made.
        """
        return await self._import.put(entries, dry_run=dry_run)

    async def read(
        self, after: str = "", limit: int = 100, state: str | None = None
    ) -> Sequence[GrantStanding]:
        """Return how grants stand, in the order of users' keys behind `after`.

        `state` is a state of accounts, or the health of grants.
        """
        async with self._database.connection() as connection:
            rows = await connection.fetch(self._sql["read_standings"], after, limit, state)
        return [
            GrantStanding(
                **{
                    **row,
                    "account_id": AccountId(row["account_id"]),
                    "health": Health(row["health"]),
                }
            )
            for row in rows
        ]

    async def rotate(self, limit: int = BATCH) -> int:
        """Seal the next rows with the newest key; return how many, 0 when all are done.

        Safe to be killed and repeated; the versions stay.

        Raises:
            KeysUnfit: there are no keys.
        """
        return await self._rotation.rotate(limit)

    async def rotate_key(self) -> Rotated:
        """Add a key to the ring and seal everything with it; killed midway, call it again.

        A key that is newer than what is in use already is taken as it is: one that a person added,
        or that of a rotation that was cut off.

        Raises:
            KeysUnfit: the key file is not ours to write, or cannot be used.
        """
        return await self._rotation.rotate_key()

    async def keys_in_use(self) -> Mapping[str, int]:
        """Return the ids of keys that stored tokens need, and of how many grants."""
        return await self._rotation.keys_in_use()
