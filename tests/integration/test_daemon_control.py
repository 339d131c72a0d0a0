"""What the control port asks of the daemon: answers while the database is up, down and back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fakes.controlled import Desk, controlled, text_for
from fakes.running import JOB, draft
from fakes.tcp_proxy import TcpProxy, tcp_proxy
from fakes.waiting import until

from syncd.daemon.control import Control
from syncd.errors import AlreadyRunning, BadInput, NotKnown, StoreUnavailable, WrongState
from syncd.model.address import PostgresAddress
from syncd.model.pause import PauseScope
from syncd.model.run import RunOptions
from syncd.sandbox.faults import latency
from syncd.sandbox.github import GitHubStandIn
from syncd.sandbox.population import Population
from syncd.store.database import Database
from syncd.telemetry.events import StoreLost, StoreRecovered


async def test_the_first_screen_answers_also_while_the_database_does_not(tmp_path: Path) -> None:
    nowhere = PostgresAddress(host="127.0.0.1", port=1, database="syncd")
    async with controlled(text_for(nowhere, "syncd", "http://127.0.0.1:9"), tmp_path) as desk:
        status = await desk.control.status()

        with pytest.raises(StoreUnavailable):
            await desk.control.trigger(JOB, RunOptions(), None)

    assert (status["ready"], status["database"]["ok"]) == (False, False)
    assert status["problems"][0]["hint"].startswith("syncd keeps trying")
    assert status["uptime_seconds"] == 0


async def test_the_first_screen_says_how_everything_is(desk: Desk, population: Population) -> None:
    await desk.link(ada=population.login(1))
    run = await desk.control.trigger(JOB, RunOptions(), None)
    await desk.end(run["id"])

    status = await desk.control.status()

    job = status["jobs"][0]
    assert (status["ready"], status["why"], status["users"]) == (True, "", 1)
    assert status["freshness"] == {"followed": 1, "fresh": 1, "share": 1.0}
    assert (job["name"], job["state"], job["last_run"]["id"]) == (JOB, "ok", run["id"])
    assert status["platforms"][0]["accounts"] == {"active": 1}
    assert status["problems"] == []


@pytest.mark.parametrize("off", ["", "enabled = false"])
async def test_an_account_that_two_jobs_read_counts_once_in_the_headline(
    database: Database, base_url: str, tmp_path: Path, population: Population, off: str
) -> None:
    text = text_for(database.settings.address, database.settings.schema, base_url)
    second = f"""
        [jobs.backup]
        kind = "profiles"
        platforms = ["github"]
        mode = "catch_up"
        every = "24h"
        {off}
        """
    async with controlled(text + second, tmp_path) as desk:
        await desk.core.health.ready.wait()
        await desk.link(ada=population.login(1))
        run = await desk.control.trigger(JOB, RunOptions(), None)
        await desk.end(run["id"])

        status = await desk.control.status()

    assert status["freshness"] == {"followed": 1, "fresh": 1, "share": 1.0}


async def test_a_run_is_told_with_its_counts_and_its_items(
    desk: Desk, population: Population
) -> None:
    await desk.link(ada=population.login(1), bo="nobody-has-this-name")
    run = await desk.control.trigger(JOB, RunOptions(), None)

    ended = await desk.end(run["id"])

    items = await desk.control.run_items(run["id"], None, 10)
    assert (ended["created"], ended["failed"], ended["failures"]) == (1, 1, {"not_found": 1})
    assert sorted((item["user_key"], item["outcome"]) for item in items) == [
        ("ada", "created"),
        ("bo", "not_found"),
    ]
    assert [item["user_key"] for item in await desk.control.run_items(run["id"], "created", 9)] == [
        "ada"
    ]
    assert [run["id"] for run in await desk.control.runs(JOB, None, 5)] == [run["id"]]
    problem = (await desk.control.status())["problems"][0]
    assert problem["what"].startswith(f"sync: run {run['id']} was partial: 1 of 2 accounts failed")


@pytest.mark.parametrize(
    "ask",
    [
        lambda control: control.run(4812),
        lambda control: control.run_items(4812, None, 1),
        lambda control: control.cancel(4812),
        lambda control: control.job("sink"),
        lambda control: control.runs("sink", None, 1),
        lambda control: control.user("nobody"),
        lambda control: control.forget_user("nobody", dry_run=False),
        lambda control: control.opt_out("nobody", opted_out=True),
        lambda control: control.sync_user("nobody"),
        lambda control: control.trigger("sink", RunOptions(), None),
    ],
)
async def test_what_does_not_exist_is_said_in_a_sentence(
    desk: Desk, ask: Callable[[Control], Any]
) -> None:
    with pytest.raises(NotKnown, match=r"there is no (run|job|user)"):
        await ask(desk.control)


async def test_a_platform_the_job_does_not_read_is_refused(desk: Desk) -> None:
    with pytest.raises(BadInput, match="does not read 'gitlab'"):
        await desk.control.trigger(JOB, RunOptions(platform="gitlab"), None)


async def test_a_run_about_somebody_who_is_no_user_is_refused_by_name(
    desk: Desk, population: Population
) -> None:
    await desk.link(ada=population.login(1))

    with pytest.raises(BadInput, match="only: there is no user 'adda'"):
        await desk.control.trigger(JOB, RunOptions(only=("ada", "adda")), None)


@pytest.mark.parametrize(
    ("scope", "key", "order"),
    [
        (PauseScope.ALL, "", "syncd resume --all"),
        (PauseScope.JOB, JOB, f"syncd resume {JOB}"),
        (PauseScope.PLATFORM, "github", "syncd resume --platform github"),
    ],
)
async def test_a_trigger_of_what_is_paused_is_refused_with_the_order_that_ends_the_pause(
    desk: Desk, scope: PauseScope, key: str, order: str
) -> None:
    await desk.control.pause(scope, key, why="moving", until=None, actor="ops")

    with pytest.raises(WrongState, match="moving") as refusal:
        await desk.control.trigger(JOB, RunOptions(), None)

    assert order in (refusal.value.hint or "")


async def test_a_second_trigger_is_refused_with_the_number_of_the_first(
    desk: Desk, population: Population, standin: GitHubStandIn
) -> None:
    await desk.link(ada=population.login(1))
    standin.faults.add(latency(0.2))
    first = await desk.control.trigger(JOB, RunOptions(), None)

    with pytest.raises(AlreadyRunning) as refusal:
        await desk.control.trigger(JOB, RunOptions(), None)

    assert refusal.value.run_id == first["id"]
    assert (await desk.control.job(JOB))["state"] == "running"


async def test_a_run_that_only_waits_is_ended_when_it_is_cancelled(desk: Desk) -> None:
    runs = desk.core.around.stores.runs
    number = await runs.create(draft(desk.clock))

    cancelled = await desk.control.cancel(number)

    assert (cancelled["outcome"], cancelled["error"]) == ("abandoned", "cancelled by a person")
    assert await desk.control.cancel(number) == cancelled


@pytest.mark.parametrize(
    ("scope", "key"),
    [(PauseScope.ALL, ""), (PauseScope.JOB, JOB), (PauseScope.PLATFORM, "github")],
)
async def test_a_pause_survives_a_restart_and_a_resume_too(
    desk: Desk, tmp_path: Path, scope: PauseScope, key: str
) -> None:
    text = (tmp_path / "config.toml").read_text()
    await desk.control.pause(scope, key, why="maintenance", until=None, actor="ops")

    async with controlled(text, tmp_path) as later:
        await later.core.health.ready.wait()
        await later.core.load_pauses()
        paused = later.core.around.admission.holding(JOB, "github")
        resumed = await later.control.resume(scope, key, actor="ops")
    async with controlled(text, tmp_path) as again:
        await again.core.health.ready.wait()
        await again.core.load_pauses()
        after = again.core.around.admission.holding(JOB, "github")

    assert paused is not None
    assert (paused.scope, paused.why, paused.actor) == (scope, "maintenance", "ops")
    assert (resumed["was_paused"], after) == (True, None)


async def test_a_pause_ends_by_itself_at_its_time(desk: Desk) -> None:
    until_when = desk.clock.now() + timedelta(hours=1)
    await desk.control.pause(PauseScope.JOB, JOB, why="", until=until_when, actor="")
    before = (await desk.control.job(JOB))["state"]

    desk.clock.jump_wall(timedelta(hours=1))

    assert (before, (await desk.control.job(JOB))["state"]) == ("paused", "never")


@pytest.mark.parametrize(
    ("scope", "key"), [(PauseScope.JOB, "sink"), (PauseScope.PLATFORM, "gitlab")]
)
async def test_what_does_not_exist_cannot_be_paused(
    desk: Desk, scope: PauseScope, key: str
) -> None:
    with pytest.raises(NotKnown):
        await desk.control.pause(scope, key, why="", until=None, actor="")


@pytest.fixture
async def proxy(database: Database) -> AsyncIterator[TcpProxy]:
    address = database.settings.address
    async with tcp_proxy(Path(address.host) / f".s.PGSQL.{address.port}") as proxy:
        yield proxy


async def test_a_database_that_goes_and_comes_back_is_told_once_each(
    database: Database, proxy: TcpProxy, base_url: str, tmp_path: Path
) -> None:
    settings = database.settings
    address = replace(settings.address, host="127.0.0.1", port=proxy.port)
    events: list[Any] = []
    async with controlled(text_for(address, settings.schema, base_url), tmp_path) as desk:
        with desk.core.bus.subscribed(events.append):
            await desk.core.health.ready.wait()
            await proxy.cut()
            lost = await noticed(desk, is_ready=False)
            await proxy.mend()
            back = await noticed(desk, is_ready=True)

    told = [event for event in events if isinstance(event, StoreLost | StoreRecovered)]
    assert [type(event) for event in told] == [StoreLost, StoreRecovered]
    assert (lost["database"]["ok"], lost["jobs"]) == (False, [])
    assert (back["database"]["ok"], back["problems"]) == (True, [])


async def noticed(desk: Desk, *, is_ready: bool) -> dict[str, Any]:
    """Let time pass until the daemon has seen it; return the first screen."""

    async def ask() -> bool:
        await desk.clock.advance(10)
        return desk.control.is_ready()[0] is is_ready

    await until(ask, what=f"ready to be {is_ready}")
    return await desk.control.status()


async def test_a_run_that_a_full_disk_holds_up_says_so_and_goes_on_when_there_is_space(
    desk: Desk, population: Population
) -> None:
    await desk.link(ada=population.login(1))
    async with desk.core.database.connection() as connection:
        # What a full disk is to every writer.
        await connection.execute(
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ "
            "BEGIN RAISE EXCEPTION 'full' USING ERRCODE = 'disk_full'; END $$"
        )
        await connection.execute(
            "CREATE TRIGGER full_disk BEFORE INSERT ON profiles "
            "FOR EACH STATEMENT EXECUTE FUNCTION full_disk()"
        )
    run = await desk.control.trigger(JOB, RunOptions(), None)

    async def waits() -> str:
        told = (await desk.control.run(run["id"]))["progress"].values()
        return "; ".join(each["waits_for"] for each in told)

    words = await desk.clock.run(until(waits, what="the run to say what it waits for"))
    (problem,) = (await desk.control.status())["problems"]
    async with desk.core.database.connection() as connection:
        await connection.execute("DROP TRIGGER full_disk ON profiles")
    ended = await desk.end(run["id"])

    assert words == "PostgreSQL"
    assert problem["what"].startswith(f"{JOB}: run {run['id']} waits: ")
    assert problem["what"].endswith("its disk is full")
    assert problem["hint"].startswith("free space on the disk of PostgreSQL")
    assert ended["outcome"] == "succeeded"
    assert (await desk.control.status())["problems"] == []
