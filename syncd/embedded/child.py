"""Become a server: change identity, ask to be told when the parent dies, execute the program.

Run as a script of its own (`python -I -S child.py PARENT SIGNAL IDENTITY DIRECTORY PROGRAM ...`),
because the steps between fork and exec are unsafe in a process that has threads. It imports
almost nothing, so that it costs milliseconds.

IDENTITY is `keep`, `namespace:UID:GID` (seen inside a new user namespace; outside, the files and
signals stay ours) or `user:UID:GID`. Exits with `REFUSED` when the identity or the directory
cannot be had, with `NOT_EXECUTABLE` when the program cannot; the reason stands on stderr.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

REFUSED = 125
NOT_EXECUTABLE = 126

_CLONE_NEWUSER = 0x10000000
_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> int:
    """Execute the program; returns only when that is not possible."""
    parent, death_signal, identity, directory, program = arguments[:5]
    # Python ignores SIGPIPE and handles SIGINT; a server must inherit neither.
    for number in (signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    # A terminal's Ctrl-C reaches its whole group; the daemon alone decides when servers stop.
    os.setsid()
    try:
        become(identity)
        os.chdir(directory)
    except OSError as error:
        return _complain(f"cannot run as {identity} in {directory}: {error.strerror}", REFUSED)
    # After the change of identity, which clears it.
    die_with(int(parent), int(death_signal))
    try:
        os.execv(program, arguments[4:])  # noqa: S606 - becoming the server is the point
    except OSError as error:
        return _complain(f"cannot execute {program}: {error.strerror}", NOT_EXECUTABLE)


def become(identity: str) -> None:
    """Take on an identity; raises OSError when the system refuses."""
    kind, _, numbers = identity.partition(":")
    if kind == "keep":
        return
    uid, gid = (int(number) for number in numbers.split(":"))
    if kind == "namespace":
        _enter_namespace(uid, gid)
    else:
        os.setgroups([])
        # As root both change the real and the saved number too.
        os.setgid(gid)
        os.setuid(uid)


def die_with(parent: int, death_signal: int) -> None:
    """Ask the kernel for `death_signal` when the parent dies; exit if it is dead already.

    Elsewhere than on Linux nothing happens: the next start adopts what was left behind.
    """
    if sys.platform == "linux":
        _call("prctl", _PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
    # A parent that died before prctl sends nothing; then somebody else has taken us in.
    if os.getppid() != parent:
        os._exit(REFUSED)


def _enter_namespace(uid: int, gid: int) -> None:
    outer_uid, outer_gid = os.geteuid(), os.getegid()
    if outer_uid == 0:
        os.setgroups([])
    _call("unshare", _CLONE_NEWUSER)
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{uid} {outer_uid} 1"),
        ("gid_map", f"{gid} {outer_gid} 1"),
    ):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:  # noqa: PTH123 - pathlib costs 10 ms here
            file.write(text)


def _call(name: str, *arguments: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    function = getattr(libc, name, None)
    if function is None:
        raise OSError(0, f"this system has no {name}")
    if function(*(ctypes.c_ulong(argument) for argument in arguments)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def _complain(sentence: str, code: int) -> int:
    sys.stderr.write(sentence + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
