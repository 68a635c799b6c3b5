"""The board for programs: board.json, Atom, the calendar of hearings, embeds."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import icalendar
import pytest
from pipeline import World, issue, watch
from readers import Elements, reader, seen

from monitor.store.schema import Action, Issue, Transition

ROOT = Path(__file__).resolve().parent.parent
ATOM = "{http://www.w3.org/2005/Atom}"
ISSUES = [
    issue("stops", watch("2025 HB 7132", effect="achieved"), status="some_progress"),
    issue("swat", narrative="No law requires it."),
]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """HB 7132 in committee, its hearing announced."""
    with World(tmp_path, ISSUES) as world:
        world.at(date(2025, 3, 3)).check()
        yield world


def signed(world: World) -> World:
    world.at(date(2025, 6, 10), 6, 10).check()
    world.approve(next(iter(world.proposals(kind="status"))).id)
    return world


def feed(world: World, path: str = "/feed.atom") -> ElementTree.Element:
    answer = reader(world).get(path)
    assert (answer.status_code, answer.mimetype) == (200, "application/atom+xml")
    return ElementTree.fromstring(answer.data)


def said(element: ElementTree.Element, name: str) -> str:
    return element.findtext(f"{ATOM}{name}") or ""


# ------------------------------------------------------------------ Atom


def test_a_feed_without_a_move_is_valid_and_does_not_follow_the_clock(world):
    first = feed(world)
    assert said(first, "id") == "tag:example.org,2025-01-01:board"
    assert not first.findall(f"{ATOM}entry")
    world.at(date(2025, 4, 1)).check()
    assert said(feed(world), "updated") == said(first, "updated")


def test_an_entry_says_what_moved_and_leads_to_it(world):
    [entry] = feed(signed(world)).findall(f"{ATOM}entry")
    assert said(entry, "id") == "tag:example.org,2025-01-01:move/1"
    assert said(entry, "title") == "Stops: now Legislation Achieved"
    assert said(entry, "updated") == said(entry, "published") == "2025-06-10T10:10:00Z"
    assert "The governor signed HB 7132 on June 9, 2025." in said(entry, "content")
    assert "“SIGNED BY GOVERNOR”" in said(entry, "content")
    [link] = entry.findall(f"{ATOM}link")
    assert link.attrib["href"] == "http://localhost/issues/stops#move-1"


def test_only_a_real_change_moves_updated(world):
    before = feed(signed(world))
    world.later(days=5)
    world.check()
    assert ElementTree.tostring(feed(world)) == ElementTree.tostring(before)


def test_a_correction_is_an_entry_and_touches_the_one_it_corrects(world):
    signed(world)
    with world.database.transaction() as session:
        session.add(
            Transition(
                issue_id="stops",
                corrects_id=1,
                from_status="achieved",
                to_status="some_progress",
                narrative_before="",
                narrative_after="",
                reason="It does not settle it.",
                decided_by="Alex",
                at=world.now + timedelta(days=1),
            )
        )
    found = feed(world)
    correction, corrected = found.findall(f"{ATOM}entry")
    assert said(correction, "title") == "Correction: Stops"
    assert said(correction, "content").startswith("It does not settle it.")
    assert said(corrected, "id").endswith("move/1")
    assert said(corrected, "content").startswith("Corrected on June 11, 2025.")
    assert said(corrected, "published") == "2025-06-10T10:10:00Z"
    assert said(corrected, "updated") == said(found, "updated") == "2025-06-11T10:10:00Z"


def test_an_issue_has_a_feed_of_its_own(world):
    signed(world)
    assert len(feed(world, "/issues/stops/feed.atom").findall(f"{ATOM}entry")) == 1
    assert not feed(world, "/issues/swat/feed.atom").findall(f"{ATOM}entry")
    assert said(feed(world, "/issues/swat/feed.atom"), "id").endswith(":issue/swat")


def test_the_boards_own_address_is_used_where_there_is_one(tmp_path):
    settings = {"organization": {"name": "A", "contact": "a@example.net", "board_url": "https://board.example.net/x"}}
    with World(tmp_path, ISSUES, settings=settings) as world:
        found = feed(world)
        assert said(found, "id") == "tag:board.example.net,2025-01-01:board"
        links = [one.attrib["href"] for one in found.findall(f"{ATOM}link")]
        assert links == ["https://board.example.net/x/feed.atom", "https://board.example.net/x/"]


def test_what_xml_cannot_hold_is_left_out(world):
    signed(world)
    with world.database.transaction() as session:
        session.get_one(Issue, "stops").name = "Stops\x00\x0b\ufffe & <more>"
    assert said(feed(world).findall(f"{ATOM}entry")[0], "title") == "Stops & <more>: now Legislation Achieved"


# ------------------------------------------------------------------ hearings


def events(world: World) -> list[Any]:
    answer = reader(world).get("/hearings.ics")
    assert (answer.status_code, answer.mimetype) == (200, "text/calendar")
    return list(icalendar.Calendar.from_ical(answer.data).walk("VEVENT"))


def test_a_hearing_is_an_event_of_its_day(world):
    [event] = events(world)
    assert event["SUMMARY"] == "Public hearing on HB 7132"
    assert event.decoded("DTSTART") == date(2025, 3, 7)
    assert event.decoded("DTEND") == date(2025, 3, 8)
    assert event["URL"].endswith("bill_num=HB07132&which_year=2025")
    assert (event["STATUS"], event["SEQUENCE"]) == ("CONFIRMED", 0)
    assert re.fullmatch(r"hearing-\d+@example\.org", event["UID"])


def test_the_calendar_does_not_follow_the_clock(world):
    before = reader(world).get("/hearings.ics").data
    world.later(days=2)
    world.check()
    assert reader(world).get("/hearings.ics").data == before


def _move(world: World, description: str) -> None:
    """The record says another day: as a check enters it, with the change that tells of it."""
    from monitor.store.schema import ChangeRow

    world.later(hours=6)
    with world.database.transaction() as session:
        row = session.query(Action).filter(Action.description.ilike("public hearing%")).one()
        before, row.description = row.description, description
        session.add(
            ChangeRow(
                bill_id=row.bill_id,
                kind="action_amended",
                quote=description,
                before=before,
                after=description,
                first_seen_at=world.now,
            )
        )


def test_a_hearing_that_moves_keeps_its_uid_and_counts_up(world):
    [first] = events(world)
    _move(world, "PUBLIC HEARING 0310")
    [second] = events(world)
    assert second["UID"] == first["UID"]
    assert second.decoded("DTSTART") == date(2025, 3, 10)
    assert second["SEQUENCE"] == 1
    assert second.decoded("LAST-MODIFIED") > first.decoded("LAST-MODIFIED")
    _move(world, "PUBLIC HEARING 0314")
    assert events(world)[0]["SEQUENCE"] == 2


def test_a_hearing_taken_back_stays_and_stays_cancelled(world):
    [first] = events(world)
    with world.database.transaction() as session:
        row = session.query(Action).filter(Action.description.ilike("public hearing%")).one()
        row.removed_at, row.gone = world.now, True
    [second] = events(world)
    assert (second["UID"], second["STATUS"], second["SEQUENCE"]) == (first["UID"], "CANCELLED", 1)
    assert "None is announced." in seen(reader(world).get("/hearings").text)
    world.later(days=30)
    assert events(world)[0]["STATUS"] == "CANCELLED"


# ------------------------------------------------------------------ board.json

DOCUMENTED = ROOT / "docs" / "reference" / "board-json.md"


def _paths(value: Any, path: str = "") -> Iterator[str]:
    """ "topics[].issues[].status", of everything in a value."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield f"{path}.{key}".lstrip(".")
            yield from _paths(inner, f"{path}.{key}")
    for inner in value if isinstance(value, list) else []:
        yield from _paths(inner, f"{path}[]")


def test_board_json_holds_what_its_page_says_and_nothing_else(world):
    signed(world)
    with world.database.transaction() as session:
        session.query(Action).filter(
            Action.description == "SIGNED BY GOVERNOR"
        ).one().description = "PUBLIC HEARING 0620"
    board = json.loads(reader(world).get("/board.json").data)
    assert board["hearings"], "a hearing to come must be among what is compared"
    documented = set(re.findall(r"^\| `([^`]+)` \|", DOCUMENTED.read_text(encoding="utf-8"), re.MULTILINE))
    assert set(_paths(board)) == documented


def test_board_json_says_where_an_issue_stands(world):
    board = json.loads(reader(signed(world)).get("/board.json").data)
    assert board["version"] == 1
    [topic] = board["topics"]
    stops, swat = topic["issues"]
    assert (stops["status"], stops["status_label"]) == ("achieved", "Legislation Achieved")
    assert stops["status_since"] == "2025-06-09"
    assert stops["verified_at"] == stops["changed_at"] == "2025-06-10T10:10:00+00:00"
    assert stops["bills"][0]["stage"] == "signed"
    assert stops["may_be_out_of_date"] is False
    assert swat["verified_at"] is None
    assert board["sources"]["total"] == board["sources"]["read_well"] > 0


def test_however_many_moves_came_since_an_issue_says_when_it_changed(world):
    signed(world)
    later = {"from_status": "no_progress", "to_status": "no_progress", "narrative_before": "", "narrative_after": ""}
    with world.database.transaction() as session:
        at = world.now + timedelta(hours=1)
        moves = (Transition(issue_id="swat", reason="More.", decided_by="Dana", at=at, **later) for _ in range(1001))
        session.add_all(moves)
    found = json.loads(reader(world).get("/board.json").data)
    changed = {one["id"]: one["changed_at"] for one in found["topics"][0]["issues"]}
    assert changed == {"stops": "2025-06-10T10:10:00+00:00", "swat": "2025-06-10T11:10:00+00:00"}
    assert len(feed(world).findall(f"{ATOM}entry")) == 100


def test_board_json_stays_the_same_while_nothing_happens(world):
    before = reader(signed(world)).get("/board.json").data
    world.later(minutes=30)
    assert reader(world).get("/board.json").data == before


# ------------------------------------------------------------------ embeds


@pytest.mark.parametrize("path", ["/embed", "/embed/stops"])
def test_any_site_may_frame_an_embed_and_no_other_page(world, path):
    client = reader(world)
    policy = client.get(path).headers["Content-Security-Policy"]
    assert "frame-ancestors *" in policy
    assert "script-src" not in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in client.get("/").headers["Content-Security-Policy"]
    links = Elements(client.get(path).text).of("a")
    assert [one for one in links if one.get("target") == "_top"] == [
        one for one in links if one["href"].startswith("http")
    ]


def test_an_embed_shows_status_mark_and_words(world):
    signed(world)
    words = seen(reader(world).get("/embed/stops").text)
    assert "Stops Legislation Achieved" in words
    assert "The governor signed HB 7132" in words
    assert "Swat" not in words
    assert "Swat No Progress" in seen(reader(world).get("/embed").text)


def test_what_is_copied_works_elsewhere(world):
    page = reader(signed(world)).get("/share").text
    frame, fragment = re.findall(r"<textarea[^>]*>(.*?)</textarea>", page, re.DOTALL)
    assert "&lt;iframe src=&#34;http://localhost/embed&#34;" in frame
    assert "http://localhost/issues/stops" in fragment
    assert "Legislation Achieved" in fragment
    assert "class=" not in fragment
    assert "style=" not in fragment
