"""`syncd alerts test`, over a real control port, and without a daemon."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fakes.daemon import AnswerService, FakeDaemon, fake_daemon, write_config
from fakes.daemon_config import free_port
from fakes.receiver import receiver

from syncd.cli import main


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[FakeDaemon]:
    async with fake_daemon(tmp_path, AnswerService()) as daemon:
        daemon.service.tested = {
            "delivered": True,
            "status": 200,
            "answer": "ok",
            "error": "",
            "hint": "",
            "duration_seconds": 0.2,
        }
        yield daemon


async def test_what_the_webhook_answered_the_daemon_is_told(
    daemon: FakeDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    code = await daemon.syncd("alerts", "test")

    assert daemon.service.orders == [("test_alert",)]
    assert (code, capsys.readouterr().out) == (0, "the webhook took it in 0.2 s: HTTP 200: ok\n")


async def test_a_test_that_does_not_arrive_ends_with_1_why_and_what_to_do(
    daemon: FakeDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon.service.tested |= {"delivered": False, "error": "HTTP 404", "hint": "look at it"}

    code = await daemon.syncd("alerts", "test")

    out, err = capsys.readouterr()
    assert (code, out) == (1, "")
    assert err.splitlines() == ["error: HTTP 404", "  hint: look at it"]


async def test_without_a_daemon_it_is_sent_from_here(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_config(tmp_path, free_port())
    async with receiver() as end:
        with config.open("a") as file:
            file.write(f'[alerts]\nwebhook_url = "{end.url}"\nallow_private = true\n')
        config.chmod(0o600)
        code = await asyncio.to_thread(main, ["--config", str(config), "alerts", "test", "--json"])

    out, err = capsys.readouterr()
    assert (code, json.loads(out)["answer"]) == (0, "ok")
    assert end.events() == ["alert.tested"]
    assert "sending it from here" in err


async def test_without_a_webhook_it_is_a_mistake_that_names_the_mend(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_config(tmp_path, free_port())

    code = await asyncio.to_thread(main, ["--config", str(config), "alerts", "test"])

    assert code == 2
    assert "there is no webhook in [alerts]" in capsys.readouterr().err
