"""ntfy: a topic that a phone or a browser listens to, on ntfy.sh or a server of one's own.

What it answers is documented at https://docs.ntfy.sh/publish/ and in its server/errors.go.
"""

from __future__ import annotations

import re
from base64 import b64encode
from datetime import timedelta
from typing import Any, Self

from pydantic import Field, SecretStr, model_validator

from syncd.channels.base import Channel
from syncd.channels.lengths import in_bytes, in_json, shortened
from syncd.clock import Clock
from syncd.config.channels import ChannelSettings
from syncd.config.receiver import check_service
from syncd.config.values import BaseUrl
from syncd.errors import DeliveryError, Reach
from syncd.model.notification import Message, Receipt
from syncd.outbound.post import Poster, Reply
from syncd.outbound.request import Request
from syncd.telemetry.bus import Bus

AIM = "cannot deliver over ntfy"

_TOPIC = re.compile(r"[-_A-Za-z0-9]{1,64}")
# A longer message becomes an attachment. The whole body may have twice as much, escapes included.
_LONGEST_MESSAGE = 4_096
_LONGEST_IN_JSON = 5_000
_LONGEST_TITLE = 250
_BAD_TOPICS = frozenset({40009, 40010})
_DAILY_LIMIT = 42908
# The bucket of ntfy.sh refills by one request in five seconds.
_REFILL = timedelta(seconds=5)
_LONGEST_REFILL = timedelta(minutes=1)
_DOWN = timedelta(seconds=30)
_NO_LISTENER = timedelta(hours=1)
_BASE_URL_HINT = "see that base_url in [channels.ntfy] is the address of an ntfy server"


class NtfySettings(ChannelSettings):
    """[channels.ntfy]: the server, and how it knows us where it wants to."""

    base_url: BaseUrl = "https://ntfy.sh"
    token: SecretStr = SecretStr("")
    token_file: str = ""
    user: str = ""
    password: SecretStr = SecretStr("")
    password_file: str = ""
    priority: int = Field(default=3, ge=1, le=5)

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_service(self.base_url, allow_private=self.allow_private)
        if bool(self.user) != bool(self.password.get_secret_value()):
            raise ValueError("user and password belong together; give both or neither")
        if self.user and self.token.get_secret_value():
            raise ValueError("takes a token, or a user with a password; leave one of them")
        return self

    def proof(self) -> dict[str, str]:
        """Return the header that says who we are; none where nobody asks."""
        if token := self.token.get_secret_value():
            return {"Authorization": f"Bearer {token}"}
        if self.user:
            pair = f"{self.user}:{self.password.get_secret_value()}".encode()
            return {"Authorization": f"Basic {b64encode(pair).decode()}"}
        return {}


class Ntfy(Channel[NtfySettings]):
    """Publishes to topics; an address is the topic's name."""

    Settings = NtfySettings

    def __init__(self, name: str, settings: NtfySettings, *, clock: Clock, bus: Bus) -> None:
        super().__init__(name, settings, clock=clock, bus=bus)
        self._refusals = 0
        self._poster = Poster(
            AIM,
            clock=clock,
            timeout_seconds=settings.timeout.total_seconds(),
            allow_private=settings.allow_private,
            is_ours=True,
        )

    async def __aexit__(self, *_: object) -> None:
        """Close what is open."""
        await self._poster.__aexit__()

    @classmethod
    def parse_address(cls, address: Any) -> str:
        """Return the name of a topic.

        Raises:
            ValueError: it is none.
        """
        if not isinstance(address, str) or _TOPIC.fullmatch(address.strip()) is None:
            raise ValueError("a topic has 1 to 64 letters, digits, - and _")
        return address.strip()

    async def send(self, message: Message) -> Receipt:
        """Publish a message.

        Raises:
            DeliveryError: it was not taken.
            DeliveryUnknown: it left, and no answer came.
        """
        request = Request(segments=(), method="POST", json=self._body(message), is_repeatable=False)
        reply = await self._poster.post(
            self.settings.base_url,
            request,
            proof=self.settings.proof(),
            secrets=[message.address, self.settings.password.get_secret_value()],
        )
        told = reply.data if isinstance(reply.data, dict) else {}
        if reply.is_good and told.get("id"):
            self._refusals = 0
            return Receipt(reference=str(told["id"])[:100])
        if reply.is_good:
            reason = f"{AIM}: what answered is no ntfy server"
            raise DeliveryError(reason, permanent=False, hint=_BASE_URL_HINT, reach=Reach.CHANNEL)
        code = told.get("code")
        raise self._refused(reply, code if isinstance(code, int) else 0)

    def _body(self, message: Message) -> dict[str, Any]:
        words = self.wording.render(message)
        text = shortened(words.body, _LONGEST_MESSAGE, in_bytes)
        body = {
            "topic": message.address,
            "title": shortened(words.title, _LONGEST_TITLE),
            "message": shortened(text, _LONGEST_IN_JSON, in_json),
            "priority": self.settings.priority,
        }
        return {**body, "click": words.url} if words.url else body

    def _refused(self, reply: Reply, code: int) -> DeliveryError:
        match reply.status:
            case 429:
                return self._too_many(reply, code)
            case 502 | 503:
                return _channel(reply, reply.retry_after or _DOWN)
            case 507:  # a UnifiedPush topic that no app listens to yet
                told = f"{AIM}: {reply.told()}"
                return DeliveryError(told, permanent=False, retry_after=_NO_LISTENER)
            case status if status >= 500 or status == 408:
                told = f"{AIM}: {reply.told()}"
                return DeliveryError(told, permanent=False, retry_after=reply.retry_after)
            case _:
                return _refused_for_good(reply, code)

    def _too_many(self, reply: Reply, code: int) -> DeliveryError:
        """Return how long it takes until more may be published; the server does not say."""
        self._refusals += 1
        if code == _DAILY_LIMIT:
            now = self.clock.now()
            morning = now.replace(hour=0, minute=1, second=0, microsecond=0) + timedelta(days=1)
            hint = "the day's messages are used up: a token of an account, or a server of your own"
            return _channel(reply, morning - now, f"{hint}, has a larger limit")
        wait = min(_REFILL * self._refusals, _LONGEST_REFILL)
        return _channel(reply, reply.retry_after or wait)


def _channel(reply: Reply, wait: timedelta | None = None, hint: str = "") -> DeliveryError:
    return DeliveryError(
        f"{AIM}: {reply.told()}",
        permanent=False,
        retry_after=wait,
        hint=hint,
        reach=Reach.CHANNEL,
    )


def _refused_for_good(reply: Reply, code: int) -> DeliveryError:
    if reply.status == 401:
        return _channel(reply, hint="see token, or user and password, in [channels.ntfy]")
    # Nothing but publishing is asked: an ntfy server has no other reason for these.
    if reply.status in {404, 405} or 300 <= reply.status < 400:
        return _channel(reply, hint=f"{_BASE_URL_HINT}; redirects are not followed")
    reach, hint = Reach.DELIVERY, ""
    if code in _BAD_TOPICS:
        reach = Reach.ADDRESS
    if reply.status == 403:
        # Anybody can name a topic that is somebody else's: that must not stop the others.
        hint = "let the token in [channels.ntfy] publish to this topic, or have another one chosen"
    return DeliveryError(f"{AIM}: {reply.told()}", permanent=True, hint=hint, reach=reach)
