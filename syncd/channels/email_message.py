"""A mail as it goes out: plain text and HTML, nothing in its head but what belongs there."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from syncd.channels.wording import Rendered
from syncd.model.notification import Message

_LONGEST_ADDRESS = 254
_LONGEST_LOCAL_PART = 64
_LOCAL_PART = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+")
_DOMAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}")
_DOT = re.compile(rb"(?m)^\.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Letterhead:
    """Who writes; `reply_to` may be empty."""

    sender: Address
    reply_to: str = ""

    def compose(self, message: Message, words: Rendered, now: datetime) -> bytes:
        """Return a mail as it is sent: lines end in CR LF, and no line is a single dot."""
        mail = EmailMessage(policy=SMTP)
        mail["Subject"] = words.subject
        mail["From"] = self.sender
        mail["To"] = Address(addr_spec=message.address)
        if self.reply_to:
            mail["Reply-To"] = Address(addr_spec=self.reply_to)
        mail["Date"] = format_datetime(now)
        mail["Message-ID"] = message_id(message.key, self.sender.domain)
        # Nobody's "away" notice comes back.
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(words.text, cte="quoted-printable")
        mail.add_alternative(words.html, subtype="html", cte="quoted-printable")
        mail.set_boundary(f"=_{digest(message.key)}")
        return _DOT.sub(b"..", _unsubscribe(words.unsubscribe_url) + mail.as_bytes())


def message_id(key: str, domain: str) -> str:
    """Return the id of a message's mail, the same in every attempt."""
    return f"<{digest(key)}@{domain}>"


def digest(key: str) -> str:
    """Return what stands for a message's key where others see it."""
    return hashlib.sha256(key.encode()).hexdigest()[:40]


def parse_mailbox(text: str) -> str:
    """Return one address as it is written everywhere, its domain in small ASCII letters.

    Raises:
        ValueError: it is none, or more than one, or has a name beside it.
    """
    local, at, domain = text.strip(" ").rpartition("@")
    if not at or not local or not domain:
        raise ValueError("must be one mail address, name@host, without anything beside it")
    if not local.isascii():
        raise ValueError("must have only ASCII letters before the @: few servers take others")
    is_plain = _LOCAL_PART.fullmatch(local) and ".." not in local and local.strip(".") == local
    if not is_plain or len(local) > _LONGEST_LOCAL_PART:
        raise ValueError("must be one mail address, name@host, without anything beside it")
    try:
        host = domain.encode("idna").decode().lower()
    except UnicodeError:
        host = ""
    if not _DOMAIN.fullmatch(host) or len(local) + len(host) >= _LONGEST_ADDRESS:
        raise ValueError("must end in the name of a mail domain, such as example.org")
    return f"{local}@{host}"


def parse_sender(text: str) -> Address:
    """Return who writes: an address, or a name with one behind it, `syncd <notify@example.org>`.

    Raises:
        ValueError: it is none, or more than one.
    """
    found = SMTP.header_factory("From", text) if text.isprintable() else None
    if found is None or found.defects or len(found.addresses) != 1:
        raise ValueError("must be one mail address, with a name before it or not")
    [mailbox] = found.addresses
    return Address(display_name=mailbox.display_name, addr_spec=parse_mailbox(mailbox.addr_spec))


def _unsubscribe(url: str) -> bytes:
    """Return the lines by which a mail program ends the messages; nothing without a link.

    They are written here: a long address must stay whole, and stands in no encoding.
    """
    if not url.startswith("https://"):
        return b""
    post = "List-Unsubscribe-Post: List-Unsubscribe=One-Click"
    return f"List-Unsubscribe: <{url}>\r\n{post}\r\n".encode("ascii")
