"""The mirror of users as people run it: by the command line, on a schedule, killed midway."""

from __future__ import annotations

import json
import signal

from fakes.daemon_process import Start
from fakes.mirroring import QUERY, Members, connect, url_of
from fakes.waiting import until


async def test_users_of_the_platform_are_mirrored_by_hand_and_on_schedule(
    external_daemon: Start, members: Members
) -> None:
    await members.join(3)
    users = {"query": QUERY, "url": url_of(members.address), "schedule": "0 0 1 1 *"}
    async with external_daemon(None, {"users": users}) as daemon:
        narrowed = await daemon.command("trigger", "users", "--limit", "1")
        triggered = await daemon.command("trigger", "users", "--follow")
        listed = await daemon.command("users", "list")
        following = await daemon.command("next", "users", "--json")
        status = await daemon.command("status")
        why = await daemon.command("why", "m00001")

        await members.tell("DELETE FROM members")
        refused = await daemon.command("trigger", "users", "--follow")
        troubled = await daemon.command("status")

        users["schedule"] = "* * * * * *"
        daemon.configure({"users": users})
        await members.join(4)
        await daemon.restart()

        async def has_four() -> bool:
            return len(json.loads((await daemon.command("users", "list", "--json")).out)) == 4

        await until(has_four, what="the schedule to bring four users")

    assert (narrowed.code, "job users cannot be narrowed" in narrowed.err) == (2, True)
    assert (triggered.code, "3 created" in triggered.out) == (0, True)
    assert "requests" not in triggered.out
    assert [line.split()[:3] for line in listed.out.splitlines()[1:]] == [
        [f"m0000{number}", "github", f"gh-{number}"] for number in range(3)
    ]
    assert "01-01T00:00:00" in json.loads(following.out)[0]["utc"]
    assert "users " in status.out
    assert "mirrored by [users] query" in why.out
    assert refused.code == 1
    assert "query returned nobody, 3 users are mirrored" in refused.out
    assert "query returned nobody" in troubled.out


async def test_a_run_that_was_killed_goes_on_and_counts_once(
    external_daemon: Start, members: Members
) -> None:
    await members.join(2_000)
    users = {"query": QUERY, "url": url_of(members.address)}
    async with external_daemon(None, {"users": users}) as daemon:
        blocker = await connect(daemon.database)
        await blocker.execute(f"BEGIN; LOCK TABLE {daemon.schema}.accounts IN EXCLUSIVE MODE")
        triggered = await daemon.command("trigger", "users", "--json")
        waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        await until(lambda: daemon.fetch(waiting), what="the run to write")

        daemon.kill(signal.SIGKILL)
        await daemon.ended()
        left = await daemon.fetch("SELECT count(*) FROM users")
        await blocker.close()
        await daemon.start()

        async def has_ended() -> list[object]:
            return await daemon.fetch("SELECT * FROM runs WHERE outcome = 'succeeded'")

        [run] = await until(has_ended, what="the run to go on")

    assert left[0]["count"] == 0
    assert (run["id"], run["resumed"]) == (json.loads(triggered.out)["id"], 1)
    assert (run["created"], run["seen"]) == (2_000, 2_000)
