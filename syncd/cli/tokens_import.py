"""`syncd tokens import`: hand over the grants of users, a whole file or nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from syncd.cli.import_files import FileImport
from syncd.cli.words import counted
from syncd.web.client import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class TokensImport(FileImport):
    """Take the grants of a file.

    CSV with the columns key, refresh_token and granted_at, and perhaps platform (spotify), handle,
    access_token, access_expires_at and scopes; or JSON with these keys, one object a line.
    granted_at is when the user consented, with its offset: from then on a grant lasts six months.
    One line that is wrong keeps everything out (exit code 4). FILE - is standard input.
    """

    subject: ClassVar[str] = "tokens"

    def in_words(self, answer: Json) -> str:
        """Write how many grants are new, how many others."""
        would = "would be " if answer["dry_run"] else ""
        return (
            f"{counted(answer['grants'], 'grant')}: {answer['created']:,} {would}created, "
            f"{answer['renewed']:,} renewed, {answer['same']:,} same"
        )
