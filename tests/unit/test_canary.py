"""Who watches the watchers: a secret is found in whatever form it is told."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest
from fakes import canary

SECRET = "canary-refresh-7"
TELLS = """
import pathlib, sys

def test_says_it():
    print("Bearer canary-" + "access-7")

def test_writes_it(tmp_path):
    (tmp_path / "stderr.log").write_text("Bearer canary-" + "access-7")

def test_says_nothing(tmp_path):
    (tmp_path / "config.toml").write_text("token = 'canary-" + "access-7'")
"""


@pytest.mark.parametrize(
    "told",
    [
        SECRET,
        f"Authorization: Bearer {SECRET}",
        *(base64.b64encode(f"{'x' * shift}:{SECRET}".encode()).decode() for shift in range(3)),
        base64.urlsafe_b64encode(f"client:{SECRET}".encode()).decode(),
        quote(SECRET),
        SECRET.replace("-", "%2D"),
        SECRET.encode().hex(),
        SECRET.upper(),
    ],
)
def test_secret_is_found_in_every_form(told: str) -> None:
    with pytest.raises(AssertionError, match="O5: a secret stands in the log"):
        canary.refuse("the log", f"before {told} behind")


def test_canary_that_is_a_bird_or_a_guard_is_no_secret() -> None:
    canary.refuse("the log", "the canary is on no board; canary_user, canaries")


@pytest.mark.parametrize(
    ("name", "is_kept"),
    [
        ("config.toml", False),
        ("grants.jsonl", False),
        ("stderr.log", True),
        ("core.4812", True),
        ("state/token-keys", False),
        ("state/refreshed.journal", True),
        ("state/control.json", True),
        ("state/postgres/base/5/1259", True),
    ],
)
def test_every_file_is_searched_but_for_what_was_given(
    tmp_path_factory: pytest.TempPathFactory, name: str, is_kept: bool
) -> None:
    path = tmp_path_factory.mktemp("kept") / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\0" * 10_000 + SECRET.encode())
    folder = path.parents[len(Path(name).parts) - 1]

    if is_kept:
        with pytest.raises(AssertionError, match=path.name):
            canary.refuse_in_files(folder)
    else:
        canary.refuse_in_files(folder)


def test_test_that_tells_a_secret_fails_and_says_where(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("suite")
    (folder / "test_it.py").write_text(TELLS)
    pytest_itself = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")

    said = subprocess.run(
        [
            *pytest_itself,
            "-p",
            "fakes.canary",
            "--basetemp",
            folder / "temp",
            folder / "test_it.py",
        ],
        cwd=folder,
        # It finds what this process finds, wherever that was told.
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=False,
    )

    failed = [line for line in said.stdout.splitlines() if line.startswith(("ERROR", "FAILED"))]
    assert ["test_says_it" in failed[0], "test_writes_it" in failed[1]] == [True, True], said.stdout
    assert (len(failed), "O5: a secret stands in" in said.stdout) == (2, True)


@pytest.mark.parametrize("form", canary.FORMS)
def test_secret_is_found_among_many_bytes(form: bytes, tmp_path: Path) -> None:
    much = os.urandom(5_000_000)
    (tmp_path / "0001").write_bytes(much)
    canary.refuse_in_files(tmp_path)
    (tmp_path / "base").mkdir()
    told = tmp_path / "base" / "16384"
    told.write_bytes(much + form + b"\0\n")

    with pytest.raises(AssertionError, match=r"O5: a secret stands in .*16384"):
        canary.refuse_in_files(tmp_path)
    told.unlink()
