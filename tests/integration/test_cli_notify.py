"""`syncd notify test`, over a real control port."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fakes.daemon import AnswerService, FakeDaemon, fake_daemon, write_config
from fakes.daemon_config import free_port

from syncd.cli import main

ADDRESS = "ada@example.org"


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[FakeDaemon]:
    async with fake_daemon(tmp_path, AnswerService()) as daemon:
        yield daemon


async def test_what_the_channel_said_ends_with_0(
    daemon: FakeDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    code = await daemon.syncd("notify", "test", "email", ADDRESS)

    assert daemon.service.orders == [("test_channel", "email", ADDRESS)]
    said = "email took it in 0.2 s: 2.0.0 Ok: queued as 4711\n"
    assert (code, capsys.readouterr().out) == (0, said)


async def test_as_json_it_is_the_whole_answer(
    daemon: FakeDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    code = await daemon.syncd("notify", "test", "email", ADDRESS, "--json")

    assert (code, json.loads(capsys.readouterr().out)) == (0, daemon.service.sampled)


async def test_what_is_refused_ends_with_1_why_and_what_to_do(
    daemon: FakeDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon.service.sampled |= {"delivered": False, "error": "550 no", "hint": "look at it"}

    code = await daemon.syncd("notify", "test", "email", ADDRESS)

    out, err = capsys.readouterr()
    assert (code, out) == (1, "")
    assert err.splitlines() == ["error: 550 no", "  hint: look at it"]


@pytest.mark.parametrize(
    ("channel", "address", "said"),
    [
        ("emial", ADDRESS, "there is no channel 'emial'"),
        ("email", "nobody", "address: must be one mail address"),
    ],
)
async def test_a_channel_or_an_address_that_cannot_be_ends_with_2(
    daemon: FakeDaemon,
    capsys: pytest.CaptureFixture[str],
    channel: str,
    address: str,
    said: str,
) -> None:
    code = await daemon.syncd("notify", "test", channel, address)

    assert code == 2
    assert said in capsys.readouterr().err


async def test_without_a_daemon_it_ends_with_3(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_config(tmp_path, free_port())
    arguments = ["--config", str(config), "notify", "test", "email", ADDRESS]

    assert await asyncio.to_thread(main, arguments) == 3
    assert capsys.readouterr().out == ""
