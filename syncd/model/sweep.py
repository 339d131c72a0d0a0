"""What a sweep tells: a platform's answer about many accounts at once, one mark each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from syncd.model.account import AccountId


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What one sweep came to; accounts that stand in neither do not exist, as far as it knows.

    `digests` holds those that were answered, `errored` those that may be asked again.
    `is_strained` says that the platform answered in part, or not at all, because it was too much.
    """

    digests: Mapping[AccountId, bytes] = field(default_factory=dict)
    errored: frozenset[AccountId] = frozenset()
    is_strained: bool = False
