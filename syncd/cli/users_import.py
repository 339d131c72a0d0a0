"""`syncd users import`: tell syncd about users."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from syncd.cli.import_files import FileImport
from syncd.cli.words import counted
from syncd.web.client import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class UsersImport(FileImport):
    """Create or update the users of a file.

    CSV with the columns key, one per platform, opted_out, last_login_at and notify; or JSON, one
    object a line. One line that is wrong keeps everything out (exit code 4); one whose notify is
    wrong only itself (exit code 4 as well). FILE - is standard input.
    """

    subject: ClassVar[str] = "users"

    def in_words(self, answer: Json) -> str:
        """Write who came, who changed, and what was linked."""
        would = "would be " if answer["dry_run"] else ""
        return (
            f"{counted(answer['users'], 'user')}: {answer['created']:,} {would}created, "
            f"{answer['changed']:,} changed, {answer['same']:,} same; "
            f"{counted(answer['linked'], 'account')} linked, {answer['unlinked']:,} unlinked"
        )
