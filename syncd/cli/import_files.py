"""Files that are imported as a whole or not at all: read here, checked by the daemon."""

from __future__ import annotations

import sys
from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import click

from syncd.cli.base import Command, Exit
from syncd.cli.console import Console
from syncd.cli.reach import connect
from syncd.cli.words import counted
from syncd.errors import BadInput
from syncd.web.client import Json, api_path

_LARGEST = 10_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class FileImport(Command):
    """A command that sends a file to `/api/SUBJECT/import` and says what came of it."""

    subject: ClassVar[str]
    parameters = (
        click.Argument(["file"]),
        click.Option(["--dry-run"], is_flag=True, help="Only say what would change."),
        click.Option(
            ["--format", "layout"],
            type=click.Choice(["csv", "json"]),
            help="What the file is; else its name tells.",
        ),
    )
    file: str
    dry_run: bool
    layout: str | None

    @abstractmethod
    def in_words(self, answer: Json) -> str:
        """Write what was imported in one line."""

    def run(self, console: Console) -> Exit:
        """Send the file to the daemon."""
        raw = self._read()
        try:
            answer = self._send(console, _text(raw))
        except BadInput as error:
            self._refuse(console, error)
            return Exit.PROBLEMS
        if console.is_json:
            console.show_json(answer)
        else:
            console.show(self.in_words(answer))
        return self._tell_refused(console, answer)

    def _tell_refused(self, console: Console, answer: Json) -> Exit:
        """Say what was left out while the rest was taken."""
        if not answer.get("refused"):
            return Exit.OK
        console.say(*(f"refused  {problem}" for problem in answer["problems"]))
        would = "would be " if answer["dry_run"] else ""
        console.say(
            f"{counted(answer['refused'], 'line')} {would}left out, all others {would}taken",
            "  hint: mend these lines and import the file again; what was taken stays the same",
        )
        return Exit.PROBLEMS

    def _refuse(self, console: Console, error: BadInput) -> None:
        problems = list(error.problems)
        if console.is_json:
            told = {"dry_run": self.dry_run, "problems": problems, "hint": error.hint or ""}
            console.show_json(told)
        console.say(*(f"refused  {problem}" for problem in problems))
        console.say(f"nothing was imported: {counted(len(problems), 'problem')}")
        if error.hint:
            console.say(f"  hint: {error.hint}")

    def _send(self, console: Console, text: str) -> Json:
        layout = self.layout or ("json" if _is_json(self.file, text) else "csv")
        body = {"format": layout, "content": text, "dry_run": self.dry_run}
        return connect(console).post(api_path(self.subject, "import"), body)

    def _read(self) -> bytes:
        if self.file == "-":
            return sys.stdin.buffer.read(_LARGEST + 1)
        try:
            with Path(self.file).open("rb") as file:
                return file.read(_LARGEST + 1)
        except OSError as error:
            raise BadInput(f"cannot read {self.file}: {error.strerror}") from error


def _text(raw: bytes) -> str:
    if len(raw) > _LARGEST:
        raise BadInput("the file is larger than 10 MB: import it in parts")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        # `from None`: the library's error holds the whole file, which may be tokens.
        raise BadInput(f"line {line}: is not UTF-8 text") from None


def _is_json(file: str, text: str) -> bool:
    """Tell by the name, or by how the text begins where the name says nothing."""
    suffix = Path(file).suffix.lower()
    if suffix in {".json", ".jsonl", ".ndjson"}:
        return True
    return suffix != ".csv" and text.lstrip()[:1] in {"{", "["}
