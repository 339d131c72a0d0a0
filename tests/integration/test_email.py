"""Mail over real SMTP: what is encrypted, what is used again, and what every failure means."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message as Received
from fakes.certificates import Authority
from fakes.clock import FakeClock
from fakes.messages import ADDRESS, LINK, POISON, message, notice
from fakes.waiting import until

from syncd.channels.email import Email, EmailSettings
from syncd.errors import DeliveryError, DeliveryUnknown, Reach
from syncd.sandbox.smtp import MailSink, serve_mail
from syncd.sandbox.smtp_failures import CUT
from syncd.telemetry.bus import Bus

NAME, PASSWORD = "syncd", "open sesame"


@contextlib.asynccontextmanager
async def channel(port: int, **settings: Any) -> AsyncIterator[Email]:
    """Enter the channel, which writes to a server on this machine."""
    given = {"security": "none", "sender": "syncd <notify@example.org>", "timeout": "5s"}
    table = EmailSettings(**{"host": "127.0.0.1", "port": port, **given, **settings})
    async with Email("email", table, clock=FakeClock(), bus=Bus()) as email:
        yield email


@pytest.fixture
def sink() -> MailSink:
    return MailSink()


@pytest.fixture
async def email(sink: MailSink) -> AsyncIterator[Email]:
    async with serve_mail(sink) as port, channel(port) as email:
        yield email


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.make(tmp_path)


async def refused(email: Email, **changes: Any) -> DeliveryError:
    """Send a message that must not arrive."""
    with pytest.raises(DeliveryError) as caught:
        await email.send(message(**changes))
    return caught.value


async def test_one_connection_carries_many_mails(sink: MailSink, email: Email) -> None:
    for number in range(20):
        await email.send(message(f"{number}"))

    assert (len(sink.mails), sink.connections) == (20, 1)


async def test_what_the_server_said_is_the_reference(email: Email) -> None:
    assert (await email.send(message())).reference == "2.0.0 Ok: queued as 000001"


async def test_a_connection_is_left_after_so_many_mails(sink: MailSink) -> None:
    async with serve_mail(sink) as port, channel(port, per_connection=3) as email:
        for number in range(7):
            await email.send(message(f"{number}"))

    assert sink.connections == 3


async def test_no_more_connections_than_slots(sink: MailSink) -> None:
    sink.delays(0.02, at="mail")

    async with serve_mail(sink) as port, channel(port, slots=3) as email:
        await asyncio.gather(*(email.send(message(f"{number}")) for number in range(12)))

    assert (len(sink.mails), sink.connections) == (12, 3)


async def test_a_connection_that_the_server_left_is_replaced_and_nothing_is_lost(
    sink: MailSink, email: Email
) -> None:
    await email.send(message("1"))
    sink.hang_up()

    await email.send(message("2"))

    assert (len(sink.mails), sink.connections) == (2, 2)


@pytest.mark.parametrize("name", POISON.values(), ids=POISON)
async def test_a_poisoned_title_arrives_cleaned_and_goes_to_nobody_else(
    sink: MailSink, email: Email, name: str
) -> None:
    await email.send(message(contests=[notice(name)]))

    [mail] = sink.mails
    read = message_from_bytes(mail.content, policy=default)
    assert mail.recipients == (ADDRESS,)
    assert (read["Bcc"], read["Cc"]) == (None, None)
    assert read["List-Unsubscribe"] == f"<{LINK}>"
    assert read.defects == []


async def test_a_server_that_is_not_ours_receives_it_and_the_standard_library_reads_it() -> None:
    taken: list[Any] = []

    class Handler(Received):
        def handle_message(self, message: Any) -> None:
            taken.append(message)

    controller = Controller(Handler(), hostname="127.0.0.1", port=0)
    controller.port = _free_port()
    await asyncio.to_thread(controller.start)
    try:
        async with channel(controller.port) as email:
            await email.send(message(contests=[notice("Grüße, 日本 \u202e1 dnuoR")]))
    finally:
        await asyncio.to_thread(controller.stop)

    [raw] = taken
    read: Any = message_from_bytes(raw.as_bytes(), policy=default)
    text, html = read.get_body(("plain",)), read.get_body(("html",))
    assert read["Subject"] == "Grüße, 日本 1 dnuoR starts in 1 day"
    assert read["X-RcptTo"] == ADDRESS
    assert "Grüße, 日本 1 dnuoR" in text.get_content()
    assert "Grüße, 日本 1 dnuoR" in html.get_content()


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_mail_and_password_are_encrypted(authority: Authority, security: str) -> None:
    sink = MailSink(tls=authority.server(), is_encrypted=security == "tls", users={NAME: PASSWORD})
    login = {"username": NAME, "password": PASSWORD, "ca_file": authority.path}

    async with serve_mail(sink) as port, channel(port, security=security, **login) as email:
        await email.send(message())

    [mail] = sink.mails
    assert (mail.is_encrypted, mail.user) == (True, NAME)


async def _nothing_in_clear(sink: MailSink, email: Email, said: str) -> None:
    error = await refused(email)

    assert (error.reach, error.permanent) == (Reach.CHANNEL, False)
    assert said in str(error)
    assert error.hint
    assert sink.mails == []
    assert {line.partition(" ")[0] for line in sink.commands} <= {"EHLO", "STARTTLS", "QUIT"}


@pytest.mark.parametrize(
    ("server", "said"),
    [
        ({"host": "mail.example.net"}, "IP address mismatch"),
        ({"days": -1}, "certificate has expired"),
        ({"signs_itself": True}, "self-signed certificate"),
    ],
    ids=["another host", "expired", "vouched for by nobody"],
)
@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_certificate_that_does_not_hold_lets_nothing_out(
    authority: Authority, security: str, server: dict[str, Any], said: str
) -> None:
    sink = MailSink(tls=authority.server(**server), is_encrypted=security == "tls")
    login = {"username": NAME, "password": PASSWORD, "ca_file": authority.path}

    async with serve_mail(sink) as port, channel(port, security=security, **login) as email:
        await _nothing_in_clear(sink, email, said)


async def test_without_starttls_nothing_is_sent_in_clear(sink: MailSink) -> None:
    login = {"username": NAME, "password": PASSWORD}

    async with serve_mail(sink) as port, channel(port, security="starttls", **login) as email:
        await _nothing_in_clear(sink, email, "offers no STARTTLS")


async def test_starttls_that_is_refused_lets_nothing_out(authority: Authority) -> None:
    sink = MailSink(tls=authority.server())
    sink.fails("454 4.7.0 TLS not available", at="starttls")

    async with serve_mail(sink) as port, channel(port, security="starttls") as email:
        await _nothing_in_clear_but_why(sink, email)


async def _nothing_in_clear_but_why(sink: MailSink, email: Email) -> None:
    error = await refused(email)

    assert (error.reach, error.permanent) == (Reach.CHANNEL, False)
    assert sink.mails == []


async def test_a_server_of_tls_that_is_asked_in_clear_is_the_channels_failure(
    authority: Authority,
) -> None:
    sink = MailSink(tls=authority.server(), is_encrypted=True)

    async with serve_mail(sink) as port, channel(port, security="starttls", timeout="1s") as email:
        error = await refused(email)

    assert error.reach is Reach.CHANNEL


async def test_a_wrong_password_is_the_channels_failure_and_not_told(sink: MailSink) -> None:
    sink.users = {NAME: "another"}

    async with (
        serve_mail(sink) as port,
        channel(port, username=NAME, password=PASSWORD) as email,
    ):
        error = await refused(email)

    assert (error.reach, error.permanent) == (Reach.CHANNEL, False)
    assert error.hint == "look at username and password of [channels.email]"
    assert PASSWORD not in str(error)


async def test_nobody_listening_is_the_channels_failure() -> None:
    async with channel(_free_port()) as email:
        error = await refused(email)

    assert (error.reach, error.permanent) == (Reach.CHANNEL, False)
    assert "cannot reach the mail server 127.0.0.1:" in str(error)


async def test_a_greylisted_mail_is_tried_later_on_a_new_connection(
    sink: MailSink, email: Email
) -> None:
    await email.send(message("0"))
    sink.greylists()

    error = await refused(email, key="1")
    await email.send(message("1"))

    assert (error.reach, error.permanent) == (Reach.DELIVERY, False)
    assert (len(sink.mails), sink.connections) == (2, 2)


async def test_a_closing_server_rests_the_channel_for_a_while(sink: MailSink, email: Email) -> None:
    sink.fails("421 4.3.2 Shutting down", at="rcpt", times=1)

    error = await refused(email)

    assert (error.reach, error.permanent) == (Reach.CHANNEL, False)
    assert error.retry_after is not None
    assert (await email.send(message())).reference


async def test_one_bad_recipient_among_many_costs_nobody_else_a_mail(
    sink: MailSink, email: Email
) -> None:
    sink.fails("550 5.1.1 <gone@example.org>: no such user", at="rcpt", recipient="gone@*")
    sink.fails("552 5.2.2 Mailbox full", at="rcpt", recipient="full@*")

    gone = await refused(email, address="gone@example.org")
    full = await refused(email, address="full@example.org")
    for name in ("ada", "bob", "cleo"):
        await email.send(message(name, address=f"{name}@example.org"))

    assert (gone.reach, gone.permanent) == (Reach.ADDRESS, True)
    assert (full.reach, full.permanent) == (Reach.DELIVERY, True)
    assert "gone" not in str(gone).replace("***", "")
    assert (len(sink.mails), sink.connections) == (3, 1)


async def test_a_connection_cut_after_the_mail_leaves_it_unknown_under_the_same_id(
    sink: MailSink, email: Email
) -> None:
    sink.fails(CUT, at="content", times=1, keeps=True)

    with pytest.raises(DeliveryUnknown):
        await email.send(message())
    await email.send(message())

    first, second = (message_from_bytes(mail.content)["Message-ID"] for mail in sink.mails)
    assert first == second


async def test_a_server_that_does_not_say_whether_it_took_the_mail_leaves_it_unknown(
    sink: MailSink,
) -> None:
    sink.delays(3, at="content")

    async with serve_mail(sink) as port, channel(port, timeout="200ms") as email:
        with pytest.raises(DeliveryUnknown):
            await email.send(message())


@pytest.mark.parametrize("at", ["mail", "rcpt", "data"])
async def test_a_connection_cut_before_the_mail_is_a_plain_failure(
    sink: MailSink, email: Email, at: str
) -> None:
    sink.fails(CUT, at=at, times=1)

    error = await refused(email)

    assert not isinstance(error, DeliveryUnknown)
    assert (error.reach, error.permanent) == (Reach.DELIVERY, False)
    assert sink.mails == []
    await email.send(message())


@pytest.mark.parametrize("at", ["connect", "ehlo"])
async def test_a_server_that_greets_nobody_is_the_channels_failure(
    sink: MailSink, email: Email, at: str
) -> None:
    sink.fails(CUT, at=at)

    assert (await refused(email)).reach is Reach.CHANNEL


async def test_a_server_that_dies_after_some_mails_took_exactly_those(
    sink: MailSink, email: Email
) -> None:
    sink.dies_after = 3
    sent, failed = [], []

    for number in range(6):
        try:
            await email.send(message(f"{number}"))
            sent.append(number)
        except DeliveryError as error:
            failed.append((number, error.reach))

    assert len(sink.mails) == len(sent) == 3
    assert {reach for _, reach in failed} == {Reach.CHANNEL}


async def test_what_is_under_way_when_the_channel_is_left_goes_to_its_end(
    sink: MailSink,
) -> None:
    sink.delays(0.2, at="content")

    async def asked_for_data() -> bool:
        return "DATA" in sink.commands

    async with serve_mail(sink) as port, channel(port) as email:
        sending = asyncio.create_task(email.send(message()))
        await until(asked_for_data, what="the mail to be on its way")
        await email.__aexit__(None, None, None)
        receipt = await sending

    assert receipt.reference
    assert sink.commands[-1] == "QUIT"


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
