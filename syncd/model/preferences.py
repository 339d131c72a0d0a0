"""What a user wants to be told of, when, and where it reaches them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import time
from enum import StrEnum
from typing import Any

MOST_LEADS = 10
"""So many reminders of one contest may be asked for."""

_HOST = re.compile(r"[A-Za-z0-9.-]+(:[0-9]+)?")
# Of a shorter one two characters are too much.
_SHORT = 6


class AddressState(StrEnum):
    """Whether anything is sent to an address.

    OFF: its user does not want it. DEAD: the channel says that nobody is there.
    """

    ACTIVE = "active"
    OFF = "off"
    DEAD = "dead"


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifyChange:
    """What of a user's preferences changes; None leaves it as it is.

    `platforms` empty: contests of all. `leads` are hours before the start. `quiet` is when it
    begins and when it ends, empty: never. `addresses` are all there are, by channel: as they were
    given, or once they are checked as they are stored. Of a removal nothing else is looked at.
    """

    platforms: Sequence[str] | None = None
    leads: Sequence[int] | None = None
    timezone: str | None = None
    quiet: Sequence[time] | None = None
    language: str | None = None
    wants_digest: bool | None = None
    addresses: Mapping[str, Any] | None = field(default=None, repr=False)
    is_removal: bool = False


def masked(address: str) -> str:
    """Return as much of an address as tells its owner which one is meant, and nobody else."""
    scheme, is_url, rest = address.partition("://")
    if is_url and not scheme.startswith("{"):
        host = rest.partition("/")[0].rpartition("@")[2]
        return f"{host}/***" if _HOST.fullmatch(host) else "***"
    name, at, domain = address.rpartition("@")
    if at and "{" not in address:
        return f"{name[:1]}***@{domain}"
    return f"{address[:2]}***" if len(address) > _SHORT and "{" not in address else "***"
