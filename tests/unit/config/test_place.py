from __future__ import annotations

import pytest

from syncd.config.place import dotted, quoted


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (("web", "listen"), "web.listen"),
        (
            ("platforms", "github", "credentials", 0, "token"),
            "platforms.github.credentials[0].token",
        ),
        (("jobs", "a b"), 'jobs."a b"'),
        (("jobs", "evil\n\x1b[2J"), 'jobs."evil\\n\\u001b[2J"'),
        ((), ""),
    ],
)
def test_a_path_is_written_with_dots(path: tuple[str | int, ...], text: str) -> None:
    assert dotted(path) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Ada", '"Ada"'),
        ("Zoë", '"Zoë"'),
        ('"\n', '"\\"\\n"'),
        ("a\u202eb", '"a\\u202eb"'),
        ("x" * 100, '"' + "x" * 57 + '..."'),
    ],
)
def test_foreign_text_is_quoted_escaped_and_cut(text: str, shown: str) -> None:
    assert quoted(text) == shown
