"""What can name a user, a job or a platform."""

from __future__ import annotations

NAME_LENGTH = 128
NAME_RULE = f"1 to {NAME_LENGTH} printable characters, no slash, no space around it"


def is_name(text: str) -> bool:
    """Tell whether `text` can name a user, a job or a platform."""
    is_plain = text.isprintable() and "/" not in text and text == text.strip()
    return is_plain and 1 <= len(text) <= NAME_LENGTH
