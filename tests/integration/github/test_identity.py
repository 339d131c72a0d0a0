"""Who is who on GitHub: renamed, taken over, vanished and back, as stories."""

from __future__ import annotations

from pathlib import Path

from fakes.clock import FakeClock
from fakes.syncing import Syncing, syncing

from syncd.model.run import Outcome
from syncd.sandbox.faults import server_error, with_values
from syncd.sandbox.github import GitHubStandIn
from syncd.sandbox.population import Population
from syncd.store.database import Database
from syncd.telemetry.events import AccountChanged, WrongAccountAnswered


async def test_renamed_user_is_followed_by_id_and_keeps_one_row(
    world: Syncing, population: Population
) -> None:
    before = await world.account("ada")
    population.rename(1, "ada-renamed")

    run = await world.run()

    after = await world.account("ada")
    assert (run.report.updated, run.report.unchanged) == (1, 1)
    assert after["handle"] == after["raw"]["login"] == "ada-renamed"
    assert (after["id"], after["external_id"]) == (before["id"], before["external_id"])
    assert await world.count("accounts") == await world.count("profiles") == 2


async def test_login_taken_over_by_a_stranger_is_never_merged(
    world: Syncing, population: Population
) -> None:
    known = await world.account("ada")
    stranger = population.take_over(known["handle"])

    await world.run()

    after = await world.account("ada")
    assert after["external_id"] == known["external_id"]
    assert after["raw"]["id"] == population.account_id(1) != population.account_id(stranger)
    assert after["handle"] == population.login(1)


async def test_organization_is_quarantined_with_the_reason_and_the_others_go_on(
    world: Syncing, population: Population
) -> None:
    kept = await world.account("ada")
    population.become_organization(1)
    population.change(2)

    run = await world.run()

    after = await world.account("ada")
    assert (after["state"], after["outcome"]) == ("quarantined", "unsuitable")
    assert after["state_reason"] == f"'{kept['handle']}' is an organization, not a person"
    assert after["raw"] == kept["raw"]
    assert (run.outcome, run.report.failures) == (Outcome.PARTIAL, {"unsuitable": 1})
    assert run.report.updated == 1


async def test_shown_suspension_is_quarantined_and_ends_when_it_is_lifted(
    world: Syncing, population: Population
) -> None:
    population.suspend(1, shown=True)
    await world.run()
    suspended = await world.account("ada")

    population.edit(1, {"suspended_at": None})
    await world.pass_time(days=8)
    await world.run()

    after = await world.account("ada")
    assert suspended["state"] == "quarantined"
    assert suspended["state_reason"].endswith("is suspended on github")
    assert (after["state"], after["state_reason"]) == ("active", "")


async def test_quarantined_account_is_asked_for_once_a_week(
    world: Syncing, population: Population, standin: GitHubStandIn
) -> None:
    population.become_organization(1)
    await world.run()
    standin.counters.clear()

    for _ in range(15):
        await world.pass_time(hours=12)
        await world.run()

    assert standin.counters.fetches(1) == 1
    assert standin.counters.requests == 1 + 15


async def test_vanished_user_is_not_found_at_first_and_keeps_everything(
    world: Syncing, population: Population
) -> None:
    kept = await world.account("ada")
    population.vanish(1)

    await world.run()
    await world.pass_time(hours=11)
    run = await world.run()

    after = await world.account("ada")
    assert (after["state"], after["outcome"]) == ("active", "not_found")
    assert after["raw"] == kept["raw"]
    assert run.report.failures == {"not_found": 1}


async def test_vanished_user_is_gone_after_a_second_look_twelve_hours_later(
    world: Syncing, population: Population
) -> None:
    kept = await world.account("ada")
    population.vanish(1)
    await world.run(full=True)

    await world.pass_time(hours=12)
    await world.run(full=True)

    after = await world.account("ada")
    assert after["state"] == "gone"
    assert after["state_reason"].startswith("not found twice since 2026-01-01")
    assert after["raw"] == kept["raw"]
    changes = [event for event in world.events if isinstance(event, AccountChanged)]
    assert [(change.user_key, change.change) for change in changes] == [("ada", "gone")]


async def test_nobody_is_gone_while_the_platform_answers_for_nobody(
    world: Syncing, population: Population
) -> None:
    population.vanish(1)
    population.vanish(2)

    for _ in range(4):
        await world.run()
        await world.pass_time(hours=13)

    assert (await world.account("ada"))["state"] == "active"
    assert (await world.account("bo"))["state"] == "active"


async def test_second_look_counts_only_while_others_are_answered(
    world: Syncing, population: Population, standin: GitHubStandIn
) -> None:
    population.vanish(1)
    await world.run(full=True)
    standin.faults.add(server_error(), path=f"/user/{population.account_id(2)}")

    await world.pass_time(hours=13)
    await world.run(full=True)
    while_down = await world.account("ada")
    standin.faults.clear()
    await world.run(full=True)

    assert while_down["state"] == "active"
    assert (await world.account("ada"))["state"] == "gone"


async def test_user_who_comes_back_is_followed_again(
    world: Syncing, population: Population
) -> None:
    population.vanish(1)
    await world.run(full=True)
    await world.pass_time(hours=13)
    await world.run(full=True)
    gone = await world.account("ada")

    population.restore(1)
    await world.run("ada")

    after = await world.account("ada")
    assert gone["state"] == "gone"
    assert (after["state"], after["not_found_since"]) == ("active", None)


async def test_answer_about_somebody_else_is_told_as_an_error_once_and_in_the_run(
    world: Syncing, standin: GitHubStandIn
) -> None:
    before = await world.account("ada")
    standin.faults.add(with_values({"id": 999}), path="/user/*")
    await world.fetch("UPDATE sync_state SET etag = ''")

    run = await world.run(full=True)

    told = [event for event in world.events if isinstance(event, WrongAccountAnswered)]
    assert (run.outcome, run.report.failures) == (Outcome.PARTIAL, {"schema_error": 2})
    assert [(event.level, event.error) for event in told] == [("error", run.error)]
    assert "github answered about id 999" in run.error
    assert (await world.account("ada"))["raw"] == before["raw"]


async def test_second_pass_costs_no_quota(world: Syncing, standin: GitHubStandIn) -> None:
    used = standin.counters.primary_used

    run = await world.run(full=True)

    assert (run.report.calls, run.report.saved, run.report.unchanged) == (2, 2, 2)
    assert standin.counters.primary_used == used
    assert (await world.account("ada"))["succeeded_at"] > run.started_at


async def test_etag_is_sent_only_with_the_credential_it_came_with(
    world: Syncing,
    database: Database,
    tmp_path: Path,
    base_url: str,
    clock: FakeClock,
    standin: GitHubStandIn,
) -> None:
    old = await world.account("ada")
    standin.counters.clear()

    async with syncing(database, tmp_path, base_url, clock=clock, token="ghp_two") as other:
        run = await other.run(full=True)
        after = await other.account("ada")

    assert standin.counters.by_status == {200: 2}
    assert (run.report.unchanged, run.report.saved) == (2, 0)
    assert after["etag_credential"] != old["etag_credential"]
    assert after["etag"] != old["etag"]


async def test_revoked_credential_ends_the_run_and_touches_no_user(
    world: Syncing, standin: GitHubStandIn
) -> None:
    before = await world.account("ada")
    standin.revoke("ghp_one")

    run = await world.run()

    assert (run.outcome, run.report.seen) == (Outcome.FAILED, 0)
    assert (run.error.split(": ")[-1], run.hint) == ("HTTP 401", "renew the credential main")
    assert await world.account("ada") == before
