"""What a daemon tells of where it can be asked is believed as long as it is surely still there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from syncd.config.control import ControlAddress
from syncd.daemon.instance import only_instance
from syncd.web.address import LOCK, address_told, find_address


@pytest.fixture
def address(tmp_path: Path) -> ControlAddress:
    token_file = tmp_path / "token"
    return ControlAddress(host="127.0.0.1", port=9, token_file=token_file, state_dir=tmp_path)


def tell_as(pid: int, address: ControlAddress) -> None:
    """Leave what a process of that number would have left."""
    told = {"pid": pid, "host": "127.0.0.1", "port": 1, "socket": None}
    path = address.state_dir / "control.json"
    path.write_text(json.dumps({**told, "token_file": str(address.token_file)}))
    path.chmod(0o600)


def test_it_is_found_while_its_process_holds_the_state_directory(address: ControlAddress) -> None:
    with only_instance(address.state_dir), address_told(address.state_dir, address):
        found = find_address(address.state_dir)

    assert found == address
    assert find_address(address.state_dir) is None


def test_what_a_dead_process_of_the_same_number_left_is_not_believed(
    address: ControlAddress,
) -> None:
    tell_as(os.getpid(), address)
    with only_instance(address.state_dir):
        assert find_address(address.state_dir) is None


def test_a_lock_that_others_can_write_tells_nothing(address: ControlAddress) -> None:
    with only_instance(address.state_dir), address_told(address.state_dir, address):
        (address.state_dir / LOCK).chmod(0o666)
        assert find_address(address.state_dir) is None


def test_a_look_for_a_dead_daemon_never_holds_the_lock_that_the_next_one_takes(
    address: ControlAddress,
) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    tell_as(gone.pid, address)
    (address.state_dir / LOCK).write_text(f"{gone.pid}\n")
    (address.state_dir / LOCK).chmod(0o600)
    looking = "import sys, pathlib; from syncd.web.address import find_address\n"
    looking += "while True: find_address(pathlib.Path(sys.argv[1]))"
    with subprocess.Popen([sys.executable, "-c", looking, str(address.state_dir)]) as looker:
        try:
            for _ in range(2_000):
                tell_as(gone.pid, address)
                (address.state_dir / LOCK).write_text(f"{gone.pid}\n")
                with only_instance(address.state_dir):
                    pass
        finally:
            looker.kill()
