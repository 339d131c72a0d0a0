"""What comes from outside, fit to be written to a person: one line, readable, no trick in it."""

from __future__ import annotations

import unicodedata
from urllib.parse import urlsplit

LONGEST_NAME = 200
LONGEST_URL = 2_000

_LOOKED_AT = 4_096
_MOST_MARKS = 3
# Of the characters nobody sees these two join letters in Persian, Indic scripts and emoji.
_JOINERS = frozenset("\u200c\u200d")
# Letters and symbols that are drawn as nothing.
_BLANKS = frozenset("\u115f\u1160\u2800\u3164\uffa0")
_NOT_IN_URLS = frozenset("\"'<>\\^`{|}")


def cleaned(name: str, limit: int = LONGEST_NAME) -> str:
    """Return a name as one line of at most `limit` characters, all of which can be seen.

    Line feeds and other blanks become a space; control characters, those that change the direction
    of text and those without width are left out, half characters are replaced. Longer ones end
    in `…`. Cleaning twice changes nothing more.
    """
    kept: list[str] = []
    marks = 0
    for letter in unicodedata.normalize("NFC", _whole(name[:_LOOKED_AT])):
        category = unicodedata.category(letter)
        if category.startswith("Z") or letter in _BLANKS or letter in "\t\n\v\f\r\x1c\x1d\x1e\x85":
            letter = " "  # noqa: PLW2901 - what it stands for
        elif category in {"Cc", "Cf", "Cs"} and letter not in _JOINERS:
            continue
        marks = marks + 1 if category in {"Mn", "Me"} else 0
        if marks <= _MOST_MARKS and not _is_loose(letter, kept):
            kept.append(letter)
    text = " ".join("".join(kept).split(" ")).strip()
    text = " ".join(text.split()).strip("\u200c\u200d ")
    is_cut = len(text) > limit or len(name) > _LOOKED_AT
    return text[: limit - 1].rstrip(" \u200c\u200d") + "…" if is_cut else text


def safe_url(url: str) -> str:
    """Return an address that a link may lead to, http or https; nothing of any other."""
    is_plain = url.isascii() and url.isprintable() and not _NOT_IN_URLS & {*url} and " " not in url
    if not is_plain or len(url) > LONGEST_URL:
        return ""
    try:
        parts = urlsplit(url)
        is_link = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return ""
    return url if is_link and parts.username is None else ""


def _whole(text: str) -> str:
    """Replace what no encoding can hold: halves of characters, and what is no character."""
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return "".join("\ufffd" if ord(letter) & 0xFFFE == 0xFFFE else letter for letter in whole)


def _is_loose(letter: str, before: list[str]) -> bool:
    """Tell whether a joiner joins nothing: after ASCII, a blank or another one."""
    return letter in _JOINERS and (not before or before[-1].isascii() or before[-1] in _JOINERS)
