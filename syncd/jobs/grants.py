"""What users granted, kept good: one refresh at a time, and no answer to one is lost.

A refresh token may be good for one answer only. So whoever asks takes the turn of that grant, in
this process and, by a lease in its row, before all others; the answer is written down on disk, then
in the database, and only then used. What a refusal means is for `doubts` to say.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from syncd.clock import Clock
from syncd.errors import (
    BadPayload,
    ConsentWithdrawn,
    GrantRefused,
    GrantUnreadable,
    KeysUnfit,
    PlatformDown,
    RunError,
    StoreUnavailable,
    SyncdError,
)
from syncd.jobs.doubts import Doubts, Renewer
from syncd.jobs.stop import to_its_end
from syncd.model.account import AccountId
from syncd.model.grant import Grant, Health
from syncd.store.grant_refreshes import Answered
from syncd.store.grants import GrantStore
from syncd.store.refresh_journal import RefreshJournal
from syncd.store.sealing import SealBroken
from syncd.telemetry.bus import Bus
from syncd.telemetry.events import ConditionNoticed, GrantRenewed

# An access token is used while it lasts so much longer.
_MARGIN = timedelta(seconds=60)
# Less than a lease of a refresh lasts: nobody else begins one while ours is under way.
_REFRESH_SECONDS = 50.0
# Whoever asks for the same grant elsewhere has answered by then, or its lease has ended.
_PATIENCE_SECONDS = 90.0
_LOOKS_SECONDS = (0.1, 1.0)
_STORE_WAIT_SECONDS = (0.5, 10.0)
# How long a run that is cancelled waits for the answer to a refresh.
_GRACE_SECONDS = 5.0
_KEYS_HINT = "put the key back into the file of [tokens] key_file, and restart syncd"


@dataclass(slots=True)
class _Turn:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    wanted_by: int = 0


class Grants:
    """Renews grants, for all runs of this process.

    Args:
        store: where they are kept.
        journal: where answers are kept until they are stored.
        clock: where time comes from.
        bus: where it is told how refreshes go.
        holder: names this process among those that share the database.
    """

    def __init__(
        self, store: GrantStore, journal: RefreshJournal, clock: Clock, bus: Bus, holder: str
    ) -> None:
        self._store = store
        self._journal = journal
        self._clock = clock
        self._bus = bus
        self._holder = holder
        self._turns: dict[AccountId, _Turn] = {}
        self._doubts = Doubts(store, clock, bus)

    async def forget(self, accounts: Sequence[AccountId]) -> None:
        """Keep no answer any more that waits to be stored for one of these accounts."""
        for account in accounts:
            for entry in await self._journal.entries(account):
                await self._journal.drop(entry.account_id, entry.version)

    async def check_journal(self) -> None:
        """Refuse to go on where an answer could not be kept, or one that was kept not be found.

        Raises:
            RunError: the journal cannot be read.
        """
        await self._journal.entries()

    def is_good(self, grant: Grant) -> bool:
        """Tell whether a grant's access token can be used now."""
        ends_at = grant.access_expires_at
        return bool(grant.access_token) and (
            ends_at is None or ends_at - self._clock.now() >= _MARGIN
        )

    async def renew(self, platform: Renewer, grant: Grant, *, refused: str = "") -> Grant:
        """Return a grant whose access token can be used; ask the platform where nobody else did.

        Args:
            platform: who is asked.
            grant: as it was read last.
            refused: an access token that the platform does not take, whatever we think of it.

        Raises:
            ReauthRequired, GrantRefused, GrantUnreadable: only this account.
            OutageSuspected: so many were refused that none of them is believed.
            PlatformError: nobody knows.
        """
        async with self._turn(grant.account_id):
            ends_at = self._clock.monotonic() + _PATIENCE_SECONDS
            wait, longest = _LOOKS_SECONDS
            while not self.is_good(grant) or grant.access_token == refused:
                if (renewed := await self._begin(platform, grant)) is not None:
                    return renewed
                known, grant = grant.version, await self._read(grant.account_id)
                if grant.version != known:
                    continue
                if self._clock.monotonic() >= ends_at:
                    raise PlatformDown(f"somebody else asks {platform.name} for this grant")
                await self._clock.sleep(wait)
                wait = min(wait * 2, longest)
            return grant

    async def end(self, grant: Grant, reason: str) -> None:
        """Ask by this grant no more: the user must give another one."""
        await self._store.mark_dead(grant.account_id, grant.version, reason, self._clock.now())

    @contextlib.asynccontextmanager
    async def _turn(self, account: AccountId) -> AsyncIterator[None]:
        turn = self._turns.setdefault(account, _Turn())
        turn.wanted_by += 1
        try:
            async with turn.lock:
                yield
        finally:
            turn.wanted_by -= 1
            if not turn.wanted_by:
                del self._turns[account]

    async def _read(self, account: AccountId) -> Grant:
        found = (await self._store.load([account])).get(account)
        if found is None:
            raise ConsentWithdrawn("there is no grant any more: it was removed, or has ended")
        if isinstance(found, GrantUnreadable):
            raise found
        return found

    async def _begin(self, platform: Renewer, grant: Grant) -> Grant | None:
        """Refresh a grant where it is our turn; None: it is, or was, somebody else's."""
        self._doubts.check(platform, grant)
        if await self.replay(grant.account_id):
            return None
        taken = await self._store.begin_refresh(grant.account_id, grant.version, self._holder)
        if taken is None:
            return None
        try:
            answer = await to_its_end(self._ask(platform, taken), _GRACE_SECONDS)
        except GrantRefused as refusal:
            self._tell(platform, taken, "refused")
            if (await self._read(taken.account_id)).version != taken.version:
                return None  # it is another one by now
            raise await self._doubts.judge(platform, taken, refusal) from refusal
        except SyncdError as error:
            self._tell(platform, taken, "failed")
            await self._store.release_refresh(
                taken.account_id, taken.version, is_answer_lost=_is_answer_lost(error)
            )
            raise
        self._tell(platform, taken, "renewed")
        self._doubts.note_good(platform)
        return await self._commit(taken, answer)

    async def replay(self, account: AccountId | None = None) -> int:
        """Store the answers that were left in the journal, of one account or of all.

        Returns how many it took out: some may be about a grant that is another one by now. What
        cannot be opened stays there, until its key is back.

        Raises:
            RunError: as of `check_journal`, of one account; of all it is told.
        """
        taken = unreadable = 0
        try:
            entries = await self._journal.entries(account)
        except RunError as error:
            if account is not None:
                raise
            self._bus.emit(ConditionNoticed(condition=str(error), hint=error.hint or ""))
            return 0
        for entry in entries:
            try:
                answer = await self._journal.open(entry)
            except (SealBroken, KeysUnfit):
                unreadable += 1
                continue
            await self._store.commit_refresh(*answer.key, answer.renewed, answer.at)
            await self._journal.drop(*answer.key)
            taken += 1
        if unreadable:
            condition = f"{unreadable} refreshed grants cannot be read: {self._journal.path}"
            self._bus.emit(ConditionNoticed(condition=condition, hint=_KEYS_HINT))
        return taken

    async def _ask(self, platform: Renewer, grant: Grant) -> Answered:
        try:
            async with asyncio.timeout(_REFRESH_SECONDS):
                renewed = await platform.refresh(grant.refresh_token)
        except TimeoutError as exc:
            raise PlatformDown(
                f"{platform.name} did not answer a refresh in time", is_answer_lost=True
            ) from exc
        answer = Answered(
            account_id=grant.account_id,
            version=grant.version,
            renewed=renewed,
            at=self._clock.now(),
        )
        await self._journal.keep(answer)
        return answer

    async def _commit(self, grant: Grant, answer: Answered) -> Grant | None:
        """Store an answer; None where the grant is another one by now.

        While PostgreSQL is away this waits for it; who gives up leaves it to the journal.
        """
        at, renewed, (wait, longest) = answer.at, answer.renewed, _STORE_WAIT_SECONDS
        while True:
            try:
                version = await self._store.commit_refresh(*answer.key, renewed, at)
                break
            except StoreUnavailable:
                await self._clock.sleep(wait)
                wait = min(wait * 2, longest)
        await self._journal.drop(*answer.key)
        if version is None:
            return None
        return replace(
            grant,
            version=version,
            refresh_token=renewed.refresh_token or grant.refresh_token,
            access_token=renewed.access_token,
            access_expires_at=at + timedelta(seconds=renewed.expires_in_seconds),
            health=Health.OK,
            suspect_since=None,
            interrupted_at=None,
        )

    def _tell(self, platform: Renewer, grant: Grant, outcome: str) -> None:
        self._bus.emit(
            GrantRenewed(platform=platform.name, account_id=grant.account_id, outcome=outcome)
        )


def _is_answer_lost(error: SyncdError) -> bool:
    # An answer that cannot be read may have held the only good token.
    return isinstance(error, BadPayload) or (
        isinstance(error, PlatformDown) and error.is_answer_lost
    )
