"""What messages say, in our words and in those of a site."""

from __future__ import annotations

from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from fakes.clock import START, FakeClock
from fakes.messages import LINK, POISON, message, notice

from syncd import channels
from syncd.channels.wording import Wording
from syncd.errors import ConfigError
from syncd.model.contest import Occasion
from syncd.telemetry.bus import Bus
from syncd.telemetry.events import ConditionNoticed, Event


class Page(HTMLParser):
    """The tags, links and text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in {"href", "src"}]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def wording() -> Wording:
    return Wording(FakeClock(), Bus())


def test_a_reminder_names_the_contest_the_time_where_the_reader_lives_and_how_long_it_is(
    wording: Wording,
) -> None:
    words = wording.render(message())

    assert words.subject == words.title == "Sample Round 1 starts in 1 day"
    assert "Starts:   Fri 2 Jan 2026, 05:30 (IST, Asia/Kolkata)" in words.text
    assert f"Stop these messages: {LINK}" in words.text
    assert words.body == "Codeforces: starts Fri 2 Jan 2026, 05:30 (IST, Asia/Kolkata)"
    assert words.url == "https://codeforces.com/contests"
    assert {words.url, LINK} <= set(Page(words.html).links)


def test_a_contest_that_moved_says_from_when_to_when(wording: Wording) -> None:
    moved = notice(previous_starts_at=START + timedelta(hours=48))

    words = wording.render(message(occasion=Occasion.MOVED, contests=[moved], timezone="UTC"))

    said = "moved from Sat 3 Jan 2026, 00:00 (UTC) to Fri 2 Jan 2026, 00:00 (UTC)"
    assert words.subject == "Moved: Sample Round 1"
    assert all(said in part for part in (words.text, words.body, Page(words.html).text))


def test_a_message_that_comes_late_says_so(wording: Wording) -> None:
    words = wording.render(message(is_late=True))

    assert "This message is late" in words.text
    assert "This message is late" in words.html
    assert words.body.endswith("(late)")


@pytest.mark.parametrize(
    ("occasion", "subject"),
    [
        (Occasion.CANCELLED, "Cancelled: Sample Round 1"),
        (Occasion.RESTORED, "It takes place after all: Sample Round 1"),
        (Occasion.DIGEST, "New contest: Sample Round 1"),
    ],
)
def test_every_occasion_has_its_words(wording: Wording, occasion: Occasion, subject: str) -> None:
    words = wording.render(message(occasion=occasion))

    assert words.subject == subject
    assert "Sample Round 1" in words.text
    assert "Sample Round 1" in Page(words.html).text


def test_a_digest_lists_what_is_new_and_leads_to_no_single_contest(wording: Wording) -> None:
    contests = [notice(f"Round {number}") for number in range(1, 9)]

    words = wording.render(message(occasion=Occasion.DIGEST, contests=contests))

    assert words.subject == "8 new contests"
    assert all(f"Round {number}" in words.text for number in range(1, 9))
    assert words.body.splitlines()[-1] == "and 3 more"
    assert words.url == ""


@pytest.mark.parametrize("name", POISON.values(), ids=POISON)
@pytest.mark.parametrize("occasion", Occasion)
def test_a_poisoned_name_is_text_and_one_line(
    wording: Wording, occasion: Occasion, name: str
) -> None:
    words = wording.render(message(occasion=occasion, contests=[notice(name)]))

    page = Page(words.html)
    assert "\n" not in words.subject + words.title
    assert {"script", "img", "b"} & set(page.tags) == set()
    assert "Bcc" not in [line.partition(":")[0] for line in words.text.splitlines()]
    assert "49" not in words.subject
    (words.subject + words.text + words.html + words.body).encode()


def test_a_link_that_leads_elsewhere_than_the_web_is_dropped(wording: Wording) -> None:
    words = wording.render(message(contests=[notice(url="javascript:alert(1)")]))

    assert words.url == ""
    assert "javascript" not in words.text + words.html
    assert Page(words.html).links == [LINK]


def test_a_zone_that_there_is_not_is_utc(wording: Wording) -> None:
    assert "00:00 (UTC)" in wording.render(message(timezone="Mars/Base")).body


def test_a_zone_without_letters_of_its_own_is_called_by_its_name(wording: Wording) -> None:
    assert "(America/Sao_Paulo)" in wording.render(message(timezone="America/Sao_Paulo")).body


def test_a_sites_template_stands_over_ours_for_those_who_want_its_language(tmp_path: Path) -> None:
    (tmp_path / "reminder.de.subject.j2").write_text("{{ contest.name }} beginnt bald")
    wording = Wording(FakeClock(), Bus(), folder=tmp_path)

    german, english = message(language="de-AT"), message(language="en")

    assert wording.render(german).subject == "Sample Round 1 beginnt bald"
    assert wording.render(german).title == "Sample Round 1 beginnt bald"
    assert wording.render(english).subject == "Sample Round 1 starts in 1 day"


def test_a_language_that_is_none_chooses_no_file(tmp_path: Path) -> None:
    wording = Wording(FakeClock(), Bus(), folder=tmp_path)

    assert wording.render(message(language="../../etc/passwd")).subject


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        (
            "reminder.text.j2",
            "{{ contst.name }}",
            ": there is no field 'contst', did you mean \"contest\"?",
        ),
        ("reminder.text.j2", "a\n{{ contest.nmae }}", ":2: there is no field 'nmae'"),
        (
            "reminder.html.j2",
            "{% if is_late %}{{ password }}{% endif %}",
            ": there is no field 'pa",
        ),
        ("moved.subject.j2", "{{ contest.name", ":1: unexpected end of template"),
        ("reminder.body.j2", "{{ 1 / contest.minutes_left }}", ":1: division by zero"),
        ("reminder.text.j2", "{% include 'other.j2' %}", ":1: there is no template 'other.j2'"),
        (
            "reminder.text.j2",
            "{{ contest.__class__.x }}",
            ":1: there is no field '__class__'",
        ),
        ("remindr.text.j2", "x", ': is no template of syncd, did you mean "reminder.text.j2"?'),
        ("reminder.txt.j2", "x", ': is no template of syncd, did you mean "reminder.text.j2"?'),
    ],
)
def test_a_template_that_cannot_be_used_is_refused_with_file_and_field(
    tmp_path: Path, name: str, text: str, said: str
) -> None:
    (tmp_path / name).write_text(text)

    with pytest.raises(ConfigError) as caught:
        Wording(FakeClock(), Bus(), folder=tmp_path)

    [problem] = caught.value.problems
    assert problem.startswith(f"notify.templates: {tmp_path / name}:")
    assert said in problem


def test_a_copy_of_our_own_templates_can_be_used_and_changed(tmp_path: Path) -> None:
    ours = Path(channels.__file__).parent / "templates"
    for template in ours.glob("*.j2"):
        (tmp_path / template.name).write_text(template.read_text().replace("Starts:", "Begins:"))

    wording = Wording(FakeClock(), Bus(), folder=tmp_path)

    assert "Begins:" in wording.render(message()).html


def test_what_is_there_for_including_is_refused_with_file_and_field(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a template")
    (tmp_path / "_layout.html.j2").write_text(
        "<p>\n{{ contest.nmae }}\n{% block content %}{% endblock %}"
    )

    with pytest.raises(ConfigError) as caught:
        Wording(FakeClock(), Bus(), folder=tmp_path)

    [problem] = caught.value.problems
    assert problem == (
        f"notify.templates: {tmp_path / '_layout.html.j2'}:2: there is no field 'nmae'"
    )


def test_every_template_that_cannot_be_used_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "reminder.text.j2").write_bytes(b"\xff")
    (tmp_path / "moved.text.j2").write_text("{{ nobody }}")
    (tmp_path / "notes.txt").write_text("not a template")

    with pytest.raises(ConfigError) as caught:
        Wording(FakeClock(), Bus(), folder=tmp_path)

    assert len(caught.value.problems) == 2


def test_a_folder_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"notify\.templates: .* cannot be read"):
        Wording(FakeClock(), Bus(), folder=tmp_path / "nowhere")


def test_a_template_that_fails_over_one_message_is_told_of_once_and_ours_is_sent(
    tmp_path: Path,
) -> None:
    text = "{{ 1 / (contest.name | length - 7) }} {{ contest.name }}"
    (tmp_path / "reminder.subject.j2").write_text(text)
    bus, told = Bus(), list[Event]()
    wording = Wording(FakeClock(), bus, folder=tmp_path)

    with bus.subscribed(told.append):
        first = wording.render(message(contests=[notice("Seven c")]))
        wording.render(message(contests=[notice("Seven c")]))

    [noticed] = [event for event in told if isinstance(event, ConditionNoticed)]
    assert first.subject == "Seven c starts in 1 day"
    assert "the template reminder.subject.j2" in noticed.condition
