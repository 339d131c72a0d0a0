"""Fault 67 and S35: titles that a contest should not have, from a platform to everybody's eyes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import unicodedata
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from html.parser import HTMLParser
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope
from fakes.daemon_config import free_port
from fakes.mailboxes import CHANNELS, Mailboxes
from fakes.messages import POISON
from fakes.platform_worlds import STANDINS
from fakes.post_office import JOBS, NAMELESS, PostOffice, PostOffices
from fakes.waiting import until

from syncd.channels.cleaning import cleaned
from syncd.sandbox.server import serve
from syncd.sandbox.smtp import Mail

pytestmark = pytest.mark.timeout(120)

GOOD = "Grüße an 日本"
NAMES = {**POISON, "good": GOOD}
HEADERS = {
    *("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version"),
    *("Content-Type", "X-Peer", "X-MailFrom", "X-RcptTo"),
}
LONGEST_LINE = 300
LONGEST_STORED = 500


class PostBox:
    """What aiosmtpd asks: it takes everything, and keeps it where the sink does."""

    def __init__(self, boxes: Mailboxes) -> None:
        self._boxes = boxes

    async def handle_DATA(self, _: Any, session: Any, envelope: Envelope) -> str:  # noqa: N802
        assert envelope.mail_from is not None
        assert isinstance(envelope.content, bytes)
        mail = Mail(
            sender=envelope.mail_from,
            recipients=tuple(envelope.rcpt_tos),
            content=envelope.content,
            connection=1,
            is_encrypted=session.ssl is not None,
        )
        self._boxes.sink.mails.append(mail)
        return "250 2.0.0 Ok"


@contextlib.asynccontextmanager
async def aiosmtpd_for(boxes: Mailboxes) -> AsyncIterator[int]:
    """Let a mail server that is not ours take the mail; yields its port."""
    controller = Controller(PostBox(boxes), hostname="127.0.0.1", port=free_port())
    await asyncio.to_thread(controller.start)
    try:
        yield controller.port
    finally:
        await asyncio.to_thread(controller.stop)


@contextlib.asynccontextmanager
async def announced(post_office: PostOffices) -> AsyncIterator[PostOffice]:
    """Let a platform announce every one of them, and have everybody told of them."""
    boxes = Mailboxes()
    standin: Any = STANDINS["codeforces"].make(7, 3, scale=100)
    async with serve(standin) as url, aiosmtpd_for(boxes) as port:
        tables = {
            "channels.email": {"port": port, "username": "", "password": ""},
            "platforms.codeforces": {
                **standin.addresses(url),
                "allow_private": True,
                "rate": "100/s",
            },
            "jobs.contests": {"kind": "contests", "platforms": ["codeforces"]},
            f"jobs.{JOBS[0]}": {"kind": "notify", "after": ["contests"]},
        }
        start = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=3)
        standin.calendar.record([[
            {"id": str(number), "name": name, "starts_at": start.isoformat(), "seconds": 7_200}
            for number, name in enumerate(NAMES.values(), 1)
        ]])  # fmt: skip
        async with post_office(tables, boxes=boxes) as office:
            yield office


async def told(office: PostOffice) -> dict[str, Any]:
    """Sync the contests, and return how the run ended that tells of them."""
    run = await office.daemon.finished(await office.daemon.trigger_job("contests"))
    assert (run["outcome"], run["created"], run["failed"]) == ("succeeded", len(NAMES), 0), run

    async def follows() -> Any:
        runs = await office.daemon.get(f"/api/runs?job={JOBS[0]}")
        return next((run for run in runs["runs"] if run["finished_at"]), None)

    return dict(await until(follows, what="the run that tells"))


async def test_a_poisoned_title_is_cleaned_and_arrives_everywhere(
    post_office: PostOffices,
) -> None:
    async with announced(post_office) as office:
        await office.person("ada")
        run = await told(office)
        history = await office.daemon.api("GET", "/api/users/ada/notifications?limit=1000")
        why = await office.daemon.get("/api/users/ada/why")
        listed = await office.daemon.command("outbox", "list", "--state", "all", "--limit", "999")
        boxes, mails = office.boxes, office.boxes.mails("ada")
        stored = {row["contest_name"] for row in await office.rows()}
        boxes.names += [cleaned(name) or NAMELESS for name in stored]
        # A row for every user and channel: ten kilobytes in each would be a flood of another kind.
        assert max(map(len, stored)) <= LONGEST_STORED
        states = {name: await office.states(name) for name in CHANNELS}

        wanted = len(NAMES) * len(CHANNELS)
        assert (run["outcome"], run["created"]) == ("succeeded", wanted), run
        assert all(set(each.values()) == {"sent"} for each in states.values())
        assert len(mails) == len(NAMES)
        for mail in mails:
            check_mail(mail)
        for text in shown(boxes):
            check_text(text)
        told_of = {text for text in titles(boxes) if "Grüße" in text}
        assert any(text.startswith(GOOD) for text in told_of)
        rows = history.body["notifications"]
        assert len(rows) == wanted
        for text in strings([rows, why]):
            check_text(text)
        assert len(listed.out.splitlines()) == wanted + 1
        check_text(listed.out)
        for line in office.daemon.lines:
            for text in strings(line):
                check_text(text)
        assert office.daemon.noise == []


def check_mail(mail: EmailMessage) -> None:
    """One mail to one person, whose head holds only what belongs there, without a script in it."""
    assert mail.defects == []
    assert {name.title() for name in mail} <= {name.title() for name in HEADERS}, mail.keys()
    assert len(set(mail)) == len(mail.keys())
    assert mail["To"].addresses[0].addr_spec == "ada@example.org"
    assert len(mail["To"].addresses) == 1
    check_text(str(mail["Subject"]), lines=1)
    parts = {part.get_content_subtype(): part for part in mail.iter_parts()}
    assert parts.keys() == {"plain", "html"}
    for part in parts.values():
        assert part.defects == []
        check_text(part.get_content())
    tags = Tags()
    tags.feed(parts["html"].get_content())
    assert not tags.seen & {"script", "img", "iframe", "object", "b"}, tags.seen
    assert not [link for link in tags.links if not link.startswith(("http://", "https://"))]


class Tags(HTMLParser):
    """Notes what a browser would find in a mail."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.links += [value or "" for name, value in attrs if name in {"href", "src"}]
        assert not [name for name, _ in attrs if name.startswith("on")], attrs


def titles(boxes: Mailboxes) -> Iterator[str]:
    """Return every line that a phone or a browser shows in large letters."""
    yield from (str(mail["Subject"]) for mail in boxes.mails("ada"))
    yield from (push.payload["title"] for push in boxes.browsers["ada"].pushes)
    for messages in boxes.ntfy.messages.values():
        yield from (message["title"] for message in messages)
    for posts in boxes.hooks.posts.values():
        yield from (post["title"] for post in posts)


def shown(boxes: Mailboxes) -> Iterator[str]:
    """Return everything that anybody is shown, but for mail."""
    for push in boxes.browsers["ada"].pushes:
        yield from strings(push.payload)
    for taken in (boxes.ntfy.messages, boxes.hooks.posts, boxes.cloud.messages):
        yield from strings(taken)
    for title in titles(boxes):
        check_text(title, lines=1)
        yield title


def strings(value: Any) -> Iterator[str]:
    """Return all texts within."""
    match value:
        case str():
            yield value
        case dict():
            for each in value.values():
                yield from strings(each)
        case list() | tuple():
            for each in value:
                yield from strings(each)
        case _:
            return


def check_text(text: str, *, lines: int | None = None) -> None:
    """A text that everybody sees as it is: no control, no direction, nothing unseen, no flood."""
    for letter in text.replace("\r\n", "\n").replace("\n", ""):
        odd = unicodedata.category(letter) in {"Cc", "Cf", "Cs", "Zl", "Zp"}
        assert not odd, f"{letter!r} in {json.dumps(text[:200])}"
    assert "\ufffe" not in text
    assert lines is None or len(text.splitlines()) <= lines
    assert "x" * LONGEST_LINE not in text
