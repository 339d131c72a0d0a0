"""The token file: made at first start, refused when others could know it (S10-S12)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from syncd.errors import StartError
from syncd.web.token import load_or_create_token, read_token


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "control.token"


def test_first_start_makes_a_token_only_the_owner_can_read(path: Path) -> None:  # S10
    token = load_or_create_token(path)

    assert len(token) == 43
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_second_start_keeps_the_token(path: Path) -> None:
    token = load_or_create_token(path)

    assert load_or_create_token(path) == token
    assert read_token(path) == token


def test_two_first_starts_end_up_with_one_token(path: Path, tmp_path: Path) -> None:
    program = f"from syncd.web.token import *; print(load_or_create_token(Path({str(path)!r})))"
    both = [
        subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]

    tokens = {process.communicate(timeout=20)[0] for process in both}

    assert len(tokens) == 1


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o602])
def test_token_that_others_can_read_is_refused(path: Path, mode: int) -> None:  # S11
    load_or_create_token(path)
    path.chmod(mode)

    with pytest.raises(StartError) as told:
        load_or_create_token(path)

    assert f"chmod 600 {path}" in (told.value.hint or "")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_token_of_another_user_is_refused(path: Path) -> None:  # S11
    load_or_create_token(path)
    os.chown(path, 65534, -1)

    with pytest.raises(StartError, match="belongs to user 65534") as told:
        load_or_create_token(path)

    assert "chmod 600" in (told.value.hint or "")


@pytest.mark.parametrize(
    "content", ["", "\n", "short", "x" * 31, "x" * 20 + " " + "y" * 20, "ü" * 40]
)
def test_file_without_a_proper_token_is_refused(path: Path, content: str) -> None:  # S12
    load_or_create_token(path)
    path.write_text(content, encoding="utf-8")

    with pytest.raises(StartError, match="at least 32 characters") as told:
        load_or_create_token(path)

    assert "remove" in (told.value.hint or "")


def test_link_and_folder_are_refused(path: Path) -> None:
    load_or_create_token(path)
    link = path.with_name("link")
    link.symlink_to(path)

    for other in (link, path.parent):
        with pytest.raises(StartError):
            load_or_create_token(other)


def test_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StartError, match="cannot make the token file"):
        load_or_create_token(tmp_path / "file" / "control.token")
