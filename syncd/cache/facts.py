"""What Redis says of itself and of its boards, before and after they are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from syncd.cache.raw import RawConnection
from syncd.errors import CacheLoading, SourceUnfit
from syncd.model.address import RedisAddress
from syncd.model.leaderboard import Board, BoardFacts, SourceFacts


async def examine(
    line: RawConnection, address: RedisAddress, boards: Sequence[Board], now: datetime
) -> SourceFacts:
    """Ask for the server's state and for the boards'.

    Raises:
        CacheLoading: the server still reads its data from disk.
        SourceUnfit: a board's key holds something else.
    """
    # A server that loads refuses TYPE for that.
    told, *kinds = await line.ask_all(("INFO",), *[("TYPE", board.key) for board in boards])
    info = parsed(told)
    if info.get("loading", "0") != "0":
        raise CacheLoading(f"Redis {address} still loads its data")
    _check(address, boards, [kind.decode() for kind in kinds])
    keys, *numbers = await line.ask_all(
        ("DBSIZE",),
        *[words for board in boards for words in (("ZCARD", board.key), ("PTTL", board.key))],
    )
    facts = {
        board.name: BoardFacts(members=members, expires_at=_instant(now, lives))
        for board, members, lives in zip(boards, numbers[::2], numbers[1::2], strict=True)
    }
    return _source(info, keys, facts)


def parsed(info: bytes) -> dict[str, str]:
    """Return INFO's lines as names and values."""
    lines = info.decode(errors="replace").splitlines()
    return {name: value for name, found, value in (line.partition(":") for line in lines) if found}


def _check(address: RedisAddress, boards: Sequence[Board], kinds: Sequence[str]) -> None:
    strange = [
        f"{board.key} (board {board.name}) is a {kind}"
        for board, kind in zip(boards, kinds, strict=True)
        if kind not in {"zset", "none"}
    ]
    if strange:
        raise SourceUnfit(
            f"cannot read boards from Redis {address}: {', '.join(strange)}, not a sorted set",
            hint="name the keys of the boards by prefix or keys, or remove what is there",
        )


def _instant(now: datetime, milliseconds: int) -> datetime | None:
    """Return when a key expires; PTTL is negative where it does not or is not there."""
    return now + timedelta(milliseconds=milliseconds) if milliseconds >= 0 else None


def _source(info: Mapping[str, str], keys: int, boards: Mapping[str, BoardFacts]) -> SourceFacts:
    is_replica = info.get("role", "master") != "master"
    return SourceFacts(
        server_id=info.get("run_id", ""),
        uptime_seconds=int(info.get("uptime_in_seconds", 0)),
        evicted_keys=int(info.get("evicted_keys", 0)),
        keys=keys,
        evicts=_evicts(info, boards),
        is_replica=is_replica,
        is_stale=is_replica and info.get("master_link_status") != "up",
        boards=boards,
    )


def _evicts(info: Mapping[str, str], boards: Mapping[str, BoardFacts]) -> bool:
    """Tell whether the server may drop a board when its memory is full."""
    policy = info.get("maxmemory_policy", "noeviction")
    if policy == "noeviction" or info.get("maxmemory") == "0":
        return False
    # The volatile policies take keys with a time to live only.
    expires = any(board.expires_at for board in boards.values())
    return expires or not policy.startswith("volatile")
