"""The stand-ins of all channels together, and the address of everybody on each."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from fakes.daemon_config import Tables

from syncd.sandbox.ntfy import Ntfy
from syncd.sandbox.server import serve
from syncd.sandbox.smtp import MailSink, serve_mail
from syncd.sandbox.webhooks import Webhooks
from syncd.sandbox.webpush import Browser, WebPush, encoded
from syncd.sandbox.whatsapp import PHONE_NUMBER_ID, TOKEN, WhatsApp

CHANNELS = ("email", "whatsapp", "webpush", "ntfy", "webhook")
PASSWORD = "canary-of-the-mail-server"
NAME = "syncd"
_FIRST_NUMBER = 15_112_345_000


class Mailboxes:
    """Everything that takes messages; `names` are the contests that are told of, as they are."""

    def __init__(self, sink: MailSink | None = None) -> None:
        self.sink = sink or MailSink(users={NAME: PASSWORD})
        self.cloud = WhatsApp()
        self.push = WebPush()
        self.ntfy = Ntfy()
        self.hooks = Webhooks()
        self.browsers: dict[str, Browser] = {}
        self.numbers: dict[str, str] = {}
        self.names: list[str] = []
        self.secrets: set[str] = {PASSWORD, TOKEN}
        self._urls: dict[str, str] = {}

    @contextlib.asynccontextmanager
    async def served(self) -> AsyncIterator[Tables]:
        """Let all of them answer, and return what config.toml says of them."""
        web = {
            "whatsapp": self.cloud,
            "webpush": self.push,
            "ntfy": self.ntfy,
            "webhook": self.hooks,
        }
        async with contextlib.AsyncExitStack() as stack:
            port = await stack.enter_async_context(serve_mail(self.sink))
            for name, standin in web.items():
                self._urls[name] = await stack.enter_async_context(serve(standin))
            yield self._tables(port)

    def _tables(self, port: int) -> Tables:
        key = ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value.to_bytes(32)
        usual = {"allow_private": True, "timeout": "10s", "slots": 1}
        own: dict[str, dict[str, Any]] = {
            "email": {
                "host": "127.0.0.1",
                "port": port,
                "security": "none",
                "sender": "syncd <notify@example.net>",
                "username": NAME,
                "password": PASSWORD,
            },
            "whatsapp": {
                "base_url": f"{self._urls['whatsapp']}/v23.0",
                "phone_number_id": PHONE_NUMBER_ID,
                "token": TOKEN,
            },
            "webpush": {"subject": "mailto:ops@example.net", "private_key": encoded(key)},
            "ntfy": {"base_url": self._urls["ntfy"]},
            "webhook": {},
        }
        return {f"channels.{name}": {**usual, **table} for name, table in own.items()}

    def address(self, channel: str, key: str) -> Any:
        """Return where somebody is reached, as that is given."""
        match channel:
            case "email":
                self.secrets.add(f"{key}@example.org")
                return f"{key}@example.org"
            case "whatsapp":
                self.numbers.setdefault(key, f"49{_FIRST_NUMBER + len(self.numbers)}")
                self.secrets.add(self.numbers[key])
                return f"+{self.numbers[key]}"
            case "webpush":
                if key not in self.browsers:
                    self.browsers[key] = self.push.subscribe()
                browser = self.browsers[key]
                self.secrets.add(browser.name)
                return browser.subscription(self._urls["webpush"])
            case "ntfy":
                self.secrets.add(f"s3cret-topic-of-{key}")
                return f"s3cret-topic-of-{key}"
            case _:
                self.secrets.add(f"s3cretHookOf{key}")
                return f"{self._urls['webhook']}/hooks/s3cretHookOf{key}"

    def mails(self, key: str) -> list[EmailMessage]:
        """Return what somebody got by mail, as the standard library reads it."""
        return [
            message_from_bytes(mail.content, policy=default)
            for mail in self.sink.mails
            if mail.recipients == (f"{key}@example.org",)
        ]

    def arrived(self) -> Counter[tuple[str, str, str]]:
        """Count what arrived: by channel, user and contest."""
        found: Counter[tuple[str, str, str]] = Counter()
        for key in {mail.recipients[0].partition("@")[0] for mail in self.sink.mails}:
            found.update(("email", key, self._named(mail["Subject"])) for mail in self.mails(key))
        for key, number in self.numbers.items():
            for message in self.cloud.messages.get(number, []):
                [body] = message["template"]["components"]
                found["whatsapp", key, self._named(body["parameters"][0]["text"])] += 1
        for key, browser in self.browsers.items():
            for push in browser.pushes:
                found["webpush", key, self._named(push.payload["title"])] += 1
        for topic, messages in self.ntfy.messages.items():
            key = topic.removeprefix("s3cret-topic-of-")
            found.update(("ntfy", key, self._named(each["title"])) for each in messages)
        for path, posts in self.hooks.posts.items():
            key = path.removeprefix("/hooks/s3cretHookOf")
            found.update(("webhook", key, self._named(each["title"])) for each in posts)
        return found

    def _named(self, text: str) -> str:
        """Return the contest that a text begins with."""
        begun = (name for name in self.names if text.startswith(name))
        return max(begun, key=len, default=text)
