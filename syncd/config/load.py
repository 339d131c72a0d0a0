"""Load config.toml: a `Config` that is right as a whole, or everything that is wrong with it."""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from syncd.config.build import Builder, PluginFolders
from syncd.config.interpolation import expand_table
from syncd.config.lines import Lines
from syncd.config.models import Config
from syncd.config.place import Problem, dotted
from syncd.config.rules import RULES, Check
from syncd.config.secret import open_secrets, read_secret_files
from syncd.config.source import Source, read_source, too_deep
from syncd.errors import ConfigError


def load(
    path: Path,
    environ: Mapping[str, str],
    checks: Sequence[Check] = (),
    folders: PluginFolders | None = None,
) -> Config:
    """Load a config file.

    Args:
        path: the file; messages show it as it is given here.
        environ: the environment; `.env` beside the file fills it up.
        checks: further rules, of packages that know more than this one. They see a config in which
            each value that is wrong has its default.
        folders: where plug-ins are found, ours by default.

    Raises:
        ConfigError: every problem at once, `FILE:LINE: path.to.key: what is wrong`, in the order
            of the lines.
    """
    _require_zones()
    try:
        return _load(read_source(path, environ), checks, folders or PluginFolders())
    except RecursionError:
        raise too_deep(path) from None


def _load(source: Source, checks: Sequence[Check], folders: PluginFolders) -> Config:
    document, problems = expand_table(source.document, source.environ)
    problems += read_secret_files(document, source.folder, source.environ)
    builder = Builder(source, document, folders)
    config = builder.build()
    problems += _elsewhere(builder.problems, problems)
    found = [problem for check in (*RULES, *checks) for problem in check(config)]
    problems += _elsewhere(found, problems)
    problems += open_secrets(source.document, source.path)
    if problems:
        raise ConfigError(*_sentences(source, problems))
    return config


def _require_zones() -> None:
    """Refuse a machine without time zones, where not even UTC can be found."""
    try:
        zoneinfo.ZoneInfo("UTC")
    except zoneinfo.ZoneInfoNotFoundError as error:
        raise ConfigError(
            "this machine has no time zone data",
            hint="install the package tzdata, Debian's or Python's",
        ) from error


def _elsewhere(later: Iterable[Problem], earlier: Iterable[Problem]) -> list[Problem]:
    """Leave out what only follows from a problem that is reported already."""
    reported = {problem.path for problem in earlier}
    return [problem for problem in later if problem.path not in reported]


def _sentences(source: Source, problems: Sequence[Problem]) -> list[str]:
    lines = Lines(source.text)
    placed = [(lines.line_of(problem.path), problem) for problem in problems]
    placed.sort(key=lambda place: place[0])
    sentences = [
        f"{source.path}:{line}: {dotted(problem.path)}: {problem.message}"
        for line, problem in placed
    ]
    return list(dict.fromkeys(sentences))
