"""Names that mean something else to one process: an /etc/hosts of its own, in a namespace."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

# In a namespace of its own the daemon cannot start a Valkey, and needs none for what it does here.
NO_REDIS = {"redis": {"host": "127.0.0.1", "port": 9}}

_ASK = "import socket, sys; print(socket.getaddrinfo(sys.argv[1], 80, type=socket.SOCK_STREAM))"


@dataclass(frozen=True, slots=True)
class OtherHosts:
    """What names mean; `prefix` goes before the command that shall believe it."""

    path: Path

    @property
    def prefix(self) -> tuple[str, ...]:
        script = f'mount --bind "{self.path}" /etc/hosts && exec "$@"'
        private = ("unshare", "--user", "--map-root-user", "--mount")
        return (*private, "/bin/sh", "-c", script, "sh")

    def write(self, *lines: str) -> None:
        """Let names mean this from now on, also where the old meaning is believed already."""
        self.path.write_text("\n".join([*lines, ""]))

    def resolve(self, name: str) -> str:
        """Return all addresses of a name; skip the test where there are no such namespaces."""
        command = (*self.prefix, "python3", "-c", _ASK, name)
        asked = subprocess.run(command, capture_output=True, text=True, check=False)
        if asked.returncode:
            pytest.skip(f"this machine refuses the namespace of other hosts: {asked.stderr}")
        return asked.stdout


def other_hosts(folder: Path, *lines: str) -> OtherHosts:
    """Write a hosts file."""
    hosts = OtherHosts(folder / "hosts")
    hosts.write(*lines)
    return hosts
