"""A daemon and a platform that is asked about ten accounts at once: killed, stopped, blocked."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from fakes.choir import BATCH, FILE, Hall
from fakes.daemon_config import JOB
from fakes.daemon_process import DaemonProcess, Start
from fakes.storm import SITE

from syncd.sandbox.server import serve

USERS = 45


class Concert:
    """The daemon and the hall it asks."""

    def __init__(self, daemon: DaemonProcess, hall: Hall) -> None:
        self.daemon = daemon
        self.hall = hall

    async def link(self) -> None:
        rows = [f"{user},{handle}" for user, handle in self.hall.handles().items()]
        content = "\n".join(["key,choir", *rows, ""])
        given = {"format": "csv", "content": content}
        assert (await self.daemon.api("POST", "/api/users/import", given)).status == 200

    async def hold(self, answers: int) -> int:
        """Start a run and hold it when so many questions were answered and one is not."""
        self.hall.answers = answers
        number = await self.daemon.trigger()
        async with asyncio.timeout(20):
            await self.hall.reached.wait()
        return number

    async def stored(self) -> int:
        [row] = await self.daemon.fetch("SELECT count(*) FROM profiles")
        return int(row["count"])


@pytest.fixture
async def concert(external_daemon: Start, tmp_path: Path) -> AsyncIterator[Concert]:
    platforms = tmp_path / "site" / "platforms"
    platforms.mkdir(parents=True)
    (platforms / "choir.py").write_text(FILE)
    (tmp_path / "site" / "sitecustomize.py").write_text(SITE.format(folder=str(platforms)))
    path = os.pathsep.join([str(tmp_path / "site"), os.environ.get("PYTHONPATH", "")]).rstrip(":")
    hall = Hall(USERS)
    async with contextlib.AsyncExitStack() as stack:
        url = await stack.enter_async_context(serve(hall))
        tables: dict[str, dict[str, Any]] = {
            "platforms.choir": {"base_url": url, "allow_private": True, "rate": "50/s"},
            f"jobs.{JOB}": {"kind": "profiles", "platforms": ["choir"], "claim": 5},
        }
        daemon = await stack.enter_async_context(
            external_daemon(None, tables, environ={"PYTHONPATH": path})
        )
        concert = Concert(daemon, hall)
        await concert.link()
        yield concert


async def test_killed_run_asks_again_for_one_question_at_most(concert: Concert) -> None:
    hall, daemon = concert.hall, concert.daemon
    number = await concert.hold(3)
    daemon.kill(signal.SIGKILL)
    await daemon.ended()
    stored = await concert.stored()
    hall.release()
    await daemon.start()
    run = await daemon.finished(number)

    asked = {name: hall.asked_for(name) for name in hall.ratings}
    assert stored == 3 * BATCH
    assert (run["outcome"], run["created"], await concert.stored()) == ("succeeded", USERS, USERS)
    assert sum(asked.values()) - USERS == BATCH
    assert {name for name, times in asked.items() if times == 2} == set(hall.asked[3])


async def test_stopped_daemon_stores_the_question_that_is_under_way(concert: Concert) -> None:
    hall, daemon = concert.hall, concert.daemon
    number = await concert.hold(1)
    daemon.kill(signal.SIGTERM)
    await daemon.told("daemon.draining")
    hall.release()
    code = await daemon.ended()
    stored = await concert.stored()
    await daemon.start()
    run = await daemon.finished(number)

    assert (code, stored) == (0, 2 * BATCH)
    assert (run["outcome"], run["created"]) == ("succeeded", USERS)
    assert {hall.asked_for(name) for name in hall.ratings} == {1}


async def test_captcha_closes_the_platform_at_once_and_stands_among_the_problems(
    concert: Concert,
) -> None:
    hall, daemon = concert.hall, concert.daemon
    hall.instead = (200, "text/html", "<title>Just a moment...</title>")

    run = await daemon.finished(await daemon.trigger())
    again = await daemon.finished(await daemon.trigger())
    status = await daemon.get("/api/status")
    tripped = daemon.said("platform.tripped")
    hall.instead = None
    await daemon.api("POST", "/api/platforms/choir/resume", {})
    healed = await daemon.finished(await daemon.trigger())

    assert (run["outcome"], run["seen"], again["seen"]) == ("failed", 0, 0)
    assert len(hall.asked) == 1 + 5
    assert len(tripped) == 1
    assert "Just a moment" in tripped[0]["error"]
    assert any("not its API" in problem["what"] for problem in status["problems"])
    assert (healed["outcome"], healed["created"]) == ("succeeded", USERS)
