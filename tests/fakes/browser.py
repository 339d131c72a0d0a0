"""A real browser without a window, which opens a page from disk and says what became of it."""

from __future__ import annotations

import asyncio
from html.parser import HTMLParser
from pathlib import Path

BROWSER = "chromium-headless-shell"
_SECONDS = 90.0
# It finds no other machine, whatever a page or the browser itself would ask.
_OPTIONS = (
    *("--no-sandbox", "--disable-gpu", "--window-size=640,900"),
    *("--disable-background-networking", "--host-resolver-rules=MAP * ~NOTFOUND"),
)
_WITHOUT_TAIL = ("meta", "link", "img", "br", "hr", "input")


class Dom(HTMLParser):
    """What a page came to: tags, links, and the text of each tag by its name."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.texts: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in {"href", "src", "action"}]
        if tag not in _WITHOUT_TAIL:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self._open:
            del self._open[len(self._open) - 1 - self._open[::-1].index(tag) :]

    def handle_data(self, data: str) -> None:
        if self._open:
            self.texts.setdefault(self._open[-1], []).append(data)


async def opened(page: Path) -> Dom:
    """Open a page, let it do what it wants, and return what it came to."""
    return Dom((await _run("--dump-dom", page)).decode())


async def pictured(page: Path) -> bytes:
    """Open a page and return a picture of it, as PNG."""
    target = page.with_suffix(".png")
    await _run(f"--screenshot={target}", page)
    return target.read_bytes()


async def _run(what: str, page: Path) -> bytes:
    options = (*_OPTIONS, f"--user-data-dir={page}.d")
    process = await asyncio.create_subprocess_exec(
        *(BROWSER, *options, what, page.as_uri()),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(_SECONDS):
            output, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    assert process.returncode == 0, f"{BROWSER} ended with {process.returncode}"
    return output
