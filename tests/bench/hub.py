"""A light GitHub for measuring: the stand-in's own answers, made beforehand, sent after a while.

    python tests/bench/hub.py USERS SEED LATENCY_MS

The stand-in of `syncd.sandbox` works out each answer and costs as much CPU as the caller that is
measured, so on a small machine it would be the limit of whoever is fast. This one looks them up.
Headers are those of an answer of the stand-in, bodies its documents, and each user has an ETag.
Prints its base URL in one line as soon as it serves.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
from typing import cast

import aiohttp

from syncd.sandbox.github import GitHubStandIn
from syncd.sandbox.population import Population
from syncd.sandbox.server import serve

# What differs from user to user, and what the stand-in's server adds for itself.
OWN_HEADERS = {"etag", "last-modified", "content-length", "content-type"}
NOBODY = b"HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


class Answers:
    """Every user's answer, whole and as a 304, by both of the paths it is asked by."""

    def __init__(self, population: Population, headers: str) -> None:
        self.by_path: dict[bytes, tuple[bytes, bytes, bytes]] = {}
        for index in range(len(population)):
            document = population.document(index)
            text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
            body = text.encode("utf-8", "backslashreplace")
            etag = f'W/"{hashlib.sha256(body).hexdigest()}"'
            common = f"{headers}ETag: {etag}\r\n"
            head = f"Content-Type: application/json; charset=utf-8\r\nContent-Length: {len(body)}"
            whole = f"HTTP/1.1 200 OK\r\n{common}{head}\r\n\r\n".encode() + body
            same = f"HTTP/1.1 304 Not Modified\r\n{common}\r\n".encode()
            for path in (f"/users/{document['login']}", f"/user/{document['id']}"):
                self.by_path[path.encode()] = (whole, same, etag.encode())

    def to(self, request: bytes) -> bytes:
        """Return the answer to a request."""
        path = request[4 : request.index(b" ", 4)]
        if path not in self.by_path:
            return NOBODY
        whole, same, etag = self.by_path[path]
        return same if etag in request else whole


class Connection(asyncio.Protocol):
    """One caller, who asks for one thing after the other."""

    def __init__(self, answers: Answers, latency_seconds: float) -> None:
        self._answers = answers
        self._latency_seconds = latency_seconds
        self._received = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        if self._received.endswith(b"\r\n\r\n"):
            answer, self._received = self._answers.to(self._received), b""
            asyncio.get_running_loop().call_later(self._latency_seconds, self._send, answer)

    def _send(self, answer: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(answer)


async def record_headers(population: Population) -> str:
    """Return the headers that the stand-in sends with every profile."""
    headers = {"Authorization": "Bearer bench", "User-Agent": "bench"}
    async with serve(GitHubStandIn(population, scale=1_000_000)) as base_url:
        url = f"{base_url}/users/{population.login(0)}"
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.get(url) as response,
        ):
            kept = [item for item in response.headers.items() if item[0].lower() not in OWN_HEADERS]
    return "".join(f"{name}: {value}\r\n" for name, value in kept)


async def main(users: int, seed: int, latency_ms: float) -> None:
    population = Population(seed, users)
    answers = Answers(population, await record_headers(population))
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(answers, latency_ms / 1000), "127.0.0.1", 0, backlog=1024
    )
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    try:
        from uvloop import run
    except ImportError:
        run = asyncio.run  # type: ignore[assignment]
    run(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
