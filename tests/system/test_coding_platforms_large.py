"""Two days of the six coding platforms at size, one of them down, one hostile, one slow."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from fakes.coding_sites import BACKUP, MAIN, SITES, CodingSites
from fakes.daemon_process import DaemonProcess, Start

from syncd.sandbox.faults import server_error, too_many

HEALTHY = ("leetcode", "codeforces", "atcoder")
THROTTLING, HOSTILE, DOWN = "hackerrank", "codechef", "geeksforgeeks"
SCALE = 400

AGE = """
    WITH aged AS (
        UPDATE sync_state
        SET attempted_at = attempted_at - $1::interval, succeeded_at = succeeded_at - $1,
            detailed_at = detailed_at - $1, changed_at = changed_at - $1, due_at = due_at - $1,
            failing_since = failing_since - $1, not_found_since = not_found_since - $1
    )
    UPDATE profiles SET fetched_at = fetched_at - $1
"""
STORED = """
    SELECT substr(users.key, 2)::int AS index, accounts.platform, accounts.handle, accounts.state,
        profiles.rating, profiles.solved, sync_state.fail_streak, sync_state.outcome
    FROM accounts
    JOIN users ON users.id = accounts.user_id
    JOIN sync_state ON sync_state.account_id = accounts.id
    LEFT JOIN profiles ON profiles.account_id = accounts.id
"""
SCORES = """
    SELECT substr(users.key, 2)::int AS index, total, parts
    FROM user_scores JOIN users ON users.id = user_scores.user_id
"""
TOLD = ("handle", "rating", "solved")
NOTHING = {"users": 0, "created": 0, "calls": 0}
COUNTS = ("created", "updated", "unchanged", "skipped", "failed", "calls", "saved")

Stored = Mapping[tuple[str, int], Mapping[str, Any]]


class Town:
    """The daemon, the six sites, and what the daemon has stored about everybody."""

    def __init__(self, daemon: DaemonProcess, sites: CodingSites) -> None:
        self.daemon = daemon
        self.sites = sites

    async def link(self) -> None:
        for users in self.sites.linked():
            body = {"format": "json", "content": json.dumps(users)}
            answer = await self.daemon.api("POST", "/api/users/import", body)
            assert answer.status == 200, answer

    async def run(self, job: str) -> Mapping[str, Any]:
        return await self.daemon.finished(await self.daemon.trigger_job(job))

    async def pass_hours(self, hours: int) -> None:
        """Let everything stored be so much older."""
        await self.daemon.fetch(AGE, timedelta(hours=hours))

    async def stored(self) -> Stored:
        rows = await self.daemon.fetch(STORED)
        return {(row["platform"], row["index"]): dict(row) for row in rows}

    async def scores(self) -> dict[int, dict[str, Any]]:
        rows = await self.daemon.fetch(SCORES)
        return {row["index"]: json.loads(row["parts"]) for row in rows}

    def begin_trouble(self, *, throttles: bool = True) -> None:
        """Let a day's changes happen to people, and trouble to platforms; count from now on."""
        sites = self.sites
        sites.move_on()
        sites[HOSTILE].faults.add(sites[HOSTILE].odd_answers["challenge"].fault)
        sites[DOWN].faults.add(server_error(502))
        if throttles:
            sites[THROTTLING].faults.add(too_many(retry_after=1))
        sites.clear_counters()

    async def end_trouble(self) -> None:
        """Let all be well again, say so, and count from now on."""
        for name in SITES:
            self.sites[name].faults.clear()
            answer = await self.daemon.api("POST", f"/api/platforms/{name}/resume", {})
            assert answer.status == 200, answer
        self.sites.clear_counters()

    def check_calls(self, name: str, shares: Sequence[Mapping[str, Any]]) -> None:
        """Compare what was counted here with what the platform counted."""
        counted = sum(share["calls"] for share in shares)
        assert counted == self.sites[name].counters.requests, name

    def true(self, name: str, *, but: Collection[int] = ()) -> dict[int, Any]:
        """Return what a platform knows about everybody but these."""
        known = {index: self.sites[name].expected(index) for index in self.sites.people}
        return {
            index: {key: person[key] for key in TOLD}
            for index, person in known.items()
            if index not in but
        }

    @staticmethod
    def told(stored: Stored, name: str, *, but: Collection[int] = ()) -> dict[int, Any]:
        """Return what is stored of that."""
        return {
            index: {key: row[key] for key in TOLD}
            for (platform, index), row in stored.items()
            if platform == name and index not in but
        }

    @staticmethod
    def kept(stored: Stored, name: str) -> dict[int, Any]:
        """Return what must be the same as long as a platform answers nobody."""
        keys = (*TOLD, "state", "fail_streak")
        return {
            index: [row[key] for key in keys]
            for (platform, index), row in stored.items()
            if platform == name
        }

    @staticmethod
    def points(scores: Mapping[int, Any], name: str) -> dict[int, Any]:
        """Return everybody's part of a platform, but for the date, which is older by now."""
        return {index: {**parts[name], "as_of": None} for index, parts in scores.items()}


Towns = Callable[[int], AbstractAsyncContextManager[Town]]


@pytest.fixture
def town(external_daemon: Start) -> Towns:
    @asynccontextmanager
    async def start(users: int) -> AsyncIterator[Town]:
        sites = CodingSites(users, scale=SCALE)
        async with sites.served(), external_daemon(None, sites.tables()) as daemon:
            daemon.patience_seconds = 600
            town = Town(daemon, sites)
            await town.link()
            yield town

    return start


SIZES = [100, pytest.param(2_000, marks=[pytest.mark.full, pytest.mark.timeout(1_800)])]


@pytest.mark.parametrize("users", SIZES)
async def test_main_and_backup_run_at_one_moment_ask_for_everybody_once(
    town: Towns, users: int
) -> None:
    async with town(users) as world:
        numbers = [await world.daemon.trigger_job(job) for job in (MAIN, BACKUP)]
        runs = [await world.daemon.finished(number) for number in numbers]
        again = [await world.run(job) for job in (BACKUP, BACKUP)]
        stored, scores = await world.stored(), await world.scores()

    assert [run["outcome"] for run in runs] == ["succeeded", "succeeded"]
    for name in SITES:
        shares = [run["platforms"].get(name, NOTHING) for run in runs]
        assert sum(share["created"] for share in shares) == users, name
        world.check_calls(name, shares)
        assert world.sites.fetches(name) == dict.fromkeys(world.sites.people, 1)
        assert world.told(stored, name) == world.true(name)
    assert [run["seen"] for run in again] == [0, 0]
    assert {tuple(sorted(parts)) for parts in scores.values()} == {tuple(sorted(SITES))}
    assert world.sites.refused() == {}


@pytest.mark.parametrize("users", SIZES)
async def test_three_platforms_in_trouble_cost_the_others_nothing_and_nobody_their_numbers(
    town: Towns, users: int
) -> None:
    async with town(users) as world:
        sites, daemon = world.sites, world.daemon
        await world.run(MAIN)
        await world.pass_hours(25)
        before, scores_before = await world.stored(), await world.scores()
        world.begin_trouble()
        number = await daemon.trigger_job(MAIN)
        # The one that refuses everybody gives in only when the others are through with everybody:
        # who waited for it would wait for ever.
        through = await daemon.until_true(f"/api/runs/{number}", is_through(HEALTHY, users))
        sites[THROTTLING].faults.clear()
        sites[THROTTLING].faults.add(too_many(retry_after=1), share=0.05, times=3)
        run = await daemon.finished(number)
        job = await daemon.get(f"/api/jobs/{MAIN}")
        problems = [each["what"] for each in (await daemon.get("/api/status"))["problems"]]
        stored, scores = await world.stored(), await world.scores()

    shares = run["platforms"]
    assert through["platforms"].get(THROTTLING, NOTHING)["users"] == 0
    assert (run["outcome"], job["last_run"]["platforms"]) == ("partial", shares)
    for name in (*HEALTHY, THROTTLING):
        lost, better = sites.lost(name), sites.better | sites.renamed
        assert shares[name]["users"] == users
        assert shares[name]["failures"] == {"not_found": len(lost)}
        assert shares[name]["updated"] == len(better - lost)
        assert shares[name]["profiles"] == users - len(lost)
        assert world.told(stored, name, but=lost) == world.true(name, but=lost)
        assert {
            before[name, index]["solved"] == stored[name, index]["solved"] for index in lost
        } == {True}
        assert {index for index in lost if scores[index][name]["reason"] != "stale"} == set()
    for name in (HOSTILE, DOWN):
        assert (shares[name]["users"], shares[name]["failures"]) == (0, {})
        assert world.kept(stored, name) == world.kept(before, name)
        assert world.points(scores, name) == world.points(scores_before, name)
        assert any(what.startswith(name) for what in problems), name
    for name in SITES:
        world.check_calls(name, [shares[name]])
    for count in COUNTS:
        assert run[count] == sum(share[count] for share in shares.values()), count
    assert sites[HOSTILE].counters.requests == 1
    assert sites.refused() == {}
    assert {line["platform"] for line in daemon.said("platform.throttled")} == {THROTTLING}
    assert {line["platform"] for line in daemon.said("platform.tripped")} == {HOSTILE, DOWN}
    assert {row["state"] for row in stored.values()} == {"active"}


@pytest.mark.parametrize("users", SIZES)
async def test_next_run_asks_only_for_what_is_due_and_who_is_lost_is_gone_after_half_a_day(
    town: Towns, users: int
) -> None:
    async with town(users) as world:
        sites = world.sites
        await world.run(MAIN)
        await world.pass_hours(25)
        world.begin_trouble(throttles=False)
        await world.run(MAIN)
        await world.end_trouble()
        due = await world.run(BACKUP)
        asked = {name: sites.fetches(name) for name in SITES}
        soon = await world.stored()
        await world.pass_hours(13)
        await world.run(MAIN)
        sites.clear_counters()
        nothing = await world.run(BACKUP)
        later, scores = await world.stored(), await world.scores()

    for name in HEALTHY:
        assert due["platforms"][name]["users"] == len(sites.lost(name))
        assert asked[name] == {}
    for name in (HOSTILE, DOWN):
        found = [index for index in sites.people if index not in sites.lost(name)]
        assert due["platforms"][name]["users"] == users
        assert asked[name] == dict.fromkeys(found, 1)
    assert {row["state"] for row in soon.values()} == {"active"}
    for name in SITES:
        lost = sites.lost(name)
        assert {index for index in sites.people if later[name, index]["state"] == "gone"} == lost
        assert {index for index in sites.people if name not in scores.get(index, {})} == lost
        assert world.told(later, name, but=lost) == world.true(name, but=lost)
        assert sites[name].counters.requests == 0
    assert (nothing["outcome"], nothing["seen"]) == ("succeeded", 0)


def is_through(names: tuple[str, ...], users: int) -> Callable[[Mapping[str, Any]], bool]:
    """Tell of a run under way whether it is through with everybody on these platforms."""

    def look(run: Mapping[str, Any]) -> bool:
        shares = run.get("platforms", {})
        return all(shares.get(name, NOTHING)["users"] == users for name in names)

    return look
