"""Secrets that give themselves away: nothing that syncd tells or keeps may hold one (S25, O5).

Every secret of a test has `canary-` in it, in a form that is found again also behind base64 (Basic
credentials), hexadecimal digits (a dump of bytes) and percent signs. After each test its folder is
searched, with all that it wrote; what the control port answers and commands say is searched as it
comes, the session's PostgreSQL (tables, WAL and log) in the end. What a test itself puts down for
syncd to read (configuration, import files, key files) is left out by its name.
"""

from __future__ import annotations

import base64
import contextlib
import mmap
import shutil
import subprocess
from collections.abc import Generator, Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

MARK = b"canary-"

# What tests hand to syncd; whatever else lies in a folder, somebody wrote by itself.
GIVEN = (
    *("*.toml", "*.csv", "*.json", "*.jsonl", "*.ndjson", "*.txt", "*.env", "*.py", "*.pem"),
    *("*token*", "*secret*", "*password*", "*credential*", "*url*", "*key*", "*grants*"),
)
# In a state directory nothing is given, but for what opens the others.
OWN_SECRETS = frozenset({"token", "token-keys"})
STATE = "state"
_AROUND = 40
# More than this takes longer to read once for each form than to start a program.
_MUCH = 4_000_000
_FOUND_NOTHING = 1


def _inside_base64() -> Iterator[bytes]:
    """Yield how the mark looks within base64, for each place where it may begin."""
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + MARK)
        first, last = -(-shift * 8 // 6), (shift + len(MARK)) * 8 // 6
        yield encoded[first:last]


FORMS = (
    MARK,
    MARK.upper(),
    MARK.hex().encode(),
    MARK.hex().upper().encode(),
    MARK.replace(b"-", b"%2D"),
    MARK.replace(b"-", b"%2d"),
    *_inside_base64(),
)


def found_in(content: bytes | mmap.mmap) -> str | None:
    """Return the place of the first canary and what stands around it, None where there is none."""
    for form in FORMS:
        at = content.find(form)
        if at >= 0:
            return f"at {at:,}: {content[max(0, at - _AROUND) : at + _AROUND]!r}"
    return None


def refuse(place: str, told: str | bytes) -> None:
    """Fail where a canary stands in what was told."""
    found = found_in(told.encode(errors="replace") if isinstance(told, str) else told)
    assert found is None, f"O5: a secret stands in {place} {found}"


def refuse_in_files(folder: Path) -> None:
    """Fail where a canary stands in a file that nobody gave to syncd."""
    paths = sorted(folder.rglob("*"))
    if sum(map(_size, paths)) > _MUCH and _has_none(folder):
        return
    for path in paths:
        if path.is_symlink() or not path.is_file() or _is_given(path.relative_to(folder)):
            continue
        if found := _found_in_file(path):
            raise AssertionError(f"O5: a secret stands in {path} {found}")


def _has_none(folder: Path) -> bool:
    """Tell whether grep is sure that there is none; of much it reads all in one go."""
    grep = shutil.which("grep")
    if grep is None:
        return False
    patterns = [word for form in FORMS for word in (b"-e", form)]
    command = [grep, "--recursive", "--quiet", "--text", "--fixed-strings", *patterns, "--", folder]
    answer = subprocess.run(command, env={"LC_ALL": "C"}, stderr=subprocess.DEVNULL, check=False)
    return answer.returncode == _FOUND_NOTHING


def _size(path: Path) -> int:
    # Files go while we look.
    with contextlib.suppress(OSError):
        return path.lstat().st_size
    return 0


def _is_given(path: Path) -> bool:
    if STATE in path.parts[:-1]:
        return path.name in OWN_SECRETS
    return any(fnmatch(path.name, pattern) for pattern in GIVEN)


def _found_in_file(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            if not file.seek(0, 2):
                return None
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                return found_in(content)
    except (FileNotFoundError, PermissionError):
        return None


@pytest.fixture(autouse=True)
def nothing_keeps_a_canary(request: pytest.FixtureRequest) -> Iterator[None]:
    """Search the folder of a test once all that ran in it has ended."""
    names = request.fixturenames
    folder: Path | None = request.getfixturevalue("tmp_path") if "tmp_path" in names else None
    yield
    if folder is not None:
        refuse_in_files(folder)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test that said a canary on standard output, on standard error or in a log line."""
    report = yield
    if call.when == "teardown" and report.passed:
        for title, text in report.sections:
            if found := found_in(text.encode(errors="replace")):
                report.outcome = "failed"
                report.longrepr = f"O5: a secret stands in {title} of {item.nodeid} {found}"
    return report
