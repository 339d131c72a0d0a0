"""A real systemd that runs the shipped unit: in namespaces of its own, as their first process.

It needs root and a kernel that allows it; elsewhere the tests that want it are skipped by name.
The unit is the shipped one with the path of the command changed. A file of drop-ins says where this
Python and syncd are: bound to places that another user may read, below /run.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import subprocess
import sys
import sysconfig
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from fakes.daemon_config import Tables, merged, to_toml, usual_tables
from fakes.misbehaving import MISCHIEF_FOLDER
from fakes.waiting import until

REPOSITORY = Path(__file__).parents[2]
UNIT = REPOSITORY / "packaging" / "systemd" / "syncd.service"
SYSTEMD = "/lib/systemd/systemd"
CGROUPS = (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified"))
BOOT_SECONDS = 15.0

UNSHARE = "unshare --pid --fork --kill-child --mount --mount-proc --uts --ipc --cgroup"
BOOT = """
set -e
mount --make-rprivate /
umount --lazy --recursive /sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/systemd/system /run/at/python /run/at/packages /run/at/source /etc/syncd
cat /etc/passwd > /run/passwd; echo syncd:x:987:987::/var/lib/syncd:/bin/false >> /run/passwd
cat /etc/group > /run/group; echo syncd:x:987: >> /run/group
mount --bind /run/passwd /etc/passwd
mount --bind /run/group /etc/group
mount --bind "$PYTHON" /run/at/python
mount --bind "$PACKAGES" /run/at/packages
mount --bind "$SOURCE" /run/at/source
for folder in /etc/syncd /var/lib /var/log; do mount -t tmpfs -o mode=755 tmpfs $folder; done
cp "$WORK/config.toml" /etc/syncd/
chown 987:987 /etc/syncd/config.toml
chmod 600 /etc/syncd/config.toml
cp -r "$WORK/units/." /run/systemd/system/
exec env -i container=other /lib/systemd/systemd --unit=syncd-test.target --log-target=null
"""
TARGET = "[Unit]\nDefaultDependencies=no\nWants=syncd.service\n"
# Nothing of the machine's own is started with it.
DROP_IN = """
[Unit]
DefaultDependencies=no
Wants=
After=
[Service]
Environment=PYTHONPATH=/run/at/source:/run/at/packages:{mischief}
Environment=LD_LIBRARY_PATH=/run/at/python/lib PYTHONDONTWRITEBYTECODE=1
StandardOutput=append:/run/output.log
StandardError=append:/run/output.log
{service}
"""


@dataclass(frozen=True, slots=True)
class Systemd:
    """The manager; `pid` is its number outside of its namespaces."""

    pid: int
    listen: str

    async def run(self, *words: str) -> str:
        """Return what a command wrote that ran beside syncd."""
        process = await asyncio.create_subprocess_exec(
            *("nsenter", "--target", str(self.pid), "--all", *words),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        out, _ = await process.communicate()
        return out.decode()

    async def show(self) -> Mapping[str, str]:
        """Return what systemd knows of the service."""
        lines = (await self.run("systemctl", "show", "syncd.service")).splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    async def reached(self, **wanted: str) -> Mapping[str, str]:
        """Return what systemd knows, once these properties have these values."""

        async def look() -> Mapping[str, str]:
            found = await self.show()
            return found if wanted.items() <= found.items() else {}

        try:
            return await until(look, what=f"the service to be {wanted}")
        except AssertionError as error:
            raise AssertionError(f"{error}; it said: {await self.output()}") from None

    async def told_status(self, words: str) -> Mapping[str, str]:
        """Return what systemd knows, once the status begins with these words."""

        async def look() -> Mapping[str, str]:
            found = await self.show()
            return found if found.get("StatusText", "").startswith(words) else {}

        return await until(look, what=f"the status {words}")

    async def output(self) -> str:
        """Return what the service wrote."""
        return await self.run("cat", "/run/output.log")

    async def printed(self, text: str) -> str:
        """Return what the service wrote, once this is in it."""

        async def look() -> str:
            output = await self.output()
            return output if text in output else ""

        return await until(look, what=f"the service to write {text}")


@contextlib.asynccontextmanager
async def booted_systemd(
    folder: Path, tables: Tables | None = None, service: str = ""
) -> AsyncIterator[Systemd]:
    """Boot with the shipped unit; `service` are lines that change it."""
    if os.geteuid() != 0 or not os.access(SYSTEMD, os.X_OK):
        pytest.skip("a systemd of its own needs root, and Debian's package systemd")
    whole = merged(usual_tables(), tables or {})
    del whole["daemon"]
    _write(folder, whole, service)
    environ = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "WORK": str(folder),
        "PYTHON": sys.base_prefix,
        "PACKAGES": sysconfig.get_path("purelib"),
        "SOURCE": str(REPOSITORY),
    }
    async with _own_cgroups() as join:
        process = await asyncio.create_subprocess_exec(
            *("sh", "-c", f'{join} exec {UNSHARE} sh -c "$0"', BOOT),
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        try:
            yield await _booted(process, whole["web"]["listen"])
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.communicate()


def _write(folder: Path, tables: Tables, service: str) -> None:
    (folder / "config.toml").write_text(to_toml(tables))
    python = f"/run/at/python/bin/python{sys.version_info.major}.{sys.version_info.minor}"
    units = folder / "units"
    (units / "syncd.service.d").mkdir(parents=True)
    unit = UNIT.read_text().replace("/usr/bin/syncd", f"{python} -m syncd")
    (units / "syncd.service").write_text(unit)
    mischief = Path("/run/at/source") / MISCHIEF_FOLDER.relative_to(REPOSITORY)
    drop_in = DROP_IN.format(mischief=mischief, service=service)
    (units / "syncd.service.d" / "test.conf").write_text(drop_in)
    (units / "syncd-test.target").write_text(TARGET)


@contextlib.asynccontextmanager
async def _own_cgroups() -> AsyncIterator[str]:
    """Keep its control groups apart from those of another one; gives what joins them."""
    name = f"syncd-test-{secrets.token_hex(4)}"
    roots = [root / name for root in CGROUPS if (root / "cgroup.procs").exists()]
    try:
        for group in roots:
            group.mkdir()
    except OSError as error:
        pytest.skip(f"this machine refuses a control group: {error}")

    async def are_gone() -> bool:
        return all(map(_is_removed, roots))

    try:
        yield "".join(f'echo $$ > "{group}/cgroup.procs"; ' for group in roots)
    finally:
        await until(are_gone, what=f"the end of everything in {roots}")


def _is_removed(group: Path) -> bool:
    """Remove a control group with those below it, if nothing runs there any more."""
    with contextlib.suppress(OSError):
        for inner in sorted(group.rglob("*/"), reverse=True):
            inner.rmdir()
        group.rmdir()
    return not group.exists()


async def _booted(process: asyncio.subprocess.Process, listen: str) -> Systemd:
    """Return the manager once it answers; skip the test where the machine does not let it."""

    async def look() -> Systemd | None:
        if process.returncode is not None:
            return None
        for pid in _children(process.pid):
            systemd = Systemd(pid, listen)
            if "=" in await systemd.run("systemctl", "show", "--property=Version"):
                return systemd
        return None

    try:
        return await until(look, what="systemd to boot", seconds=BOOT_SECONDS)
    except AssertionError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        out, _ = await process.communicate()
        pytest.skip(f"this machine does not let a systemd boot: {out.decode()}")


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
