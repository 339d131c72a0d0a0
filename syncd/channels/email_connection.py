"""Connections to the mail server, used again and again by one mail at a time."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from dataclasses import dataclass, field
from pathlib import Path

import aiosmtplib

from syncd.channels.email_answers import channel_failed, no_connection, refusal, told
from syncd.errors import DeliveryError, DeliveryUnknown

# Servers hang up on who says nothing for some minutes.
_IDLE_SECONDS = 30.0
_BYE_SECONDS = 2.0
_START_INPUT = 354
_LOST = (aiosmtplib.SMTPServerDisconnected, aiosmtplib.SMTPTimeoutError, OSError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where mail goes, and how: `security` is starttls, tls or none."""

    host: str
    port: int
    security: str
    username: str
    password: str = field(repr=False)
    ca_file: Path | None
    own_name: str
    timeout_seconds: float


class ConnectionLost(DeliveryError):
    """The connection was gone before the mail was: it can go over another one at once."""


class Connection:
    """One connection; it is fit for another mail as long as nothing went wrong on it."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._smtp: aiosmtplib.SMTP | None = None
        self.mails = 0
        self.is_fit = False
        self.ending: asyncio.TimerHandle | None = None

    async def open(self) -> None:
        """Connect, encrypt and log in.

        Raises:
            DeliveryError: it cannot be; nothing was sent but our own name.
        """
        server = self._server
        self._smtp = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            local_hostname=server.own_name,
            timeout=server.timeout_seconds,
            use_tls=server.security == "tls",
            start_tls=False,
            tls_context=await asyncio.to_thread(_tls, server.ca_file),
        )
        try:
            async with asyncio.timeout(server.timeout_seconds):
                await self._greet(self._smtp)
        except BaseException as error:
            self.close()
            if isinstance(error, TimeoutError):
                raise no_connection(server.host, server.port, error) from error
            raise
        self.is_fit = True

    async def address(self, sender: str, address: str) -> None:
        """Say who writes to whom; then `hand_over` is next.

        Raises:
            DeliveryError: the server does not want the mail.
            ConnectionLost: the connection is gone.
        """
        smtp, self.is_fit = self._opened, False
        try:
            async with asyncio.timeout(self._server.timeout_seconds):
                await self._command(smtp, "sender", b"MAIL FROM:<%b>" % sender.encode())
                await self._command(smtp, "recipient", b"RCPT TO:<%b>" % address.encode(), address)
                await self._command(smtp, "content", b"DATA", address)
        except (*_LOST, TimeoutError) as error:
            reason = told(str(error), address) or "no answer in time"
            words = f"the connection to the mail server was lost before the mail: {reason}"
            raise ConnectionLost(words, permanent=False) from error

    async def hand_over(self, content: bytes, address: str) -> str:
        """Send the mail itself; return what the server said when it took it.

        Raises:
            DeliveryError: it was not taken.
            DeliveryUnknown: from its first byte on nobody knows, until an answer comes.
        """
        protocol = self._opened.protocol
        if protocol is None:
            raise ConnectionLost("the connection to the mail server was lost", permanent=False)
        try:
            protocol.write(content + b".\r\n")
            answer = await protocol.read_response(self._server.timeout_seconds)
        except (aiosmtplib.SMTPException, OSError) as error:
            raise DeliveryUnknown(
                "the mail was sent, and the server did not say whether it took it",
                hint="its Message-ID stays the same: a second one is recognised as such",
            ) from error
        self.mails += 1
        if answer.code >= 300:
            raise refusal("content", answer.code, answer.message, address)
        self.is_fit = True
        return told(answer.message, address)

    def close(self) -> None:
        """Hang up."""
        self.is_fit = False
        if self.ending is not None:
            self.ending.cancel()
        if self._smtp is not None:
            self._smtp.close()

    async def leave(self) -> None:
        """Say good-bye, and hang up."""
        if self.is_fit:
            with contextlib.suppress(aiosmtplib.SMTPException, OSError):
                await self._opened.quit(timeout=_BYE_SECONDS)
        self.close()

    @property
    def _opened(self) -> aiosmtplib.SMTP:
        assert self._smtp is not None, "a connection is used before it is open"
        return self._smtp

    async def _greet(self, smtp: aiosmtplib.SMTP) -> None:
        server, step = self._server, "greeting"
        try:
            await smtp.connect()
            await smtp.ehlo()
            if server.security == "starttls":
                await self._encrypt(smtp)
            if server.username:
                step = "login"
                await smtp.login(server.username, server.password)
        except aiosmtplib.SMTPResponseException as error:
            raise refusal(step, error.code, error.message, server.username) from error
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            raise no_connection(server.host, server.port, error) from error

    async def _encrypt(self, smtp: aiosmtplib.SMTP) -> None:
        if not smtp.supports_extension("starttls"):
            raise channel_failed(
                f"the mail server {self._server.host} offers no STARTTLS: nothing was sent",
                'use security = "tls" (port 465), or another server',
            )
        await smtp.starttls()
        await smtp.ehlo()

    async def _command(
        self, smtp: aiosmtplib.SMTP, step: str, command: bytes, address: str = ""
    ) -> None:
        answer = await smtp.execute_command(command)
        is_fine = answer.code == _START_INPUT if command == b"DATA" else 200 <= answer.code < 300
        if not is_fine:
            error = refusal(step, answer.code, answer.message, address)
            # Later means on a new connection; after a plain refusal this one goes on.
            self.is_fit = error.permanent and await _is_reset(smtp)
            raise error


class Connections:
    """At most `slots` connections at a time; those that are idle wait for the next mail.

    Args:
        server: where they lead.
        slots: how many there are at most.
        mails: how many mails go over one.
    """

    def __init__(self, server: Server, *, slots: int, mails: int) -> None:
        self._server = server
        self._slots = asyncio.Semaphore(slots)
        self._mails = mails
        self._idle: list[Connection] = []
        self._under_way = 0
        self._is_over = False

    async def send(self, sender: str, address: str, content: bytes) -> str:
        """Hand over one mail; return what the server said when it took it."""
        async with self._slots:
            self._under_way += 1
            try:
                connection = await self._addressed(sender, address)
                try:
                    return await connection.hand_over(content, address)
                finally:
                    await self._put_back(connection)
            finally:
                self._under_way -= 1
                if self._is_over and not self._under_way:
                    await self.close()

    async def close(self) -> None:
        """Close those that are idle, now and whenever nothing is under way any more."""
        self._is_over = True
        idle, self._idle = self._idle, []
        for connection in idle:
            await connection.leave()

    async def _addressed(self, sender: str, address: str) -> Connection:
        """Return a connection on which the server waits for a mail to this address."""
        idle = self._taken()
        if idle is not None:
            try:
                return await self._address(idle, sender, address)
            except ConnectionLost:
                self._drop_idle()
        fresh = Connection(self._server)
        await fresh.open()
        return await self._address(fresh, sender, address)

    async def _address(self, connection: Connection, sender: str, address: str) -> Connection:
        try:
            await connection.address(sender, address)
        except BaseException:
            await self._put_back(connection)
            raise
        return connection

    def _taken(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.ending is not None:
                connection.ending.cancel()
            if connection.is_fit:
                return connection
        return None

    def _drop_idle(self) -> None:
        """Close all that wait: where one was gone the others are as old."""
        while self._idle:
            self._idle.pop().close()

    async def _put_back(self, connection: Connection) -> None:
        """Keep a connection for the next mail, unless something went wrong on it."""
        if connection.is_fit and connection.mails < self._mails:
            loop = asyncio.get_running_loop()
            connection.ending = loop.call_later(_IDLE_SECONDS, connection.close)
            self._idle.append(connection)
        else:
            await connection.leave()


async def _is_reset(smtp: aiosmtplib.SMTP) -> bool:
    """Let the server forget a mail that it refused; tell whether it did."""
    try:
        return (await smtp.execute_command(b"RSET")).code == 250
    except _LOST:
        return False


def _tls(ca_file: Path | None) -> ssl.SSLContext:
    """Return how servers are checked: by name, date, and who vouches for them."""
    try:
        return ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    except OSError as error:
        raise channel_failed(
            f"cannot use ca_file of [channels.email]: {type(error).__name__}",
            "it must be a file of certificates in PEM",
        ) from error
