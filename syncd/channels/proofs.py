"""A site's templates looked at before one of them is used, each with every sample there is."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import jinja2
from jinja2 import meta, nodes

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
_NAMES = tuple(f"{occasion}.{part}{TEMPLATE_END}" for occasion in Occasion for part in PARTS)


class _Unfit(Exception):
    """A template cannot be used; its text says why."""


def problems_in(folder: Path, environment: jinja2.Environment) -> Iterator[str]:
    """Say what is wrong with the templates of a folder: a sentence each, with file and line.

    Args:
        folder: where they are; a file of another kind is passed over.
        environment: what they will run in.
    """
    try:
        files = sorted(file for file in folder.iterdir() if file.name.endswith(TEMPLATE_END))
    except OSError as error:
        yield f"{folder} cannot be read: {error.strerror}"
        return
    said: set[str] = set()
    for file in files:
        if problem := _problem_in(file, environment):
            said.add(problem)
            yield problem
    if not said and any(file.name.startswith("_") for file in files):
        yield from _problems_of_ours(folder, environment)


def _problem_in(file: Path, environment: jinja2.Environment) -> str:
    """Say what is wrong with a template, nothing where it can be used."""
    try:
        _check_name(file.name)
        _check_text(_text(file), file.name, environment)
        _check_use(file.name, environment)
    except jinja2.TemplateSyntaxError as error:
        return f"{file}:{error.lineno}: {error.message}"
    except _Unfit as error:
        return f"{file}: {error}"
    except FAILURES as error:
        return f"{file}:{_line(error, file)}: {_in_words(error)}"
    return ""


def _problems_of_ours(folder: Path, environment: jinja2.Environment) -> Iterator[str]:
    """Say what is wrong with what a site's files, made for including, put into our templates."""
    said: set[str] = set()
    for name in environment.list_templates(filter_func=_NAMES.__contains__):
        try:
            _check_use(name, environment)
        except FAILURES as error:
            place = _place_in(folder, error)
            if place not in said:
                said.add(place)
                yield f"{place}: {_in_words(error)}"


def _place_in(folder: Path, error: Exception) -> str:
    """Return where in a folder an error came out of."""
    if isinstance(error, jinja2.TemplateSyntaxError):
        return f"{error.filename}:{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    places = [
        f"{each.filename}:{each.lineno}" for each in frames if Path(each.filename).parent == folder
    ]
    return places[-1] if places else str(folder)


def _check_name(name: str) -> None:
    words = name.removesuffix(TEMPLATE_END).split(".")
    is_ours = len(words) in {2, 3} and f"{words[0]}.{words[-1]}{TEMPLATE_END}" in _NAMES
    if not is_ours and not name.startswith("_"):
        raise _Unfit(f"is no template of syncd{suggestion(name, _NAMES)}")


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
    tree = environment.parse(text, name)
    unknown = sorted(meta.find_undeclared_variables(tree) - {*FIELDS, *_own_names(tree)})
    if unknown and not name.startswith("_"):
        near = suggestion(unknown[0], FIELDS) or f"; there are {', '.join(FIELDS)}"
        raise _Unfit(f"there is no field {unknown[0]!r}{near}")


def _check_use(name: str, environment: jinja2.Environment) -> None:
    if name.startswith("_"):
        return
    template = environment.get_template(name)
    for facts in samples(Occasion(name.partition(".")[0]), datetime.now(UTC)):
        template.render(facts.as_fields())


def _own_names(tree: nodes.Template) -> Iterator[str]:
    """Name what a template imports or sets itself: its blocks see that, and `meta` does not."""
    for imported in tree.find_all(nodes.Import):
        yield imported.target
    for chosen in tree.find_all(nodes.FromImport):
        yield from (name if isinstance(name, str) else name[1] for name in chosen.names)
    for macro in tree.find_all(nodes.Macro):
        yield macro.name
    for name in tree.find_all(nodes.Name):
        if name.ctx == "store":
            yield name.name


def _in_words(error: Exception) -> str:
    """Return an error as a sentence."""
    if isinstance(error, jinja2.TemplateNotFound):
        return f"there is no template {error.name!r}"
    return str(error)


def _line(error: Exception, file: Path) -> int:
    """Return the line of a template that an error came out of, 1 if nobody knows."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if Path(frame.filename).name == file.name]
    return next((line for line in reversed(lines) if line), 1)
