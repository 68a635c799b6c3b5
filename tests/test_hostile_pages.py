"""No text from outside becomes more than text, on any public page: over a hundred payloads in every field."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from xml.etree import ElementTree

import icalendar
import pytest
from hostile import MARK, PAYLOADS, URLS, dangers
from pipeline import World, issue, watch
from readers import Elements, reader

from monitor.model.tracking import Status
from monitor.store.schema import (
    Action,
    Bill,
    Evidence,
    Issue,
    Proposal,
    Publication,
    Snapshot,
    Source,
    Topic,
    Transition,
)
from monitor.web.links import safe

FORCE = "/jud/taskforce.asp?TF=20200116_Police%20Transparency%20and%20Accountability%20Task%20Force"
VIEWS = [
    "/",
    "/?status=no_progress",
    "/issues/stops",
    "/changes",
    "/hearings",
    "/how-we-decide",
    "/share",
    "/issues/stops/share",
    "/embed",
    "/embed/stops",
]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world read once; each test puts its payload everywhere."""
    letter = {"subject": "About {town}", "body": "I live in {town}. {name}"}
    entry = {**issue("stops", watch("2025 HB 7132", effect="achieved"), watch(FORCE)), "letter": letter}
    with World(tmp_path_factory.mktemp("hostile"), [entry]) as world:
        world.at(date(2025, 3, 3)).check()
        _publish(world)
        yield world


def _publish(world: World) -> None:
    """One published move, one correction of it and one thing that waits, each with evidence."""
    with world.database.transaction() as session:
        bill = session.query(Bill).one()
        sha256 = session.query(Snapshot).first().sha256
        for state in ("approved", "pending"):
            proof = Evidence(
                url="x", quote="x", action_date=date(2025, 3, 3), first_seen_at=world.now, snapshot_sha256=sha256
            )
            session.add(
                Proposal(
                    state=state,
                    kind="status",
                    issue_id="stops",
                    bill_id=bill.id,
                    subject=f"x:{state}",
                    from_status="no_progress",
                    to_status="achieved",
                    reason="x",
                    created_at=world.now,
                    evidence=[proof],
                )
            )
        session.flush()
        approved = session.query(Proposal).filter(Proposal.state == "approved").one()
        for corrects in (None, 1):
            session.add(
                Transition(
                    issue_id="stops",
                    proposal_id=approved.id if corrects is None else None,
                    bill_id=bill.id,
                    corrects_id=corrects,
                    from_status="no_progress",
                    to_status="achieved",
                    narrative_before="x",
                    narrative_after="x",
                    reason="x",
                    decided_by="x",
                    at=world.now,
                )
            )
            session.flush()


#: Every column of text from outside, or from a maintainer, that a public page may show.
TEXTS = {
    Topic: ("name",),
    Issue: ("name", "narrative"),
    Bill: ("title", "stage_reason", "act"),
    Proposal: ("reason", "narrative", "subject"),
    Evidence: ("quote", "before", "after"),
    Transition: ("reason", "narrative_before", "narrative_after", "decided_by"),
    Publication: ("title",),
    Source: ("error",),
}
ADDRESSES = {Issue: ("action_url",), Evidence: ("url",), Publication: ("url",)}


def put(world: World, columns: dict, payload: str) -> None:
    with world.database.transaction() as session:
        for table, names in columns.items():
            for row in session.query(table):
                for name in names:
                    setattr(row, name, payload[:20] if name == "act" else payload)
        for number, row in enumerate(session.query(Action).order_by(Action.id)):
            # One row names the payload for a committee; another is an announced hearing, and stays one.
            if columns is TEXTS and number == 0:
                row.description = f"REF. TO JOINT COMM. ON {payload}"
        session.query(Action).order_by(Action.id.desc()).first().description = "PUBLIC HEARING 0307"


@pytest.mark.parametrize("payload", PAYLOADS, ids=range(len(PAYLOADS)))
def test_a_text_stays_a_text_on_every_public_page(hostile, payload):
    put(hostile, TEXTS, payload)
    client = reader(hostile)
    shown = 0
    for path in VIEWS:
        answer = client.get(path)
        assert answer.status_code == 200, answer.text
        assert not dangers(answer.text), path
        assert "Subclass" not in answer.text
        assert client.application.config["SECRET_KEY"].hex() not in answer.data.hex()
        shown += MARK in answer.text
    assert shown >= 5, "the payload reached too few pages for this to prove anything"


@pytest.mark.parametrize("payload", PAYLOADS[::3], ids=range(len(PAYLOADS[::3])))
def test_feeds_stay_well_formed_and_hold_the_text_as_text(hostile, payload):
    put(hostile, TEXTS, payload)
    client = reader(hostile)
    board = json.loads(client.get("/board.json").data)
    assert board["topics"][0]["issues"][0]["narrative"] == payload
    for path in ("/feed.atom", "/issues/stops/feed.atom"):
        feed = ElementTree.fromstring(client.get(path).data)
        assert len(feed.findall("{http://www.w3.org/2005/Atom}entry")) == 2
        assert {child.tag.partition("}")[2] for child in feed.iter()} <= {
            *("feed", "id", "title", "updated", "link", "author", "name", "entry", "published", "content"),
        }
    calendar = icalendar.Calendar.from_ical(client.get("/hearings.ics").data)
    events = calendar.walk("VEVENT")
    assert len(events) == 1
    assert str(events[0]["SUMMARY"]) == "Public hearing on HB 7132"


@pytest.mark.parametrize("payload", URLS, ids=range(len(URLS)))
def test_an_address_leads_to_http_or_nowhere(hostile, payload):
    put(hostile, ADDRESSES, payload)
    client = reader(hostile)
    for path in VIEWS:
        page = client.get(path).text
        assert not dangers(page), path
        hrefs = [one.get("href", "") for one in Elements(page).of("a")]
        assert all(href.startswith(("http://", "https://", "mailto:", "/", "#")) for href in hrefs)


@pytest.mark.parametrize("payload", URLS, ids=range(len(URLS)))
def test_only_http_and_mail_are_followed(payload):
    assert safe(payload) in ("", payload.strip())
    assert not safe(payload) or payload.startswith("https://")


def test_an_archived_page_is_inert(hostile, tmp_path: Path):
    page = f"<html><script>{MARK}()</script></html>".encode()
    with hostile.database.transaction() as session:
        source = session.query(Source).first()
        from monitor.model.tracking import Page, Verdict
        from monitor.store import snapshots

        headers = {"content-type": "text/html; charset=windows-1252"}
        kept = Page("http://x/", "http://x/", 200, headers, page, hostile.now)
        other = Page("http://x/", "http://x/", 200, headers, page + b"not cited", hostile.now)
        sha256 = snapshots.add(session, source, kept, Verdict.OK).sha256
        unpublished = snapshots.add(session, source, other, Verdict.OK).sha256
        for state, digest in (("approved", sha256), ("pending", unpublished)):
            proposal = session.query(Proposal).filter(Proposal.state == state).one()
            proposal.evidence[0].snapshot_sha256 = digest
    client = reader(hostile)
    answer = client.get(f"/archive/{sha256}")
    assert answer.data == page
    assert answer.headers["Content-Type"] == "text/plain; charset=cp1252"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
    assert client.get(f"/archive/{unpublished}").status_code == 404, "nobody has published what rests on it"


def test_the_corpus_is_large_and_its_judge_sees_what_is_wrong():
    assert len(set(PAYLOADS)) > 100
    assert len(set(URLS)) > 20
    naked = [one for one in PAYLOADS if "<" in one and dangers(f"<p>{one}</p>")]
    assert len(naked) > 70
    for page in ('<a href="javascript:x">', "<p onclick=x>", "<script>x</script>", "<p style=x>", "<iframe>"):
        assert dangers(page)
    assert not dangers('<a href="https://example.org/">x</a><script src="/static/x.js"></script>')


def test_statuses_are_the_only_words_that_become_marks(hostile):
    page = reader(hostile).get("/").text
    used = {one["href"] for one in Elements(page).of("use")}
    assert used <= {f"#{status}{old}" for status in Status for old in ("", "-old")}
