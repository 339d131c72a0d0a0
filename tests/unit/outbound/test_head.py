from __future__ import annotations

import pytest

from syncd.outbound.head import read_plain

BODY = b'{"id": 1}'
LENGTH = b"Content-Length: 9"


def answer(*lines: bytes, status: bytes = b"HTTP/1.1 200 OK", body: bytes = BODY) -> bytes:
    return b"\r\n".join((status, *lines)) + b"\r\n\r\n" + body


def test_a_plain_answer_is_read_whole_and_its_headers_ignore_case() -> None:
    found = read_plain(answer(b'ETag: W/"a, b"', b"x-empty:", b"X-Padded: \t a b \t", LENGTH), 9)

    assert found is not None
    assert (found.status, found.body) == (200, BODY)
    assert found.headers["etag"] == 'W/"a, b"'
    assert (found.headers["X-Empty"], found.headers["x-padded"]) == ("", "a b")


def test_of_headers_that_come_twice_the_first_one_counts() -> None:
    found = read_plain(answer(b"Vary: Accept", b"Vary: Cookie", LENGTH), 9)

    assert found is not None
    assert found.headers["Vary"] == "Accept"


@pytest.mark.parametrize("length", [(), (b"Content-Length: 1275",)])
def test_an_answer_that_nothing_changed_has_no_body_whatever_its_length_says(
    length: tuple[bytes, ...],
) -> None:
    data = answer(b'ETag: "a"', *length, status=b"HTTP/1.1 304 Not Modified", body=b"")

    found = read_plain(data, 9)

    assert found is not None
    assert (found.status, found.body) == (304, b"")


@pytest.mark.parametrize(
    "data",
    [
        answer(LENGTH, body=BODY[:-1]),
        answer(LENGTH, body=BODY + b"H"),
        answer(LENGTH)[:30],
        answer(b"X-A: b"),
        answer(b"Content-Length: 9", b"Content-Length: 9"),
        answer(b"Content-Length: +9"),
        answer(b"Content-Length: 9, 9"),
        answer(b"Content-Length: 1234567890"),
        answer(b"Content-Length : 9"),
        answer(LENGTH, b"transfer-encoding: chunked"),
        answer(LENGTH, b"CONTENT-ENCODING: gzip"),
        answer(LENGTH, b"Connection: close"),
        answer(LENGTH, b"Upgrade: h2c"),
        answer(LENGTH, b"X-A: b", b" folded"),
        answer(LENGTH, b"no colon"),
        answer(LENGTH, b": no name"),
        answer(LENGTH, b"X-A: \xff"),
        answer(LENGTH, b"X-A: \0"),
        answer(LENGTH, b"X-A: b\nX-B: c"),
        answer(LENGTH, b"X-A: b\rX-B: c"),
        answer(LENGTH, *[b"X-A: b"] * 120),
        answer(LENGTH, b"X-A: " + b"b" * 8_100),
        answer(LENGTH, status=b"HTTP/1.0 200 OK"),
        answer(LENGTH, status=b"HTTP/1.1 100 Continue"),
        answer(LENGTH, status=b"HTTP/1.1 200\tOK"),
        answer(status=b"HTTP/1.1 204 No Content", body=b""),
        answer(b"ETag: a", status=b"HTTP/1.1 304 Not Modified", body=b"x"),
        b"\r\n" + answer(LENGTH),
        b"",
    ],
)
def test_what_is_unusual_is_left_to_the_parser(data: bytes) -> None:
    assert read_plain(data, 100) is None


def test_a_body_beyond_the_limit_is_left_to_the_parser_which_refuses_it() -> None:
    assert read_plain(answer(LENGTH), 8) is None
