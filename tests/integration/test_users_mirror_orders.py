"""What a person or the API ordered about a user stands, whatever the mirror read before."""

from __future__ import annotations

import asyncio
from pathlib import Path

from fakes.mirroring import QUERY, Members, Mirror, mirroring
from fakes.waiting import until

from syncd.model.account import UserEntry
from syncd.store.database import Database

SLOW = f"{QUERY} UNION ALL SELECT 'zz', 'late' || pg_sleep(1.5), NULL"


async def reading(mirror: Mirror) -> int:
    """Start a run and return once its query is under way."""
    run = await mirror.start()
    asked = "SELECT 1 FROM pg_stat_activity WHERE query = $1 AND state = 'active'"
    await until(lambda: mirror.rows(asked, SLOW), what="the query to run")
    return run


async def test_orders_that_come_while_the_query_is_read_stand(
    database: Database, members: Members, tmp_path: Path
) -> None:
    await members.join(6)
    async with mirroring(database, tmp_path, members.address, query=SLOW) as mirror:
        await mirror.run()
        control = mirror.control
        await members.tell("UPDATE members SET github = 'from-query' WHERE id = 'm00004'")
        await members.tell("DELETE FROM members WHERE id = 'm00005'")
        await members.join(1, first=7)

        run_id = await reading(mirror)
        await control.put_user(UserEntry(key="m00001", accounts={"github": "fresh"}))
        await control.forget_user("m00002", dry_run=False)
        await control.opt_out("m00003", opted_out=True)
        text = "key,github\nm00004,imported\nm00005,back\nm00007,other\n"
        await control.import_users(text, format="csv", dry_run=False)
        run = await mirror.end(run_id)

        assert (run["outcome"], run["deleted"]) == ("succeeded", 0)
        assert await mirror.handles() == {
            "m00000": "gh-0",
            "m00001": "fresh",
            "m00003": "gh-3",
            "m00004": "imported",
            "m00005": "back",
            "m00007": "other",
            "zz": "late",
        }
        assert (await control.user("m00003"))["opted_out"]


async def test_an_order_in_the_middle_of_the_writing_stands(
    database: Database, members: Members, mirror: Mirror
) -> None:
    await members.join(1_500)
    control = mirror.control
    async with database.transaction() as blocker:
        await blocker.execute("LOCK TABLE accounts IN EXCLUSIVE MODE")
        run_id = await mirror.start()
        waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        await until(lambda: mirror.rows(waiting), what="the run to write")
        # The run has written about the first thousand, and looks at the others when it may go on.
        telling = [
            asyncio.create_task(control.put_user(UserEntry(key=key, accounts={"github": "fresh"})))
            for key in ("m00001", "m01400")
        ]
        await asyncio.sleep(0.3)

    await asyncio.gather(*telling)
    run = await mirror.end(run_id)

    handles = await mirror.handles()
    assert run["outcome"] == "succeeded"
    assert (len(handles), handles["m00001"], handles["m01400"]) == (1_500, "fresh", "fresh")


async def test_a_user_who_opted_out_stays_so_when_the_query_loses_them_for_once(
    members: Members, mirror: Mirror
) -> None:
    await members.join(5)
    await mirror.run()
    await mirror.control.opt_out("m00000", opted_out=True)
    await members.tell("DELETE FROM members WHERE id = 'm00000'")

    assert (await mirror.run())["deleted"] == 1

    gone = await mirror.control.user("m00000")
    assert (gone["opted_out"], gone["accounts"], gone["last_login_at"]) == (True, [], None)
    assert not gone["mirrored"]
    assert (await mirror.run())["deleted"] == 0
    await members.join(1)
    await mirror.run()
    back = await mirror.control.user("m00000")
    assert (back["opted_out"], back["accounts"][0]["state"]) == (True, "opted_out")


async def test_who_opted_out_and_is_deleted_comes_back_opted_out_and_others_as_new(
    members: Members, mirror: Mirror
) -> None:
    await members.join(3)
    await mirror.run()
    await mirror.control.opt_out("m00000", opted_out=True)

    assert (await mirror.control.forget_user("m00000", dry_run=False))["accounts"] == 1
    await mirror.control.forget_user("m00001", dry_run=False)

    assert await mirror.handles() == {"m00000": None, "m00002": "gh-2"}
    await mirror.run()
    states = await mirror.rows(
        "SELECT key, state FROM users JOIN accounts ON user_id = users.id ORDER BY key"
    )
    assert [row["state"] for row in states] == ["opted_out", "active", "active"]


async def test_who_opted_out_is_forgotten_for_good_once_the_query_does_not_name_them(
    members: Members, mirror: Mirror
) -> None:
    await members.join(2)
    await mirror.run()
    await mirror.control.opt_out("m00000", opted_out=True)
    await members.tell("DELETE FROM members WHERE id = 'm00000'")
    await mirror.run()

    await mirror.control.forget_user("m00000", dry_run=False)

    assert list(await mirror.handles()) == ["m00001"]
