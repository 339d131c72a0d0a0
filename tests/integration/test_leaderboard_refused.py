"""What does not come to an end in one run: rows that stay, and changes that wait for a person."""

from __future__ import annotations

from fakes.running import JOB
from fakes.upset import upset
from fakes.valkey import NewServer

from syncd.model.run import Outcome
from syncd.store.database import Database


async def test_a_row_that_cannot_be_deleted_has_one_letter_however_many_runs_try(
    database: Database, new_valkey: NewServer
) -> None:
    async with upset(database, new_valkey(), guard={"runs": 2, "wait": "0s"}) as world:
        await world.fill(daily={"ada": 1, "bob": 1})
        await world.sync()
        await world.world.rows("CREATE TABLE child (id text REFERENCES pomo_leaderboard)")
        await world.world.rows("INSERT INTO child VALUES ('ada')")
        await world.remove("ada")

        outcomes = [(await world.sync()).outcome for _ in range(4)]

        assert outcomes == [Outcome.SUCCEEDED, *[Outcome.PARTIAL] * 3]
        letters = await world.world.rows("SELECT state, attempts FROM dead_letters")
        assert letters == [{"state": "open", "attempts": 3}]

        await world.world.rows("DELETE FROM child")
        assert (await world.sync()).report.deleted == 1
        assert set(await world.table()) == {"bob"}


async def test_changed_users_who_are_too_many_to_be_updated_unasked_are_asked_about(
    database: Database, new_valkey: NewServer
) -> None:
    users = {f"user{number:04}": number + 1 for number in range(1_500)}
    async with upset(database, new_valkey(), mode="incremental") as world:
        await world.fill(daily=dict(users))
        await world.sync()
        await world.fill(daily={user: score * 2 for user, score in users.items()})
        await world.tell("SADD", "lb:dirty", *users)

        held = await world.sync()

        assert (held.outcome, held.report.failures) == (Outcome.HELD, {"held": 1_500})
        assert "`syncd approve 1` lets it pass" in held.hint
        await world.approve()
        run = await world.sync(full=True)
        assert (run.outcome, run.report.updated) == (Outcome.SUCCEEDED, 1_500)
        assert await world.table() == await world.boards()
        assert await world.tell("KEYS", f"lb:dirty:syncd:{JOB}") == []
