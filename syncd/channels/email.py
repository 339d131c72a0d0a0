"""Mail over SMTP: encrypted unless told otherwise, one mail per person, the same id every time."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from syncd.channels.base import Channel
from syncd.channels.email_connection import Connections, Server
from syncd.channels.email_message import Letterhead, parse_mailbox, parse_sender
from syncd.clock import Clock
from syncd.config.channels import ChannelSettings
from syncd.config.listen import is_loopback
from syncd.config.values import EMPTY_IS_NONE, Host
from syncd.model.notification import Message, Receipt, UnknownPolicy
from syncd.telemetry.bus import Bus


def _sender(text: str) -> str:
    if text:
        parse_sender(text)
    return text


def _mailbox(text: str) -> str:
    return parse_mailbox(text) if text else text


class EmailSettings(ChannelSettings):
    """How mail is handed to a server; without `host` there is no mail.

    `sender` is an address, with a name before it or not. `per_connection` is how many mails go over
    one connection. The password out of a file is in `password`.
    """

    host: Host = ""
    port: int = Field(default=587, gt=0, lt=65_536)
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: str = ""
    password: SecretStr = SecretStr("")
    password_file: str = ""
    ca_file: Annotated[Path | None, EMPTY_IS_NONE] = None
    sender: Annotated[str, AfterValidator(_sender)] = ""
    reply_to: Annotated[str, AfterValidator(_mailbox)] = ""
    per_connection: int = Field(default=100, gt=0, le=10_000)

    @property
    def is_on(self) -> bool:
        """Tell whether there is a server that mail goes to."""
        return self.enabled and bool(self.host)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if not self.is_on:
            return self
        if self.host.startswith("/"):
            raise ValueError("host must be the name of a mail server, or its IP address")
        if not self.sender:
            raise ValueError("sender is missing; name the address that mail comes from")
        is_open = self.security == "none" and not self.allow_private
        if is_open and not is_loopback(self.host):
            raise ValueError(
                'security = "none" would let everybody on the way read the mail; use "starttls", '
                "or set allow_private = true for a server in your own network"
            )
        has_password = bool(self.password.get_secret_value() or self.password_file)
        if bool(self.username) != has_password:
            raise ValueError("username and password belong together; give both, or neither")
        return self


class Email(Channel[EmailSettings]):
    """Sends mail. What was sent without an answer is sent again, under the same Message-ID."""

    Settings = EmailSettings
    on_unknown: ClassVar[UnknownPolicy] = UnknownPolicy.RESEND
    # 550 and 554 are also what a server says to everybody whom it takes for a spammer.
    dead_at_once: ClassVar[bool] = False

    def __init__(self, name: str, settings: EmailSettings, *, clock: Clock, bus: Bus) -> None:
        super().__init__(name, settings, clock=clock, bus=bus)
        sender = parse_sender(settings.sender)
        self._head = Letterhead(sender=sender, reply_to=settings.reply_to)
        server = Server(
            host=settings.host,
            port=settings.port,
            security=settings.security,
            username=settings.username,
            password=settings.password.get_secret_value(),
            ca_file=settings.ca_file,
            own_name=sender.domain,
            timeout_seconds=settings.timeout.total_seconds(),
        )
        self._connections = Connections(server, slots=settings.slots, mails=settings.per_connection)

    async def __aexit__(self, *_: object) -> None:
        """Close what is idle, and the others once nothing is under way."""
        await self._connections.close()

    @classmethod
    def parse_address(cls, address: Any) -> str:
        """Return a mail address, its domain in small letters; nothing stands beside it."""
        if not isinstance(address, str):
            raise ValueError("must be a mail address in quotes")  # noqa: TRY004 - as promised
        return parse_mailbox(address)

    async def send(self, message: Message) -> Receipt:
        """Hand one mail to the server; taken is not yet read, but there is no better answer."""
        words = self.wording.render(message)
        content = self._head.compose(message, words, self.clock.now())
        sender = self._head.sender.addr_spec
        return Receipt(reference=await self._connections.send(sender, message.address, content))
