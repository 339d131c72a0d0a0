"""A running daemon can be asked while its config.toml is broken, gone, or of the next start."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from fakes.daemon_config import free_port
from fakes.daemon_process import DaemonProcess, Start, daemon_process

from syncd.web.token import load_or_create_token

BREAKS = {
    "no TOML": "config.toml:1: is not valid TOML",
    "a wrong listen": "web.listen: ",
    "gone": "config.toml: no such file",
}


def break_config(daemon: DaemonProcess, how: str) -> None:
    match how:
        case "no TOML":
            daemon.config.write_text("= half\n" + daemon.config.read_text())
        case "a wrong listen":
            text = daemon.config.read_text()
            daemon.config.write_text(text.replace(f'"{daemon.listen}"', '"nowhere"'))
        case "gone":
            daemon.config.unlink()


@pytest.mark.parametrize("how", BREAKS)
async def test_questions_and_orders_reach_the_daemon_and_the_problem_is_one_warning_line(
    external_daemon: Start, how: str
) -> None:
    async with external_daemon() as daemon:
        right = daemon.config.read_text()
        break_config(daemon, how)
        status = await daemon.command("status")
        paused = await daemon.command("pause", "--all")
        runs = await daemon.command("runs", "--json")
        strict = [(await daemon.command(*each)).code for each in (["check"], ["reload"], ["run"])]
        daemon.config.write_text(right)

    assert (status.code, paused.code, runs.code) == (0, 0, 0), status.err + paused.err
    assert status.out.startswith("syncd ")
    (warning,) = status.err.splitlines()
    assert BREAKS[how] in warning
    assert warning.endswith("the running syncd is asked all the same")
    assert strict == [5, 5, 5]


async def test_an_address_that_only_a_restart_applies_keeps_nobody_from_the_daemon(
    external_daemon: Start,
) -> None:
    async with external_daemon() as daemon:
        right = daemon.config.read_text()
        other = f"127.0.0.1:{free_port()}"
        daemon.config.write_text(right.replace(daemon.listen, other))
        reloaded = await daemon.command("reload")
        status = await daemon.command("status")
        daemon.config.write_text(right)

    assert (reloaded.code, status.code, status.err) == (0, 0, ""), reloaded.err
    assert "web.listen" in reloaded.out
    assert "config.toml differs from what runs: web.listen" in status.out


async def test_a_state_dir_of_its_own_is_found_in_the_part_of_the_file_that_is_right(
    external_daemon: Start, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    async with external_daemon(tables={"daemon": {"state_dir": str(elsewhere)}}) as daemon:
        daemon.config.write_text(daemon.config.read_text() + "\n[jobs.\n")
        said = await daemon.command("status")

    assert said.code == 0, said.err
    assert (elsewhere / "control.json").exists() is False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_a_daemon_that_is_gone_is_not_looked_for_and_the_problem_ends_with_5(
    external_daemon: Start, number: signal.Signals
) -> None:
    async with external_daemon() as daemon:
        daemon.kill(number)
        await daemon.ended()
        break_config(daemon, "no TOML")
        said = await daemon.command("status")

    assert said.code == 5
    assert said.err.splitlines()[0].startswith(f"{daemon.config}:1: is not valid TOML")


async def test_the_token_is_not_sent_where_nobody_holds_the_state_directory(
    tmp_path: Path,
) -> None:
    async with daemon_process(tmp_path) as daemon:
        load_or_create_token(daemon.state_dir / "token")
        told = '{"pid": %d, "host": "127.0.0.1", "port": 9, "socket": null, "token_file": "%s"}'
        place = daemon.state_dir / "control.json"
        place.write_text(told % (os.getpid(), daemon.state_dir / "token"))
        place.chmod(0o600)
        (daemon.state_dir / "syncd.lock").write_text(f"{os.getpid()}\n")
        break_config(daemon, "no TOML")
        said = await daemon.command("status")

    assert said.code == 5
