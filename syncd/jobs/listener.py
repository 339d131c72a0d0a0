"""Asks what accounts listened to, by the grant of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, cast

from syncd.errors import AccessExpired, GrantUnreadable, ReauthRequired
from syncd.jobs.base import RunContext
from syncd.jobs.doubts import Renewer
from syncd.model.account import Account, AccountId
from syncd.model.grant import Access, Grant
from syncd.model.item import Failure, Item
from syncd.model.play import Heard
from syncd.model.profile import Fetched, Unchanged
from syncd.platforms.base import Platform
from syncd.store.listening import Stored
from syncd.store.sync import Committed
from syncd.telemetry.events import AccountChanged, GapFound, PlaysStored, PlaysUnread


class Listener:
    """Asks for one account after the other, each by its own grant, and tells what was stored.

    What is needed for a page of accounts is read at once. Of a user of whom plays are stored, what
    came since the newest is asked for, and what came up to `look_back` before it: plays can turn up
    hours late.
    """

    def __init__(self, context: RunContext, platform: Platform, look_back: timedelta) -> None:
        self._run = context.run
        self._around = context.around
        self._platform = platform
        self._renewer = cast("Renewer", platform)
        self._look_back = look_back
        self._grants: dict[AccountId, Grant | GrantUnreadable] = {}
        self._cursors: dict[AccountId, datetime] = {}

    async def prepare(self, accounts: Sequence[Account]) -> None:
        """Read the grants and cursors of a page."""
        stores, numbers = self._around.stores, [account.id for account in accounts]
        grants: Mapping[AccountId, Grant | GrantUnreadable] = await stores.grants.load(numbers)
        self._cursors.update(await stores.listening.cursors(numbers))
        self._grants.update(grants)

    async def ask(self, account: Account) -> Fetched | Unchanged | Heard:
        """Ask for one account; with an access token that is about to end, ask for a new one first.

        Raises:
            GrantUnreadable, GrantRefused, ReauthRequired: by this grant nothing can be asked.
            ItemError, PlatformError: as `Platform.fetch` raises them.
        """
        grant, cursor = self._grants.pop(account.id, None), self._cursors.pop(account.id, None)
        if grant is None:
            raise ReauthRequired(
                f"there is no grant of {account.handle!r} on {account.platform}",
                hint="import one: `syncd tokens import FILE`",
            )
        if isinstance(grant, GrantUnreadable):
            raise grant
        # A play may be dated ahead; what is played until then comes before it.
        now = self._around.clock.now()
        after = None if cursor is None else min(cursor, now) - self._look_back
        try:
            return await self._ask(account, grant, after)
        except ReauthRequired as error:
            self._tell_ended(account, str(error))
            raise

    async def _ask(
        self, account: Account, grant: Grant, after: datetime | None
    ) -> Fetched | Unchanged | Heard:
        grants, renewer = self._around.grants, self._renewer
        grant = await grants.renew(renewer, grant)
        try:
            return await self._fetch(account, grant, after)
        except AccessExpired:
            grant = await grants.renew(renewer, grant, refused=grant.access_token)
        return await self._fetch(account, grant, after)

    async def _fetch(
        self, account: Account, grant: Grant, after: datetime | None
    ) -> Fetched | Unchanged | Heard:
        access = Access(token=grant.access_token, after=after)
        try:
            return await self._platform.fetch(replace(account, access=access))
        except ReauthRequired as error:
            await self._around.grants.end(grant, str(error))
            raise

    def tell(self, items: Sequence[Item], committed: Committed) -> None:
        """Tell what became of accounts, now that it is stored."""
        for stored in committed.heard:
            self._tell_stored(stored)
        for item in items:
            if isinstance(item, Failure):
                self._tell_plays(item.account, error=item.error)

    def _tell_stored(self, stored: Stored) -> None:
        counts, account, gap = stored.counts, stored.account, stored.gap
        self._tell_plays(
            account,
            inserted=counts.inserted,
            repeated=counts.repeated,
            skipped=counts.skipped,
        )
        if stored.unread:
            self._around.bus.emit(
                PlaysUnread(
                    run_id=self._run.id,
                    job=self._run.job,
                    platform=account.platform,
                    account=account.handle,
                    user_key=account.user_key,
                    items=len(stored.unread),
                    error=stored.unread[0],
                )
            )
        if gap is not None and not self._run.options.dry_run:
            self._around.bus.emit(
                GapFound(
                    run_id=self._run.id,
                    job=self._run.job,
                    platform=account.platform,
                    account=account.handle,
                    user_key=account.user_key,
                    after=gap.after,
                    before=gap.before,
                    due_at=gap.due_at,
                )
            )

    def _tell_plays(self, account: Account, **told: Any) -> None:
        self._around.bus.emit(
            PlaysStored(
                run_id=self._run.id,
                job=self._run.job,
                platform=account.platform,
                account=account.handle,
                user_key=account.user_key,
                dry_run=self._run.options.dry_run,
                **told,
            )
        )

    def _tell_ended(self, account: Account, why: str) -> None:
        self._around.bus.emit(
            AccountChanged(
                platform=account.platform,
                account_id=account.id,
                user_key=account.user_key,
                change="reauth_required",
                detail=why,
            )
        )
