"""A mail server that delivers nothing: it keeps what it takes, and fails as it is told to.

    sink.fails("451 4.7.1 Greylisted, try again later", at="rcpt", times=1)
    sink.fails("552 5.2.2 Mailbox full", at="rcpt", recipient="full@*")
    sink.fails(CUT, at="content", keeps=True)  # takes the mail, and nobody hears of it
    sink.dies_after = 3

It speaks as much of RFC 5321, 3207 (STARTTLS) and 4954 (AUTH PLAIN, LOGIN) as a sender needs.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from syncd.sandbox.smtp_failures import CUT, Failure, Failures
from syncd.sandbox.smtp_talk import Talk

_TAKEN = "250 2.1.5 Ok"
# After these a server closes.
_LAST = ("221", "421")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A mail that was taken, as it was sent."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes
    connection: int
    is_encrypted: bool
    user: str = ""


class MailSink:
    """Takes mail.

    Args:
        tls: how it speaks TLS; None: it offers none.
        is_encrypted: TLS from the first byte on; otherwise STARTTLS is offered.
        users: names and passwords; where there are some, nobody else may send.

    `dies_after` so many mails it answers nobody any more. `commands` are those it was given.
    """

    def __init__(
        self,
        *,
        tls: ssl.SSLContext | None = None,
        is_encrypted: bool = False,
        users: Mapping[str, str] | None = None,
    ) -> None:
        self.tls = tls
        self.is_encrypted = is_encrypted
        self.users = dict(users or {})
        self.mails: list[Mail] = []
        self.connections = 0
        self.commands: list[str] = []
        self.dies_after: int | None = None
        self._failures = Failures()
        self._greylisted: set[str] | None = None
        self._talks: dict[asyncio.Task[None], Talk] = {}
        self._is_over = asyncio.Event()

    def fails(
        self,
        answer: str,
        *,
        at: str,
        recipient: str = "*",
        times: int | None = None,
        keeps: bool = False,
    ) -> None:
        """Answer so from now on, instead of what would be said.

        Args:
            answer: code and text, or `CUT`.
            at: `connect`, `ehlo`, `starttls`, `auth`, `mail`, `rcpt`, `data` or `content` (after
                the final dot).
            recipient: a pattern, at `rcpt` and `content`.
            times: how often; None does not end.
            keeps: at `content`, the mail is taken all the same.
        """
        self._failures.add(
            Failure(answer=answer, at=at, recipient=recipient, times=times, keeps=keeps)
        )

    def delays(self, seconds: float, *, at: str) -> None:
        """Answer right, but later."""
        self._failures.add(Failure(answer=None, at=at, after_seconds=seconds, keeps=True))

    def greylists(self) -> None:
        """Refuse every recipient once, for now."""
        self._greylisted = set()

    def recovers(self) -> None:
        """Be well again."""
        self._failures.clear()
        self.dies_after = self._greylisted = None

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection to its end."""
        if self._is_dead:
            writer.close()
            return
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        talk = self._talks[task] = Talk(self.connections, reader, writer, self.is_encrypted)
        with contextlib.suppress(ConnectionError, TimeoutError, ssl.SSLError, ValueError):
            said = await self._answer(talk, "connect", "220 sink.example.org ESMTP")
            while said != CUT and not said.startswith(_LAST):
                said = await self._command(talk, await talk.line())
        talk.writer.close()
        del self._talks[task]

    def hang_up(self) -> None:
        """Close every connection."""
        for talk in self._talks.values():
            talk.writer.close()

    async def end(self) -> None:
        """Close every connection, and return when nobody is answered any more."""
        self._is_over.set()
        self.hang_up()
        await asyncio.gather(*self._talks)
        self._is_over.clear()

    @property
    def _is_dead(self) -> bool:
        return self.dies_after is not None and len(self.mails) >= self.dies_after

    async def _command(self, talk: Talk, line: str) -> str:
        """Answer one command; return what was said."""
        self.commands.append(line)
        word, _, rest = line.partition(" ")
        match word.upper():
            case "EHLO" | "HELO":
                return await self._answer(talk, "ehlo", self._greeting(talk))
            case "STARTTLS":
                return await self._encrypt(talk)
            case "AUTH":
                return await self._authenticate(talk, rest)
            case "MAIL" | "RCPT" | "DATA":
                return await self._envelope(talk, word.upper(), rest)
            case "QUIT":
                return await self._answer(talk, "quit", "221 2.0.0 Bye")
            case _:
                talk.sender, talk.recipients = "", []
                return await self._answer(talk, "rset", "250 2.0.0 Ok")

    def _greeting(self, talk: Talk) -> str:
        offers = ["sink.example.org", "8BITMIME", "ENHANCEDSTATUSCODES"]
        offers += ["STARTTLS"] if self.tls is not None and not talk.is_encrypted else []
        offers += ["AUTH PLAIN LOGIN"] if self.users else []
        return "\n".join(f"250 {offer}" for offer in offers)

    async def _encrypt(self, talk: Talk) -> str:
        if self.tls is None or talk.is_encrypted:
            return await self._answer(talk, "starttls", "502 5.5.1 Not offered")
        said = await self._answer(talk, "starttls", "220 2.0.0 Ready")
        if said.startswith("2"):
            await talk.encrypt(self.tls)
        return said

    async def _authenticate(self, talk: Talk, rest: str) -> str:
        method, _, first = rest.partition(" ")
        if method.upper() == "PLAIN":
            _, _, pair = _decoded(first).partition("\0")
            name, _, password = pair.partition("\0")
        else:
            if not first:
                await talk.say("334 VXNlcm5hbWU6")
            name = _decoded(first or await talk.line())
            await talk.say("334 UGFzc3dvcmQ6")
            password = _decoded(await talk.line())
        if not name or self.users.get(name) != password:
            return await self._answer(talk, "auth", "535 5.7.8 Authentication credentials invalid")
        talk.user = name
        return await self._answer(talk, "auth", "235 2.7.0 Accepted")

    async def _envelope(self, talk: Talk, word: str, rest: str) -> str:
        if self.users and not talk.user:
            return await self._answer(talk, "mail", "530 5.7.0 Authentication required")
        address = rest.partition("<")[2].partition(">")[0]
        if word == "MAIL":
            talk.sender, talk.recipients = address, []
            return await self._answer(talk, "mail", "250 2.1.0 Ok")
        if word == "RCPT":
            usual = "451 4.7.1 Greylisted, try again later" if self._is_new(address) else _TAKEN
            said = await self._answer(talk, "rcpt", usual, address)
            talk.recipients += [address] if said.startswith("2") else []
            return said
        usual = "354 End with a dot" if talk.recipients else "503 5.5.1 No recipient"
        said = await self._answer(talk, "data", usual)
        return await self._take(talk) if said.startswith("3") else said

    def _is_new(self, address: str) -> bool:
        if self._greylisted is None or address in self._greylisted:
            return False
        self._greylisted.add(address)
        return True

    async def _take(self, talk: Talk) -> str:
        mail = Mail(
            content=await talk.content(),
            sender=talk.sender,
            recipients=tuple(talk.recipients),
            connection=talk.number,
            is_encrypted=talk.is_encrypted,
            user=talk.user,
        )
        talk.sender, talk.recipients = "", []
        failure = self._failures.take("content", mail.recipients[0])
        if failure is None or failure.keeps:
            self.mails.append(mail)
        said = await self._say(talk, failure, f"250 2.0.0 Ok: queued as {len(self.mails):06d}")
        if self._is_dead:
            self.hang_up()
        return said

    async def _answer(self, talk: Talk, at: str, usual: str, recipient: str = "") -> str:
        return await self._say(talk, self._failures.take(at, recipient), usual)

    async def _say(self, talk: Talk, failure: Failure | None, usual: str) -> str:
        """Answer as it goes, or as it fails; return what was said."""
        if failure is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._is_over.wait(), failure.after_seconds)
            usual = usual if failure.answer is None else failure.answer
        if usual != CUT:
            await talk.say(usual)
        return usual


@contextlib.asynccontextmanager
async def serve_mail(sink: MailSink, *, port: int = 0) -> AsyncIterator[int]:
    """Let `sink` listen on 127.0.0.1 as long as the context lasts; yields the port."""
    tls = sink.tls if sink.is_encrypted else None
    server = await asyncio.start_server(sink.talk, "127.0.0.1", port, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await sink.end()
        await server.wait_closed()


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return ""
