"""One run that is begun, and the batches it commits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from fakes.running import PLAY, Running, profile_of

from syncd.model.account import Account
from syncd.model.item import Failure, Item, Success
from syncd.model.profile import Fetched
from syncd.model.run import Report, RunId
from syncd.store.accounts import START, Selection
from syncd.store.sync import Batch, Committed

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
KIND = "profiles"


class Desk:
    """One run that is begun, and what it may commit."""

    def __init__(self, world: Running, number: RunId, accounts: Sequence[Account]) -> None:
        self.world = world
        self.number = number
        self.accounts = accounts

    async def commit(self, *items: Item, **changes: Any) -> Committed:
        batch = Batch(
            run_id=self.number,
            kind=KIND,
            platform=PLAY,
            mapper_version=1,
            items=items,
            calls=len(items),
            saved=0,
            at=AT,
        )
        return await self.world.around.stores.sync.commit(replace(batch, **changes))

    async def report(self) -> Report:
        run = await self.world.runs.read(self.number)
        assert run is not None
        return run.report

    async def state(self, account: Account) -> dict[str, Any]:
        rows = await self.world.rows(
            "SELECT accounts.state, accounts.state_reason, accounts.handle, sync_state.* "
            "FROM accounts JOIN sync_state ON sync_state.account_id = accounts.id "
            "WHERE accounts.id = $1",
            account.id,
        )
        return rows[0]

    async def profiles(self) -> list[dict[str, Any]]:
        return await self.world.rows("SELECT * FROM profiles ORDER BY account_id")


async def accounts_of(world: Running) -> list[Account]:
    await world.around.stores.accounts.enroll(KIND, [(PLAY, "main")])
    selection = Selection(kind=KIND, platforms=(PLAY,), began_at=AT)
    claims = await world.around.stores.accounts.claim(selection, PLAY, 0, START, 1_000)
    return sorted((claim.account for claim in claims), key=lambda account: account.user_key)


async def begin(world: Running, at: datetime = AT) -> RunId:
    number = await world.start_nothing()
    await world.runs.begin(number, at)
    return number


def success(account: Account, **raw: Any) -> Success:
    return Success(account=account, answer=profile_of(account, **raw))


def changed(item: Success, **fields: Any) -> Success:
    assert isinstance(item.answer, Fetched)
    return replace(
        item, answer=replace(item.answer, profile=replace(item.answer.profile, **fields))
    )


def failure(account: Account, word: str = "transient", **changes: Any) -> Failure:
    return Failure(account=account, outcome=word, error=f"{word}!", **changes)
