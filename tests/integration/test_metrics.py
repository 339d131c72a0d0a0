"""What Prometheus scrapes: a real control port and store, a real run against the stand-in."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from fakes.control import TOKEN
from fakes.controlled import Desk, controlled, text_for
from fakes.running import draft
from fakes.syncing import JOB
from fakes.tcp_proxy import TcpProxy, tcp_proxy
from fakes.waiting import until
from prometheus_client.parser import text_string_to_metric_families

from syncd.model.account import UserEntry
from syncd.model.run import Ending, Outcome, RunOptions
from syncd.sandbox.faults import latency, too_many
from syncd.sandbox.github import GitHubStandIn
from syncd.sandbox.population import Population
from syncd.store.database import Database
from syncd.web.server import ControlServer, ControlSettings

GATE = {"platform": "github", "credential": "main"}
HOSTILE = 'eve"} 1 evil'


class Scrape:
    """One answer of `/metrics`."""

    def __init__(self, status: int, content_type: str, text: str) -> None:
        self.status = status
        self.content_type = content_type
        self.text = text

    def value(self, name: str, **labels: str) -> float | None:
        found = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(self.text)
            for sample in family.samples
        }
        return found.get((name, frozenset(labels.items())))


class Port:
    """The real control port before a desk."""

    def __init__(self, number: int) -> None:
        self._base = f"http://127.0.0.1:{number}"

    async def scrape(self, token: str | None = TOKEN, *, path: str = "/metrics") -> Scrape:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.get(self._base + path) as answer,
        ):
            return Scrape(answer.status, answer.headers["Content-Type"], await answer.text())


@contextlib.asynccontextmanager
async def port_of(desk: Desk, *, metrics_public: bool = False) -> AsyncIterator[Port]:
    settings = ControlSettings(port=0, token=TOKEN, metrics_public=metrics_public)
    async with ControlServer(desk.control, settings, bus=desk.core.bus, clock=desk.clock) as server:
        yield Port(server.port)


@pytest.fixture
async def port(desk: Desk) -> AsyncIterator[Port]:
    async with port_of(desk) as port:
        yield port


async def fresh(desk: Desk, port: Port) -> Scrape:
    """Scrape once PostgreSQL was asked again, fifteen seconds later."""
    await desk.clock.advance(15)

    async def told() -> Scrape | None:
        scrape = await port.scrape()
        age = scrape.value("syncd_store_reading_age_seconds")
        if age is not None and age < 15:
            return scrape
        await desk.clock.advance(1)
        return None

    scrape = await until(told, what="PostgreSQL to be asked again")
    assert scrape is not None
    return scrape


async def ran(desk: Desk, **options: Any) -> dict[str, Any]:
    run = await desk.control.trigger(JOB, RunOptions(**options), None)
    return await desk.end(run["id"])


@pytest.mark.parametrize("token", [None, "wrong"])
async def test_without_the_token_nothing_is_told(port: Port, token: str | None) -> None:  # S42
    refused = await port.scrape(token)

    assert (refused.status, "syncd_" in refused.text) == (401, False)


async def test_with_the_token_prometheus_is_answered_in_its_format(port: Port) -> None:
    scrape = await port.scrape()

    assert scrape.status == 200
    assert scrape.content_type == "text/plain; version=0.0.4; charset=utf-8"
    assert scrape.value("syncd_store_up") == 1


async def test_public_metrics_need_no_token_and_nothing_else_is_public(desk: Desk) -> None:  # S42
    async with port_of(desk, metrics_public=True) as port:
        scrape = await port.scrape(None)
        wrong = await port.scrape("wrong")
        other = await port.scrape(None, path="/api/status")

    assert (scrape.status, wrong.status, other.status) == (200, 401, 401)


async def test_a_run_is_found_in_every_metric_it_concerns(
    desk: Desk, port: Port, population: Population
) -> None:
    await desk.link(ada=population.login(1), bob=population.login(2), eve="nobody-of-that-name")

    run = await ran(desk)
    scrape = await fresh(desk, port)

    def items(outcome: str) -> float | None:
        return scrape.value("syncd_items_total", job=JOB, platform="github", outcome=outcome)

    calls = scrape.value("syncd_api_calls_total", **GATE)
    quota_left = scrape.value("syncd_quota_left", **GATE, resource="core")
    outcome = {"job": JOB, "outcome": "partial", "cause": "manual"}
    assert scrape.value("syncd_runs_total", **outcome) == 1
    assert scrape.value("syncd_run_duration_seconds_count", job=JOB) == 1
    assert (items("created"), items("failed")) == (run["created"], run["failed"]) == (2, 1)
    assert calls == run["calls"] >= 3
    assert scrape.value("syncd_api_calls_saved_total", **GATE) == 0
    assert quota_left is not None
    assert quota_left <= 5000 - calls
    assert scrape.value("syncd_platform_paused", **GATE) == 0
    assert scrape.value("syncd_accounts", platform="github", state="active") == 3
    assert scrape.value("syncd_fresh_share", job=JOB) == pytest.approx(2 / 3)


async def test_answers_that_say_nothing_new_are_saved_calls(
    desk: Desk, port: Port, population: Population
) -> None:
    await desk.link(ada=population.login(1))
    await ran(desk)
    # Virtual time may stand still during a run; who was asked at its very start is not due.
    await desk.clock.advance(60)

    await ran(desk, full=True)
    scrape = await port.scrape()

    assert scrape.value("syncd_api_calls_saved_total", **GATE) == 1
    items = {"job": JOB, "platform": "github", "outcome": "unchanged"}
    assert scrape.value("syncd_items_total", **items) == 1


async def test_the_last_success_is_that_of_a_run_about_everybody(
    desk: Desk, port: Port, population: Population
) -> None:
    await desk.link(ada=population.login(1), bob=population.login(2))
    whole = await ran(desk)
    await desk.clock.advance(60)
    await ran(desk, only=("ada",))
    await ran(desk, full=True, limit=1)
    await ran(desk, full=True, dry_run=True)
    runs = desk.core.around.stores.runs
    other = await runs.create(draft(desk.clock, RunOptions(act="rehydrate"), job=JOB))
    await runs.begin(other, desk.clock.now())
    await runs.finish(other, Ending(outcome=Outcome.SUCCEEDED), desk.clock.now())

    scrape = await fresh(desk, port)

    ended = scrape.value("syncd_last_success_timestamp_seconds", job=JOB)
    assert whole["outcome"] is Outcome.SUCCEEDED
    assert ended == pytest.approx(whole["finished_at"].timestamp(), abs=0.001)


async def test_the_last_completed_run_may_have_failures_but_went_through_everybody(
    desk: Desk, port: Port, population: Population, standin: GitHubStandIn
) -> None:
    await desk.link(ada=population.login(1), eve="nobody-of-that-name")
    whole = await ran(desk)
    await desk.clock.advance(60)
    some = await ran(desk, full=True, limit=1)
    standin.faults.add(too_many(86_400))
    halted = await ran(desk, full=True)

    scrape = await fresh(desk, port)

    assert some["created"] + some["unchanged"] + some["failed"] == 1
    ended = scrape.value("syncd_last_completed_timestamp_seconds", job=JOB)
    assert (whole["outcome"], halted["outcome"]) == (Outcome.PARTIAL, Outcome.PARTIAL)
    assert ended == pytest.approx(whole["finished_at"].timestamp(), abs=0.001)
    assert scrape.value("syncd_last_success_timestamp_seconds", job=JOB) is None


async def test_ages_are_those_of_the_median_the_tenth_and_the_hundredth_account(
    desk: Desk, port: Port
) -> None:
    handles = {f"u{minutes}": f"h{minutes}" for minutes in range(1, 101)}
    await desk.link(**handles)
    await desk.core.around.stores.accounts.enroll("profiles", [("github", "main")])
    begun = desk.clock.now()
    async with desk.core.database.connection() as connection:
        await connection.execute(
            "UPDATE sync_state "
            "SET succeeded_at = $1::timestamptz - substr(handle, 2)::integer * interval '1 minute' "
            "FROM accounts WHERE accounts.id = account_id",
            desk.clock.now(),
        )

    scrape = await fresh(desk, port)

    ages = [
        scrape.value("syncd_freshness_age_seconds", platform="github", quantile=quantile)
        for quantile in ("0.5", "0.9", "0.99")
    ]
    since = (desk.clock.now() - begun).total_seconds()
    assert ages == [minutes * 60 + since for minutes in (50, 90, 99)]


async def test_an_account_that_was_never_fetched_is_as_old_as_its_link(
    desk: Desk, port: Port
) -> None:
    await desk.link(ada="octocat", bob="hubot")
    begun = desk.clock.now()
    async with desk.core.database.connection() as connection:
        await connection.execute(
            "UPDATE accounts SET linked_at = $1::timestamptz - interval '9 days', "
            "state = CASE handle WHEN 'hubot' THEN 'opted_out' ELSE state END",
            desk.clock.now(),
        )

    scrape = await fresh(desk, port)

    age = scrape.value("syncd_freshness_age_seconds", platform="github", quantile="0.5")
    assert age == (timedelta(days=9) + (desk.clock.now() - begun)).total_seconds()
    assert scrape.value("syncd_fresh_share", job=JOB) == 0


async def test_postgresql_is_asked_once_in_fifteen_seconds_however_often_somebody_scrapes(
    desk: Desk, port: Port
) -> None:
    def active(scrape: Scrape) -> float | None:
        return scrape.value("syncd_accounts", platform="github", state="active")

    await desk.link(ada="octocat")
    first = await fresh(desk, port)
    await desk.link(bob="hubot")
    await desk.clock.advance(14)
    at_once = await asyncio.gather(*(port.scrape() for _ in range(10)))
    later = await fresh(desk, port)

    assert active(first) == 1
    assert {active(scrape) for scrape in at_once} == {1}
    assert active(later) == 2


async def test_requests_under_way_are_not_counted_before_they_have_ended(
    desk: Desk, port: Port, population: Population, standin: GitHubStandIn
) -> None:
    await desk.link(ada=population.login(1))
    standin.faults.add(latency(0.3))
    run = await desk.control.trigger(JOB, RunOptions(), None)
    gate = desk.core.around.platforms["github"][0].client.gate

    async def is_under_way() -> bool:
        return gate.in_flight > 0

    await desk.clock.run(until(is_under_way, what="a request to leave"))
    meanwhile = (await port.scrape()).value("syncd_api_calls_total", **GATE)
    ended = await desk.end(run["id"])
    after = (await port.scrape()).value("syncd_api_calls_total", **GATE)

    assert (meanwhile, after) == (0, ended["calls"])


async def test_a_pause_that_the_platform_asked_for_is_told_with_its_end(
    desk: Desk, port: Port
) -> None:
    ends_at = desk.clock.now() + timedelta(hours=1)
    desk.core.around.platforms["github"][0].client.gate.pauses.pause(3600, "secondary limit")

    scrape = await port.scrape()

    assert scrape.value("syncd_platform_paused", **GATE) == 1
    assert (
        scrape.value("syncd_platform_pause_ends_timestamp_seconds", **GATE) == ends_at.timestamp()
    )


async def test_a_handle_that_looks_like_a_metric_shows_up_nowhere(
    desk: Desk, port: Port
) -> None:  # S42
    # Imports refuse such a handle; a platform may still rename somebody to it.
    await desk.core.users.put([UserEntry(key=HOSTILE, accounts={"github": HOSTILE})])
    run = await ran(desk)

    scrape = await port.scrape()

    assert run["failed"] == 1
    assert "evil" not in scrape.text
    assert TOKEN not in scrape.text
    assert "ghp_one" not in scrape.text


@pytest.fixture
async def proxy(database: Database) -> AsyncIterator[TcpProxy]:
    address = database.settings.address
    async with tcp_proxy(Path(address.host) / f".s.PGSQL.{address.port}") as proxy:
        yield proxy


@contextlib.asynccontextmanager
async def behind(proxy: TcpProxy, database: Database, folder: Path) -> AsyncIterator[Desk]:
    settings = database.settings
    address = replace(settings.address, host="127.0.0.1", port=proxy.port)
    text = text_for(address, settings.schema, "http://127.0.0.1:9")
    async with controlled(text, folder) as desk:
        await desk.core.health.ready.wait()
        yield desk


async def test_while_the_database_is_away_a_scrape_says_what_it_said_last_and_how_old_that_is(
    database: Database, proxy: TcpProxy, tmp_path: Path
) -> None:
    def told(scrape: Scrape) -> tuple[float | None, float | None]:
        accounts = scrape.value("syncd_accounts", platform="github", state="active")
        return scrape.value("syncd_store_up"), accounts

    def age(scrape: Scrape) -> float:
        return scrape.value("syncd_store_reading_age_seconds") or 0.0

    async with behind(proxy, database, tmp_path) as desk, port_of(desk) as port:
        await desk.link(ada="octocat")
        before = await fresh(desk, port)
        await proxy.cut()

        async def is_away() -> Scrape | None:
            await desk.clock.advance(15)
            scrape = await port.scrape()
            return None if scrape.value("syncd_store_up") else scrape

        away = await until(is_away, what="the loss to be noticed")
        await proxy.mend()

        async def is_back() -> Scrape | None:
            scrape = await fresh(desk, port)
            return scrape if scrape.value("syncd_store_up") else None

        back = await until(is_back, what="the database to be back")

    assert away is not None
    assert back is not None
    assert (told(before), told(away), told(back)) == ((1, 1), (0, 1), (1, 1))
    assert age(before) < 15 <= age(away)
    assert age(back) < 15
    assert away.value("syncd_api_calls_total", **GATE) == 0


async def test_a_database_that_never_answers_holds_up_neither_a_scrape_nor_the_stop(
    database: Database, proxy: TcpProxy, tmp_path: Path
) -> None:
    async with contextlib.AsyncExitStack() as stack:
        desk = await stack.enter_async_context(behind(proxy, database, tmp_path))
        port = await stack.enter_async_context(port_of(desk))
        await fresh(desk, port)
        proxy.go_silent()
        await desk.clock.advance(15)  # PostgreSQL is being asked from now on, in vain
        gate = desk.core.around.platforms["github"][0].client.gate
        gate.pauses.pause(3_600, "secondary limit")

        begun = time.monotonic()
        silent = await port.scrape()
        scraped = time.monotonic()
        await stack.aclose()
        stopped = time.monotonic()

    assert (silent.status, silent.value("syncd_platform_paused", **GATE)) == (200, 1)
    assert (silent.value("syncd_store_reading_age_seconds") or 0) >= 15
    assert scraped - begun < 1
    assert stopped - scraped < 9  # three for the last write, two for each pool


@pytest.mark.needs_tool("promtool")
async def test_promtool_finds_nothing_to_say_about_a_scrape(
    desk: Desk, port: Port, population: Population
) -> None:
    await desk.link(ada=population.login(1))
    await ran(desk)
    desk.core.around.platforms["github"][0].client.gate.pauses.pause(3600, "secondary limit")
    scrape = await port.scrape()

    promtool = await asyncio.to_thread(
        subprocess.run,
        ["promtool", "check", "metrics"],
        input=scrape.text,
        capture_output=True,
        check=False,
        text=True,
    )

    assert (promtool.returncode, promtool.stdout, promtool.stderr) == (0, "", "")
