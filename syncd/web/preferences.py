"""The key `notify` of a user: what they want to be told of, as callers write it.

Zones, times and hours are checked here; which platforms and channels there are, and what an address
of a channel is, only the daemon knows.
"""

from __future__ import annotations

import re
import zoneinfo
from datetime import time
from typing import Annotated, Any, Self

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from syncd.config.values import suggestion
from syncd.errors import BadInput
from syncd.model.notification import LEADS
from syncd.model.preferences import MOST_LEADS, NotifyChange
from syncd.web.routes import Input, Text
from syncd.web.wording import problems_of

_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")
_DEFAULT_LEADS = (24,)


def _lead(given: Any) -> int:
    if isinstance(given, bool) or not isinstance(given, int) or given not in LEADS:
        raise ValueError(f"must be a whole number of hours from {LEADS[0]} to {LEADS[-1]}")
    return given


def _zone(given: Any) -> str:
    name = given[:64] if isinstance(given, str) else ""
    try:
        return zoneinfo.ZoneInfo(name).key
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        near = suggestion(name, zoneinfo.available_timezones())
        message = f'must be a time zone such as "UTC" or "Asia/Kolkata"{near}'
        raise ValueError(message) from None


def _time(given: Any) -> str:
    if not isinstance(given, str) or _TIME.fullmatch(given) is None:
        raise ValueError('must be a time such as "22:00"')
    return given


def _language(given: Any) -> str:
    if not isinstance(given, str) or _LANGUAGE.fullmatch(given) is None:
        raise ValueError('must be a language such as "en" or "pt-BR"')
    return given


def _address(given: Any) -> Any:
    if given is not None and not isinstance(given, str | dict):
        raise ValueError("must be text, or the object of a subscription")
    return given


_Lead = Annotated[int, BeforeValidator(_lead), Field(ge=LEADS[0], le=LEADS[-1])]
_Name = Annotated[Text, Field(min_length=1, max_length=64)]
_Address = Annotated[
    Any, BeforeValidator(_address), WithJsonSchema({"type": ["string", "object", "null"]})
]


class QuietInput(Input):
    """The hours in which a user is left alone, in their own time zone; they may lie over midnight.

    A contest that begins within them is told of all the same.
    """

    begins: Annotated[str, BeforeValidator(_time), Field(alias="from")]
    until: Annotated[str, BeforeValidator(_time)]

    @model_validator(mode="after")
    def _differ(self) -> Self:
        if self.begins == self.until:
            raise ValueError("from and until must differ; null means that no hours are quiet")
        return self


class NotifyInput(Input):
    """What a user wants to be told of. A key that is left out stays as it is, null resets it.

    `platforms` empty: of all. `channels` are all that reach the user, each with its address.
    """

    model_config = ConfigDict(strict=True, hide_input_in_errors=True)

    platforms: Annotated[list[_Name], Field(max_length=64)] | None = None
    leads: Annotated[list[_Lead], Field(min_length=1, max_length=MOST_LEADS)] | None = None
    timezone: Annotated[str, BeforeValidator(_zone)] | None = None
    quiet: QuietInput | None = None
    language: Annotated[str, BeforeValidator(_language)] | None = None
    digest: bool | None = None
    channels: Annotated[dict[_Name, _Address], Field(max_length=32)] | None = None

    def change(self) -> NotifyChange:
        """Return what this changes; what was null is what it is for who says nothing."""
        given = self.model_fields_set
        addresses = {name: each for name, each in (self.channels or {}).items() if each is not None}
        return NotifyChange(
            platforms=sorted(set(self.platforms or ())) if "platforms" in given else None,
            leads=self._leads() if "leads" in given else None,
            timezone=(self.timezone or "UTC") if "timezone" in given else None,
            quiet=self._quiet() if "quiet" in given else None,
            language=(self.language or "en") if "language" in given else None,
            wants_digest=bool(self.digest) if "digest" in given else None,
            addresses=addresses if "channels" in given else None,
        )

    def _leads(self) -> list[int]:
        return sorted(set(self.leads or _DEFAULT_LEADS), reverse=True)

    def _quiet(self) -> tuple[time, ...]:
        if self.quiet is None:
            return ()
        return time.fromisoformat(self.quiet.begins), time.fromisoformat(self.quiet.until)


def change_of(given: NotifyInput | None) -> NotifyChange:
    """Return what was given as a change; null removes everything."""
    return NotifyChange(is_removal=True) if given is None else given.change()


def read_notify(given: Any) -> NotifyChange:
    """Read the key `notify` of an import file.

    Raises:
        BadInput: one sentence per problem, each naming its field and no address.
    """
    if given is None:
        return change_of(None)
    try:
        return change_of(NotifyInput.model_validate(given))
    except ValidationError as error:
        problems = problems_of(error, NotifyInput, "", is_secret=True)
        raise BadInput(*(in_notify(problem) for problem in problems)) from None


def in_notify(problem: str) -> str:
    """Say where a problem of `notify` stands: in it, or that it is the whole."""
    return f"notify{problem}" if problem.startswith(":") else f"notify.{problem}"
