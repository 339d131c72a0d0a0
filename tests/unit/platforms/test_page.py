from __future__ import annotations

import time
from contextlib import suppress

import pytest
from fakes.answers import answer

from syncd.errors import BadPayload
from syncd.platforms.page import parse_page, title_of

HOSTILE = ("<title", "<title ", "<title>", "<title> ", " ", "<", "<div>", "</div>", "<div></div>")


def test_title_is_what_stands_in_it_without_the_space_around() -> None:
    response = answer(body=b"<html><head>\n<TITLE lang='en'>\n Ada &amp; Bo </TITLE></head>")

    assert title_of(response) == b"Ada &amp; Bo"


@pytest.mark.parametrize("body", [b"", b"{}", b"<html></html>", b"<html><title>Ada"])
def test_what_has_no_title_has_an_empty_one(body: bytes) -> None:
    assert title_of(answer(body=body)) == b""


def test_tree_of_a_page_can_be_asked_for_its_elements() -> None:
    tree = parse_page("<p><b>1</b><br><img src=x><b>2</b></p>", "ada")

    assert [node.text() for node in tree.css("p b")] == ["1", "2"]


@pytest.mark.parametrize("page", ["<div>" * 6_000, "<div>" * 6_000 + "</div>" * 6_000])
def test_page_that_is_nested_too_deeply_is_refused(page: str) -> None:
    with pytest.raises(BadPayload, match=r"^'ada': the page is nested more than 5000 levels deep$"):
        parse_page(page, "ada")


def test_long_page_with_many_empty_elements_is_not_deep() -> None:
    assert parse_page("<br><img><p>x</p>" * 20_000, "ada").css_first("p") is not None


@pytest.mark.parametrize("piece", HOSTILE)
def test_no_page_takes_longer_than_its_length_asks_for(piece: str) -> None:
    page = "<html>" + piece * (1_000_000 // len(piece))
    began = time.process_time()

    title_of(answer(body=page.encode()))
    with suppress(BadPayload):
        parse_page(page, "ada")

    assert time.process_time() - began < 5
