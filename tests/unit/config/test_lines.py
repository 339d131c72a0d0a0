from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.config.lines import Lines

Path = tuple[str | int, ...]
Placed = tuple[str, list[tuple[Path, int]]]
"""A piece of TOML, and the paths in it with their lines counted from its first line, 0."""

SCALARS = [
    "1",
    "-1.5e3",
    "true",
    "1979-05-27 07:32:00",
    '""',
    "''",
    '"a # ] } , = \\" \\\\"',
    "'lit # ] \\'",
    '"""one"""',
    '""""quoted" """',
    '"""ends in two"""""',
    '"""\n[not.a.table]\nkey = 1 # no\n\\""" still"""',
    "'''\nraw \\\n''[[x]]\n'''",
    '"""\\\n   folded"""',
    "''''''",
]
KEYS = [("{}", "{}"), ('"{} . # ]"', "{} . # ]"), ("'{}=['", "{}=["), ('"{}\\u00e9"', "{}é")]


@st.composite
def keys(draw: st.DrawFn, name: str) -> tuple[str, str]:
    text, key = draw(st.sampled_from(KEYS))
    return text.format(name), key.format(name)


@st.composite
def values(draw: st.DrawFn, depth: int = 2) -> Placed:
    shape = draw(st.sampled_from(["scalar", "list", "table"] if depth else ["scalar"]))
    if shape == "scalar":
        return draw(st.sampled_from(SCALARS)), []
    count = draw(st.integers(0, 3))
    if shape == "list":
        return draw(lists(count, depth - 1))
    text, places = "{", []
    for index in range(count):
        text += ", " if index else " "
        pair, inside = draw(pairs(f"i{index}", depth - 1))
        places += [(path, line + text.count("\n")) for path, line in inside]
        text += pair
    return text + " }", places


@st.composite
def lists(draw: st.DrawFn, count: int, depth: int) -> Placed:
    gaps = st.sampled_from(["", " ", "\n", " # no ] here\n  ", "\n\n# [x]\n"])
    text, places = "[" + draw(gaps), []
    for index in range(count):
        value, inside = draw(values(depth))
        line = text.count("\n")
        places += [((index,), line)]
        places += [((index, *path), line + offset) for path, offset in inside]
        is_last = index == count - 1
        comma = "" if is_last and draw(st.booleans()) else ","
        text += value + draw(gaps) + comma + draw(gaps)
    return text + "]", places


@st.composite
def pairs(draw: st.DrawFn, name: str, depth: int = 2) -> Placed:
    text, key = draw(keys(name))
    path: Path = (key,)
    places = [(path, 0)]
    if draw(st.booleans()):
        text += draw(st.sampled_from([".", " . "])) + "sub"
        path = (key, "sub")
        places.append((path, 0))
    value, inside = draw(values(depth))
    places += [((*path, *below), line) for below, line in inside]
    return text + draw(st.sampled_from(["=", " = ", "\t=\t"])) + value, places


@st.composite
def documents(draw: st.DrawFn) -> tuple[str, dict[Path, int]]:
    ends = st.sampled_from(["\n", " # comment [x]\n", "\n\n", "\n# key = 1\n", "\n  "])
    text, known, entries = draw(st.sampled_from(["", "\n", "# first\n"])), {}, {}
    for index, kind in enumerate(
        draw(st.lists(st.sampled_from(["", "t", "a", "a", "n"]), max_size=5))
    ):
        path: Path = ()
        if kind == "" and index:
            continue
        if kind == "a":
            entries["a"] = entries.get("a", -1) + 1
            path = ("a", entries["a"])
            text, line = text + "[[ a ]]", text.count("\n") + 1
        elif kind == "n" and "a" in entries:
            path = ("a", entries["a"], f"n{index}", "deep")
            text, line = text + f"[a.'n{index}'.deep]", text.count("\n") + 1
        elif kind:
            header, key = draw(keys(f"t{index}"))
            path = (key,)
            text, line = text + f"[{header}]", text.count("\n") + 1
        if path:
            known[path] = line
            text += draw(ends)
        for number in range(draw(st.integers(0, 3))):
            pair, places = draw(pairs(f"k{index}_{number}"))
            line = text.count("\n") + 1
            known |= {(*path, *below): line + offset for below, offset in places}
            text += pair + draw(ends)
    return text, known


@settings(max_examples=50)
@given(documents())
def test_every_key_table_and_entry_is_found_on_its_line(
    document: tuple[str, dict[Path, int]],
) -> None:
    text, known = document
    tomllib.loads(text)

    lines = Lines(text)

    assert {path: lines.line_of(path) for path in known} == known


@settings(max_examples=50)
@given(documents())
def test_every_path_that_tomllib_sees_has_a_line_of_its_own(
    document: tuple[str, dict[Path, int]],
) -> None:
    text, _ = document
    lines = Lines(f"\n{text}")

    assert all(lines.line_of(path) > 1 for path in paths(tomllib.loads(text)))


def paths(value: Any, path: Path = ()) -> list[Path]:
    if isinstance(value, dict):
        below = [paths(entry, (*path, key)) for key, entry in value.items()]
    elif isinstance(value, list):
        below = [paths(entry, (*path, index)) for index, entry in enumerate(value)]
    else:
        below = []
    return [path] * bool(path) + [one for found in below for one in found]


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("jobs", "x", "nothing"), 2),
        (("jobs", "x", "schedule", 5), 4),
        (("nowhere",), 1),
        ((), 1),
    ],
)
def test_what_is_not_there_has_the_line_of_the_nearest_thing_around_it(
    path: Path, line: int
) -> None:
    lines = Lines('# top\n[jobs.x]\n\nschedule = "0 0 * * *"\n')

    assert lines.line_of(path) == line


def test_a_table_that_was_implied_before_has_the_line_of_its_own_header() -> None:
    lines = Lines("[jobs.x]\n[jobs]\n[jobs.y]\n")

    assert [lines.line_of(path) for path in [("jobs",), ("jobs", "x"), ("jobs", "y")]] == [2, 1, 3]
