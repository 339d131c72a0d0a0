"""What a mail server's answers mean for a delivery, and how they are told without the address."""

from __future__ import annotations

import re
import ssl
from datetime import timedelta

from syncd.channels.cleaning import cleaned
from syncd.errors import DeliveryError, Reach

# No such mailbox, not here, not allowed by name, refused by policy.
_OF_ADDRESS = frozenset({550, 551, 553, 554, 556})
# We are to log in first, or not as we did.
_OF_LOGIN = frozenset({530, 534, 535, 538})
_CLOSING = 421
# Security or policy, by RFC 3463.
_POLICY = "5.7."
_REST = timedelta(seconds=60)
_LONGEST_TEXT = 150
_ADDRESS = re.compile(r"\S*@\S*")
_LINK = re.compile(r"https?://\S+")


def refusal(step: str, code: int, text: str, address: str = "") -> DeliveryError:
    """Return what a refusal means.

    Args:
        step: `greeting`, `login`, `sender`, `recipient` or `content`.
        code: the three digits.
        text: what the server said with them.
        address: what must not be told.
    """
    words = f"the mail server refused at {step}: {code} {told(text, address)}".rstrip()
    if code == _CLOSING:
        return channel_failed(words, "the server closes; it is asked again in a minute")
    if code in _OF_LOGIN or step == "login":
        return channel_failed(words, "look at username and password of [channels.email]")
    if step in {"greeting", "sender"}:
        hint = "look at sender of [channels.email]: may it be used on this server?"
        return channel_failed(words, hint if step == "sender" and code >= 500 else "")
    if code < 500:
        return DeliveryError(words, permanent=False)
    # A server that refuses us refuses everybody we write to: no address is to be given up for it.
    if text.startswith(_POLICY):
        hint = "it is about who sends or what: may we use this server, and this sender?"
        return DeliveryError(words, permanent=True, hint=hint)
    reach = Reach.ADDRESS if code in _OF_ADDRESS else Reach.DELIVERY
    return DeliveryError(words, permanent=True, reach=reach)


def channel_failed(words: str, hint: str) -> DeliveryError:
    """Return that nothing can be sent to anybody for now."""
    return DeliveryError(words, permanent=False, retry_after=_REST, hint=hint, reach=Reach.CHANNEL)


def no_connection(host: str, port: int, error: BaseException) -> DeliveryError:
    """Return why there is no connection, as far as an exception tells."""
    place = f"cannot reach the mail server {host}:{port}"
    causes: list[BaseException] = [error]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) and cause not in causes:
        causes.append(cause)
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return channel_failed(
                f"{place}: its certificate cannot be trusted: {cleaned(cause.verify_message)}",
                "mend the certificate, or name in ca_file who vouches for it",
            )
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        hint = 'security = "tls" is for port 465, "starttls" for port 587'
        return channel_failed(f"{place}: it speaks no TLS that we do", hint)
    reason = told(str(error)) or type(error).__name__
    return channel_failed(f"{place}: {reason}", "look at host and port of [channels.email]")


def told(text: str, address: str = "") -> str:
    """Return what a server said, fit to be shown: no address, no link, one short line."""
    local = address.rpartition("@")[0]
    text = _ADDRESS.sub("***", _LINK.sub("***", text))
    text = re.sub(rf"(?<!\w){re.escape(local)}(?!\w)", "***", text) if local else text
    return cleaned(text, _LONGEST_TEXT)
