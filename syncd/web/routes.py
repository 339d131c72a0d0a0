"""What an address is: a method, a path, what it takes and what it answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any, ClassVar, Generic, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict

from syncd.errors import BadInput, NotKnown
from syncd.model.name import NAME_RULE, is_name
from syncd.web.service import Json

LARGEST_ID = 2**63 - 1
CHANGING = frozenset({"POST", "PUT", "PATCH", "DELETE"})
"""The methods that change something; all others change nothing."""


class Input(BaseModel):
    """What a call brings along: a JSON body, or a query. Unknown keys are refused.

    Of the fields in `unlogged` the audit tells the size only.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    unlogged: ClassVar[frozenset[str]] = frozenset()


class Nothing(Input):
    """For calls that bring nothing along."""


GivenT = TypeVar("GivenT", bound=Input)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[GivenT]):
    """One call, checked: who calls, what the path names, what was given."""

    given: GivenT
    path: Mapping[str, str]
    actor: str
    idempotency_key: str | None = None

    def name(self, part: str) -> str:
        """Return a name from the path.

        Raises:
            BadInput: nothing can have that name.
        """
        return printable_name(self.path[part], place=part)

    def number(self, part: str) -> int:
        """Return a number from the path.

        Raises:
            NotKnown: it is no number that anything could have.
        """
        text = self.path[part]
        # The length goes first: Python refuses to convert thousands of digits.
        if len(text) > 19 or not (text.isascii() and text.isdigit()) or int(text) > LARGEST_ID:
            raise NotKnown(f"{part} {text[:40]!r} is not known", hint="numbers are whole, from 1")
        return int(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route(Generic[GivenT]):
    """An address under the control port.

    `takes` describes the query of a GET and the JSON body of everything else; a DELETE has either.
    Where `needs_store` is set it is refused at once while PostgreSQL does not answer, instead of
    being waited for. Where `needs_lead` is not set, one that stands by obeys as well. An answer may
    take `answer_seconds`.
    """

    method: str
    path: str
    summary: str
    takes: type[GivenT]
    answer: Callable[[Call[GivenT]], Awaitable[Json]]
    status: HTTPStatus = HTTPStatus.OK
    largest_body: int = 64 * 1024
    needs_store: bool = True
    needs_lead: bool = True
    answer_seconds: float = 60.0

    @property
    def changes(self) -> bool:
        """Tell whether a call may change something."""
        return self.method in CHANGING


Routes = tuple[Route[Any], ...]


def printable_name(text: str, *, place: str) -> str:
    """Return `text` if it can be a name.

    Raises:
        BadInput: it is none.
    """
    if not is_name(text):
        raise BadInput(f"{place}: {text[:40]!r} cannot be a name", hint=f"a name is {NAME_RULE}")
    return text


def _without_control(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must hold printable characters only")
    return text


Text = Annotated[str, AfterValidator(_without_control)]
"""One line without control characters."""
