"""What WhatsApp's Cloud API means by its codes: when to come again, and who is to mend what.

https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from syncd.errors import DeliveryError, Reach
from syncd.outbound.post import Reply
from syncd.outbound.reader import parse_leniently

AIM = "cannot deliver over WhatsApp"

TEMPLATE_REST = timedelta(minutes=30)
"""How long a template that was refused is not tried again."""

ON_TEMPLATE = frozenset(
    {131008, 131009, 132000, 132001, 132005, 132007, 132008, 132012, 132015, 132016}
)
"""What is about one template and language, not about the number or the account."""

_MINUTE = timedelta(minutes=1)
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class _Meaning:
    reach: Reach
    permanent: bool = False
    wait: timedelta | None = None
    hint: str = ""


def _rests(wait: timedelta, hint: str = "") -> _Meaning:
    return _Meaning(Reach.CHANNEL, wait=wait, hint=hint)


_LIMIT = _rests(5 * _MINUTE)
_SPAM = _rests(12 * _HOUR, "Meta limits this number for its quality: see it in WhatsApp's manager")
_TOKEN = _rests(_HOUR, "see token in [channels.whatsapp]: it has ended or was withdrawn")
_PERMISSION = _rests(
    _HOUR, "give the token's system user whatsapp_business_messaging for this account"
)
_LOCKED = _rests(_HOUR, "Meta has locked the account: see WhatsApp's manager")
_GONE = _Meaning(Reach.ADDRESS, permanent=True)

_MEANINGS: Mapping[int, _Meaning] = {
    # Later: the account's limits, the service, this one pair of numbers.
    4: _LIMIT,
    80007: _LIMIT,
    130429: _rests(_MINUTE),
    131057: _rests(15 * _MINUTE),
    131016: _rests(_MINUTE),
    133004: _rests(_MINUTE),
    131000: _Meaning(Reach.DELIVERY),
    131056: _Meaning(Reach.DELIVERY, wait=_MINUTE),
    131048: _SPAM,
    131064: _SPAM,
    # The recipient.
    131026: _GONE,
    131021: _GONE,
    131050: _GONE,
    131049: _Meaning(Reach.DELIVERY, wait=_DAY),
    130472: _Meaning(Reach.DELIVERY, permanent=True),
    131030: _Meaning(
        Reach.DELIVERY, permanent=True, hint="a test number reaches only those on its list"
    ),
    # Ours to mend.
    190: _TOKEN,
    10: _PERMISSION,
    133010: _rests(_HOUR, "register the number of phone_number_id in [channels.whatsapp]"),
    131042: _rests(_HOUR, "Meta cannot charge for messages: see the account's way of payment"),
    131031: _LOCKED,
    368: _LOCKED,
}

# Of answers without a code that is known.
_BY_STATUS: Mapping[int, _Meaning] = {
    401: _TOKEN,
    429: _rests(_MINUTE),
    502: _rests(_MINUTE),
    503: _rests(_MINUTE),
}


def judge(reply: Reply, about: str) -> tuple[int, DeliveryError]:
    """Return the code of an answer that is no good, and what it means.

    Args:
        reply: the answer.
        about: which template was sent, in words.
    """
    code = _code(reply.data)
    meaning = _meaning(reply, code, about)
    wait = meaning.wait
    if not meaning.permanent:
        asked = [pause for pause in (reply.retry_after, _regained(reply)) if pause is not None]
        wait = max([*asked, *([wait] if wait is not None else [])], default=None)
    told = f"HTTP {reply.status}, code {code}" if code else f"HTTP {reply.status}"
    return code, DeliveryError(
        f"{AIM}: {told}{f': {reply.says}' if reply.says else ''}",
        permanent=meaning.permanent,
        retry_after=wait,
        hint=meaning.hint,
        reach=meaning.reach,
    )


def _code(data: Any) -> int:
    code = _error(data).get("code")
    return code if isinstance(code, int) else 0


def _error(data: Any) -> Mapping[str, Any]:
    error = data.get("error") if isinstance(data, dict) else None
    return error if isinstance(error, dict) else {}


def _meaning(reply: Reply, code: int, about: str) -> _Meaning:
    if code in _MEANINGS:
        return _MEANINGS[code]
    if 200 <= code < 300:
        return _PERMISSION
    if code in ON_TEMPLATE:
        # One language's missing template must not keep the reminders of all others.
        hint = f"see {about}: whether it is approved, and takes as many parameters as are sent"
        return _Meaning(Reach.DELIVERY, wait=TEMPLATE_REST, hint=hint)
    if reply.status in _BY_STATUS:
        return _BY_STATUS[reply.status]
    if reply.status < 400 or reply.status == 404 or _error(reply.data).get("error_subcode") == 33:
        return _rests(_HOUR, "see base_url and phone_number_id in [channels.whatsapp]")
    is_passing = reply.status in {408, 425} or _error(reply.data).get("is_transient") is True
    return _Meaning(Reach.DELIVERY, permanent=reply.status < 500 and not is_passing)


def _regained(reply: Reply) -> timedelta | None:
    """Return after how long Meta gives access back, where it says so."""
    told = parse_leniently(reply.headers.get("X-Business-Use-Case-Usage", "").encode())
    accounts = told.values() if isinstance(told, dict) else ()
    minutes = [
        use.get("estimated_time_to_regain_access")
        for uses in accounts
        if isinstance(uses, list)
        for use in uses
        if isinstance(use, dict)
    ]
    longest = max((m for m in minutes if isinstance(m, int) and 0 < m <= 10_080), default=0)
    return timedelta(minutes=longest) if longest else None
