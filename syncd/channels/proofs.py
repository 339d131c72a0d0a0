"""A site's templates looked at before one of them is used, each with every sample there is."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import jinja2
from jinja2 import meta

from syncd.channels.facts import FIELDS, samples
from syncd.config.values import suggestion
from syncd.model.contest import Occasion

PARTS = ("subject", "text", "html", "title", "body")
"""Of a mail the first three; of what appears on a screen the last two."""

TEMPLATE_END = ".j2"

# What a template can raise; none of it may keep a message from being sent.
FAILURES = (
    *(jinja2.TemplateError, ArithmeticError, AttributeError, LookupError, RuntimeError),
    *(TypeError, ValueError),
)

_LARGEST_FILE = 256 * 1024


class _Unfit(Exception):
    """A template cannot be used; its text says why."""


def problems_in(folder: Path, environment: jinja2.Environment) -> Iterator[str]:
    """Say what is wrong with the templates of a folder: a sentence each, with file and line.

    Args:
        folder: where they are; a file of another kind is passed over.
        environment: what they will run in.
    """
    try:
        files = sorted(folder.iterdir())
    except OSError as error:
        yield f"{folder} cannot be read: {error.strerror}"
        return
    for file in files:
        if not file.name.endswith(TEMPLATE_END):
            continue
        try:
            _check_name(file.name)
            _check_text(_text(file), file.name, environment)
            _check_use(file.name, environment)
        except jinja2.TemplateSyntaxError as error:
            yield f"{file}:{error.lineno}: {error.message}"
        except _Unfit as error:
            yield f"{file}: {error}"
        except FAILURES as error:
            yield f"{file}:{_line(error, file)}: {error}"


def _check_name(name: str) -> None:
    words = name.removesuffix(TEMPLATE_END).split(".")
    known = [f"{occasion}.{part}{TEMPLATE_END}" for occasion in Occasion for part in PARTS]
    is_ours = len(words) in {2, 3} and f"{words[0]}.{words[-1]}{TEMPLATE_END}" in known
    if not is_ours and not name.startswith("_"):
        raise _Unfit(f"is no template of syncd{suggestion(name, known)}")


def _text(file: Path) -> str:
    try:
        if file.stat().st_size > _LARGEST_FILE:
            raise _Unfit("is larger than 256 kB")
        return file.read_text("utf-8")
    except OSError as error:
        raise _Unfit(f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise _Unfit("is not UTF-8 text") from None


def _check_text(text: str, name: str, environment: jinja2.Environment) -> None:
    """Find also the fields in what no sample comes through."""
    unknown = sorted(meta.find_undeclared_variables(environment.parse(text, name)) - set(FIELDS))
    if unknown and not name.startswith("_"):
        near = suggestion(unknown[0], FIELDS) or f"; there are {', '.join(FIELDS)}"
        raise _Unfit(f"there is no field {unknown[0]!r}{near}")


def _check_use(name: str, environment: jinja2.Environment) -> None:
    if name.startswith("_"):
        return
    template = environment.get_template(name)
    for facts in samples(Occasion(name.partition(".")[0]), datetime.now(UTC)):
        template.render(facts.as_fields())


def _line(error: Exception, file: Path) -> int:
    """Return the line of a template that an error came out of, 1 if nobody knows."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if Path(frame.filename).name == file.name]
    return next((line for line in reversed(lines) if line), 1)
