"""Webhooks: Slack, Discord, or anybody who takes JSON. The address is a secret.

Slack answers in words (https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks),
Discord with a code (https://discord.com/developers/docs/resources/webhook).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Any, assert_never

from yarl import URL

from syncd.channels.base import Channel
from syncd.channels.cleaning import cleaned, safe_url
from syncd.channels.lengths import in_units, shortened
from syncd.channels.wording import Rendered
from syncd.clock import Clock
from syncd.config.channels import ChannelSettings
from syncd.config.receiver import parse_receiver
from syncd.errors import DeliveryError, DeliveryWaits, Reach
from syncd.model.notification import ContestNotice, Message, Receipt
from syncd.outbound.post import Poster, Reply
from syncd.outbound.request import Request
from syncd.outbound.rests import Rests
from syncd.telemetry.bus import Bus

AIM = "cannot deliver to the webhook"

_WHAT = "a webhook"
_SLACK = re.compile(r"/services/T\w+/B\w+/\w+|/api(/v\d+)?/webhooks/\d+/[\w-]+/slack")
_DISCORD = re.compile(r"/api(/v\d+)?/webhooks/\d+/[\w-]+")
_LONGEST_SLACK = 3_000
_LONGEST_DISCORD = 2_000
_NO_PREVIEW = 4
# What Discord's markdown would take for more than a letter.
_MARKDOWN = re.compile(r"([\\*_~`|<>\[\]])")
_UNKNOWN_TOKEN = 50027
_PASSING = frozenset({408, 425, 429})
_LONGEST_WAIT_SECONDS = 5.0
_LONGEST_REST = timedelta(days=1)


class Kind(StrEnum):
    """What a webhook takes; AUTO is told by its path."""

    AUTO = "auto"
    SLACK = "slack"
    DISCORD = "discord"
    PLAIN = "plain"


class WebhookSettings(ChannelSettings):
    """[channels.webhook]."""

    kind: Kind = Kind.AUTO


class Webhook(Channel[WebhookSettings]):
    """Posts JSON to addresses that users gave."""

    Settings = WebhookSettings

    def __init__(self, name: str, settings: WebhookSettings, *, clock: Clock, bus: Bus) -> None:
        super().__init__(name, settings, clock=clock, bus=bus)
        self._rests = Rests(clock)
        self._poster = Poster(
            AIM,
            clock=clock,
            timeout_seconds=settings.timeout.total_seconds(),
            allow_private=settings.allow_private,
        )

    async def __aexit__(self, *_: object) -> None:
        """Close what is open."""
        await self._poster.__aexit__()

    @classmethod
    def parse_address(cls, address: Any) -> str:
        """Return the address of a webhook on the internet: https, port 443.

        Raises:
            ValueError: it is none.
        """
        return parse_receiver(address, _WHAT)

    @classmethod
    def parse_private_address(cls, address: Any) -> str:
        """Return the address of a webhook, wherever it is.

        Raises:
            ValueError: it is none.
        """
        return parse_receiver(address, _WHAT, allow_private=True)

    async def send(self, message: Message) -> Receipt:
        """Post a message.

        Raises:
            DeliveryError: it was not taken.
            DeliveryUnknown: it left, and no answer came.
        """
        address = self._checked(message.address)
        await self._wait(address)
        kind = self._kind(address)
        target, request = self._request(kind, address, message)
        reply = await self._poster.post(target, request)
        self._heed(address, reply)
        if reply.is_good:
            told = reply.data if isinstance(reply.data, dict) else {}
            return Receipt(reference=str(told["id"])[:100] if "id" in told else "")
        raise _refused(kind, reply)

    def _checked(self, address: str) -> str:
        """Return an address that may be posted to, whatever was allowed when it was stored."""
        try:
            return parse_receiver(address, _WHAT, allow_private=self.settings.allow_private)
        except ValueError as error:
            told = f"{AIM}: {error}"
            raise DeliveryError(told, permanent=True, reach=Reach.ADDRESS) from None

    async def _wait(self, address: str) -> None:
        """Let a webhook rest that asked for it: shortly here, longer elsewhere."""
        lefts = [self._rests.left(name) for name in (address, _origin(address))]
        left = max((left for left in lefts if left is not None), default=None)
        if left is None:
            return
        # A delivery that waits and is then posted must not take longer than it may.
        longest = min(_LONGEST_WAIT_SECONDS, self.settings.timeout.total_seconds() / 2)
        if left.total_seconds() > longest:
            told = f"{AIM}: it asked for a pause"
            raise DeliveryWaits(told, wait=left)
        await self.clock.sleep(left.total_seconds())

    def _heed(self, address: str, reply: Reply) -> None:
        """Remember how long a webhook wants to be left alone."""
        pause = _pause(reply) if reply.status == 429 else _until_reset(reply.headers)
        if pause is not None:
            is_global = isinstance(reply.data, dict) and reply.data.get("global") is True
            name = _origin(address) if is_global else address
            self._rests.begin(name, min(pause, _LONGEST_REST))

    def _kind(self, address: str) -> Kind:
        if self.settings.kind is not Kind.AUTO:
            return self.settings.kind
        path = URL(address).path
        if _SLACK.fullmatch(path):
            return Kind.SLACK
        return Kind.DISCORD if _DISCORD.fullmatch(path) else Kind.PLAIN

    def _request(self, kind: Kind, address: str, message: Message) -> tuple[str, Request]:
        words = self.wording.render(message)
        headers: Mapping[str, str] = {}
        match kind:
            case Kind.SLACK:
                body: Mapping[str, Any] = {"text": _for_slack(words), "unfurl_links": False}
            case Kind.DISCORD:
                # Otherwise a message that was not saved gives no error.
                address = str(URL(address).update_query(wait="true"))
                body = _for_discord(words)
            case Kind.PLAIN | Kind.AUTO:
                headers = {"Idempotency-Key": hashlib.sha256(message.key.encode()).hexdigest()[:32]}
                body = _for_anybody(words, message)
            case _:
                assert_never(kind)
        return address, Request(
            segments=(), method="POST", json=body, headers=headers, is_repeatable=False
        )


def _origin(address: str) -> str:
    return str(URL(address).origin())


def _for_slack(words: Rendered) -> str:
    """Write mrkdwn in which a title begins no link and mentions nobody."""
    title, body = (
        text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        for text in (words.title, shortened(words.body, _LONGEST_SLACK))
    )
    link = f"\n<{words.url.replace('|', '%7C')}>" if words.url else ""
    return f"*{title.replace('*', '∗')}*\n{body}{link}"  # noqa: RUF001 - looks alike, means nothing


def _for_discord(words: Rendered) -> Mapping[str, Any]:
    title, body = (_MARKDOWN.sub(r"\\\1", text) for text in (words.title, words.body))
    link = f"\n{words.url}" if words.url else ""
    text = shortened(f"**{title}**\n{body}", _LONGEST_DISCORD - in_units(link), in_units)
    return {"content": text + link, "allowed_mentions": {"parse": []}, "flags": _NO_PREVIEW}


def _for_anybody(words: Rendered, message: Message) -> Mapping[str, Any]:
    return {
        "title": words.title,
        "body": words.body,
        "url": words.url,
        "occasion": message.occasion.value,
        "key": message.key,
        "lead_hours": message.lead_hours,
        "is_late": message.is_late,
        "contests": [_facts(contest) for contest in message.contests],
    }


def _facts(contest: ContestNotice) -> Mapping[str, Any]:
    before = contest.previous_starts_at
    return {
        "platform": contest.platform,
        "name": cleaned(contest.name),
        "url": safe_url(contest.url),
        "starts_at": contest.starts_at.isoformat(),
        "ends_at": contest.ends_at.isoformat(),
        "previous_starts_at": before.isoformat() if before else None,
    }


def _refused(kind: Kind, reply: Reply) -> DeliveryError:
    status = reply.status
    told = f"{AIM}: {reply.told()}"
    if status in _PASSING or status >= 500:
        return DeliveryError(told, permanent=False, retry_after=_pause(reply))
    if status in {404, 410} or _is_revoked(kind, reply):
        return DeliveryError(told, permanent=True, reach=Reach.ADDRESS)
    is_elsewhere = 300 <= status < 400
    hint = "redirects are not followed: give the address it leads to" if is_elsewhere else ""
    return DeliveryError(told, permanent=True, hint=hint)


def _is_revoked(kind: Kind, reply: Reply) -> bool:
    """Tell whether the service says that what the address holds is no good any more."""
    if kind is Kind.DISCORD and reply.status == 401:
        return isinstance(reply.data, dict) and reply.data.get("code") == _UNKNOWN_TOKEN
    return kind is Kind.SLACK and reply.status == 403 and reply.says.startswith("invalid_token")


def _pause(reply: Reply) -> timedelta | None:
    """Return how long to wait; Discord says it in its body more exactly than in the header."""
    seconds = reply.data.get("retry_after") if isinstance(reply.data, dict) else None
    if isinstance(seconds, int | float) and 0 <= seconds <= _LONGEST_REST.total_seconds():
        return timedelta(seconds=seconds)
    return reply.retry_after


def _until_reset(headers: Mapping[str, str]) -> timedelta | None:
    """Return when Discord takes the next one, where this was the last for now."""
    if headers.get("X-RateLimit-Remaining") != "0":
        return None
    try:
        seconds = float(headers.get("X-RateLimit-Reset-After", ""))
    except ValueError:
        return None
    return timedelta(seconds=seconds) if 0 < seconds <= _LONGEST_REST.total_seconds() else None
