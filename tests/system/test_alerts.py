"""Alerts as people get them: over a kill, after a mend, and without a piece of the address."""

from __future__ import annotations

import json
import signal
from typing import Any

import pytest
from fakes.daemon_config import free_port
from fakes.daemon_process import DaemonProcess, Start
from fakes.receiver import SECRET, address, receiver
from fakes.waiting import until

BROKEN = {"users": {"query": "SELECT nope AS key"}}
MENDED = {"users": {"query": "SELECT 'u1' AS key"}}


def to(port: int) -> dict[str, Any]:
    return {"alerts": {"webhook_url": address(port), "allow_private": True}}


async def decided(daemon: DaemonProcess) -> bool:
    """Tell whether an alert is written down that nobody got yet."""
    rows = await daemon.fetch("SELECT 1 FROM alert_states WHERE told_at IS NULL")
    return bool(rows)


async def failing(daemon: DaemonProcess) -> int:
    """Let a run fail, and return its number."""
    run_id = await daemon.trigger_job("users")
    assert (await daemon.finished(run_id))["outcome"] == "failed"
    return run_id


@pytest.mark.parametrize("when", ["before it was decided", "before it was delivered"])
async def test_an_alert_that_was_due_before_a_kill_is_sent_after_it(
    external_daemon: Start, when: str
) -> None:
    port = free_port()
    tables = BROKEN if when == "before it was decided" else {**BROKEN, **to(port)}
    async with external_daemon(None, tables) as daemon:
        run_id = await failing(daemon)
        if when == "before it was delivered":
            await until(lambda: decided(daemon), what="the decision")
        daemon.kill(signal.SIGKILL)
        await daemon.ended()
        daemon.configure({**to(port), "users": {**BROKEN["users"], "schedule": "0 0 1 1 *"}})
        async with receiver(port) as end:
            await daemon.start()
            [told] = await end.has_got(1)
            daemon.configure(MENDED)
            await daemon.command("reload")
            await daemon.finished(await daemon.trigger_job("users"))
            await end.has_got(2)
            sent = await daemon.told("alert.sent", alert="job.recovered")

    assert (told["event"], told["job"], told["run"]) == ("run.failed", "users", run_id)
    assert 'column "nope" does not exist' in told["content"]
    assert end.events() == ["run.failed", "job.recovered"]
    assert sent["job"] == "users"


async def test_the_address_shows_nowhere(external_daemon: Start) -> None:
    port = free_port()
    levels = {"logging": {"level": "debug"}}
    async with external_daemon(None, {**BROKEN, **levels}) as daemon:
        daemon.configure(to(port))
        reloaded = await daemon.command("reload")
        await failing(daemon)
        await until(lambda: decided(daemon), what="the decision")

        async def is_problem() -> bool:
            problems = (await daemon.get("/api/status"))["problems"]
            return any("alerts do not arrive" in each["what"] for each in problems)

        await until(is_problem, what="the problem in the status")
        tried = await daemon.command("alerts", "test")
        said = [
            tried.err + tried.out,
            reloaded.err + reloaded.out,
            (await daemon.command("status")).out,
            (await daemon.command("config", "show")).out,
            (await daemon.command("reload", "--dry-run")).out,
            *[
                str((await daemon.api("GET", path)).body)
                for path in ("/api/status", "/api/jobs", "/api/runs", "/metrics")
            ],
        ]
        async with receiver(port):
            passed = await daemon.command("alerts", "test", "--json")
        daemon.configure({"alerts": {"webhook_url": f"ftp://{SECRET}/"}})
        refused = await daemon.command("check")
        kept = await daemon.fetch("SELECT * FROM alert_states")
    said += [passed.out, passed.err, refused.out, refused.err, str(kept)]
    said += [json.dumps(daemon.lines), "".join(daemon.noise), daemon.errors()]

    assert (tried.code, "cannot connect" in tried.err) == (1, True)
    assert (passed.code, json.loads(passed.out)["status"]) == (0, 200)
    assert refused.code == 5
    assert 'webhook_url = "***"' in said[3]
    assert [text for text in said if SECRET in text or SECRET.lower() in text] == []
