"""What a refused grant means: one user took a consent back, or the platform fails for many.

A refusal is doubted until a second one, an hour later or more, while others were answered well.
Where many are refused at once none of it is believed: the platform rests.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol

from syncd.clock import Clock
from syncd.errors import GrantRefused, OutageSuspected, RateLimited, ReauthRequired
from syncd.jobs.refusals import MANY, WINDOW_SECONDS, Refusals
from syncd.model.grant import Grant, Health, Renewed
from syncd.outbound.client import PlatformClient
from syncd.outbound.limits import Limits
from syncd.outbound.resource import WAIT_THROUGH_SECONDS
from syncd.store.grants import GrantStore
from syncd.telemetry.bus import Bus
from syncd.telemetry.events import GrantDoubted

# For longer pauses nobody stands before a gate.
_WAITED_THROUGH = timedelta(seconds=WAIT_THROUGH_SECONDS)
_CONFIRMED_AFTER = timedelta(hours=1)
_CONFIRMED_ALONE_AFTER = timedelta(hours=24)
_OUTAGE = timedelta(minutes=30)


class Renewer(Protocol):
    """A platform that renews grants."""

    @property
    def name(self) -> str:
        """Name it as config.toml does."""

    @property
    def client(self) -> PlatformClient:
        """Return its own way out, which waits while the platform is not to be asked."""

    @property
    def limits(self) -> Limits:
        """Return how much of it may be asked at once."""

    async def refresh(self, refresh_token: str) -> Renewed:
        """Ask for new tokens.

        Raises:
            GrantRefused: the platform does not take this one.
            PlatformError: it is no answer about this one.
        """


class Doubts:
    """Judges refusals, for all runs of this process.

    Args:
        store: where grants are kept.
        clock: where time comes from.
        bus: where it is told that one is doubted.
    """

    def __init__(self, store: GrantStore, clock: Clock, bus: Bus) -> None:
        self._store = store
        self._clock = clock
        self._bus = bus
        self._refusals: dict[str, Refusals] = {}

    def check(self, platform: Renewer, grant: Grant) -> None:
        """Refuse to ask in vain.

        Raises:
            RateLimited: the platform is not to be asked.
            GrantRefused: it refused this a moment ago.
        """
        now, gate = self._clock.now(), platform.client.gate
        until = gate.closed_until()
        if until is not None and until - now > _WAITED_THROUGH:
            raise RateLimited(gate.waits_for(), until=until)
        since = grant.suspect_since
        if grant.health is Health.SUSPECT and since and now - since < _CONFIRMED_AFTER:
            at = since + _CONFIRMED_AFTER
            raise GrantRefused(f"{platform.name} refused the grant; it is asked again {_at(at)}")

    def note_good(self, platform: Renewer) -> None:
        """Note that a grant was renewed."""
        self._of(platform).note(is_refused=False)

    async def judge(self, platform: Renewer, grant: Grant, refusal: GrantRefused) -> Exception:
        """Decide what a refusal means, and return it as the error that it is.

        Raises:
            OutageSuspected: so many were refused that none of it is believed.
        """
        # Where the answer to a refresh was lost, that is why: it says little about the platform.
        is_explained = grant.interrupted_at is not None
        self._of(platform).note(is_refused=True, is_explained=is_explained)
        await self._check_storm(platform, grant)
        found = await self._hold(platform, grant, _reason(platform, grant, refusal))
        # Others may have been refused meanwhile, and their marks taken back before ours was made.
        await self._check_storm(platform, grant)
        return found

    async def _hold(self, platform: Renewer, grant: Grant, reason: str) -> Exception:
        """Hold a grant for refused, once more or for good."""
        now = self._clock.now()
        since = await self._store.mark_suspect(grant.account_id, grant.version, reason, now)
        if await self._is_confirmed(platform, grant, now - since):
            whole = f"{reason}; so it was {_at(since)}"
            await self._store.mark_dead(grant.account_id, grant.version, whole, now)
            return ReauthRequired(whole)
        self._bus.emit(
            GrantDoubted(
                platform=platform.name, account_id=grant.account_id, since=since, reason=reason
            )
        )
        return GrantRefused(f"{reason}; it is asked again {_at(since + _CONFIRMED_AFTER)}")

    async def _check_storm(self, platform: Renewer, grant: Grant) -> None:
        refusals = self._of(platform)
        if not refusals.is_storm(len(await self._store.read("", MANY, "active"))):
            return
        refused, told = refusals.counts()
        cause = f"provider outage suspected: {refused} of {told} refreshes refused"
        now = self._clock.now()
        await self._store.release_refresh(grant.account_id, grant.version)
        await self._store.clear_suspects(now - timedelta(seconds=WINDOW_SECONDS))
        platform.client.gate.pauses.pause(_OUTAGE.total_seconds(), cause)
        raise OutageSuspected(
            f"{platform.name}: {cause}; nobody's grant is given up for that",
            until=now + _OUTAGE,
            hint=f"it is asked again {_at(now + _OUTAGE)}; "
            f"sooner after `syncd resume --platform {platform.name}`",
        )

    async def _is_confirmed(self, platform: Renewer, grant: Grant, doubted: timedelta) -> bool:
        """Tell whether a refusal is believed: others are answered well, or there are none.

        Where many others are refused it takes a day of refusals, each time it was asked. One for
        which there is a reason of its own needs no others.
        """
        is_unrest = self._of(platform).is_unrest
        if doubted < (_CONFIRMED_ALONE_AFTER if is_unrest else _CONFIRMED_AFTER):
            return False
        if await self._store.refreshed_since(platform.name, self._clock.now() - doubted):
            return True
        if doubted < _CONFIRMED_ALONE_AFTER:
            return False
        is_explained = grant.interrupted_at is not None
        return is_explained or len(await self._store.read("", 2, "active")) == 1

    def _of(self, platform: Renewer) -> Refusals:
        # A process that is killed twice in an hour, with all slots taken, loses so many answers.
        most_lost = 2 * platform.limits.slots
        return self._refusals.setdefault(platform.name, Refusals(self._clock, most_lost))


def _reason(platform: Renewer, grant: Grant, refusal: GrantRefused) -> str:
    reason = f"{platform.name} refused the refresh token: {refusal}"
    if grant.interrupted_at is None:
        return reason
    return f"{reason}; the answer to a refresh was lost {_at(grant.interrupted_at)}"


def _at(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M} UTC"
