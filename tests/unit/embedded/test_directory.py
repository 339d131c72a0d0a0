from __future__ import annotations

import os
from pathlib import Path

import pytest

from syncd.embedded.directory import SOCKET_PATH_BYTES, socket_directory, telling_line


def test_sockets_lie_below_a_short_state_directory() -> None:
    found = socket_directory(Path("/var/lib/syncd"), "server.sock")

    assert found == Path("/var/lib/syncd/run")


@pytest.mark.parametrize("name", ["a" * 90, "ü" * 60])
def test_sockets_of_a_long_state_directory_fit_and_are_always_found_again(name: str) -> None:
    state_dir = Path("/var/lib") / name

    found = socket_directory(state_dir, ".s.PGSQL.5432")

    assert len(os.fsencode(found / ".s.PGSQL.5432")) <= SOCKET_PATH_BYTES
    assert found == socket_directory(state_dir, ".s.PGSQL.5432")
    assert found != socket_directory(state_dir / "other", ".s.PGSQL.5432")


def test_telling_line_says_what_went_wrong_without_date_and_number() -> None:
    text = "LOG: a\n2026-01-01 00:00 UTC [7] FATAL:  could not write: disk full\nLOG: shut down\n\n"

    said = telling_line(text)

    assert said == "FATAL:  could not write: disk full"


def test_telling_line_of_nothing_is_said_in_words() -> None:
    assert telling_line("\n") == "it said nothing"
