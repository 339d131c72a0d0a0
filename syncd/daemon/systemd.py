"""What systemd is told over the socket that it names: the protocol of sd_notify(3).

https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections import deque
from collections.abc import Mapping

from syncd.clock import Clock

_KEPT = 16
_LONGEST_STATUS = 200


class Notifier:
    """Tells the service manager how things are; where there is none, nothing happens.

    Nothing here waits and nothing fails: what the manager has no room for now is sent before the
    next message.

    Args:
        environ: NOTIFY_SOCKET (a path, or `@` and an abstract name), WATCHDOG_USEC, WATCHDOG_PID.
        clock: stamps reloads.
    """

    def __init__(self, environ: Mapping[str, str], clock: Clock) -> None:
        self._address = _address(environ.get("NOTIFY_SOCKET", ""))
        self._clock = clock
        self._unsent: deque[bytes] = deque(maxlen=_KEPT)
        self._status = ""
        self.watchdog_seconds = _watchdog_seconds(environ)

    def ready(self, status: str = "") -> None:
        """Tell that the start, or a reload, is over."""
        self._send("READY=1", *self._news(status))

    def reloading(self) -> None:
        """Tell that the configuration is read again; `ready` ends it."""
        # Since systemd 253 a reload without the instant is not waited for.
        self._send("RELOADING=1", f"MONOTONIC_USEC={int(self._clock.monotonic() * 1e6)}")

    def stopping(self, status: str = "") -> None:
        """Tell that the end has begun."""
        self._send("STOPPING=1", *self._news(status))

    def status(self, text: str) -> None:
        """Say in one line how things are; what was said already is not said again."""
        news = self._news(text)
        if news:
            self._send(*news)

    def alive(self) -> None:
        """Tell that the event loop turns; without it systemd kills after WatchdogSec."""
        if self.watchdog_seconds:
            self._send("WATCHDOG=1")

    def extend(self, seconds: float) -> None:
        """Ask for more time to start, to reload or to stop."""
        self._send(f"EXTEND_TIMEOUT_USEC={int(seconds * 1e6)}")

    def _news(self, status: str) -> list[str]:
        line = " ".join(status.split())[:_LONGEST_STATUS]
        if not line or line == self._status:
            return []
        self._status = line
        return [f"STATUS={line}"]

    def _send(self, *lines: str) -> None:
        if not self._address:
            return
        self._unsent.append("\n".join(lines).encode(errors="backslashreplace"))
        with contextlib.suppress(BlockingIOError), _socket() as sender:
            while self._unsent:
                # One that cannot be reached at all is not told later either.
                with contextlib.suppress(ConnectionError, FileNotFoundError, PermissionError):
                    sender.sendto(self._unsent[0], self._address)
                self._unsent.popleft()


def _socket() -> socket.socket:
    kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
    return socket.socket(socket.AF_UNIX, kind)


def _address(named: str) -> str:
    """Return where messages go; empty where nobody listens, or not in a way we speak."""
    if named.startswith("@"):
        return "\0" + named[1:]
    return named if named.startswith("/") else ""


def _watchdog_seconds(environ: Mapping[str, str]) -> float:
    """Return how often the manager wants to hear that we live; 0 where it does not."""
    interval, pid = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
    is_meant = pid in {"", str(os.getpid())}
    return int(interval) / 1e6 if is_meant and interval.isdecimal() else 0.0
