"""Ask Redis for nothing all the time; for each line on stdin print the longest answer since.

python tests/bench/leaderboard_pings.py SOCKET
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import sys
import time

PAUSE_SECONDS = 0.001


def main(path: str) -> None:
    # A busy machine shall not look like a busy Redis.
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, -15)
    wire = socket.socket(socket.AF_UNIX)
    wire.connect(path)
    longest = 0.0
    while True:
        begun = time.perf_counter()
        wire.sendall(b"PING\r\n")
        wire.recv(64)
        longest = max(longest, time.perf_counter() - begun)
        if select.select([sys.stdin], [], [], PAUSE_SECONDS)[0]:
            if not sys.stdin.readline():
                return
            print(longest, flush=True)
            longest = 0.0


if __name__ == "__main__":
    main(sys.argv[1])
