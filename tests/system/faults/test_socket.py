"""Fault 80: the control port's socket, and what may be in its place."""

from __future__ import annotations

import signal
import socket
import stat
from pathlib import Path

import pytest
from fakes.daemon_config import Tables, free_port, merged
from fakes.daemon_process import daemon_process
from fakes.storm import Storms

OUTSIDE = {"database": {"host": "/nowhere"}, "redis": {"host": "127.0.0.1", "port": 9}}
"""Servers that are never reached: what is wrong is told before."""
WITH_SOCKET: Tables = {"web": {"socket": "control.sock"}}


async def test_socket_is_ours_alone_and_the_command_line_goes_through_it(storm: Storms) -> None:
    async with storm(WITH_SOCKET) as world:
        await world.calm()
        path = world.daemon.folder / "control.sock"
        mode = stat.S_IMODE(path.stat().st_mode)
        # What the commands read now leads nowhere else.
        nowhere = world.daemon.config.with_name("nowhere.toml")
        text = world.daemon.config.read_text()
        nowhere.write_text(text.replace(world.daemon.listen, f"127.0.0.1:{free_port()}"))
        nowhere.chmod(0o600)
        status = await world.daemon.command("--config", str(nowhere), "status")
        token = (world.daemon.state_dir / "token").read_text()
        (world.daemon.state_dir / "token").write_text("w" * 43)
        stranger = await world.daemon.command("--config", str(nowhere), "status")
        (world.daemon.state_dir / "token").write_text(token)

    assert mode == 0o600
    assert (status.code, status.err) == (0, "")
    assert stranger.code == 8
    assert not path.exists()


async def test_socket_that_a_killed_daemon_left_is_replaced(storm: Storms) -> None:
    async with storm(WITH_SOCKET) as world:
        await world.calm()
        path = world.daemon.folder / "control.sock"
        world.daemon.kill(signal.SIGKILL)
        await world.daemon.ended()
        was_left = path.exists()
        stopped = await world.daemon.command("status")

        await world.daemon.start()
        status = await world.daemon.command("status")
        await world.oracle.check()

    assert was_left
    assert stopped.code == 3
    assert f"no syncd answers on {path}: connection refused" in stopped.err
    assert status.code == 0


def leave_file(path: Path) -> None:
    path.write_text("the accounts of 2026")


def leave_folder(path: Path) -> None:
    path.mkdir()


def leave_link(path: Path) -> None:
    path.symlink_to("elsewhere")


@pytest.mark.parametrize("leave", [leave_file, leave_folder, leave_link])
async def test_what_is_no_socket_is_never_removed_and_ends_the_start_with_3(
    tmp_path: Path, leave: object
) -> None:
    path = tmp_path / "control.sock"
    assert callable(leave)
    leave(path)
    before = path.lstat()
    async with daemon_process(tmp_path, tables=merged(OUTSIDE, WITH_SOCKET)) as daemon:
        said = await daemon.command("run")

    sentence, hint = said.err.splitlines()
    assert said.code == 3
    assert sentence == f"syncd: cannot listen on {path}: there is something else than a socket"
    assert "set [web] socket to another path" in hint
    assert path.lstat().st_ino == before.st_ino
    if path.is_file():
        assert path.read_text() == "the accounts of 2026"


async def test_socket_on_which_another_program_listens_is_left_to_it(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        async with daemon_process(tmp_path, tables=merged(OUTSIDE, WITH_SOCKET)) as daemon:
            said = await daemon.command("run")
        with socket.socket(socket.AF_UNIX) as caller:
            caller.connect(str(path))

    assert said.code == 3
    assert "another program listens there" in said.err


@pytest.mark.parametrize("place", ["absent/control.sock", "x" * 200])
async def test_socket_that_cannot_be_made_is_one_sentence(tmp_path: Path, place: str) -> None:
    tables = merged(OUTSIDE, {"web": {"socket": place}})
    async with daemon_process(tmp_path, tables=tables) as daemon:
        said = await daemon.command("run")

    sentence, hint = said.err.splitlines()
    assert said.code == 1
    assert sentence.startswith(f"syncd: cannot listen on {tmp_path / place}: ")
    assert "[web] socket" in hint
