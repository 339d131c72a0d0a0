"""The recorded answers of real platforms, where the folder that holds them exists.

`SYNCD_PAYLOADS` names the folder; without it, `shared/payloads` beside the checkout. A test over
recorded files is parametrised with `load_index("github")` and says `record_property("payload",
recorded.file)` at its end (and `"lines", "no lines yet"` where nobody wrote down what it comes to);
as a plug-in (`pytest_plugins = ("fakes.payloads",)`) this module
prints how many ran.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

CHECKOUT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One recorded exchange; `path` holds the query too, percent-encoded as it was sent."""

    file: str
    method: str
    path: str
    origin: str
    status: int
    headers: Mapping[str, str]
    request: Mapping[str, str]
    provenance: str
    body: bytes

    def __str__(self) -> str:
        return self.file

    @property
    def is_live(self) -> bool:
        """Whether it proves what the service sends."""
        return self.provenance.startswith("live-recorded")

    @property
    def platform(self) -> str:
        return self.file.partition("/")[0]

    def json(self) -> Any:
        return json.loads(self.body)

    def header(self, name: str) -> str | None:
        return {key.lower(): value for key, value in self.headers.items()}.get(name.lower())


def payload_dir() -> Path:
    """Name the folder, whether it exists or not."""
    return Path(os.environ.get("SYNCD_PAYLOADS") or CHECKOUT.parent / "shared" / "payloads")


def load_index(platform: str) -> list[Recorded]:
    """Return every recorded exchange of a platform in the order of INDEX.json.

    Empty where the folder does not exist. A folder that exists and holds nothing for the platform
    is an error: tests over it would pass without having run.
    """
    found = find_all(platform)
    if not found and payload_dir().is_dir():
        raise AssertionError(f"{payload_dir()} exists but holds no recorded answer of {platform}")
    return found


def find_all(platform: str) -> list[Recorded]:
    """Return every recorded exchange of a platform of which there may be none."""
    folder = payload_dir()
    if not folder.is_dir():
        return []
    entries = json.loads((folder / "INDEX.json").read_text("utf-8"))
    return [_recorded(folder, entry) for entry in entries if _platform(entry) == platform]


def find_recorded(file: str) -> Recorded:
    """Return the recorded exchange of one file (`github/error_500.json`), or skip the test."""
    exchanges = {exchange.file: exchange for exchange in load_index(file.partition("/")[0])}
    if not exchanges:
        pytest.skip(f"no recorded answers in {payload_dir()}")
    return exchanges[file]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how many recorded answers the tests have used, per platform."""
    reports = [
        report for kind in ("passed", "failed") for report in _reports(terminalreporter, kind)
    ]
    said = [dict(report.user_properties) for report in reports]
    used = {str(each["payload"]): each.get("lines", "") for each in said if "payload" in each}
    for platform in sorted({file.partition("/")[0] for file in used}):
        ran = sum(file.startswith(f"{platform}/") for file in used)
        known = len(load_index(platform))
        remarks = {f", {used[file]}" for file in used if file.startswith(f"{platform}/")} - {", "}
        terminalreporter.write_line(
            f"recorded answers of {platform}: {ran} of {known} ran{''.join(remarks)}"
        )


def _reports(terminalreporter: pytest.TerminalReporter, kind: str) -> list[Any]:
    return [report for report in terminalreporter.getreports(kind) if report.when == "call"]


def _platform(entry: Mapping[str, Any]) -> str:
    return str(entry["file"]).partition("/")[0]


def _recorded(folder: Path, entry: Mapping[str, Any]) -> Recorded:
    url = urlsplit(entry["url"])
    return Recorded(
        file=entry["file"],
        method=entry["method"],
        path=f"{url.path}?{url.query}" if url.query else url.path,
        origin=f"{url.scheme}://{url.netloc}",
        status=entry["status"],
        headers=entry.get("headers") or {},
        request=entry.get("request") or {},
        provenance=entry["provenance"],
        body=(folder / entry["file"]).read_bytes(),
    )
