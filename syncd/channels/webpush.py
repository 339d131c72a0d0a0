"""Web Push: a browser's own push service, encrypted for that browser alone.

RFC 8030 (the request), 8291 (the encryption, by pywebpush) and 8292 (who we are, by py_vapid).
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
from base64 import urlsafe_b64encode
from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, SecretStr, model_validator
from yarl import URL

from syncd.channels.base import Channel
from syncd.channels.lengths import in_json, shortened
from syncd.channels.webpush_keys import Subscription, check_key, parse_subscription
from syncd.clock import Clock
from syncd.config.channels import ChannelSettings
from syncd.config.duration import PositiveDuration, parse_duration
from syncd.errors import ConfigError, DeliveryError, DeliveryWaits, Reach
from syncd.model.notification import Message, Receipt
from syncd.outbound.post import Poster, Reply
from syncd.outbound.request import Request
from syncd.outbound.rests import Rests
from syncd.telemetry.bus import Bus

AIM = "cannot deliver over Web Push"

# Push services keep messages for four weeks at most, and take about 4,000 bytes: encrypted, and
# with some in base64.
_LONGEST_TTL = timedelta(days=28)
_LONGEST_TEXT_BYTES = 1_500
_LONGEST_TITLE_BYTES = 600
_LONGEST_URL = 600
# RFC 8292 allows a day; what is signed is used for less, so that clocks may differ.
_SIGNED_FOR = timedelta(hours=12)
_SIGNED_ANEW_AFTER = timedelta(hours=6)
_MOST_SIGNED = 1_000
_LONGEST_REST = timedelta(hours=6)
# So many browsers refuse us, and none has taken a message: then it is not the browsers.
_REFUSALS_ARE_OURS = 3
_KEY_HINT = "private_key in [channels.webpush] must be the one that browsers subscribed with"


def _subject(text: str) -> str:
    is_mail = text.startswith("mailto:") and "@" in text
    if text and not ((is_mail or text.startswith("https://")) and text.isprintable()):
        raise ValueError('must be how push services reach you, such as "mailto:ops@example.org"')
    return text


class WebPushSettings(ChannelSettings):
    """[channels.webpush].

    `subject` tells push services whom to write to, `private_key` is the VAPID key, as 32 bytes in
    base64url or as PEM. `ttl` is how long a message may wait for a browser, until the contest
    begins at most.
    """

    subject: Annotated[str, AfterValidator(_subject)] = ""
    private_key: SecretStr = SecretStr("")
    private_key_file: str = ""
    ttl: PositiveDuration = parse_duration("1d")
    urgency: Literal["very-low", "low", "normal", "high"] = "normal"

    @model_validator(mode="after")
    def _check(self) -> Self:
        if key := self.private_key.get_secret_value():
            check_key(key)
            if importlib.util.find_spec("pywebpush") is None:
                raise ValueError("needs what is not installed: install syncd[push]")
        if self.ttl > _LONGEST_TTL:
            raise ValueError("ttl must be at most 28d: push services keep nothing for longer")
        return self

    @property
    def is_on(self) -> bool:
        """Whether it is to be used, and can be."""
        return super().is_on and bool(self.subject and self.private_key.get_secret_value())


class WebPush(Channel[WebPushSettings]):
    """Pushes to browsers; an address is a subscription as the browser gave it.

    A message that may have arrived is pushed again: its Topic takes the place of one that waits,
    its tag that of one that is shown.
    """

    Settings = WebPushSettings

    def __init__(self, name: str, settings: WebPushSettings, *, clock: Clock, bus: Bus) -> None:
        super().__init__(name, settings, clock=clock, bus=bus)
        self._rests = Rests(clock)
        self._signed: dict[str, tuple[float, str]] = {}
        self._refused: set[str] = set()
        self._was_taken = False
        self._encoder: Any = None
        self._signer: Any = None
        self._poster = Poster(
            AIM,
            clock=clock,
            timeout_seconds=settings.timeout.total_seconds(),
            allow_private=settings.allow_private,
        )

    async def __aenter__(self) -> Self:
        """Make ready to encrypt and to sign.

        Raises:
            ConfigError: what does that is not installed.
        """
        try:
            self._encoder = importlib.import_module("pywebpush").WebPusher
            vapid = importlib.import_module("py_vapid")
        except ImportError as error:
            reason = f"[channels.webpush] needs what is not installed: {error.name}"
            raise ConfigError(reason, hint="install syncd[push]") from error
        self._signer = vapid.Vapid02(check_key(self.settings.private_key.get_secret_value()))
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close what is open."""
        await self._poster.__aexit__()

    @classmethod
    def parse_address(cls, address: Any) -> str:
        """Return a subscription at a push service on the internet, as JSON.

        Raises:
            ValueError: it is none.
        """
        return parse_subscription(address).text()

    @classmethod
    def parse_private_address(cls, address: Any) -> str:
        """Return a subscription, wherever its push service is.

        Raises:
            ValueError: it is none.
        """
        return parse_subscription(address, allow_private=True).text()

    async def send(self, message: Message) -> Receipt:
        """Push a message.

        Raises:
            DeliveryError: it was not taken.
        """
        subscription = self._subscription(message.address)
        origin = str(URL(subscription.endpoint).origin())
        if (left := self._rests.left(origin)) is not None:
            told = f"{AIM}: {URL(origin).host} asked for a pause"
            raise DeliveryWaits(told, wait=left)
        reply = await self._poster.post(
            subscription.endpoint,
            self._request(message, subscription),
            proof={"Authorization": self._signature(origin)},
            secrets=[subscription.auth, subscription.p256dh],
        )
        if reply.is_good:
            self._was_taken = True
            return Receipt()
        raise self._judged(reply, subscription.endpoint, origin)

    def _subscription(self, address: str) -> Subscription:
        try:
            return parse_subscription(address, allow_private=self.settings.allow_private)
        except ValueError as error:
            told = f"{AIM}: {error}"
            raise DeliveryError(told, permanent=True, reach=Reach.ADDRESS) from None

    def _request(self, message: Message, subscription: Subscription) -> Request:
        topic = _topic(message)
        words = self.wording.render(message)
        payload = {
            "title": shortened(words.title, _LONGEST_TITLE_BYTES, in_json),
            "body": shortened(words.body, _LONGEST_TEXT_BYTES, in_json),
            "url": words.url if len(words.url) <= _LONGEST_URL else "",
            "tag": topic,
        }
        encoded = self._encoder(subscription.info()).encode(json.dumps(payload).encode())
        return Request(
            segments=(),
            method="POST",
            content=encoded["body"],
            headers={
                "TTL": str(self._ttl_seconds(message)),
                "Urgency": self.settings.urgency,
                "Topic": topic,
                "Content-Encoding": "aes128gcm",
            },
        )

    def _ttl_seconds(self, message: Message) -> int:
        left = min(message.expires_at - self.clock.now(), self.settings.ttl)
        return max(0, int(left.total_seconds()))

    def _signature(self, origin: str) -> str:
        """Say who we are to one push service; signing costs a millisecond, so it is kept."""
        now = self.clock.monotonic()
        signed = self._signed.get(origin)
        if signed is None or now >= signed[0]:
            ends = int((self.clock.now() + _SIGNED_FOR).timestamp())
            claims = {"aud": origin, "exp": ends, "sub": self.settings.subject}
            if len(self._signed) >= _MOST_SIGNED:
                self._signed.clear()
            signed = (
                now + _SIGNED_ANEW_AFTER.total_seconds(),
                self._signer.sign(claims)["Authorization"],
            )
            self._signed[origin] = signed
        return signed[1]

    def _judged(self, reply: Reply, endpoint: str, origin: str) -> DeliveryError:
        told = f"{AIM}: {URL(origin).host} says {reply.told()}"
        match reply.status:
            case 404 | 410:
                return DeliveryError(told, permanent=True, reach=Reach.ADDRESS)
            case 400 | 401 | 403:
                return self._not_trusted(told, endpoint)
            case status if status in {408, 425, 429} or status >= 500:
                # Of its own push service only: the others are not asked to wait.
                if reply.retry_after is not None:
                    self._rests.begin(origin, min(reply.retry_after, _LONGEST_REST))
                return DeliveryError(told, permanent=False, retry_after=reply.retry_after)
            case status if 300 <= status < 400:
                hint = "redirects are not followed: the browser has to subscribe anew"
                return DeliveryError(told, permanent=True, hint=hint)
            case _:
                return DeliveryError(told, permanent=True)

    def _not_trusted(self, told: str, endpoint: str) -> DeliveryError:
        """Say whose fault it is that a push service does not take who we are.

        Endpoints come from users: one that refuses us, or a browser that subscribed with another
        key, must not stop the messages to everybody else.
        """
        if self._was_taken:
            return DeliveryError(told, permanent=True, hint=_KEY_HINT)
        self._refused.add(hashlib.sha256(endpoint.encode()).hexdigest())
        is_ours = len(self._refused) >= _REFUSALS_ARE_OURS
        reach = Reach.CHANNEL if is_ours else Reach.DELIVERY
        return DeliveryError(told, permanent=False, hint=_KEY_HINT, reach=reach)


def _topic(message: Message) -> str:
    """Return what stands for a contest, in 32 letters that a URL can hold."""
    contests = [f"{contest.platform}\n{contest.url}" for contest in message.contests]
    about = contests[0] if len(contests) == 1 else message.key
    digest = hashlib.sha256(about.encode("utf-8", "replace")).digest()
    return urlsafe_b64encode(digest)[:32].decode()
