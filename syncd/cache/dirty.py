"""The set of users who changed since the last run, as those who write to the boards keep it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress

from syncd.cache.raw import RawConnection
from syncd.cache.scan import Batch
from syncd.errors import SourceUnfit
from syncd.model.address import RedisAddress


async def claim(line: RawConnection, address: RedisAddress, key: str, claim: str) -> bool:
    """Rename the set at `key` to `claim`, unless that is there; tell whether it is there now.

    Raises:
        SourceUnfit: either key holds something else than a set.
    """
    kinds: list[bytes] = await line.ask_all(("TYPE", key), ("TYPE", claim))
    found, left = (kind.decode() for kind in kinds)
    for name, kind in ((key, found), (claim, left)):
        if kind not in {"set", "none"}:
            raise SourceUnfit(
                f"cannot read changed users from Redis {address}: {name} is a {kind}, not a set",
                hint="name another set in dirty, or remove what is there",
            )
    if left == "none" and found == "set":
        await line.ask("RENAMENX", key, claim)
        return True
    return left == "set"


def on_a_board(batch: Batch) -> Batch:
    """Leave out the users who are on no board."""
    present: Sequence[bool] = [any(scores) for scores in zip(*batch.others, strict=True)]
    if all(present):
        return batch
    return Batch(
        users=list(compress(batch.users, present)),
        own=(),
        others=[list(compress(column, present)) for column in batch.others],
    )
