from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from syncd.config.control import ControlAddress, control_address
from syncd.errors import ConfigError


def test_without_a_config_file_the_defaults_of_the_current_folder_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    address = control_address(None, {})

    assert address == ControlAddress(
        host="127.0.0.1",
        port=8642,
        token_file=tmp_path / "state" / "token",
        state_dir=tmp_path / "state",
    )


def test_the_keys_concerned_are_read_and_expanded(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('[web]\nlisten = "[::1]:${PORT}"\n[daemon]\nstate_dir = "here"\n')
    (tmp_path / ".env").write_text("PORT=9\n")

    address = control_address(path, {})

    here = tmp_path / "here"
    assert address == ControlAddress(host="::1", port=9, token_file=here / "token", state_dir=here)


def test_a_token_file_wins_over_the_state_folder(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('[web]\ntoken_file = "/run/token"\n[daemon]\nstate_dir = ""\n')

    address = control_address(path, {"STATE_DIRECTORY": "/var/lib/x"})

    assert address.token_file == Path("/run/token")


@pytest.mark.parametrize(("listen", "host"), [("0.0.0.0:1", "127.0.0.1"), ("[::]:1", "::1")])
def test_an_address_that_means_all_is_reached_at_the_loopback(
    tmp_path: Path, listen: str, host: str
) -> None:
    path = tmp_path / "config.toml"
    path.write_text(f'[web]\nlisten = "{listen}"\n')

    assert control_address(path, {}).host == host


def test_mistakes_elsewhere_in_the_file_do_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('[database]\npassword = "${NOPE}"\nnonsense = 5\n')

    assert control_address(path, {}).port == 8642


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ('listen = "8642"', 'web.listen: must be an address and a port such as "127.0.0.1:8642"'),
        ('listen = "${NOPE}"', "web.listen: the environment variable NOPE is not set"),
        ("token_file = 5", "web.token_file: must be text in quotes"),
    ],
)
def test_a_key_that_is_needed_and_wrong_is_refused_with_its_line(
    tmp_path: Path, line: str, sentence: str
) -> None:
    path = tmp_path / "config.toml"
    path.write_text(f"[web]\n{line}\n")

    with pytest.raises(ConfigError) as caught:
        control_address(path, {})

    assert str(caught.value).startswith(f"{path}:2: {sentence}")


def test_the_command_line_does_not_load_pydantic_to_find_the_daemon(tmp_path: Path) -> None:
    root = Path(__file__).parents[3]
    program = (
        "import sys; from syncd.config.control import control_address; control_address(None, {});"
        "print([name for name in ('pydantic', 'dotenv', 'asyncio') if name in sys.modules])"
    )

    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(root)},
        cwd=tmp_path,
        capture_output=True,
        check=True,
        text=True,
    )

    assert done.stdout == "[]\n"


def test_socket_is_found_beside_the_config_file(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('[web]\nsocket = "run/syncd.sock"\n')

    assert control_address(path, {}).socket == tmp_path / "run" / "syncd.sock"
