"""The HTML of a mail in a real browser: what is foreign in it is text and runs nowhere."""

from __future__ import annotations

import asyncio
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from fakes.browser import BROWSER, opened, pictured
from fakes.clock import FakeClock
from fakes.messages import LINK, POISON, message, notice

from syncd.channels.cleaning import cleaned
from syncd.channels.email import Email, EmailSettings
from syncd.model.contest import Occasion
from syncd.model.notification import Message
from syncd.sandbox.smtp import MailSink, serve_mail
from syncd.telemetry.bus import Bus

pytestmark = pytest.mark.needs_tool(BROWSER)

RUNS = "<p>still</p><script>document.querySelector('p').textContent = 'ran'</script>"
ATTACKS = [
    "<script>document.title = 'ran'; document.body.textContent = 'ran'</script>",
    "<img src=x onerror=\"document.title = 'ran'\">",
    "<svg onload=\"document.title = 'ran'\">",
    "</bdi></h1></title></style><script>document.title = 'ran'</script>",
    "\"><a href=\"javascript:document.title='ran'\">click</a>",
    "<iframe srcdoc=\"<script>parent.document.title = 'ran'</script>\"></iframe>",
    "<!--", "]]>", "&lt;script&gt;", "{{ 7 * 7 }}",
]  # fmt: skip


async def received(given: Message, folder: Path) -> Path:
    """Send a mail, and write down the HTML that arrived."""
    sink = MailSink()
    async with serve_mail(sink) as port:
        settings = EmailSettings(
            host="127.0.0.1", port=port, security="none", sender="syncd <notify@example.org>"
        )
        async with Email("email", settings, clock=FakeClock(), bus=Bus()) as email:
            await email.send(given)
    read: Any = message_from_bytes(sink.mails[0].content, policy=default)
    page = folder / "mail.html"
    await asyncio.to_thread(page.write_text, read.get_body(("html",)).get_content(), "utf-8")
    return page


async def test_this_browser_runs_scripts_that_it_is_given(tmp_path: Path) -> None:
    page = tmp_path / "runs.html"
    page.write_text(RUNS)

    assert (await opened(page)).texts["p"] == ["ran"]


async def test_every_foreign_title_is_text_and_no_script_runs(tmp_path: Path) -> None:
    names = [*ATTACKS, *(name for name in POISON.values() if cleaned(name))]
    hostile = [notice(name, url="javascript:document.title='ran'") for name in names]
    given = message(occasion=Occasion.DIGEST, contests=hostile)

    dom = await opened(await received(given, tmp_path))

    assert dom.texts["title"] == ["Newly announced contests"]
    assert dom.texts["bdi"] == [cleaned(name) for name in names]
    assert {"script", "img", "svg", "iframe", "form", "object"} & set(dom.tags) == set()
    assert dom.links == [LINK]


@pytest.mark.parametrize("occasion", [Occasion.REMINDER, Occasion.MOVED])
async def test_a_title_in_heading_and_head_is_text_and_links_lead_to_the_web(
    tmp_path: Path, occasion: Occasion
) -> None:
    attack = ATTACKS[3]

    dom = await opened(
        await received(message(occasion=occasion, contests=[notice(attack)]), tmp_path)
    )

    assert dom.texts["bdi"] == [attack]
    assert attack in "".join(dom.texts["title"])
    assert "script" not in dom.tags
    assert all(link.startswith("https://") for link in dom.links)
    assert len(dom.links) == 2


async def test_a_mail_can_be_seen(tmp_path: Path) -> None:
    blank = tmp_path / "blank.html"
    blank.write_text("<!DOCTYPE html><title>blank</title>")

    nothing = await pictured(blank)
    mail = await pictured(await received(message(), tmp_path))

    assert mail.startswith(b"\x89PNG")
    assert len(mail) > 2 * len(nothing)
