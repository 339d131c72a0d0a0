"""Users over the control port: one by one, by file, and synced now."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from time import thread_time

import pytest
from fakes.clock import FakeClock
from fakes.controlled import Desk, controlled, text_for
from fakes.running import JOB
from fakes.waiting import until
from fakes.web_port import web_port

from syncd.errors import BadInput, ConsentWithdrawn, NotKnown
from syncd.model.account import UserEntry
from syncd.model.pause import PauseScope
from syncd.model.run import RunOptions
from syncd.sandbox.faults import latency
from syncd.sandbox.github import GitHubStandIn
from syncd.sandbox.population import Population
from syncd.store.database import Database


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


async def test_a_paused_job_keeps_nobody_from_another_one(
    database: Database,
    base_url: str,
    tmp_path: Path,
    population: Population,
    standin: GitHubStandIn,
) -> None:
    settings = database.settings
    text = text_for(settings.address, settings.schema, base_url)
    text += '\n[jobs.other]\nkind = "profiles"\nplatforms = ["github"]\n'
    standin.faults.add(latency(0.2))
    async with controlled(text, tmp_path) as desk:
        await desk.core.health.ready.wait()
        await desk.link(**{f"u{n}": population.login(n) for n in range(60)})
        held = await desk.control.trigger(JOB, RunOptions(), None)

        async def is_asking() -> bool:
            await desk.clock.advance(0.05)
            return standin.counters.requests >= 5

        await until(is_asking, what="the run to ask")
        await desk.control.pause(PauseScope.JOB, JOB, why="upkeep", until=None, actor="me")

        async def holds_nobody() -> bool:
            await desk.clock.advance(0.05)
            return not desk.core.around.in_flight["profiles"]

        await until(holds_nobody, what="what was under way to be stored")
        other = await desk.control.trigger("other", RunOptions(), None)
        whole = await desk.end(other["id"])
        alone = await desk.control.sync_user("u59")
        synced = await desk.end(alone["runs"][0]["id"])
        await desk.control.resume(PauseScope.JOB, JOB, actor="me")
        ended = await desk.end(held["id"])

    assert whole["outcome"] == "succeeded"
    assert whole["seen"] + ended["seen"] >= 60
    assert whole["seen"] > 40
    assert (synced["job"], synced["outcome"], synced["seen"]) == ("other", "succeeded", 1)
    assert ended["outcome"] == "succeeded"


async def test_a_user_is_synced_once_in_a_while_also_over_a_restart(
    database: Database, base_url: str, tmp_path: Path, population: Population
) -> None:
    clock, settings = FakeClock(), database.settings
    text = text_for(settings.address, settings.schema, base_url)
    async with controlled(text, tmp_path, clock) as desk, web_port(desk) as call:
        await desk.core.health.ready.wait()
        await desk.link(ada=population.login(1), bob=population.login(2))
        first, _, body = await call("POST", "/api/users/ada/sync")

        async def has_ended() -> bool:
            run = await desk.control.run(body["runs"][0]["id"])
            return run["finished_at"] is not None

        await until(has_ended, what="the run to end")
        await clock.advance(20)
        other, _, _ = await call("POST", "/api/users/bob/sync")
    async with controlled(text, tmp_path, clock) as desk, web_port(desk) as call:
        await desk.core.health.ready.wait()
        again, headers, told = await call("POST", "/api/users/ada/sync")
        number_of_runs = len(await desk.control.runs(None, None, 10))
        await clock.advance(int(headers["Retry-After"]))
        later, _, _ = await call("POST", "/api/users/ada/sync")

    assert (first, other, again, later) == (202, 202, 429, 202)
    assert 30 <= int(headers["Retry-After"]) <= 40
    assert told["error"] == "user 'ada' was synced a moment ago"
    assert told["hint"].startswith("try again at 00:01")
    assert "once in 1m, see [users] sync_every" in told["hint"]
    assert number_of_runs == 2


async def test_a_user_who_is_being_synced_is_answered_like_a_job_that_runs(
    desk: Desk, population: Population, standin: GitHubStandIn
) -> None:
    await desk.link(ada=population.login(1))
    standin.faults.add(latency(0.3))
    async with web_port(desk) as call:
        _, _, body = await call("POST", "/api/users/ada/sync")
        number = body["runs"][0]["id"]

        answers = await asyncio.gather(*(call("POST", "/api/users/ada/sync") for _ in range(5)))
    await desk.end(number)

    assert {(status, told["run_id"]) for status, _, told in answers} == {(409, number)}


async def test_of_calls_at_the_same_instant_one_starts_a_run(
    desk: Desk, population: Population
) -> None:
    await desk.link(ada=population.login(1))

    async with web_port(desk) as call:
        answers = await asyncio.gather(*(call("POST", "/api/users/ada/sync") for _ in range(5)))

    assert min(status for status, _, _ in answers) == 202
    assert {status for status, _, _ in answers} <= {202, 409, 429}
    assert len(await desk.control.runs(None, None, 10)) == 1


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


@contextlib.contextmanager
def what_others_left_out_of_the_way() -> Iterator[None]:
    """Let Python look for cycles among new values alone: a thousand tests leave many."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


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

    with what_others_left_out_of_the_way():
        async with asyncio.TaskGroup() as group:
            watcher = group.create_task(watch())
            await watching.wait()
            done = await desk.control.import_users(text, format="csv", dry_run=False)
            page = await desk.control.users("", 1_000)
            watcher.cancel()

    assert (done["created"], len(page)) == (60_000, 1_000)
    assert longest < 0.25


async def test_who_is_not_known_is_told_how_to_find_out(desk: Desk) -> None:
    for order in (
        desk.control.user,
        partial(desk.control.forget_user, dry_run=False),
        desk.control.sync_user,
    ):
        with pytest.raises(NotKnown, match="there is no user 'zz'") as told:
            await order("zz")

        assert (told.value.hint or "").startswith("`syncd users list` shows whom syncd knows")


async def test_a_handle_that_cannot_be_comes_with_what_one_is(desk: Desk) -> None:
    with pytest.raises(BadInput) as told:
        await desk.control.put_user(UserEntry(key="ada", accounts={"github": "a/b"}))

    assert told.value.hint == "give the name as the platform shows it; an empty one disconnects"


async def test_a_deleted_user_is_gone_at_once(desk: Desk, population: Population) -> None:
    await desk.link(ada=population.login(1))

    deleted = await desk.control.forget_user("ada", dry_run=False)

    assert (deleted["deleted"], deleted["accounts"]) == (True, 1)
    assert deleted["removed"] == {"users": 1, "accounts": 1}
    assert await desk.control.users("", 10) == []


async def test_a_handle_that_cannot_be_is_refused_and_nothing_stored(desk: Desk) -> None:
    with pytest.raises(BadInput, match=r"accounts\.github"):
        await desk.control.put_user(UserEntry(key="ada", accounts={"github": "../admin"}))

    assert await desk.control.users("", 10) == []
