"""Users over the control port: one by one, by file, and synced now."""

from __future__ import annotations

import asyncio
from time import thread_time

import pytest
from fakes.controlled import Desk
from fakes.running import JOB

from syncd.errors import BadInput, ConsentWithdrawn, NotKnown
from syncd.model.account import UserEntry
from syncd.model.run import RunOptions
from syncd.sandbox.faults import latency
from syncd.sandbox.github import GitHubStandIn
from syncd.sandbox.population import Population


async def test_a_user_is_synced_beside_a_running_job_and_nobody_is_asked_twice(
    desk: Desk, population: Population, standin: GitHubStandIn
) -> None:
    await desk.link(**{f"u{n}": population.login(n) for n in range(30)})
    standin.faults.add(latency(0.2))
    whole = await desk.control.trigger(JOB, RunOptions(), None)

    alone = await desk.control.sync_user("u3")

    ended = [await desk.end(number) for number in (whole["id"], alone["runs"][0]["id"])]
    assert {run["outcome"] for run in ended} == {"succeeded"}
    assert sum(run["seen"] for run in ended) == 30
    assert standin.counters.fetched(at_least=2) == []
    job = await desk.control.job(JOB)
    assert job["last_run"]["id"] == whole["id"]


async def test_a_user_who_opted_out_is_not_synced(desk: Desk, population: Population) -> None:
    await desk.link(ada=population.login(1))
    await desk.control.opt_out("ada", opted_out=True)

    with pytest.raises(ConsentWithdrawn):
        await desk.control.sync_user("ada")

    user = await desk.control.opt_out("ada", opted_out=False)
    assert user["accounts"][0]["state"] == "active"


async def test_a_user_without_accounts_is_not_synced_and_told_why(desk: Desk) -> None:
    await desk.control.put_user(UserEntry(key="ada"))

    with pytest.raises(BadInput, match="no account that a job reads"):
        await desk.control.sync_user("ada")


async def test_an_import_is_all_or_nothing_and_names_every_line(desk: Desk) -> None:
    text = "key,github\nada,ada\nbo,not/a/name\n,cy\nada,again\n"

    with pytest.raises(BadInput) as refusal:
        await desk.control.import_users(text, format="csv", dry_run=False)

    assert [problem.partition(":")[0] for problem in refusal.value.problems] == [
        "line 3",
        "line 4",
        "line 5",
    ]
    assert await desk.control.users("", 10) == []


async def test_an_import_tells_what_it_changed_and_a_dry_run_changes_nothing(desk: Desk) -> None:
    text = "key,github,opted_out\nada,ada,\nbo,bo,yes\n"

    rehearsed = await desk.control.import_users(text, format="csv", dry_run=True)
    nobody = await desk.control.users("", 10)
    done = await desk.control.import_users(text, format="csv", dry_run=False)
    again = await desk.control.import_users(text, format="csv", dry_run=False)

    assert nobody == []
    assert {**rehearsed, "dry_run": False} == done
    assert (done["users"], done["created"], done["linked"]) == (2, 2, 2)
    assert (again["created"], again["same"]) == (0, 2)


async def test_reading_a_large_file_leaves_the_loop_to_others(desk: Desk) -> None:
    text = "key,github\n" + "".join(f"u{n},l-{n}\n" for n in range(60_000))
    longest = 0.0
    watching = asyncio.Event()

    async def watch() -> None:
        nonlocal longest
        while True:
            # What this thread computed in between: a loaded machine does not count.
            begun = thread_time()
            watching.set()
            await asyncio.sleep(0.001)
            longest = max(longest, thread_time() - begun)

    async with asyncio.TaskGroup() as group:
        watcher = group.create_task(watch())
        await watching.wait()
        done = await desk.control.import_users(text, format="csv", dry_run=False)
        page = await desk.control.users("", 1_000)
        watcher.cancel()

    assert (done["created"], len(page)) == (60_000, 1_000)
    assert longest < 0.25


async def test_who_is_not_known_is_told_how_to_find_out(desk: Desk) -> None:
    for order in (desk.control.user, desk.control.delete_user, desk.control.sync_user):
        with pytest.raises(NotKnown, match="there is no user 'zz'") as told:
            await order("zz")

        assert (told.value.hint or "").startswith("`syncd users list` shows whom syncd knows")


async def test_a_handle_that_cannot_be_comes_with_what_one_is(desk: Desk) -> None:
    with pytest.raises(BadInput) as told:
        await desk.control.put_user(UserEntry(key="ada", accounts={"github": "a/b"}))

    assert told.value.hint == "give the name as the platform shows it; an empty one disconnects"


async def test_a_deleted_user_is_gone_at_once(desk: Desk, population: Population) -> None:
    await desk.link(ada=population.login(1))

    deleted = await desk.control.delete_user("ada")

    assert deleted == {"key": "ada", "deleted": True, "accounts": 1}
    assert await desk.control.users("", 10) == []


async def test_a_handle_that_cannot_be_is_refused_and_nothing_stored(desk: Desk) -> None:
    with pytest.raises(BadInput, match=r"accounts\.github"):
        await desk.control.put_user(UserEntry(key="ada", accounts={"github": "../admin"}))

    assert await desk.control.users("", 10) == []
