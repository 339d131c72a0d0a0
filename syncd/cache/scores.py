"""Ask several boards for the scores of the same users.

All boards get the very same bytes, packed once. Redis is slow to take in a long command: five
thousand users in one cost it a third more than the same in several, and hold up its other clients.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from hiredis import pack_command

from syncd.cache.raw import RawConnection

# More than a page has by default: a scan gives back a few more than it was asked for.
_USERS = 2_000


async def send_scores(line: RawConnection, keys: Sequence[str], users: Sequence[bytes]) -> None:
    """Ask every board of `keys` for the scores of all users; there must be one at least."""
    parts = [users[begin : begin + _USERS] for begin in range(0, len(users), _USERS)]
    tails = [(len(part) + 2, _packed(part)) for part in parts]
    packed = [
        b"*%d\r\n$7\r\nZMSCORE\r\n%s%s" % (words, name, tail)
        for name in (_packed([key.encode()]) for key in keys)
        for words, tail in tails
    ]
    await line.send_packed([f"ZMSCORE {key}"[:200] for key in keys for _ in parts], packed)


async def receive_scores(line: RawConnection, users: int) -> list[bytes | None]:
    """Return the scores on the next board of those that so many users were asked for on."""
    parts = [await line.receive() for _ in range(0, users, _USERS)]
    return list(chain.from_iterable(parts))


def _packed(words: Sequence[bytes]) -> bytes:
    """Return words of a command, without the line that counts them."""
    whole: bytes = pack_command(tuple(words))  # type: ignore[arg-type] # its stub
    return whole.partition(b"\r\n")[2]
