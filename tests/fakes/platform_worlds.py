"""Every platform with its stand-in, for the suite that asks all of them the same.

Both are found by being there; what differs from one to the other the stand-in says about itself.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from random import Random
from typing import Any, cast

from fakes.clock import FakeClock

from syncd import plugins
from syncd.config.models import PlatformSettings
from syncd.errors import ItemError
from syncd.model.account import Account, AccountId
from syncd.model.profile import Fetched, Profile, Unchanged
from syncd.platforms.base import Platform
from syncd.sandbox.answer import Answer
from syncd.sandbox.base import Odd, StandIn
from syncd.sandbox.faults import Fault
from syncd.sandbox.server import serve
from syncd.telemetry.bus import Bus

TOKEN = "token-of-the-test"
PLATFORMS = cast("Mapping[str, type[Platform]]", plugins.find("syncd.platforms"))
FOUND = {name: each for name, each in PLATFORMS.items() if each.kind == "profiles"}
"""Those that tell of profiles."""
STANDINS = cast("Mapping[str, type[StandIn]]", plugins.find("syncd.sandbox"))
WITH_CREDENTIALS = [name for name in FOUND if name in STANDINS and STANDINS[name].takes_credentials]
ODDS = [
    (name, odd)
    for name, standin in STANDINS.items()
    if name in FOUND
    for odd in standin.odd_answers
]

SOMEBODY = 3


class World:
    """A platform's stand-in, and accounts of the people in it."""

    def __init__(self, name: str, clock: FakeClock) -> None:
        self.name = name
        self.standin = STANDINS[name].make(7, 20, clock=clock)
        self.handle = self.standin.handle_of(SOMEBODY)
        # Of the class: of an instance it would be a method.
        self.somebody_else: Fault = type(self.standin).somebody_else

    def account(self, index: int = SOMEBODY, handle: str = "") -> Account:
        """Return the account of somebody who was never read before."""
        return Account(
            id=AccountId(index),
            user_key=f"u{index}",
            platform=self.name,
            handle=handle or self.standin.handle_of(index),
        )

    def odd(self, name: str) -> Odd:
        return self.standin.odd_answers[name]

    def differences(self, index: int, profile: Any) -> dict[str, Any]:
        """Return what a profile says otherwise than the service knows it."""
        told = {key: getattr(profile, key) for key in self.standin.expected(index)}
        return {
            key: told[key]
            for key, true in self.standin.expected(index).items()
            if told[key] != true
        }

    @asynccontextmanager
    async def connected(self, clock: FakeClock, **given: Any) -> AsyncIterator[Platform]:
        """Serve the stand-in and connect the platform to it; `given` are settings."""
        standin, plugin = self.standin, PLATFORMS[self.name]
        if standin.takes_credentials:
            given = {"credentials": [{"name": "main", "token": TOKEN}], **given}
        async with AsyncExitStack() as stack:
            base_url = await stack.enter_async_context(serve(standin))
            settings = PlatformSettings.model_validate(
                {
                    **dict(plugin.defaults),
                    "allow_private": True,
                    **standin.addresses(base_url),
                    **given,
                }
            )
            [platform] = plugin.connect(
                self.name, settings, clock=clock, bus=Bus(), random=Random(1)
            )
            for client in getattr(platform, "clients", (platform.client,)):
                await stack.enter_async_context(client)
            yield platform


def profile_of(fetched: Fetched | Unchanged | ItemError) -> Profile:
    assert isinstance(fetched, Fetched)
    return fetched.profile


def known(account: Account, fetched: Fetched | Unchanged) -> Account:
    assert isinstance(fetched, Fetched)
    return replace(
        account,
        external_id=fetched.profile.external_id,
        etag=fetched.etag,
        etag_credential=fetched.etag_credential,
    )


def keep_bodies(kept: list[bytes]) -> Fault:
    """Change nothing, but remember what is answered."""

    def keep(answer: Answer) -> Answer:
        kept.append(answer.body)
        return answer

    return keep


class CutShort:
    """Sends one kind of answer without its end, as if that had been all of it.

    Args:
        body: a whole answer; what begins alike is of its kind.
        length: how many bytes are left.
    """

    def __init__(self, body: bytes, length: int) -> None:
        self._start = body[:12]
        self._length = length

    def __call__(self, answer: Answer) -> Answer:
        is_meant = answer.body.startswith(self._start)
        return replace(answer, body=answer.body[: self._length]) if is_meant else answer
