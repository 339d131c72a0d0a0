"""Faults 51, 52: answers that hold nothing, and web pages in the place of answers.

Of some users they are those users' failure; of everybody they are the platform's, which ends its
pass and blames as few as it can. What was stored stays in either case.
"""

from __future__ import annotations

from typing import Any

import pytest
from fakes.storm import SLOTS, USERS, Storm, Storms

from syncd.sandbox.faults import instead

HTML = "text/html; charset=utf-8"
NOTHING = {0: "", 1: "null", 2: "[]", 3: "{}"}
PAGES = {
    0: (200, "<html><h1>Down for maintenance</h1></html>"),
    1: (403, "<!DOCTYPE html><title>Just a moment...</title>" + "x" * 5_000),
    2: (200, "<html><form>Log in\x1b[31m</form></html>"),
}


async def struck(world: Storm, *users: int) -> dict[str, Any]:
    """Run after everybody changed; of these users nothing new is stored, of the others all."""
    world.everybody_changes()
    world.door.requests.clear()
    run = await world.run()
    world.oracle.learn("forge")
    if spared := [index for index in USERS if index not in users]:
        world.oracle.learn("github", *spared)
    await world.oracle.check()
    return run


async def problems(world: Storm) -> list[str]:
    return [each["what"] for each in (await world.daemon.get("/api/status"))["problems"]]


async def test_answers_that_hold_nothing_are_odd_and_not_somebody_who_has_nothing(
    storm: Storms,
) -> None:
    async with storm() as world:
        await world.calm()
        for index, body in NOTHING.items():
            world.github.faults.add(instead(body), path=world.path(index))

        run = await struck(world, *NOTHING)
        failures = await world.failures(run)
        told = await world.daemon.told("platform.schema_changed")
        found = await problems(world)
        world.mend()
        healed = await world.heals()

    assert (run["outcome"], run["failures"]) == ("partial", {"schema_error": len(NOTHING)})
    assert failures.keys() == {f"u{index}" for index in NOTHING}
    assert (told["level"], told["platform"], told["credential"]) == ("error", "github", "main")
    assert told["account"] in {world.login(index) for index in NOTHING}
    assert told["error"] in {error for _, error in failures.values()}
    assert len(world.daemon.said("platform.schema_changed")) == 1
    assert not [what for what in found if "otherwise than it documents" in what]
    assert healed["outcome"] == "succeeded"


@pytest.mark.parametrize("body", ["null", "{}", '{"id": "text"}'])
async def test_platform_that_changed_its_answers_is_given_up_before_everybody_is_blamed(
    storm: Storms, body: str
) -> None:
    async with storm() as world:
        await world.calm()
        world.github.faults.add(instead(body), path="/user/*")

        run = await struck(world, *USERS)
        asked = len(world.door.requests)
        told = world.daemon.said("platform.schema_changed")
        found = await problems(world)
        letters = (await world.daemon.get("/api/dead-letters"))["dead_letters"]
        world.mend()
        healed = await world.heals()
        later = await problems(world)

    assert (run["outcome"], run["updated"]) == ("partial", len(USERS))
    assert "github changed its answers, 10 in a row" in run["error"]
    assert run["failures"] == {"schema_error": 10}
    assert asked < 10 + SLOTS
    assert (len(told), letters) == (1, [])
    assert any("github answers otherwise than it documents since" in what for what in found)
    assert healed["outcome"] == "succeeded"
    assert not any("otherwise than it documents" in what for what in later)


async def test_web_pages_about_some_are_those_accounts_failure_and_are_told_by_their_beginning(
    storm: Storms,
) -> None:
    async with storm() as world:
        await world.calm()
        for index, (status, body) in PAGES.items():
            page = instead(body, status=status, content_type=HTML)
            world.github.faults.add(page, path=world.path(index))

        run = await struck(world, *PAGES)
        asked = len(world.door.requests)
        failures = await world.failures(run)
        world.mend()
        healed = await world.heals()

    assert (run["outcome"], run["failures"]) == ("partial", {"blocked": len(PAGES)})
    assert asked == len(USERS)
    assert "Down for maintenance" in failures["u0"][1]
    assert "Just a moment" in failures["u1"][1]
    assert all(len(error) < 400 and error.isprintable() for _, error in failures.values())
    assert healed["outcome"] == "succeeded"


async def test_web_page_for_everybody_closes_the_platform_over_a_restart_and_heals_by_itself(
    storm: Storms,
) -> None:
    status, body = PAGES[0]
    async with storm() as world:
        await world.calm()
        world.github.faults.add(instead(body, status=status, content_type=HTML))

        run = await struck(world, *USERS)
        asked = len(world.door.requests)
        await world.daemon.restart()
        world.door.requests.clear()
        again = await world.run()
        asked_again = len(world.door.requests)
        found = await problems(world)
        world.mend()
        await world.daemon.api("POST", "/api/platforms/github/resume", {})
        healed = await world.heals()

    assert (run["outcome"], run["updated"]) == ("partial", len(USERS))
    assert run["failed"] < 5 + SLOTS
    assert run["failures"].keys() <= {"blocked"}
    assert 5 <= asked < 5 + SLOTS
    assert (again["outcome"], asked_again) == ("partial", 0)
    assert any("github answers something that is not its API since" in what for what in found)
    assert healed["outcome"] == "succeeded"
