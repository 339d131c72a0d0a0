"""The page behind the link in every message: the one address that changes things without a token.

What a link allows stands in it, signed. Looking at it changes nothing, because mail programs and
scanners open links by themselves; a person presses the button, or their mail program asks for them
(RFC 8058: a POST whose body says One-Click).
"""

from __future__ import annotations

from html import escape
from http import HTTPStatus

from aiohttp import web

from syncd.clock import Clock
from syncd.errors import SyncdError
from syncd.telemetry.bus import Bus
from syncd.telemetry.events import ControlUsed
from syncd.web.security import WRONG_TOKENS_PER_MINUTE, PeerWindow, peer_of
from syncd.web.service import Service

UNSUBSCRIBE_PATH = "/unsubscribe"
_ACTOR = "link"
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="robots" content="noindex"><title>{title}</title></head>
<body><h1>{title}</h1><p>{text}</p>{button}</body>
</html>
"""
_BUTTON = '<form method="post"><button type="submit">Stop these messages</button></form>'


class Unsubscribe:
    """Answers `/unsubscribe`; neither a user's name nor an address stands on any page."""

    def __init__(self, service: Service, bus: Bus, clock: Clock) -> None:
        self._service = service
        self._bus = bus
        # Whoever comes without a good link must not be able to fill the logs.
        self._told = PeerWindow(clock, WRONG_TOKENS_PER_MINUTE)

    def register(self, router: web.UrlDispatcher) -> None:
        """Put the address into a router."""
        router.add_get(UNSUBSCRIBE_PATH, self._ask)
        router.add_post(UNSUBSCRIBE_PATH, self._do)

    async def _ask(self, request: web.Request) -> web.Response:
        channel = self._service.linked_channel(request.query.get("t", ""))
        if channel is None:
            return _invalid()
        text = f"You get messages about contests over this channel: {channel}."
        return _page("Stop these messages?", text, button=_BUTTON)

    async def _do(self, request: web.Request) -> web.Response:
        try:
            self._service.check_store()
            self._service.check_may_change()
            channel = await self._service.unsubscribe(request.query.get("t", ""))
        except SyncdError:
            text = "Nothing was changed. Please try again in a few minutes."
            answer = _page("Not now", text, status=HTTPStatus.SERVICE_UNAVAILABLE)
            answer.headers["Retry-After"] = "60"
        else:
            said = f"You get no more messages over this channel: {channel}."
            answer = _invalid() if channel is None else _page("Done", said)
        peer = peer_of(request)
        if answer.status == HTTPStatus.OK or self._told.allows(peer):
            self._bus.emit(
                ControlUsed(
                    actor=_ACTOR,
                    peer=peer,
                    method=request.method,
                    path=UNSUBSCRIBE_PATH,
                    status=answer.status,
                )
            )
        return answer


def _invalid() -> web.Response:
    text = "This link is not complete, or no longer valid. Open it out of the message again."
    return _page("This link does not work", text, status=HTTPStatus.NOT_FOUND)


def _page(
    title: str, text: str, *, button: str = "", status: HTTPStatus = HTTPStatus.OK
) -> web.Response:
    page = _PAGE.format(title=escape(title), text=escape(text), button=button)
    return web.Response(text=page, status=status, content_type="text/html")
