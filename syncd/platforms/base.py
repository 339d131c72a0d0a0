"""The contract of a platform: one subclass per file, named like the file."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from random import Random
from typing import ClassVar

from syncd.clock import Clock
from syncd.config.models import PlatformSettings
from syncd.errors import CredentialsRejected, ItemError, RunError, SweepRefused
from syncd.model.account import Account, AccountId
from syncd.model.contest import ContestList
from syncd.model.play import Heard
from syncd.model.profile import Fetched, Unchanged
from syncd.model.scheme import Scheme
from syncd.model.sweep import Swept
from syncd.outbound.answers import Classifier, judge_by_status
from syncd.outbound.client import PlatformClient
from syncd.outbound.credentials import Credential
from syncd.outbound.lane import Lane
from syncd.outbound.limits import Limits
from syncd.outbound.request import Endpoint
from syncd.telemetry.bus import Bus


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Requests that left, and of those the ones that cost no quota, since the process began."""

    calls: int
    saved: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Oddity:
    """What was odd about a platform's answers, and since when no profile could be read."""

    error: str
    since: datetime


class Platform(ABC):
    """An outside service that we read, as one credential sees it.

    Args:
        name: the platform's name in config.toml.
        client: asks it, within every limit.
        limits: those limits.
    """

    defaults: ClassVar[PlatformSettings]
    """Address and limits where config.toml says nothing; the source of each number beside it."""

    handle_rule: ClassVar[re.Pattern[str]]
    """What every handle must match as a whole, before anything is asked."""

    kind: ClassVar[str] = "profiles"
    """Of which kind the jobs are that read it; also `contests`, where it announces any."""

    announces_contests: ClassVar[bool] = False
    """Whether `fetch_contests` tells anything."""

    headers: ClassVar[Mapping[str, str]] = {}
    """What goes with every request."""

    mapper_version: ClassVar[int] = 1
    """Grows when the mapping changes, so that stored answers are mapped again."""

    schemes: ClassVar[tuple[Scheme, ...]] = (Scheme.BEARER,)
    """What kinds of credentials it takes."""

    authorization: ClassVar[str] = "Bearer"
    """How a token is introduced in the header that proves it."""

    companions: ClassVar[Mapping[str, str]] = {}
    """Other services that it is read from, by name, and where each of them is.

    They are asked as `companion_credential` says, each within limits of its own, and have a way out
    in `companion`.
    """

    has_one_app: ClassVar[bool] = False
    """Whether users grant what we read to one app: then there is one credential at most."""

    anonymous_quota: ClassVar[int | None] = None
    """Requests an hour without a credential; None: as many as with one."""

    sweep_size: ClassVar[int] = 0
    """How many accounts one question may be about (a sweep); 0: the platform has no sweep."""

    batch_size: ClassVar[int] = 1
    """How many accounts `fetch_many` may be given; 1: the platform tells of one at a time."""

    def __init__(self, name: str, client: PlatformClient, limits: Limits) -> None:
        self.name = name
        self.client = client
        self.limits = limits
        self.companion: Mapping[str, PlatformClient] = {}
        self.is_one_of_several = False
        self.oddity: Oddity | None = None
        self.lane = Lane(self.sweep_size)

    @classmethod
    def connect(
        cls, name: str, settings: PlatformSettings, *, clock: Clock, bus: Bus, random: Random
    ) -> Sequence[Platform]:
        """Return the platform as config.toml wants it: once for each credential, or for nobody.

        Each has a client of its own, still to be entered, and with it limits of its own.

        Raises:
            ConfigError: a credential cannot be used.
        """

        def client(url: str, credential: Credential, limits: Limits) -> PlatformClient:
            endpoint = Endpoint(
                platform=name,
                base_url=url,
                credential=credential,
                limits=limits,
                headers=cls.headers,
                allow_private=settings.allow_private,
            )
            classify = cls.classifier(credential)
            return PlatformClient(endpoint, classify, clock=clock, bus=bus, random=random)

        known = partial(Credential.from_settings, word=cls.authorization)
        credentials = [*map(known, settings.credentials)] or [Credential.anonymous()]
        whole, urls = Limits.from_settings(settings), {**cls.companions, **settings.urls}
        # However many our credentials are, these limits are there once.
        companion = {
            key: client(urls[key], cls.companion_credential(key, credentials), whole)
            for key in cls.companions
        }
        platforms = []
        for credential in credentials:
            an_hour = cls.anonymous_quota if credential.is_anonymous else None
            limits = whole if an_hour is None else whole.narrowed(an_hour)
            platform = cls(name, client(settings.base_url, credential, limits), limits)
            platform.companion = companion
            platform.is_one_of_several = len(credentials) > 1
            platforms.append(platform)
        return platforms

    @classmethod
    def classifier(cls, credential: Credential) -> Classifier:
        """Return how this platform's answers are judged."""
        del credential
        return judge_by_status

    @classmethod
    def companion_credential(cls, key: str, credentials: Sequence[Credential]) -> Credential:
        """Return as whom a companion is asked: as nobody, known by our address alone."""
        del credentials
        return Credential.anonymous(key)

    @abstractmethod
    async def fetch(self, account: Account) -> Fetched | Unchanged | Heard:
        """Read one account; what a platform that needs the user's grant tells is in `access`.

        Raises:
            AccountNotFound, AccountUnsuitable, BadPayload: this account only.
            RateLimited, PlatformDown, PlatformBlocked, CredentialsRejected: the platform.
        """

    async def fetch_many(
        self, accounts: Sequence[Account]
    ) -> Mapping[AccountId, Fetched | Unchanged | Heard | ItemError]:
        """Read accounts, `batch_size` at most, in as few requests as the platform allows.

        Returns:
            What came of each of them: one that fails never costs the others their answer, also
            where the platform refuses a question because of one it does not know. Who is left out
            got an odd answer.

        Raises:
            PlatformError, BadPayload: as of `fetch`, about all of them. Where it may be only one's
                failure they are asked for again in halves, at last one by one by `fetch`.
        """
        found: dict[AccountId, Fetched | Unchanged | Heard | ItemError] = {}
        for account in accounts:
            try:
                found[account.id] = await self.fetch(account)
            except ItemError as error:
                found[account.id] = error
        return found

    @property
    def can_announce(self) -> bool:
        """Whether `fetch_contests` may be called with this credential."""
        return self.announces_contests

    async def fetch_contests(self) -> ContestList:
        """Read what contests are announced, in one request that is not tried again.

        Raises:
            BadPayload: the answer is no list of contests; a row that cannot be read is among
                `unread` instead.
            PlatformError: as of `fetch`.
        """
        raise RunError(f"{self.name} announces no contests")

    async def check_credential(self) -> bool:
        """Ask something that costs nothing, so that a credential without rights shows at once.

        Returns:
            Whether the platform has such a thing.

        Raises:
            CredentialsRejected: the platform refuses it.
            PlatformError: nobody knows.
        """
        return False

    @property
    def clients(self) -> Sequence[PlatformClient]:
        """Every way out that a fetch may take: the platform's own first, then the companions'."""
        return (self.client, *self.companion.values())

    @property
    def refusal(self) -> CredentialsRejected | None:
        """How the platform, or a companion, refuses to know us; None where none does."""
        return next(filter(None, (client.refusal for client in self.clients)), None)

    @property
    def credential(self) -> str:
        """The credential's name in config.toml."""
        return self.client.credential.name

    def naming(self, words: str) -> str:
        """Say of which credential something is true, where there are several."""
        return f"{self.credential}: {words}" if words and self.is_one_of_several else words

    @property
    def can_sweep(self) -> bool:
        """Whether this credential may ask about many accounts at once."""
        return self.sweep_size > 0

    async def sweep(self, accounts: Sequence[Account]) -> Swept:
        """Ask once about accounts that have a mark, as many as `lane` allows at most.

        Raises:
            SweepRefused, PlatformBlocked: not for many at once; `fetch` may answer all the same.
            PlatformDown, BadPayload: no answer; fewer at once may have one.
            RateLimited, CredentialsRejected: the platform, as of `fetch`.
        """
        raise SweepRefused(f"{self.name} cannot tell of {len(accounts)} accounts at once")

    def check_size(self, accounts: int) -> None:
        """Refuse a run that could not end in any reasonable time.

        Raises:
            RunError: too many accounts for a platform that knows us by no credential.
        """
        most = self.anonymous_quota
        if most is not None and self.client.credential.is_anonymous and accounts > most:
            raise RunError(
                f"{accounts:,} {self.name} accounts cannot be kept fresh without a credential: "
                f"{self.name} answers {most} anonymous requests an hour",
                hint=f"set credentials of [platforms.{self.name}], "
                f"or begin with `syncd trigger JOB --limit {most}`",
            )

    def usage(self) -> Usage:
        """Return what was asked so far."""
        gates = [client.gate for client in self.clients]
        return Usage(calls=sum(gate.calls for gate in gates), saved=sum(g.saved for g in gates))

    def paused_until(self) -> datetime | None:
        """Return until when nothing may be asked, paused or given up; None when it may."""
        ends = [client.gate.closed_until() for client in self.clients]
        return max(filter(None, ends), default=None)

    def lifts(self) -> int:
        """Return how often a person lifted what held requests, since the process began."""
        return sum(client.gate.lifts for client in self.clients)

    def waits_for(self) -> str:
        """Say in words what requests wait for now; empty when they need not."""
        own = self.naming(self.client.gate.waits_for())
        others = [
            f"{key}: {words}"
            for key, client in self.companion.items()
            if (words := client.gate.waits_for())
        ]
        return "; ".join([own, *others] if own else others)

    @classmethod
    def accepts(cls, handle: str) -> bool:
        """Tell whether a handle can exist on this platform."""
        return cls.handle_rule.fullmatch(handle) is not None
