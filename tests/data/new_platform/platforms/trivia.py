"""Trivia: how well somebody knows useless things."""

from __future__ import annotations

import re
from typing import Any

from syncd.config.models import PlatformSettings
from syncd.errors import AccountNotFound, BadPayload, WrongAccount
from syncd.model.account import Account
from syncd.model.profile import Fetched, Profile
from syncd.outbound.answers import Classifier
from syncd.outbound.credentials import Credential
from syncd.outbound.request import Request
from syncd.platforms.base import Platform
from syncd.platforms.shape import Shape, is_same_handle, judge_site, sampled


class Trivia(Platform):
    """The game's public API."""

    defaults = PlatformSettings.model_validate(
        {"base_url": "https://api.trivia.example", "rate": "60/min", "slots": 2}
    )
    handle_rule = re.compile("[a-z0-9]{1,20}", re.IGNORECASE)
    schemes = ()

    @classmethod
    def classifier(cls, credential: Credential) -> Classifier:
        """Judge as of a site that knows nobody by a credential."""
        del credential
        return judge_site

    async def fetch(self, account: Account) -> Fetched:
        """Read a player."""
        response = await self.client.request(Request(segments=("players", account.handle)))
        if response.status == 404:
            raise AccountNotFound(f"{account.handle!r} does not exist on trivia")
        with sampled(response):
            return Fetched(profile=to_profile(response.data, account))


def to_profile(data: Any, account: Account) -> Profile:
    """Map an answer to a profile."""
    player = Shape(data, account.handle)
    handle = player.needed_text("handle")
    if not is_same_handle(handle, account.handle):
        raise WrongAccount(f"{account.handle!r}: trivia answered about {handle[:50]!r}")
    if "rating" not in player.data:
        raise BadPayload(f"{account.handle!r}: $.rating is missing")
    return Profile(
        external_id=handle.lower(),
        handle=handle,
        rating=player.number("rating"),
        solved=player.needed_count("solved"),
        raw=player.data,
    )
