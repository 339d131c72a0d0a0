"""What messages say: a template per occasion and part, which a site's own files stand over.

A template is `OCCASION.PART.j2`, or `OCCASION.LANGUAGE.PART.j2` for those who want that language:
`reminder.de.text.j2`. Names that begin with `_` are for including. Ours are English.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

from syncd.channels.cleaning import cleaned
from syncd.channels.facts import Facts
from syncd.channels.proofs import FAILURES, PARTS, TEMPLATE_END, problems_in
from syncd.clock import Clock
from syncd.errors import ConfigError
from syncd.model.notification import Message
from syncd.telemetry.bus import Bus
from syncd.telemetry.events import ConditionNoticed

_OURS = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A message in words. `subject` and `title` are one line, `url` is http(s) or empty."""

    subject: str
    text: str
    html: str
    title: str
    body: str
    url: str
    unsubscribe_url: str = field(default="", repr=False)


class _Unknown(jinja2.StrictUndefined):
    """A field that there is not; using it says which."""

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        return f"there is no field {self._undefined_name!r}"


class Wording:
    """Puts messages into words.

    Args:
        clock: tells how long it is until a contest starts.
        bus: where it is told that a template cannot be used for a message.
        folder: a site's own templates.

    Raises:
        ConfigError: one of them cannot be used; every problem, with its file and line.
    """

    def __init__(self, clock: Clock, bus: Bus, *, folder: Path | None = None) -> None:
        self._clock = clock
        self._bus = bus
        self._ours = _environment(_OURS)
        self._theirs = self._ours if folder is None else _environment(folder, _OURS)
        self._told: set[str] = set()
        if folder is not None and (problems := list(problems_in(folder, self._theirs))):
            raise ConfigError(*(f"notify.templates: {problem}" for problem in problems))

    def load(self) -> None:
        """Compile every template, so that no message waits for that; call it beside the loop."""
        for environment in (self._ours, self._theirs):
            for name in environment.list_templates(filter_func=_is_template):
                environment.get_template(name)

    def render(self, message: Message) -> Rendered:
        """Return a message in words; a template that fails is told of, and ours says it instead."""
        facts = Facts.of(message, self._clock.now())
        parts = {part: self._part(facts, part) for part in PARTS}
        return Rendered(
            subject=cleaned(parts["subject"]),
            text=parts["text"],
            html=parts["html"],
            title=cleaned(parts["title"]),
            body=parts["body"].strip(),
            url=facts.contest.url if len(facts.contests) == 1 else "",
            unsubscribe_url=facts.unsubscribe_url,
        )

    def _part(self, facts: Facts, part: str) -> str:
        names = list(_names(facts, part))
        name = names[-1]
        try:
            template = self._theirs.select_template(names)
            name = template.name or name
            return template.render(facts.as_fields())
        except FAILURES as error:
            self._tell(name, error)
            return self._ours.select_template(names).render(facts.as_fields())

    def _tell(self, name: str, error: Exception) -> None:
        """Tell once of each template; nothing of the message is in it."""
        if name not in self._told:
            self._told.add(name)
            what = f"the template {name} cannot be used for a message: {type(error).__name__}"
            hint = "ours was sent instead; mend it, then `syncd reload`"
            self._bus.emit(ConditionNoticed(condition=what, hint=hint))


def problems_of(folder: Path) -> list[str]:
    """Say what is wrong with a site's templates: a sentence each, with file and line."""
    return list(problems_in(folder, _environment(folder, _OURS)))


def _environment(*folders: Path) -> jinja2.Environment:
    """Return what templates run in: they see the fields, and nothing of Python behind them."""
    return ImmutableSandboxedEnvironment(
        loader=jinja2.FileSystemLoader(folders),
        autoescape=lambda name: name is not None and name.endswith(f".html{TEMPLATE_END}"),
        undefined=_Unknown,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )


def _is_template(name: str) -> bool:
    return name.endswith(TEMPLATE_END) and "/" not in name


def _names(facts: Facts, part: str) -> Iterator[str]:
    """List the templates that can say a part, the nearest first; a title may be the subject."""
    place = facts.language
    while place:
        yield f"{facts.occasion}.{place}.{part}{TEMPLATE_END}"
        place = place.rpartition("-")[0]
    yield f"{facts.occasion}.{part}{TEMPLATE_END}"
    if part == "title":
        yield from _names(facts, "subject")
