"""Announcements as people and parsers see them: words, limits, and what hostile text can do (nothing)."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from datetime import UTC, date, datetime
from email import message_from_bytes
from email.policy import default
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.model.messaging import (
    Announcement,
    AnnouncementKind,
    Cadence,
    ChannelKind,
    Item,
    Message,
    Quote,
    Sender,
)
from monitor.model.tracking import Status
from monitor.notify import blocks, clean, mime, wording
from monitor.notify.render import HTML_LIMIT, render

EXPECTED = Path(__file__).parent / "messages"
PAGE = "https://www.cga.ct.gov/asp/cgabillstatus/cgabillstatus.asp?selBillType=Bill&bill_num=HB07132&which_year=2025"
BOARD = "https://board.example.org/"
SENDER = Sender(
    "Example Coalition",
    "board@example.org",
    "1 Example Street, Hartford, CT 06103",
    "answers@example.org",
    BOARD,
)
#: As subscribers are written to: with a page of their own.
WITH_PAGES = replace(SENDER, alerts_url=f"{BOARD}alerts")
#: Shortly after midnight in London is the evening before in Hartford.
MADE = datetime(2025, 6, 11, 0, 30, tzinfo=UTC)
SOME, ACHIEVED, NONE = Status.SOME_PROGRESS, Status.ACHIEVED, Status.NO_PROGRESS

SIGNED = Item(
    heading="HB 7132 is law",
    issue="Objective justification for stops",
    sentence="The governor signed HB 7132 on June 9, 2025. It is now Public Act 25-19.",
    url=f"{BOARD}issues/objective-justification",
    from_status=SOME,
    to_status=ACHIEVED,
    quotes=(Quote("Signed by the Governor", date(2025, 6, 9), PAGE),),
    comes_next="Nothing more at the Capitol for this bill. The act itself says when each part starts.",
    action_url=f"{BOARD}act",
)
DIED = Item(
    heading="HB 7204 died",
    issue="Objective justification for stops",
    sentence="HB 7204 died in the Judiciary Committee when the session ended on June 4, 2025.",
    url=f"{BOARD}issues/objective-justification",
    from_status=SOME,
    to_status=SOME,
    quotes=(Quote("Public Hearing 03/07", date(2025, 3, 4), PAGE),),
    narrative="HB 7204 died in the Judiciary Committee.",
)
OVERSIGHT = Item(
    heading="SB 1493 passed the Senate",
    issue="Independent investigation",
    sentence="The Senate passed SB 1493.",
    url=f"{BOARD}issues/independent-investigation",
    to_status=ACHIEVED,
    from_status=ACHIEVED,
    quotes=(Quote("Senate Passed as Amended by Senate Amendment Schedule A", date(2025, 5, 28), ""),),
)
CORRECTED = Item(
    heading="Correction",
    issue="Objective justification for stops",
    said="The governor signed HB 7132 on June 19, 2025.",
    sentence="The governor has not signed HB 7132; another bill's row was read.",
    url=f"{BOARD}issues/objective-justification",
    from_status=ACHIEVED,
    to_status=SOME,
    narrative="HB 6004 (2020) made a start.",
)
HEARD = Item(
    heading="Hearing March 7: HB 7132",
    issue="Objective justification for stops",
    sentence="Public hearing on HB 7132, Friday, March 7, 2025.",
    url=f"{BOARD}issues/objective-justification",
    quotes=(Quote("(JUD) Public Hearing 03/07", date(2025, 3, 3), PAGE),),
    kind=AnnouncementKind.HEARING,
    notes=(
        ("The bill.", "An Act Concerning Non-Safety-Related Traffic Stops."),
        ("When and where.", "The record gives the day only. The committee's agenda has the hour and the place."),
        ("How to testify.", "The agenda says how to sign up to speak and where to send written testimony."),
        ("", "Fact from the record. Our status has not been reviewed."),
    ),
    links=(("The Judiciary Committee's page", "https://www.cga.ct.gov/jud/"),),
    comes_next="After the hearing the Judiciary Committee may vote on it.",
    because="Because you follow Objective justification for stops.",
)
ACTED = Item(
    heading="HB 7132 has 2 new actions",
    issue="Objective justification for stops",
    sentence="HB 7132 (2025), An Act Concerning Non-Safety-Related Traffic Stops.",
    url=f"{BOARD}issues/objective-justification",
    quotes=(
        Quote("House Adopted House Amendment Schedule A", date(2025, 5, 8), PAGE),
        Quote("House Passed as Amended by House Amendment Schedule A", date(2025, 5, 8), PAGE),
    ),
    kind=AnnouncementKind.ACTIVITY,
    notes=(("", "Fact from the record. Our status has not been reviewed."),),
    comes_next="The other chamber has to pass it too, in the same words.",
    action_url=f"{BOARD}act",
    because="Because you follow the whole board; HB 7132 is watched for Objective justification for stops and Quotas.",
)
QUIET = Item(
    heading="Nothing changed",
    sentence="Nothing changed. All 41 sources read well.",
    url=BOARD,
    kind=AnnouncementKind.HEARTBEAT,
)
UNREAD = replace(
    QUIET,
    heading="We could not read everything",
    sentence="40 of 41 sources read well; 1 cannot be read: the page of HB 7132 (2025) since June 7, 2025. "
    "So we cannot say that nothing changed.",
)
UNKNOWN = Item(
    heading="Unknown phrase",
    issue="Quotas",
    sentence='The record has a row whose phrase is not known: "HELD AT DESK".',
    quotes=(Quote("HELD AT DESK", date(2025, 5, 6), PAGE),),
    reference="13",
)
OUTAGE = Item(
    heading="Outage: task force page",
    sentence="The Police Transparency and Accountability Task Force page has not been readable since June 7, 2025.",
    narrative="Open the page in a browser. If it has moved, change its URL in config.yaml and run monitor sync.",
    url="https://www.cga.ct.gov/jud/tfs/20200116_Police%20Transparency/",
)
CONFIRM = Item(
    heading="Confirm your sign-up",
    sentence="Somebody asked us to write to this address: status changes on every issue of the board, as they come. "
    "To begin, open the page below and press its button. The link works for 7 days, once.",
    narrative="Do nothing. Nothing more is sent, and the address is forgotten after 7 days.",
    url=f"{BOARD}alerts/confirm/c0000007d5f1c3a0b9e8d7c6b5a4f3e2d1c0b9a8",
)
KNOWN = Item(
    heading="You are already subscribed",
    sentence="We write to this address already: public hearings on Quotas, once a week. "
    "On the page below you can change that, pause or leave. Keep its link to yourself.",
    narrative="Do nothing. Nothing has changed.",
    url=f"{BOARD}alerts/m0000007d5f1c3a0b9e8d7c6b5a4f3e2d1c0b9a8",
)
TYPED = "You get this because this address was typed into the sign-up form of our board."
WHY = "You get this because you asked for status changes on all issues, at once."


def announcement(*items: Item, kind: AnnouncementKind = AnnouncementKind.STATUS, **changes) -> Announcement:
    return replace(Announcement(kind, items, MADE, WHY), **changes)


SAMPLES = {
    "status": announcement(SIGNED),
    "status-back": announcement(
        replace(
            SIGNED,
            sentence="SB 213 repealed Public Act 20-1.",
            from_status=ACHIEVED,
            to_status=NONE,
            comes_next="",
            action_url="",
        )
    ),
    "narrative": announcement(DIED, kind=AnnouncementKind.NARRATIVE),
    "correction": announcement(CORRECTED, kind=AnnouncementKind.CORRECTION),
    "correction-text": announcement(
        replace(
            CORRECTED,
            to_status=ACHIEVED,
            sentence="HB 7132 was signed on June 9, 2025. The status did not change.",
        ),
        kind=AnnouncementKind.CORRECTION,
    ),
    "digest": announcement(SIGNED, OVERSIGHT, DIED, cadence=Cadence.WEEKLY),
    "confirm": announcement(CONFIRM, kind=AnnouncementKind.CONFIRM, why=TYPED),
    "confirm-known": announcement(KNOWN, kind=AnnouncementKind.CONFIRM, why=TYPED),
    "hearing": announcement(HEARD, kind=AnnouncementKind.HEARING),
    "activity": announcement(ACTED, kind=AnnouncementKind.ACTIVITY),
    "digest-mixed": announcement(
        replace(SIGNED, because="Because you follow Objective justification for stops."),
        HEARD,
        ACTED,
        replace(
            ACTED,
            heading="SB 1493 has a new action",
            issue="Independent investigation",
            sentence="SB 1493 (2025), An Act Concerning the Uniform Investigation of Accident Report and Certain "
            "Reports by Peace Officers.",
            quotes=OVERSIGHT.quotes,
            because="Because you follow the whole board.",
        ),
        cadence=Cadence.DAILY,
    ),
    "heartbeat": announcement(QUIET, kind=AnnouncementKind.HEARTBEAT),
    "heartbeat-unread": announcement(UNREAD, kind=AnnouncementKind.HEARTBEAT),
    "proposals": announcement(
        replace(SIGNED, reference="12", action_url="", comes_next="", url=""),
        UNKNOWN,
        kind=AnnouncementKind.PROPOSALS,
        why="You get this because config.yaml names you as a maintainer.",
    ),
    "operations": announcement(
        OUTAGE,
        kind=AnnouncementKind.OPERATIONS,
        why="You get this because config.yaml names you as an operator.",
    ),
}


def rendered(what: Announcement, channel: ChannelKind = ChannelKind.EMAIL, sender: Sender = SENDER) -> Message:
    message = render(what, channel=channel, sender=sender)
    return replace(message, address="lee@example.org", message_id="7@example.org")


# ------------------------------------------------------------------ expected outputs


PARTS = {
    ChannelKind.EMAIL: {"txt": lambda m: f"Subject: {m.subject}\n\n{m.text}", "html": lambda m: m.html},
    ChannelKind.SLACK: {"json": lambda m: json.dumps(json.loads(m.payload), indent=1, ensure_ascii=False) + "\n"},
    ChannelKind.APPRISE: {"txt": lambda m: f"{m.subject}\n\n{m.text}\n"},
}


@pytest.mark.parametrize("channel", list(ChannelKind))
@pytest.mark.parametrize("slug", list(SAMPLES))
def test_messages_read_as_agreed(request, channel, slug):
    """A missing expectation fails; ``pytest --accept`` (or ACCEPT=1) writes it, to be read before it is committed."""
    accept = request.config.getoption("--accept", default=False) or os.environ.get("ACCEPT") == "1"
    message = rendered(SAMPLES[slug], channel, WITH_PAGES)
    for suffix, part in PARTS[channel].items():
        path = EXPECTED / channel.value / f"{slug}.{suffix}"
        if accept:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(part(message), "utf-8")
        assert path.exists(), f"{path} is missing; run pytest --accept and read what it wrote"
        assert part(message) == path.read_text("utf-8")


def test_no_expectation_is_left_over():
    known = {
        f"{channel.value}/{slug}.{suffix}" for channel, parts in PARTS.items() for slug in SAMPLES for suffix in parts
    }
    assert {str(path.relative_to(EXPECTED)) for path in EXPECTED.rglob("*.*")} == known


# ------------------------------------------------------------------ wording


@pytest.mark.parametrize(
    ("what", "subject"),
    [
        (announcement(replace(SIGNED, issue="Qualified immunity")), "Qualified immunity: now Legislation Achieved"),
        (announcement(SIGNED), "Objective justification for stops: now Legislation Achieved"),
        (
            announcement(replace(SIGNED, issue="Mandatory reporting of the details of every single stop")),
            "Mandatory reporting of the…: now Legislation Achieved",
        ),
        (SAMPLES["correction"], "Correction: Objective justification for stops"),
        (announcement(CORRECTED, SIGNED), "2 changes"),
        (SAMPLES["digest"], "3 changes this week"),
        (replace(SAMPLES["digest"], cadence=Cadence.DAILY), "3 changes today"),
        (replace(SAMPLES["digest"], cadence=Cadence.IMMEDIATE), "3 changes"),
        (SAMPLES["narrative"], "Objective justification for stops: HB 7204 died"),
        (announcement(replace(DIED, heading=DIED.issue)), "Objective justification for stops: what is new"),
        (SAMPLES["proposals"], "2 proposals wait for a decision"),
        (announcement(UNKNOWN, kind=AnnouncementKind.PROPOSALS), "Waiting for a decision: Quotas"),
        (SAMPLES["operations"], "Outage: task force page"),
    ],
)
def test_subjects(what, subject):
    assert rendered(what).subject == subject
    assert len(subject) <= 60


def test_the_summary_is_a_sentence_that_stands_alone():
    sentence = json.loads(rendered(SAMPLES["status"], ChannelKind.SLACK).payload)["text"]
    assert sentence.startswith(
        "Objective justification for stops moved from Some Progress to Legislation Achieved: the governor signed HB"
    )


def test_a_correction_says_on_a_phone_what_is_right():
    sentence = json.loads(rendered(SAMPLES["correction"], ChannelKind.SLACK).payload)["text"]
    assert sentence == (
        "Correction: Objective justification for stops is Some Progress, not Legislation Achieved: "
        "the governor has not signed HB 7132; another bill's row was read."
    )


def test_a_correction_in_a_digest_is_told_apart_from_a_change():
    message = rendered(announcement(OVERSIGHT, CORRECTED, cadence=Cadence.WEEKLY))
    assert "* Correction: Objective justification for stops is Some Progress, not" in message.text
    assert "We said: “The governor signed HB 7132 on June 19, 2025.”" in message.text


def test_a_correction_answers_the_message_it_corrects():
    message = rendered(SAMPLES["correction"])
    parsed = message_from_bytes(mime.wire(replace(message, references=("6@example.org",))), policy=default)
    assert (parsed["In-Reply-To"], parsed["References"]) == ("<6@example.org>", "<6@example.org>")
    assert "In-Reply-To" not in message_from_bytes(mime.wire(message), policy=default)
    with pytest.raises(ValueError, match="message id"):
        mime.wire(replace(message, references=("6\r\nBcc: eve@example.org",)))


def test_dates_are_eastern():
    assert "approved this change on June 10, 2025." in rendered(SAMPLES["status"]).html


@pytest.mark.parametrize("channel", list(ChannelKind))
@pytest.mark.parametrize("slug", list(SAMPLES))
def test_every_fact_is_in_every_form(channel, slug):
    what = SAMPLES[slug]
    message = rendered(what, channel)
    for form in filter(None, (message.html, message.payload, message.text if not message.payload else "")):
        words = " ".join(plain(form).split())
        facts = [fact for item in what.items for fact in (item.sentence, item.narrative, item.comes_next)]
        facts += [item.said for item in what.items]
        facts += [status.label for item in what.items for status in (item.from_status, item.to_status) if status]
        facts += [quote.text for item in what.items for quote in item.quotes]
        facts += [f"monitor proposals show {item.reference}" for item in what.items if item.reference]
        facts += [url for item in what.items for url in (item.url, item.action_url, *(q.url for q in item.quotes))]
        missing = [fact for fact in facts if fact not in words]
        assert missing == []


def plain(form: str) -> str:
    """What a reader gets of a form, addresses of links included."""
    if form.startswith("{"):
        text = "\n".join(slack_texts(json.loads(form)))
        return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    if "<html" in form:
        elements = Elements.of(form)
        return " ".join([elements.text, *elements.links])
    return form


def slack_texts(value: object) -> list[str]:
    if isinstance(value, dict):
        return [text for child in value.values() for text in slack_texts(child)]
    if isinstance(value, list):
        return [text for child in value for text in slack_texts(child)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize("slug", list(SAMPLES))
def test_the_text_has_72_columns_but_for_addresses(slug):
    long = [line for line in rendered(SAMPLES[slug]).text.split("\n") if len(line) > 72]
    assert all(line.strip().startswith("https://") for line in long)


@pytest.mark.parametrize("slug", ["status", "narrative", "digest", "correction"])
def test_readers_learn_why_how_to_leave_and_who_writes(slug):
    message = rendered(SAMPLES[slug])
    for form in (message.text, Elements.of(message.html).text):
        words = " ".join(form.split())
        assert WHY in words
        assert "To leave, write to answers@example.org with the word leave." in words
        assert "Example Coalition, 1 Example Street, Hartford, CT 06103" in words
    assert ("List-Id", "Example Coalition <alerts.example.org>") in message.headers


def test_without_an_address_for_answers_the_senders_own_is_given():
    message = rendered(SAMPLES["status"], sender=replace(SENDER, reply_to=""))
    assert "write to board@example.org" in message.text
    assert "Reply-To" not in dict(message.headers)


@pytest.mark.parametrize("slug", ["proposals", "operations"])
def test_maintainers_are_not_told_to_leave(slug):
    assert "leave" not in rendered(SAMPLES[slug]).text


def test_an_announcement_of_nothing_is_a_mistake():
    with pytest.raises(ValueError, match="says nothing"):
        rendered(announcement())


def test_rows_beyond_the_fifth_are_counted():
    quotes = tuple(Quote(f"Row {number}", date(2025, 6, 1), PAGE) for number in range(9))
    for channel in ChannelKind:
        message = rendered(announcement(replace(SIGNED, quotes=quotes)), channel)
        assert "and 4 more" in (message.html or message.payload or message.text)


# ------------------------------------------------------------------ limits


def many(count: int) -> Announcement:
    items = (
        replace(SIGNED, issue=f"Issue {number}", sentence=f"The governor signed HB {number}. " * 8)
        for number in range(count)
    )
    return announcement(*items, cadence=Cadence.WEEKLY)


@pytest.mark.parametrize("count", [1, 2, 10, 15, 40, 100, 1_000])
def test_digests_of_any_size_fit_and_drop_nothing_silently(count):
    what = many(count)
    html = rendered(what).html
    assert len(html.encode()) <= HTML_LIMIT
    payload = rendered(what, ChannelKind.SLACK).payload
    assert len(payload) <= blocks.TOTAL_LIMIT
    check_slack(payload)
    text = rendered(what, ChannelKind.APPRISE).text
    assert len(text) <= 4_000
    for form in (html, payload, text):
        told = sum(re.search(rf"Issue {number}\b", form) is not None for number in range(count))
        left = re.search(r"and ([\d,]+) more", form)
        assert told + (int(left[1].replace(",", "")) if left else 0) == count


@pytest.mark.parametrize("length", [90, 400, 1_200], ids=["usual", "long", "too-long"])
@pytest.mark.parametrize("count", [2, 9, 15, 20, 21, 60])
def test_digests_fit_whatever_their_issues_and_pages_are_called(count, length):
    """Each issue has a long name and a page of its own, which is named where the issue is not told."""
    items = [
        replace(item, issue=f"Issue {number} {'of a long name ' * 6}"[:90], url=f"{BOARD}{number}/".ljust(length, "x"))
        for number, item in enumerate(many(count).items)
    ]
    what = announcement(*items, cadence=Cadence.WEEKLY)
    html, payload, text = (message.html or message.payload or message.text for message in of_each_channel(what))
    assert len(html.encode()) <= HTML_LIMIT
    check_slack(payload)
    assert len(payload) <= blocks.TOTAL_LIMIT
    assert len(text) <= 4_000
    for form in (html, payload, text):
        told = sum(re.search(rf"Issue {number}\b", form) is not None for number in range(count))
        left = re.search(r"and ([\d,]+) more", form)
        assert told + (int(left[1].replace(",", "")) if left else 0) >= count


def of_each_channel(what: Announcement) -> list[Message]:
    return [rendered(what, channel) for channel in ChannelKind]


@pytest.mark.parametrize("count", [1, 5, 20])
def test_many_long_links_of_one_item_fit_slack(count):
    links = tuple((f"Page {number} " + "y" * 100, f"{BOARD}{number}/".ljust(590, "x")) for number in range(count))
    payload = rendered(announcement(replace(SIGNED, links=links)), ChannelKind.SLACK).payload
    check_slack(payload)


def test_the_largest_single_item_fits():
    huge = "&<>\"'" * 4_000
    quotes = tuple(Quote(huge, date(2025, 6, 1), PAGE + "&x" * 400) for _ in range(20))
    item = replace(SIGNED, heading=huge, issue=huge, sentence=huge, quotes=quotes, narrative=huge, comes_next=huge)
    message = rendered(announcement(item))
    assert len(message.html.encode()) <= HTML_LIMIT
    assert len(message.subject) <= 60
    check_slack(rendered(announcement(item), ChannelKind.SLACK).payload)


def check_slack(payload: str) -> None:
    post = json.loads(payload)
    assert len(post["blocks"]) <= 50
    for block in post["blocks"]:
        if block["type"] == "header":
            assert block["text"]["type"] == "plain_text"
            assert 0 < len(block["text"]["text"]) <= 150
        if block["type"] == "section":
            assert 0 < len(block["text"]["text"]) <= 3_000
    signals = re.findall(r"<[^>]*>?", "".join(slack_texts(post)).replace("<https://", "\0"))
    assert signals == [], "every < in what Slack parses begins one of our links"
    for text in slack_texts(post):
        for url in re.findall(r"<([^|>]*)\|", text):
            assert url.startswith((BOARD, "https://www.cga.ct.gov/"))


# ------------------------------------------------------------------ hostile text, TORTURE N15 to N18


class Elements(HTMLParser):
    """Every element with the names of its attributes, the addresses it links to, and the text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, tuple[str, ...]]] = []
        self.links: list[str] = []
        self.text = ""
        self._hidden = 0

    @classmethod
    def of(cls, html: str) -> Elements:
        parser = cls()
        parser.feed(html)
        parser.close()
        return parser

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, tuple(name for name, _ in attrs)))
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]
        self._hidden += tag in ("style", "title")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("style", "title")

    def handle_data(self, data: str) -> None:
        self.text += "" if self._hidden else data

    def handle_comment(self, data: str) -> None:
        self.found.append(("!--", ()))


HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)',
    "</td></tr></table><h1>ours now</h1>",
    "<!-- ",
    "]]><![CDATA[",
    "{{ ''.__class__.__mro__ }}{% for x in y %}",
    "[click](javascript:alert(1))",
    "<!channel> <!here> <!everyone> <!subteam^S1>",
    "<@U012AB3CD> <#C012AB3CD|general>",
    "@everyone @here @channel",
    "<https://evil.example/|the official page>",
    "javascript:alert(1)",
    "=?utf-8?q?HB=0D=0ABcc=3A=20eve@example.org?= and =?utf-8?b?DQpCY2M6IGVAeA==?=",
    "HB 1\r\nBcc: eve@example.org\r\n\r\nbody",
    "HB 1\nBcc: eve@example.org",
    "HB 1\x00\x0b\x0c\x1c\x1d\x85\u2028\u2029Bcc: eve@example.org",
    "\u202eevil\u2066 \u200b\ufeff\u2060 text",
    "\ud800 lone \udfff surrogates",
    "👩‍👩‍👧‍👦" * 50 + "e\u0301" * 50 + "🇺🇸" * 50,
    "\u0301" * 2_000,
    "x" * 10_000,
    "&amp;&lt;script&gt;",
]


def poisoned(text: str) -> Announcement:
    """The full message, every text of it hostile, every address too."""
    item = replace(
        SIGNED,
        heading=text,
        issue="Q " + text,
        sentence="S " + text,
        narrative="N " + text,
        comes_next="C " + text,
        quotes=(Quote("R " + text, date(2025, 6, 9), PAGE),),
    )
    wrong = replace(item, said="W " + text, quotes=())
    return announcement(item, wrong, why="Y " + text)


BENIGN = poisoned("words")


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_adds_no_element_attribute_or_link_to_the_html(text):
    plain_twin, made = Elements.of(rendered(BENIGN).html), Elements.of(rendered(poisoned(text)).html)
    assert made.found == plain_twin.found
    assert made.links == plain_twin.links


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_pings_and_links_nothing_in_slack(text):
    payload = rendered(poisoned(text), ChannelKind.SLACK).payload
    check_slack(payload)
    post = json.loads(payload)
    assert (post["parse"], post["link_names"]) == ("none", False)
    payload.encode("utf-8")


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_pings_and_links_nothing_elsewhere(text):
    message = rendered(poisoned(text), ChannelKind.APPRISE)
    whole = message.subject + message.text
    assert not re.search(r"@(everyone|here|channel)|<[!@#]|\]\(", whole)
    whole.encode("utf-8")


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "//evil.example/",
        "https://user:password@evil.example/",
        "https://evil.example/ x",
        'https://evil.example/"onclick="x',
        "https://evil.example/<x>|y",
        "https://evil.example\\@www.cga.ct.gov/",
        "https://www.cga.ct.gov/\r\nx",
        "http://",
        "file:///etc/passwd",
        "https://[::1/",
    ],
)
def test_an_address_that_is_not_safe_is_no_link(url):
    item = replace(SIGNED, url=url, action_url=url, quotes=(Quote("Row", None, url),))
    for channel in ChannelKind:
        message = rendered(announcement(item), channel, replace(SENDER, board_url=url))
        assert url not in message.text + message.payload
        assert set(Elements.of(message.html).links) <= {"mailto:answers@example.org?subject=leave"}


CHARACTERS = st.one_of(
    st.text(alphabet=st.characters(codec=None), max_size=80),
    st.lists(st.sampled_from([*HOSTILE[:-3], "=?", "?=", "\r", "\n", ":", " ", "é", "=0D=0A"]), max_size=8).map(
        "".join
    ),
)
OURS = [
    "To",
    "Message-ID",
    "Subject",
    "From",
    "Reply-To",
    "Date",
    "Auto-Submitted",
    "Precedence",
    "List-Id",
    "MIME-Version",
    "Content-Type",
]


@settings(max_examples=1_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(heading=CHARACTERS, issue=CHARACTERS, organization=CHARACTERS)
def test_no_text_adds_a_header_to_the_wire(heading, issue, organization):
    item = replace(SIGNED, heading=heading, issue=issue)
    what = announcement(item, kind=AnnouncementKind.NARRATIVE if len(heading) % 2 else AnnouncementKind.STATUS)
    message = rendered(what, sender=replace(SENDER, organization=organization))
    names, values = strict_headers(mime.wire(message))
    assert names == OURS
    assert values["To"] == "lee@example.org"
    assert values["From"].endswith("<board@example.org>") or values["From"] == "board@example.org"
    assert values["Message-ID"] == "<7@example.org>"


def strict_headers(wire: bytes) -> tuple[list[str], dict[str, str]]:
    """RFC 5322 to the letter: CRLF only, ASCII, at most 998 octets a line, nothing but fields before the blank line."""
    assert wire.isascii()
    assert b"\r" not in wire.replace(b"\r\n", b"")
    assert b"\n" not in wire.replace(b"\r\n", b"")
    assert b"\x00" not in wire
    assert max(map(len, wire.split(b"\r\n"))) <= 998
    head = wire.partition(b"\r\n\r\n")[0].decode("ascii")
    unfolded = re.sub(r"\r\n(?=[ \t]+\S)", "", head).split("\r\n")
    fields = [re.fullmatch(r"([!-9;-~]+):[ \t]*(.*)", field) for field in unfolded]
    assert all(fields), unfolded
    names = [field[1] for field in fields if field]
    parsed = message_from_bytes(wire, policy=default)
    assert list(parsed.keys()) == names, "a lenient parser sees the same"
    assert parsed.defects == []
    assert [part.get_content_type() for part in parsed.iter_parts()] == ["text/plain", "text/html"]
    return names, {field[1]: field[2] for field in fields if field}


@settings(max_examples=300, deadline=None)
@given(CHARACTERS)
def test_any_text_survives_every_channel(text):
    for channel in ChannelKind:
        message = rendered(poisoned(text), channel)
        for form in (message.subject, message.text, message.html, message.payload):
            form.encode("utf-8")
        assert len(message.subject) <= 60
        assert "\n" not in message.subject


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from(["a", " ", "e\u0301", "👩‍👩‍👧", "👍🏽", "🇺🇸", "é", "漢"]), max_size=80), st.integers(1, 60)
)
def test_clipping_never_cuts_a_visible_character(parts, limit):
    text = "".join(parts)
    cut = clean.clip(text, limit)
    assert len(cut) <= limit
    if cut != text:
        kept = cut.removesuffix("…")
        starts = {len("".join(parts[:number])) for number in range(len(parts) + 1)}
        assert len(kept) in starts or text[len(kept)] == " " or text[: len(kept)].rstrip() == kept


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("  HB\u00a07132\t is\r\nlaw ", "HB 7132 is law"),
        ("a\u202eb\u200bc\ufeffd\u2066e", "abcde"),
        ("a\ud800b", "a\ufffdb"),
        ("👩‍👧 and a\u200db", "👩‍👧 and ab"),
        ("a\u2028b\u2029c\x85d\x00e", "a b c d e"),
    ],
)
def test_one_visible_line(text, line):
    assert clean.line(text) == line


@pytest.mark.parametrize("text", ["=?utf-8?q?a=0D=0AX:1?=", "==??==", "=?=?=?", "?=?=", "a=?b"])
def test_no_header_value_holds_an_encoded_word(text):
    assert not re.search(r"=\?|\?=", clean.header(text))


def test_a_view_is_all_a_channel_needs():
    """Every text a channel lays out has been cleaned already: one line, nothing invisible."""
    view = wording.view(poisoned("\u202e\r\nx\u200b"), SENDER, UTC)
    texts = [view.subject, view.title, view.summary, view.preheader, view.why, view.kind, *view.contents]
    texts += [part for card in view.cards for part in (card.name, card.title, card.sentence, card.brief)]
    texts += [text for card in view.cards for _, text in card.notes]
    assert not any(re.search("[\r\n\u202e\u200b]", text) for text in texts)
