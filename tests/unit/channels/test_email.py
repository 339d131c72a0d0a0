"""[channels.email], mail addresses, and what stands in a mail."""

from __future__ import annotations

from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

import pytest
from fakes.clock import START, FakeClock
from fakes.messages import ADDRESS, LINK, POISON, message, notice
from pydantic import ValidationError

from syncd.channels.email import Email, EmailSettings
from syncd.channels.email_answers import refusal
from syncd.channels.email_message import Letterhead, parse_sender
from syncd.channels.wording import Wording
from syncd.errors import Reach
from syncd.model.notification import Message
from syncd.telemetry.bus import Bus

RIGHT = {"host": "mail.example.org", "sender": "syncd <notify@example.org>"}
NOT_ALONE = "must be one mail address, name@host, without anything beside it"
BAD_ADDRESSES = [
    ("ada", NOT_ALONE),
    ("", NOT_ALONE),
    ("@example.org", NOT_ALONE),
    ("ada@", NOT_ALONE),
    ("Ada <ada@example.org>", NOT_ALONE),
    ("ada@example.org, eve@example.net", NOT_ALONE),
    ("ada@example.org\r\nBcc: eve@example.net", NOT_ALONE),
    ("ada\r\nBcc: eve@example.net", NOT_ALONE),
    ("ada eve@example.org", NOT_ALONE),
    ("a..b@example.org", NOT_ALONE),
    ("x" * 65 + "@example.org", NOT_ALONE),
    ("adá@example.org", "must have only ASCII letters before the @: few servers take others"),
    ("ada@localhost", "must end in the name of a mail domain, such as example.org"),
    ("ada@[127.0.0.1]", "must end in the name of a mail domain, such as example.org"),
    ("ada@exa\u2028mple.org", "must end in the name of a mail domain, such as example.org"),
    ("ada@-example.org", "must end in the name of a mail domain, such as example.org"),
    (4711, "must be a mail address in quotes"),
    ({"endpoint": "https://push.example.org"}, "must be a mail address in quotes"),
    (None, "must be a mail address in quotes"),
]


def composed(given: Message) -> tuple[bytes, EmailMessage]:
    """Return a mail as it is sent, and as the standard library reads it."""
    head = Letterhead(sender=parse_sender('"syncd, daily" <notify@example.org>'))
    raw = head.compose(given, Wording(FakeClock(), Bus()).render(given), START)
    read = message_from_bytes(raw, policy=default)
    assert isinstance(read, EmailMessage)
    return raw, read


@pytest.mark.parametrize(("address", "said"), BAD_ADDRESSES)
def test_an_address_of_another_kind_is_one_sentence_without_it(address: Any, said: str) -> None:
    with pytest.raises(ValueError, match="must") as caught:
        Email.parse_address(address)

    assert str(caught.value) == said


@pytest.mark.parametrize(
    ("address", "stored"),
    [
        ("Ada.Lovelace+cup@Example.ORG", "Ada.Lovelace+cup@example.org"),
        (" ada@example.org ", "ada@example.org"),
        ("ada@bücher.example", "ada@xn--bcher-kva.example"),
    ],
)
def test_addresses_that_are_the_same_are_written_alike(address: str, stored: str) -> None:
    assert Email.parse_address(address) == stored
    assert Email.parse_address(stored) == stored


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sender": ""}, "sender is missing"),
        ({"sender": "a@example.org, b@example.org"}, "must be one mail address"),
        ({"sender": "syncd\r\nBcc: eve@example.net <a@example.org>"}, "must be one mail address"),
        ({"reply_to": "nobody"}, NOT_ALONE),
        ({"security": "none"}, 'security = "none" would let everybody on the way read the mail'),
        ({"security": "ssl"}, "'starttls', 'tls' or 'none'"),
        ({"username": "ada"}, "username and password belong together"),
        ({"password": "sesame"}, "username and password belong together"),
        ({"host": "/run/mail"}, "host must be the name of a mail server"),
        ({"port": 0}, "greater than 0"),
    ],
)
def test_settings_that_cannot_be_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        EmailSettings(**{**RIGHT, **changes})

    assert said in str(caught.value)
    assert "sesame" not in str(caught.value)


def test_without_a_server_there_is_no_mail_whatever_else_is_set() -> None:
    assert not EmailSettings(username="ada").is_on
    assert not EmailSettings(**RIGHT, enabled=False).is_on
    assert EmailSettings(**RIGHT).is_on


def test_plain_mail_goes_to_this_machine_or_where_it_is_meant() -> None:
    assert EmailSettings(**{**RIGHT, "host": "127.0.0.1"}, security="none").is_on
    assert EmailSettings(**RIGHT, security="none", allow_private=True).is_on


def test_a_mail_is_plain_text_and_html_with_an_id_that_stays_the_same() -> None:
    _, mail = composed(message())
    _, again = composed(message())
    _, other = composed(message("2:email:reminder"))

    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
    assert mail["From"].addresses[0].display_name == "syncd, daily"
    assert mail["To"] == ADDRESS
    assert mail["Date"].datetime == START
    assert mail["Message-ID"].endswith("@example.org>")
    assert mail["Message-ID"] == again["Message-ID"] != other["Message-ID"]
    assert mail["List-Unsubscribe"] == f"<{LINK}>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert ADDRESS.partition("@")[0] not in mail["Message-ID"]


def test_without_a_link_nothing_is_said_of_unsubscribing() -> None:
    _, mail = composed(message(unsubscribe_url=""))

    assert mail["List-Unsubscribe"] is None
    assert mail["List-Unsubscribe-Post"] is None


def test_a_long_link_stays_whole() -> None:
    link = "https://notify.example.org/unsubscribe?t=" + "x" * 700

    _, mail = composed(message(unsubscribe_url=link))

    assert mail["List-Unsubscribe"] == f"<{link}>"


@pytest.mark.parametrize("name", POISON.values(), ids=POISON)
def test_a_poisoned_title_adds_nothing_to_the_head(name: str) -> None:
    raw, mail = composed(message(contests=[notice(name)]))

    _, plain = composed(message())
    assert mail.keys() == plain.keys()
    assert [address.addr_spec for address in mail["To"].addresses] == [ADDRESS]
    assert mail.defects == []
    assert all(len(line) <= 998 for line in raw.splitlines())
    assert b"\r\n.\r\n" not in raw
    assert raw.isascii()


def test_a_line_that_is_a_dot_does_not_end_the_mail() -> None:
    head = Letterhead(sender=parse_sender("notify@example.org"))
    words = Wording(FakeClock(), Bus()).render(message())

    raw = head.compose(message(), type(words)(**{**_fields(words), "text": "a\n.\nb\n"}), START)

    assert b"\r\n..\r\nb" in raw


def _fields(words: Any) -> dict[str, str]:
    return {name: getattr(words, name) for name in type(words).__slots__}


@pytest.mark.parametrize(
    ("step", "code", "reach", "permanent"),
    [
        ("recipient", 450, Reach.DELIVERY, False),
        ("recipient", 451, Reach.DELIVERY, False),
        ("recipient", 452, Reach.DELIVERY, False),
        ("recipient", 421, Reach.CHANNEL, False),
        ("recipient", 550, Reach.ADDRESS, True),
        ("recipient", 551, Reach.ADDRESS, True),
        ("recipient", 552, Reach.DELIVERY, True),
        ("recipient", 553, Reach.ADDRESS, True),
        ("content", 554, Reach.ADDRESS, True),
        ("content", 451, Reach.DELIVERY, False),
        ("greeting", 535, Reach.CHANNEL, False),
        ("sender", 530, Reach.CHANNEL, False),
        ("sender", 550, Reach.CHANNEL, False),
        ("greeting", 554, Reach.CHANNEL, False),
    ],
)
def test_a_refusal_reaches_as_far_as_its_code_says(
    step: str, code: int, reach: Reach, permanent: bool
) -> None:
    error = refusal(step, code, "5.1.1 <ada@example.org>: no ada here, see https://x.org/?u=ada")

    assert (error.reach, error.permanent) == (reach, permanent)
    assert "@example.org" not in str(error)
    assert "https" not in str(error)


@pytest.mark.parametrize("code", [550, 553, 554])
def test_a_refusal_of_us_gives_no_address_up(code: int) -> None:
    error = refusal("recipient", code, "5.7.1 Relay access denied")

    assert (error.reach, error.permanent) == (Reach.DELIVERY, True)
    assert error.hint


def test_what_a_server_says_is_told_without_the_name_before_the_at() -> None:
    error = refusal("recipient", 550, "ada unknown; adapt it\x1b[31m", ADDRESS)

    assert str(error) == "the mail server refused at recipient: 550 *** unknown; adapt it[31m"
