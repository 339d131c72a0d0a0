"""AtCoder's page of contests, laid out as the one that was recorded in 2021."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta, timezone
from html import escape

from syncd.sandbox.answer import Answer
from syncd.sandbox.calendar import Calendar, Event
from syncd.sandbox.service import page

RECENT = 50
JAPAN = timezone(timedelta(hours=9))

PAGE = """<!DOCTYPE html>
<html>
<head>
	<title>{title} - AtCoder</title>
	<meta http-equiv="Content-Type" content="text/html; charset=utf-8">
	<meta http-equiv="Content-Language" content="{language}">
</head>
<body>
<nav class="navbar"><a class="navbar-brand" href="/home"></a><a href="/login">Sign In</a></nav>
<div id="main-container" class="container"><div id="contest-list-wrapper">
{tables}</div></div>
</body>
</html>
"""
TABLE = """<div id="contest-table-{id}">
	<h3>{heading}</h3>
	<div class="panel panel-default"><div class="table-responsive">
	<table class="table table-default table-striped table-bordered small">
		<thead><tr>{head}</tr></thead>
		<tbody>
{rows}		</tbody>
	</table>
	</div></div>
</div>
"""
HEAD = '<th width="18%" class="text-center">Start Time<small> </small></th><th>Contest Name</th>'
ROW = """			<tr>
				<td class="text-center"><a href='http://www.timeanddate.com/worldclock/fixedtime.html?iso={short}&p1=248' target='blank'><time class='fixtime fixtime-full'>{start}</time></a></td>
				<td >
					<span class="user-blue">◉</span>
					<a href="/contests/{id}">{name}</a>
				</td>
				<td class="text-center">{hours:02}:{minutes:02}</td>
				<td class="text-center">{rated}</td>
			</tr>
"""  # noqa: E501 - as it was recorded
ALWAYS_OPEN = """			<tr>
				<td><a href="/contests/practice">practice contest</a></td>
				<td class="text-center">-</td>
			</tr>
"""


def contests_page(calendar: Calendar, language: str) -> Answer:
    """Return the page; a table that would be empty is not there."""
    tables = [
        _table("action", "Active Contests", calendar.running()),
        TABLE.format(id="permanent", heading="Permanent Contests", head="", rows=ALWAYS_OPEN),
        _table("upcoming", "Upcoming Contests", calendar.to_come()),
        _table("recent", "Recent Contests", calendar.over()[:RECENT]),
    ]
    title = "Contests" if language == "en" else "現在のコンテスト"
    return page(PAGE.format(title=title, language=language, tables="".join(tables)))


def listed_on_page(calendar: Calendar) -> Sequence[Event]:
    """Return what the page tells the start of."""
    return [*calendar.running(), *calendar.to_come(), *calendar.over()[:RECENT]]


def _table(name: str, heading: str, events: Sequence[Event]) -> str:
    if not events:
        return ""
    rows = "".join(map(_row, events))
    return TABLE.format(id=name, heading=heading, head=HEAD, rows=rows)


def _written(text: str) -> str:
    """Return text as a page holds it: what none can (NUL, a lone surrogate) by its number."""
    return escape(text).replace("\0", "&#0;").encode("utf-8", "xmlcharrefreplace").decode()


def _row(event: Event) -> str:
    assert event.starts_at is not None, "what has no start is not listed"
    start, (hours, rest) = event.starts_at.astimezone(JAPAN), divmod(event.seconds, 3_600)
    return ROW.format(
        short=f"{start:%Y%m%dT%H%M}",
        start=f"{start:%Y-%m-%d %H:%M:%S%z}",
        id=event.id,
        name=_written(event.name),
        hours=hours,
        minutes=rest // 60,
        rated=event.kind or "-",
    )
