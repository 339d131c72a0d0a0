"""Every channel with its stand-in, and what a test may do to that from the other side."""

from __future__ import annotations

import contextlib
import json
from abc import ABC, abstractmethod
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator, Mapping
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any, ClassVar

from cryptography.hazmat.primitives.asymmetric import ec
from fakes.clock import FakeClock

from syncd import plugins
from syncd.channels.base import Channel
from syncd.sandbox import webhooks, whatsapp
from syncd.sandbox.faults import cut, hang, instead
from syncd.sandbox.ntfy import Ntfy
from syncd.sandbox.receiving import Receiving
from syncd.sandbox.server import serve
from syncd.sandbox.smtp import MailSink, serve_mail
from syncd.sandbox.smtp_failures import CUT
from syncd.sandbox.webpush import Browser, WebPush, encoded
from syncd.telemetry.bus import Bus

VAPID_KEY = encoded(
    ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value.to_bytes(32)
)


class ChannelWorld(ABC):
    """One channel and who takes its messages; `secrets` may stand in nothing that is told."""

    name: ClassVar[str]
    kind: ClassVar[str] = ""
    secrets: ClassVar[tuple[str, ...]]
    may_repeat: ClassVar[bool] = False

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock

    @abstractmethod
    def served(self) -> contextlib.AbstractAsyncContextManager[None]:
        """Let the stand-in answer."""

    @abstractmethod
    def move_away(self, port: int) -> None:
        """Let the service be at a port where nobody listens."""

    @abstractmethod
    def settings(self) -> Mapping[str, Any]: ...

    @abstractmethod
    def given(self) -> Any:
        """What a user gives as the address."""

    @abstractmethod
    def kill(self) -> None:
        """Let the address end."""

    @abstractmethod
    def got(self) -> list[str]:
        """What the person was shown, a text a message."""

    @property
    def plugin(self) -> type[Channel[Any]]:
        return plugins.load("syncd.channels", self.name)

    @property
    def address(self) -> str:
        return self.plugin.parse_private_address(self.given())

    def built(self, **changes: Any) -> Channel[Any]:
        values = {"allow_private": True, "timeout": "5s", **self.settings(), **changes}
        settings = self.plugin.Settings.model_validate(values)
        return self.plugin(self.name, settings, clock=self.clock, bus=Bus())

    @contextlib.asynccontextmanager
    async def connected(self, **changes: Any) -> AsyncIterator[Channel[Any]]:
        async with self.built(**changes) as channel:
            yield channel

    @abstractmethod
    def be_busy(self) -> None:
        """Refuse the next message for now."""

    @abstractmethod
    def lose_the_answer(self) -> None:
        """Take the next message, and cut the connection before anybody can know."""

    @abstractmethod
    def fall_silent(self) -> None:
        """Take the next message and never answer."""


class WebWorld(ChannelWorld):
    """A channel whose service is asked over HTTP."""

    answers_status: ClassVar[int] = 200

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.standin = self.make()
        self.base_url = ""

    @abstractmethod
    def make(self) -> Receiving: ...

    @contextlib.asynccontextmanager
    async def served(self) -> AsyncIterator[None]:
        async with serve(self.standin) as base_url:
            self.base_url = base_url
            yield

    def move_away(self, port: int) -> None:
        self.base_url = f"http://127.0.0.1:{port}"

    def be_busy(self) -> None:
        self.standin.refuse(429, "later", Retry_After="90")

    def lose_the_answer(self) -> None:
        self.standin.faults.add(instead('{"id": "lost"}', status=self.answers_status), times=1)
        self.standin.faults.add(cut(3), times=1)

    def fall_silent(self) -> None:
        self.standin.faults.add(hang(), times=1)


class EmailWorld(ChannelWorld):
    name = "email"
    secrets = ("open sesame", "ada@example.org")

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.sink = MailSink(users={"syncd": self.secrets[0]})
        self.port = 0

    @contextlib.asynccontextmanager
    async def served(self) -> AsyncIterator[None]:
        async with serve_mail(self.sink) as port:
            self.port = port
            yield

    def move_away(self, port: int) -> None:
        self.port = port

    def settings(self) -> Mapping[str, Any]:
        return {
            "host": "127.0.0.1",
            "port": self.port,
            "security": "none",
            "sender": "notify@example.net",
            "username": "syncd",
            "password": self.secrets[0],
        }

    def given(self) -> Any:
        return "ada@EXAMPLE.org"

    def kill(self) -> None:
        self.sink.fails(f"550 5.1.1 no mailbox {self.secrets[1]}", at="rcpt")

    def be_busy(self) -> None:
        self.sink.fails(f"451 4.7.1 greylisted {self.secrets[1]}", at="rcpt", times=1)

    def lose_the_answer(self) -> None:
        self.sink.fails(CUT, at="content", keeps=True, times=1)

    def fall_silent(self) -> None:
        self.sink.delays(3, at="content")

    def got(self) -> list[str]:
        mails = [message_from_bytes(mail.content, policy=default) for mail in self.sink.mails]
        return [f"{mail['Subject']}\n{_plain(mail)}" for mail in mails]


class NtfyWorld(WebWorld):
    name = "ntfy"
    secrets = ("tk_s3cretOfTheNtfyServer", "s3cret-topic-of-ada")

    def make(self) -> Ntfy:
        self.ntfy = Ntfy(authorization=f"Bearer {self.secrets[0]}", clock=self.clock)
        return self.ntfy

    def settings(self) -> Mapping[str, Any]:
        return {"base_url": self.base_url, "token": self.secrets[0]}

    def given(self) -> Any:
        return self.secrets[1]

    def kill(self) -> None:
        self.ntfy.refuse(400, {"code": 40010, "http": 400, "error": "topic not allowed"})

    def got(self) -> list[str]:
        return [
            f"{one['title']}\n{one['message']}\n{one.get('click', '')}"
            for one in self.ntfy.messages.get(self.secrets[1], [])
        ]


class WebhookWorld(WebWorld):
    name = "webhook"
    path: ClassVar[str]

    def make(self) -> webhooks.Webhooks:
        self.hooks = webhooks.Webhooks(clock=self.clock)
        return self.hooks

    def settings(self) -> Mapping[str, Any]:
        return {}

    def given(self) -> Any:
        return self.base_url + self.path

    def kill(self) -> None:
        self.hooks.dead.add(self.path)

    def posts(self) -> list[dict[str, Any]]:
        return self.hooks.posts.get(self.path, [])


class SlackWorld(WebhookWorld):
    kind = "slack"
    path = webhooks.SLACK
    secrets = ("s3cretOfTheSlackHook", "B0SANDBOX")

    def got(self) -> list[str]:
        return [post["text"] for post in self.posts()]


class DiscordWorld(WebhookWorld):
    kind = "discord"
    path = webhooks.DISCORD
    secrets = ("s3cretOfTheDiscordHook", "1199887766554433221")

    def got(self) -> list[str]:
        return [post["content"] for post in self.posts()]


class PlainWorld(WebhookWorld):
    kind = "plain"
    path = webhooks.PLAIN
    secrets = ("s3cretOfThePlainHook",)

    def got(self) -> list[str]:
        return [
            f"{post['title']}\n{post['body']}\n{post['url']}\n{post['contests'][0]['name']}"
            for post in self.posts()
        ]


class WhatsAppWorld(WebWorld):
    name = "whatsapp"
    secrets = (whatsapp.TOKEN, "4915112345678")

    def make(self) -> whatsapp.WhatsApp:
        self.cloud = whatsapp.WhatsApp(clock=self.clock)
        return self.cloud

    def settings(self) -> Mapping[str, Any]:
        return {
            "base_url": f"{self.base_url}/v23.0",
            "phone_number_id": whatsapp.PHONE_NUMBER_ID,
            "token": whatsapp.TOKEN,
        }

    def given(self) -> Any:
        return "+49 151 1234-5678"

    def kill(self) -> None:
        self.cloud.answers[self.secrets[1]] = 131026

    def got(self) -> list[str]:
        return [
            "\n".join(part["text"] for part in one["template"]["components"][0]["parameters"])
            for one in self.cloud.messages.get(self.secrets[1], [])
        ]


class WebPushWorld(WebWorld):
    name = "webpush"
    secrets = ("s3cretEndpoint0000",)
    answers_status = 201
    may_repeat = True

    def make(self) -> WebPush:
        self.service = WebPush(clock=self.clock)
        self.browser: Browser = self.service.subscribe()
        return self.service

    def settings(self) -> Mapping[str, Any]:
        return {"subject": "mailto:ops@example.org", "private_key": VAPID_KEY}

    def given(self) -> Any:
        return self.browser.subscription(self.base_url)

    def kill(self) -> None:
        self.browser.is_gone = True

    def got(self) -> list[str]:
        return [
            f"{push.payload['title']}\n{push.payload['body']}\n{push.payload['url']}"
            for push in self.browser.pushes
        ]


def basic(user: str, password: str) -> str:
    return f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"


def whole(address: str) -> Iterator[str]:
    """Every text of an address that nobody may read."""
    yield address
    if address.startswith("{"):
        table = json.loads(address)
        yield from (table["endpoint"], table["keys"]["auth"], table["keys"]["p256dh"])


def _plain(mail: EmailMessage) -> str:
    body = mail.get_body(["plain"])
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


WEB_WORLDS: tuple[type[WebWorld], ...] = (
    NtfyWorld,
    SlackWorld,
    DiscordWorld,
    PlainWorld,
    WhatsAppWorld,
    WebPushWorld,
)
WORLDS: tuple[type[ChannelWorld], ...] = (EmailWorld, *WEB_WORLDS)
