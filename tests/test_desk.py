"""The queue and the proposal page: what is shown, what a press does, and that nothing typed is lost."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from datetime import date, timedelta
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from hostile import PAYLOADS, URLS, dangers
from sqlalchemy import select

from monitor.demo import faults
from monitor.model.tracking import Page, Status, Verdict
from monitor.store import proposals, queue, snapshots
from monitor.store.schema import Bill, ChangeRow, Issue, Proposal, Snapshot, Source, Transition
from monitor.store.schema_desk import Deed
from monitor.web import queue_view
from monitor.web.textdiff import Kind, TooMuchError, paragraphs, words
from monitor.workflow.undo import undo
from tests.integrity import violations
from tests.pipeline import World, issue, watch
from tests.telling import propose
from tests.web import app, desk, public

DAY = date(2025, 6, 10)
MINE = "My own words about SB 380."


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path, [issue("stops"), issue("quotas")], day=DAY) as world:
        yield world


@pytest.fixture
def both(tmp_path: Path, database_url: str) -> Iterator[World]:
    """On both engines."""
    with World(tmp_path, [issue("stops"), issue("quotas")], day=DAY, database_url=database_url) as world:
        yield world


@pytest.fixture
def signed(tmp_path: Path) -> Iterator[World]:
    """HB 7132 was signed yesterday, on the record and in the pages."""
    entry = issue("stops", watch("2025 HB 7132", effect="achieved"), status="some_progress")
    with World(tmp_path, [entry], day=date(2025, 6, 4)) as world:
        world.check()
        world.at(DAY, 6, 10).check()
        yield world


class Fields(HTMLParser):
    """What a browser would send from the decision form, and everything else a test wants to know of a page."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.fields: dict[str, str] = {}
        self.buttons: list[str] = []
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.links: list[str] = []
        self.text = ""
        self._area = ""
        self._title = False
        self.title = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.tags.append((tag, tuple(name for name, _ in attrs)))
        self.links += [given[name] for name in ("href", "src", "action", "formaction") if name in given]
        self._title = tag == "title"
        self.text += "" if tag in ("span", "a", "strong", "ins", "del") else " "
        if tag == "button" and given.get("name") == "do":
            self.buttons.append(given["value"])
        if tag == "textarea":
            self._area = given.get("name") or given.get("id", "")
            self.fields[self._area] = ""
        if tag == "input" and given.get("name"):
            is_off = given.get("type") == "radio" and "checked" not in given
            self.fields.update({} if is_off else {given["name"]: given.get("value", "")})

    def handle_endtag(self, tag: str) -> None:
        self._area = "" if tag == "textarea" else self._area
        self._title = False if tag == "title" else self._title

    def handle_data(self, data: str) -> None:
        self.text += data
        self.title += data if self._title else ""
        if self._area:
            self.fields[self._area] += data


def page(client: FlaskClient, number: int) -> Fields:
    answer = client.get(f"/desk/proposals/{number}")
    assert answer.status_code == 200, answer.text
    return Fields(answer.text)


def send(client: FlaskClient, number: int, form: Fields, do: str, **typed: str) -> Any:
    """What a browser sends from a page it once got."""
    return client.post(f"/desk/proposals/{number}", data={**form.fields, "do": do, **typed})


def press(client: FlaskClient, number: int, do: str, **typed: str) -> Any:
    return send(client, number, page(client, number), do, **typed)


def plain(answer: Any) -> str:
    return " ".join(Fields(answer.text).text.split())


def state(world: World, number: int) -> str:
    return next(one.state for one in world.proposals(None) if one.id == number)


def everything(world: World) -> list[Any]:
    tables = (Proposal, Issue, Transition, Source, Bill, Snapshot, Deed)
    return [
        [{key: value for key, value in vars(row).items() if key[0] != "_"} for row in world.rows(t)] for t in tables
    ]


# ------------------------------------------------------------------ the queue


def test_an_empty_queue_says_when_it_will_be_looked_at_again(signed: World) -> None:
    for one in signed.proposals():
        signed.reject(one.id)
    assert "Nothing waits. Last read 6:10 a.m.; next" in plain(desk(signed).get("/desk/"))
    assert desk(signed).get("/desk").status_code == 200


def test_the_weightiest_and_oldest_come_first_by_issue(world: World) -> None:
    review = propose(world, None, reason="Unknown phrase in HB 1: “HELD AT DESK”. Which stage does it mean?")
    with world.database.transaction() as session:
        session.get_one(Proposal, review).subject = "phrase:2025-HB00001:x"
    text = propose(world, "stops", "no_progress", reason="The House passed HB 1. It was close.")
    with world.database.transaction() as session:
        session.get_one(Proposal, text).kind = "narrative"
    status = propose(world, "quotas")
    second = propose(world, "stops", reason="Later.")
    world.later(hours=3)
    found = Fields(desk(world).get("/desk/").text)
    shown = [int(link.rsplit("/", 1)[1]) for link in found.links if re.fullmatch(r"/desk/proposals/\d+", link)]
    assert shown == [second, text, status, review]
    said = " ".join(found.text.split())
    assert "All 4 New statuses 2 Unknown phrase 1 New text 1" in said
    assert "New text The House passed HB 1." in said
    assert "It was close" not in said
    assert "No Progress → to Some Progress 3 hours" in said
    assert "Unknown phrase HB 1: “HELD AT DESK”." in said


def test_the_queue_is_paged_by_keys_and_shows_each_once(both: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_view, "PAGE", 7)
    numbers = [propose(both, ("stops", "quotas")[at % 2], reason=f"Reason {at}.") for at in range(25)]
    client, shown, path = desk(both), [], "/desk/"
    for _ in range(9):
        found = Fields(client.get(path).text)
        shown += [int(link.rsplit("/", 1)[1]) for link in found.links if re.fullmatch(r"/desk/proposals/\d+", link)]
        following = [link for link in found.links if "after=" in link]
        if not following:
            break
        path = following[0]
        if len(shown) == 7:
            both.reject(shown[-1])  # somebody decides on what the next page hangs on
    assert shown == [*numbers[0::2], *numbers[1::2]]
    assert "Nothing waits behind this." in client.get("/desk/?after=9.9.9.9").text
    assert client.get("/desk/?after=1.2.x').4&kind=nothing").status_code == 200


def test_one_kind_can_be_shown_alone(world: World) -> None:
    propose(world)
    client = desk(world)
    assert "SB 380 was signed" in client.get("/desk/?kind=status").text
    assert "None of this kind waits." in client.get("/desk/?kind=phrase").text


def test_a_source_that_fails_is_in_the_queue_until_a_person_is_asked_about_it(signed: World) -> None:
    signed.replica.misbehave(faults.STATUS, "maintenance")
    signed.later(hours=2).check()
    signed.later(hours=8)
    said = plain(desk(signed).get("/desk/?kind=outage"))
    assert "Outage HB 7132 (2025), its status page:" in said
    assert "8 hours" in said
    with signed.database.transaction() as session:
        source = session.scalars(select(Source).where(Source.outage_since.is_not(None))).one()
        session.add(Proposal(kind="review", subject="x", reason="?", created_at=signed.now, source_id=source.id))
    assert "None of this kind waits." in plain(desk(signed).get("/desk/?kind=outage"))


def test_what_is_put_off_is_counted_and_not_shown(world: World) -> None:
    number = propose(world)
    client = desk(world)
    press(client, number, "postpone", until="2025-07-01")
    assert "Nothing waits." in plain(client.get("/desk/"))
    assert "1 put off until a later day." in plain(client.get("/desk/"))
    world.at(date(2025, 7, 1))
    assert f"/desk/proposals/{number}" in desk(world).get("/desk/").text  # the sign-in has ended meanwhile


@pytest.mark.parametrize(
    ("seconds", "words_"), [(5, "less than a minute"), (60, "1 minute"), (7200, "2 hours"), (90_000, "1 day")]
)
def test_ages(world: World, seconds: int, words_: str) -> None:
    assert queue_view.age(world.now - timedelta(seconds=seconds), world.now) == words_


def test_a_place_is_read_as_it_was_written() -> None:
    place = queue.Place(0, 12, 4, 99)
    assert queue.Place.of(str(place)) == place
    assert [queue.Place.of(text) for text in ("", "1.2.3", "1.2.3.x", "1.2.3.-4", "1.2.3.4.5", "1.2.3.²")] == [None] * 6


# ------------------------------------------------------------------ one proposal


def test_the_page_answers_all_four_questions(signed: World) -> None:
    (one,) = signed.proposals(kind="status")
    said = plain(desk(signed).get(f"/desk/proposals/{one.id}"))
    assert "Some Progress → to Legislation Achieved" in said
    assert "HB 7132 (2025), An Act Concerning Non-Safety-Related Traffic Stops" in said
    assert re.search(r"New row: 6/9/2025\W+SIGNED BY GOVERNOR", said, re.IGNORECASE)
    assert "Dated June 9, 2025" in said
    assert "First seen June 10, 2025, 6:10 a.m., in the bulk file; the status page shows it too" in said
    assert "Bill history, June 4 against June 10: 1 row added, none removed, 22 unchanged" in said
    assert "Stage: to governor →changed to signed. It is now law." in said
    assert re.search(r"Law ?PA 25-19", said)
    assert "A bill marked “achieves this issue” became law: it suggests Legislation Achieved." in said
    assert "Signature row found (June 9). The act number alone (May 30) was not counted as law." in said
    assert "[added: The governor signed HB 7132 on June 9, 2025. It is now Public Act 25-19.]" in said
    assert "On approval, nobody yet is told. You can undo for 60 seconds." in said


def test_the_saved_pages_are_inert_text(signed: World) -> None:
    (one,) = signed.proposals(kind="status")
    client = desk(signed)
    links = [link for link in page(client, one.id).links if link.startswith("/desk/archive/")]
    assert len(links) == 2
    for link in links:
        answer = client.get(link)
        assert answer.content_type == "text/plain; charset=utf-8"
        assert answer.headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "private" in answer.headers["Cache-Control"]
        assert "HB07132" in answer.text
    assert public(signed).get(links[0]).status_code == 303
    for wrong in ("0" * 64, "..%2f..%2fetc%2fpasswd", "x' OR 1=1"):
        assert client.get(f"/desk/archive/{wrong}").status_code == 404


def test_a_damaged_saved_page_is_not_shown_as_if_it_were_whole(signed: World) -> None:
    (one,) = signed.proposals(kind="status")
    client = desk(signed)
    (link, _) = [link for link in page(client, one.id).links if link.startswith("/desk/archive/")]
    with signed.database.transaction() as session:
        for row in session.scalars(select(Snapshot)):
            row.body = b"broken"
    assert client.get(link).status_code == 410
    assert "damaged" in client.get(f"/desk/proposals/{one.id}/changes").text


def test_the_whole_page_shows_its_changes_only(signed: World) -> None:
    (one,) = signed.proposals(kind="status")
    said = plain(desk(signed).get(f"/desk/proposals/{one.id}/changes"))
    assert "against June 10, 2025, 6:10 a.m." in said
    assert "SIGNED BY" in said.upper()
    assert "TABLED FOR" not in said.upper()


def test_a_page_that_was_the_same_before_is_shown_with_its_own_moments(signed: World) -> None:
    (one,) = signed.proposals(kind="status")
    with signed.database.transaction() as session:
        change = session.get_one(ChangeRow, session.get_one(Proposal, one.id).evidence[0].change_id)
        after = session.get_one(Snapshot, change.snapshot_id)
        before = snapshots.good_before(session, after)
        assert before is not None
        for day, saved in ((11, before), (12, after)):
            body, at = snapshots.body_of(session, saved.id), signed.at(date(2025, 6, day)).now
            headers = {"content-type": str(saved.content_type)}
            again = Page(saved.url, saved.url, 200, headers, body, at)
            source = session.get_one(Source, saved.source_id)
            change.snapshot_id = snapshots.add(session, source, again, Verdict.OK).id
    said = plain(desk(signed).get(f"/desk/proposals/{one.id}/changes"))
    assert "June 11, 2025, 12:00 p.m. against June 12, 2025, 12:00 p.m." in said


def test_the_form_decides_nothing_when_enter_is_pressed_in_a_field(world: World) -> None:
    """Browsers press a form's first button then: it only shows the page again."""
    number = propose(world)
    client = desk(world)
    form = page(client, number)
    assert form.buttons[0] == "look"
    before = everything(world)
    answer = send(client, number, form, "look", narrative=MINE, reason="Half a")
    assert answer.status_code == 200
    again = Fields(answer.text)
    assert again.fields["narrative"] == MINE
    assert again.fields["reason"] == "Half a"
    assert everything(world) == before


@pytest.mark.parametrize(
    ("tab", "expected", "suggested"),
    [
        ("board", "Stops Legislation Achieved Nothing yet. Mine & <b>.", "Stops Some Progress Nothing yet. SB 380"),
        ("email", "Subject Stops: now Legislation Achieved", "Subject Stops: now Some Progress"),
        (
            "slack",
            "Stops moved from No Progress to Legislation Achieved: SB 380",
            "No Progress to Some Progress: SB 380",
        ),
    ],
)
def test_previews_follow_what_is_typed(world: World, tab: str, expected: str, suggested: str) -> None:
    number = propose(world)
    client = desk(world)
    form = page(client, number)
    before = everything(world)
    typed = {**form.fields, "status": "achieved", "narrative": "Nothing yet. Mine & <b>."}
    answer = client.post(f"/desk/proposals/{number}/preview/{tab}", data=typed)
    assert expected in plain(answer)
    assert "Mine & <b>." in plain(answer)
    assert "<b>" not in answer.text
    assert everything(world) == before
    assert suggested in plain(client.get(f"/desk/proposals/{number}?preview={tab}"))


def test_what_would_tell_nothing_has_no_preview(world: World) -> None:
    number = propose(world, None)
    client = desk(world)
    for path in ("preview/board", "preview/fax", "email"):
        assert client.post(f"/desk/proposals/{number}/{path}", data=page(client, number).fields).status_code == 404


def test_the_email_can_be_seen_as_its_reader_gets_it(world: World) -> None:
    number = propose(world)
    client = desk(world)
    answer = client.post(f"/desk/proposals/{number}/email", data={**page(client, number).fields, "narrative": MINE})
    assert MINE in answer.text
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("sandbox; default-src 'none'")
    assert "style-src 'unsafe-inline'" in policy
    assert "script-src" not in policy
    assert client.post("/desk/proposals/999/email", data=page(client, number).fields).status_code == 404


def test_bills_and_acts_are_linked_in_the_preview(signed: World) -> None:
    (one,) = signed.proposals(kind="status")
    links = page(desk(signed), one.id).links
    assert sum("bill_num=HB07132&which_year=2025" in link for link in links) >= 3


# ------------------------------------------------------------------ deciding


def test_approving_publishes_after_a_minute_in_which_it_can_be_undone(both: World) -> None:
    both.subscribe("ann@example.org")
    number = propose(both)
    client = desk(both)
    answer = press(client, number, "approve")
    assert (answer.status_code, answer.location) == (303, f"/desk/proposals/{number}#outcome")
    assert both.issue("stops").status == Status.SOME_PROGRESS
    said = plain(client.get(answer.location))
    assert "Published 12:00 p.m. by Dana. Nothing is sent until 12:01 p.m. Undo" in said
    assert both.deliver().sent == 0
    assert page(client, number).buttons == ["undo"]
    undone = press(client, number, "undo")
    assert undone.status_code == 303
    assert both.issue("stops").status == Status.NO_PROGRESS
    assert "approve" in page(client, number).buttons
    press(client, number, "approve")
    both.later(seconds=61)
    assert both.deliver().sent == 1
    said = plain(client.get(f"/desk/proposals/{number}"))
    assert "Sent to 1. To take it back, publish a correction." in said
    assert page(client, number).buttons == []
    late = client.post(f"/desk/proposals/{number}", data={**page(client, number).fields, **token(client), "do": "undo"})
    assert late.status_code == 409
    assert "The minute in which" in plain(late)
    assert violations(both.database) == []


def token(client: FlaskClient) -> dict[str, str]:
    found = re.search(r'name="csrf_token" value="([^"]+)"', client.get("/desk/").text)
    assert found is not None
    return {"csrf_token": found[1]}


def test_typed_text_and_status_are_published_as_typed(world: World) -> None:
    number = propose(world)
    press(desk(world), number, "approve", status="achieved", narrative=f"  {MINE}\r\n\r\nAnd more. ")
    stops = world.issue("stops")
    assert (stops.status, stops.narrative) == ("achieved", f"{MINE}\n\nAnd more.")
    assert state(world, number) == "amended"
    said = plain(desk(world).get(f"/desk/proposals/{number}"))
    assert "No Progress → to Legislation Achieved" in said
    assert f"What was published Stops Legislation Achieved {MINE} And more." in said


def test_what_was_only_looked_at_is_approved_as_suggested(world: World) -> None:
    number = propose(world)
    press(desk(world), number, "approve")
    assert state(world, number) == "approved"


def test_two_people_at_once(both: World) -> None:
    number = propose(both)
    dana, lee = desk(both), desk(both, name="Lee")
    form = page(dana, number)
    press(lee, number, "approve")
    before = everything(both)
    both.later(minutes=5)
    answer = send(dana, number, form, "approve", narrative=MINE)
    assert answer.status_code == 409
    said = Fields(answer.text)
    assert said.title.startswith("Error: ")
    assert "Lee approved this at 12:00 p.m. Your text is kept below." in " ".join(said.text.split())
    assert said.fields["kept"] == MINE
    assert MINE not in " ".join(said.text.split()).partition("Your text Not published")[0]
    assert said.buttons == []
    rejected = send(dana, number, form, "reject", reason="It only studies it.")
    assert "It only studies it." in Fields(rejected.text).fields["kept-reason"]
    assert everything(both) == before


def test_a_double_click_shows_the_outcome_only(both: World) -> None:
    both.subscribe("ann@example.org")
    number = propose(both)
    client = desk(both)
    form = page(client, number)
    for do, typed in (("approve", {"narrative": MINE}), ("undo", {}), ("reject", {"reason": "No."})):
        form = page(client, number)
        answers = [send(client, number, form, do, **typed) for _ in range(2)]
        assert [(one.status_code, one.location) for one in answers] == [(303, f"/desk/proposals/{number}#outcome")] * 2
    assert len([one for one in both.rows(Deed) if one.what == "amended proposal"]) == 1
    assert state(both, number) == "rejected"


def test_a_decision_that_was_never_seen_is_not_taken_back(both: World) -> None:
    number = propose(both)
    dana, lee = desk(both), desk(both, name="Lee")
    press(dana, number, "approve")
    seen = page(lee, number)
    press(dana, number, "undo")
    press(dana, number, "approve", narrative=MINE)
    before = everything(both)
    answer = send(lee, number, seen, "undo")
    assert answer.status_code == 409
    assert "This proposal has changed since you opened the page: look at it again." in plain(answer)
    assert everything(both) == before
    assert press(lee, number, "undo").status_code == 303, "once it was seen it is"
    assert both.issue("stops").narrative == "Nothing yet."


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [
        (("approve", {}), ("reject", {"reason": "No."}), "kept-reason"),
        (("approve", {}), ("approve", {"narrative": MINE}), "kept"),
        (("approve", {"narrative": MINE}), ("approve", {"narrative": "Other words."}), "kept"),
        (("approve", {}), ("approve", {"status": "achieved"}), "kept"),
        (("reject", {"reason": "No."}), ("reject", {"reason": "It only studies it."}), "kept-reason"),
        (("reject", {"reason": "No."}), ("approve", {"narrative": MINE}), "kept"),
    ],
)
def test_another_decision_of_the_same_person_is_not_taken_for_a_double_click(
    world: World, first: tuple[str, dict[str, str]], second: tuple[str, dict[str, str]], kept: str
) -> None:
    number = propose(world)
    client = desk(world)
    form = page(client, number)
    assert send(client, number, form, first[0], **first[1]).status_code == 303
    before = everything(world)
    answer = send(client, number, form, second[0], **second[1])
    assert answer.status_code == 409
    sent = {**form.fields, **second[1]}
    assert Fields(answer.text).fields[kept] == sent["reason" if kept == "kept-reason" else "narrative"]
    assert everything(world) == before
    assert send(client, number, form, first[0], **first[1]).status_code == 303


def test_a_double_click_on_postpone_shows_the_outcome_only(world: World) -> None:
    number = propose(world)
    client = desk(world)
    form = page(client, number)
    answers = [send(client, number, form, "postpone", until="2025-07-01") for _ in range(2)]
    assert [one.status_code for one in answers] == [303, 303]
    assert "Put off until July 1, 2025." in plain(client.get(f"/desk/proposals/{number}"))
    press(client, number, "undo")
    assert page(client, number).fields["version"] == "3"


def test_a_stale_tab_is_told_and_keeps_its_text(world: World) -> None:
    number = propose(world)
    client, lee = desk(world), desk(world, name="Lee")
    form = page(client, number)
    press(lee, number, "postpone", until="2025-07-01")
    answer = send(client, number, form, "approve", narrative=MINE)
    assert answer.status_code == 409
    again = Fields(answer.text)
    assert "This proposal has changed since you opened the page: look at it again. Your text is kept" in " ".join(
        again.text.split()
    )
    assert again.fields["narrative"] == MINE
    assert send(client, number, again, "approve").status_code == 303
    assert world.issue("stops").narrative == MINE


def test_an_issue_that_moved_meanwhile_is_not_overwritten(world: World) -> None:
    first, second = propose(world), propose(world, reason="Another thing happened.")
    client, lee = desk(world), desk(world, name="Lee")
    form = page(client, second)
    world.later(minutes=1)
    press(lee, first, "approve")
    answer = send(client, second, form, "approve", narrative=MINE)
    assert answer.status_code == 409
    again = Fields(answer.text)
    assert "Stops has moved since you opened this page" in again.text
    assert "it is Some Progress today. Choose the status that should stand." in " ".join(again.text.split())
    assert again.fields["narrative"] == MINE
    assert MINE not in world.issue("stops").narrative
    assert send(client, second, again, "approve").status_code == 303
    assert world.issue("stops").narrative == MINE


def test_a_superseded_proposal_leads_to_the_newer_and_keeps_the_text(world: World) -> None:
    number = propose(world)
    client = desk(world)
    form = page(client, number)
    newer = propose(world, reason="The House passed it again.")
    with world.database.transaction() as session:
        pair = session.get_one(Proposal, number), session.get_one(Proposal, newer)
        proposals.supersede(session, *pair, world.now, "A newer change replaced this.")
    answer = send(client, number, form, "approve", narrative=MINE)
    said = Fields(answer.text)
    assert answer.status_code == 409
    assert "A newer change replaced this: The House passed it again. Your text is kept below." in " ".join(
        said.text.split()
    )
    assert f"/desk/proposals/{newer}" in said.links
    assert said.fields["kept"] == MINE
    assert world.issue("stops").status == Status.NO_PROGRESS


@pytest.mark.parametrize(
    ("do", "typed", "words_", "field"),
    [
        ("reject", {"reason": "  "}, "Say why: the next maintainer will want to know.", "reason"),
        ("postpone", {"until": ""}, "Name the day it should come back.", "until"),
        ("postpone", {"until": "soon"}, "Name the day it should come back.", "until"),
        ("postpone", {"until": "2025-06-10"}, "Name a day that is to come.", "until"),
        ("approve", {"narrative": " \n"}, "Write the text the board should have.", "narrative"),
    ],
)
def test_what_is_missing_is_said_at_the_field_and_on_top(
    world: World, do: str, typed: dict[str, str], words_: str, field: str
) -> None:
    number = propose(world)
    client = desk(world)
    before = everything(world)
    answer = press(client, number, do, **{"narrative": MINE, **typed})
    assert answer.status_code == 422
    again = Fields(answer.text)
    assert again.title.startswith("Error: ")
    assert again.text.count(words_) == 2
    assert f"#{field}" in again.links
    assert f'aria-describedby="{field}-wrong"' in answer.text
    assert again.fields["narrative"] == typed.get("narrative", MINE).strip()
    assert everything(world) == before


def test_a_hundred_approvals_at_once_have_one_winner(both: World) -> None:
    both.subscribe("ann@example.org")
    number = propose(both)
    clients = [desk(both, name=f"Person {at}") for at in range(4)]
    form = [page(client, number) for client in clients]
    barrier, answers = threading.Barrier(100), [0] * 100

    def act(at: int) -> None:
        one = app(both).test_client()
        for name in ("desk", "form"):
            cookie = clients[at % 4].get_cookie(name, path="/desk" if name == "desk" else "/")
            assert cookie is not None
            one.set_cookie(name, cookie.value, path="/desk" if name == "desk" else "/")
        barrier.wait()
        answers[at] = send(one, number, form[at % 4], "approve", narrative=f"Text {at % 4}.").status_code

    threads = [threading.Thread(target=act, args=(at,)) for at in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(both.rows(Transition)) == 1
    assert len(both.deliveries()) == 1
    # The winner's own clicks with the same text show the outcome; everybody else is told who was faster.
    assert (answers.count(303), answers.count(409)) == (25, 75), answers
    assert violations(both.database) == []


# ------------------------------------------------------------------ other kinds


def test_a_doubted_page_is_accepted_or_the_last_good_one_kept(tmp_path: Path) -> None:
    with World(tmp_path, [issue("stops", "2025 HB 7132")], day=date(2025, 5, 23), feed=False) as world:
        world.check()
        world.replica.misbehave(faults.STATUS, "history_shrunk")
        world.later(hours=7).check()
        (asked,) = world.proposals(kind="review")
        client = desk(world)
        form = page(client, asked.id)
        assert form.buttons == ["look", "approve", "keep", "postpone"]
        said = " ".join(form.text.split())
        assert "HB 7132's history fell from 19 rows to 2." in said
        assert "none added, 17 removed, 2 unchanged" in said
        assert "Publish as" not in said
        press(client, asked.id, "keep")
        assert "The reason: The last good page is right." in plain(client.get(f"/desk/proposals/{asked.id}"))
        undo(world.context, asked.id, "Dana")
        press(client, asked.id, "approve")
        world.later(seconds=5).check(everything=False)
        assert len([one for one in world.ledger("HB07132") if one.removed_at is None]) == 2


def test_an_unknown_phrase_says_what_to_do(world: World) -> None:
    number = propose(world, None, reason="Unknown phrase in HB 1: “HELD AT DESK”. Which stage?", row="HELD AT DESK")
    with world.database.transaction() as session:
        session.get_one(Proposal, number).subject = "phrase:2025-HB00001:x"
    client = desk(world)
    form = page(client, number)
    assert form.buttons == ["look", "approve", "reject", "postpone"]
    assert "Give the phrase “HELD AT DESK” its row in the table of phrases (docs/how-to/add-a-phrase.md)" in form.text
    assert (Path(__file__).parent.parent / "docs/how-to/add-a-phrase.md").exists()
    press(client, number, "approve")
    assert "It published nothing." in plain(client.get(f"/desk/proposals/{number}"))


# ------------------------------------------------------------------ corrections


def test_a_correction_is_published_from_the_page_of_what_was_wrong(both: World) -> None:
    both.subscribe("ann@example.org")
    number = propose(both)
    client = desk(both)
    press(client, number, "approve")
    both.later(minutes=2)
    both.deliver()
    path = correction(client, number)
    form = Fields(client.get(path).text)
    assert form.fields["narrative"] == "Nothing yet."
    assert form.fields["status"] == "no_progress"
    missing = client.post(path, data={**form.fields, "narrative": MINE})
    assert missing.status_code == 422
    assert Fields(missing.text).fields["narrative"] == MINE
    data = {**form.fields, "reason": "It was not signed."}
    assert client.post(path, data=data).status_code == 303
    assert both.issue("stops").status == Status.NO_PROGRESS
    lee = desk(both, name="Lee")
    before = everything(both)
    again = client.post(path, data=data)
    assert (again.status_code, again.location) == (303, f"/desk/proposals/{number}#outcome"), "a double click"
    for other in ({"reason": "It was vetoed."}, {"narrative": MINE}, {"status": "achieved"}):
        refused = client.post(path, data={**data, **other})
        assert refused.status_code == 409
        assert Fields(refused.text).fields["reason"] == {**data, **other}["reason"]
    assert lee.post(path, data={**data, **token(lee)}).status_code == 409, "Lee did not publish it"
    assert everything(both) == before
    assert "Dana corrected it on June 10, 2025: It was not signed." in plain(client.get(f"/desk/proposals/{number}"))
    assert both.deliver().sent == 0
    both.later(seconds=61)
    assert both.deliver().sent == 1
    assert client.get("/desk/moves/99/correct").status_code == 404
    assert client.get("/desk/moves/99999999999999/correct").status_code == 404


def correction(client: FlaskClient, number: int) -> str:
    """Where the page of a proposal leads to correct what it published."""
    (found,) = [link for link in page(client, number).links if link.endswith("/correct")]
    return found


def told(world: World, client: FlaskClient, *, narrative: str = MINE) -> tuple[int, str]:
    """A published proposal that somebody was told of, and the address of its correction."""
    number = propose(world)
    assert press(client, number, "approve", narrative=narrative).status_code == 303
    world.later(minutes=2)
    world.deliver()
    return number, correction(client, number)


def test_a_stale_correction_overwrites_nothing(both: World) -> None:
    dana, lee = desk(both), desk(both, name="Lee")
    _, path = told(both, lee)
    data = {**Fields(lee.get(path).text).fields, "reason": "It was not signed."}
    assert data["narrative"] == "Nothing yet."
    press(dana, propose(both, to="achieved", reason="It became law."), "approve", narrative="It became law.")
    answer = lee.post(path, data=data)
    assert answer.status_code == 409
    said = plain(answer)
    assert "Stops has moved since you opened this page" in said
    assert "Your text is kept below." in said
    assert "The board says today: Legislation Achieved. It became law." in said
    again = Fields(answer.text)
    assert (again.fields["reason"], again.fields["narrative"]) == (data["reason"], data["narrative"])
    assert (both.issue("stops").status, both.issue("stops").narrative) == ("achieved", "It became law.")
    assert lee.post(path, data={**again.fields, "narrative": "It is law."}).status_code == 303
    assert both.issue("stops").narrative == "It is law."


def test_a_correction_of_an_older_move_is_refused_once_the_newer_is_undone(world: World) -> None:
    dana, lee = desk(world), desk(world, name="Lee")
    _, path = told(world, lee)
    newer = propose(world, to="achieved", reason="It became law.")
    press(dana, newer, "approve", narrative="It became law.")
    data = {**Fields(lee.get(path).text).fields, "reason": "It was not signed."}
    assert data["narrative"] == "It became law."
    press(dana, newer, "undo")
    assert lee.post(path, data=data).status_code == 409
    assert world.issue("stops").narrative == MINE


@pytest.mark.parametrize("field", ["last", "seen"])
def test_a_correction_that_does_not_say_what_it_was_typed_on_is_refused(world: World, field: str) -> None:
    client = desk(world)
    _, path = told(world, client)
    data = {**Fields(client.get(path).text).fields, "reason": "It was not signed.", field: ""}
    assert client.post(path, data=data).status_code == 409
    assert world.issue("stops").narrative == MINE


def test_a_wrong_correction_is_corrected_at_the_desk_before_anybody_hears_of_it(both: World) -> None:
    both.subscribe("ann@example.org")
    client = desk(both)
    number, first = told(both, client)
    data = {**Fields(client.get(first).text).fields, "reason": "It was not signed."}
    assert client.post(first, data=data).status_code == 303
    said = plain(client.get(f"/desk/proposals/{number}"))
    assert "Dana corrected it on June 10, 2025: It was not signed. Nothing is sent until 12:03 p.m." in said
    second = correction(client, number)
    assert second != first
    assert client.get(first).location == second
    assert client.post(first, data=data).status_code == 303, "a double click"
    pressed = client.post(first, data={**data, "reason": "It was vetoed."})
    assert pressed.status_code == 409
    assert second in Fields(pressed.text).links
    form = Fields(client.get(second).text).fields
    assert (form["status"], form["narrative"]) == ("some_progress", MINE)
    assert client.post(second, data={**form, "reason": "It was signed after all."}).status_code == 303
    assert (both.issue("stops").status, both.issue("stops").narrative) == ("some_progress", MINE)
    assert "It was not signed. Dana corrected it on June 10, 2025: It was signed after all." in plain(
        client.get(f"/desk/proposals/{number}")
    )
    both.later(minutes=5)
    assert both.deliver().sent == 0
    assert violations(both.database) == []


# ------------------------------------------------------------------ who may


def test_a_viewer_looks_and_decides_nothing(world: World) -> None:
    number = propose(world)
    maintainer = desk(world)
    form = page(maintainer, number)
    viewer = desk(world, "viewer")
    seen = page(viewer, number)
    assert seen.buttons == []
    assert "narrative" not in seen.fields
    before = everything(world)
    data = {**form.fields, **token(viewer), "do": "approve"}
    here = f"/desk/proposals/{number}"
    paths = (here, f"{here}/preview/board", f"{here}/email", "/desk/moves/1/correct")
    assert {viewer.post(path, data=data).status_code for path in paths} == {403}
    assert everything(world) == before


def test_who_is_signed_out_sees_and_decides_nothing(world: World) -> None:
    number = propose(world)
    form = page(desk(world), number)
    stranger = public(world)
    for path in ("/desk/", f"/desk/proposals/{number}", f"/desk/proposals/{number}/changes"):
        answer = stranger.get(path)
        assert answer.status_code == 303
        assert answer.location.startswith("/desk/sign-in?next=")
    assert send(stranger, number, form, "approve").status_code in (400, 401)
    assert state(world, number) == "pending"


def test_a_form_without_its_token_decides_nothing(world: World) -> None:
    number = propose(world)
    client = desk(world)
    form = page(client, number)
    del form.fields["csrf_token"]
    assert send(client, number, form, "approve").status_code == 400
    assert state(world, number) == "pending"


def test_what_is_not_there_is_not_found(world: World) -> None:
    client = desk(world)
    for path in ("/desk/proposals/999", "/desk/proposals/99999999999999", "/desk/proposals/x"):
        assert client.get(path).status_code == 404, path


def test_looking_changes_nothing(signed: World) -> None:
    """Every link of the desk's pages is followed, and nothing in the database is another."""
    client = desk(signed)
    before = everything(signed)
    waiting, seen = ["/desk/"], set[str]()
    while waiting:
        path = waiting.pop().partition("#")[0]
        if path in seen or not re.match(r"/desk/?(\?|$)|/desk/(proposals|archive)/", path):
            continue
        seen.add(path)
        answer = client.get(path)
        if answer.status_code == 200 and answer.mimetype == "text/html":
            waiting += [unescape(link) for link in re.findall(r'href="([^"]+)"', answer.text)]
    assert len(seen) >= 8
    assert everything(signed) == before


# ------------------------------------------------------------------ hostile text


def poison(world: World, number: int, text: str, url: str = "https://example.org/") -> None:
    """Everything that strangers or maintainers can write."""
    with world.database.transaction() as session:
        proposal = session.get_one(Proposal, number)
        proposal.reason, proposal.narrative = f"R {text}", f"N {text}"
        for one in proposal.evidence:
            one.quote, one.url, one.before, one.after = f"Q {text}", url, f"B {text}", f"A {text}"
        for issue_ in session.scalars(select(Issue)):
            issue_.name, issue_.narrative = f"I {text}", f"T {text}"
        for bill in session.scalars(select(Bill)):
            bill.title = f"L {text}"
        for source in session.scalars(select(Source)):
            source.error, source.outage_since = f"E {text}", world.now


@pytest.mark.parametrize(("kind", "every"), [("status", 1), ("narrative", 6), ("review", 6)])
def test_hostile_text_stays_text(signed: World, kind: str, every: int) -> None:
    (own,) = signed.proposals(kind="status")
    with signed.database.transaction() as session:
        session.get_one(Proposal, own.id).kind = kind
    client = desk(signed)
    poison(signed, own.id, "words")
    paths = ["/desk/", *(f"/desk/proposals/{own.id}{tail}" for tail in ("", "?preview=email", "?preview=slack"))]
    benign = {path: elements(client.get(path).text) for path in paths}
    assert len(PAYLOADS) > 100
    for text in PAYLOADS[::every]:
        poison(signed, own.id, text)
        for path in paths:
            answer = client.get(path)
            assert answer.status_code == 200
            assert dangers(answer.text) == [], (path, text)
            assert elements(answer.text) == benign[path], (path, text)


def elements(html: str) -> list[tuple[str, tuple[str, ...]]]:
    """But for links to bills, which a text that names one has and another has not."""
    return [one for one in Fields(html).tags if one != ("a", ("href", "rel"))]


def test_hostile_addresses_lead_nowhere(world: World) -> None:
    number = propose(world)
    client = desk(world)
    for url in URLS:
        poison(world, number, "words", url)
        answer = client.get(f"/desk/proposals/{number}")
        assert dangers(answer.text) == [], url


def test_hostile_text_that_is_typed_comes_back_as_text(world: World) -> None:
    number = propose(world)
    client = desk(world)
    form = page(client, number)
    for text in PAYLOADS:
        answer = send(client, number, form, "reject", reason=" ", narrative=text, until=text[:100])
        if "\0" in text:
            assert answer.status_code == 400
            continue
        assert answer.status_code == 422
        assert dangers(answer.text) == [], text
        assert Fields(answer.text).fields["narrative"].split() == text.split()


def test_no_page_needs_what_its_policy_forbids(signed: World) -> None:
    """No inline style, script or handler anywhere."""
    client = desk(signed)
    (one,) = signed.proposals(kind="status")
    press(client, one.id, "approve")
    (move,) = signed.rows(Transition)
    for path in ("/desk/", f"/desk/proposals/{one.id}", f"/desk/moves/{move.id}/correct"):
        html = client.get(path).text
        made = Fields(html)
        assert not re.search(r"<script(?![^>]* src=)", html)
        assert "style" not in {tag for tag, _ in made.tags}
        names = {name for _, attributes in made.tags for name in attributes}
        assert not {name for name in names if name.startswith("on") or name == "style"}


# ------------------------------------------------------------------ differences between texts


def test_words_that_changed() -> None:
    runs = words("HB 6004 made a start. Four bills came.", "HB 6004 made a start. HB 7132 covers stops.")
    assert [(run.kind, run.text) for run in runs] == [
        (Kind.SAME, "HB 6004 made a start. "),
        (Kind.REMOVED, "Four bills came."),
        (Kind.ADDED, "HB 7132 covers stops."),
    ]
    assert "".join(run.text for run in words("", "New.")) == "New."
    assert words("", "") == ()


def test_paragraphs_that_came_went_changed_and_moved() -> None:
    stays = ["Section one.", "Section two.", "Section three."]
    before = ["Head", "one two three four five six", "gone for good", *stays, "wanders off", "Foot"]
    after = ["Head", "wanders off", *stays, "one two three four five seven", "Foot", "quite new"]
    kinds = {block.kind: "".join(run.text for run in block.runs) for block in paragraphs(before, after)}
    assert kinds[Kind.MOVED] == "wanders off"
    assert kinds[Kind.REMOVED] == "gone for good"
    assert kinds[Kind.ADDED] == "quite new"
    assert kinds[Kind.CHANGED] == "one two three four five sixseven"
    assert paragraphs(before, before) == []


def test_a_whole_bill_is_compared_in_a_moment() -> None:
    before = [f"Section {at}. " + f"word{at} " * 60 for at in range(1_500)]
    after = [text.replace("word7 ", "other ") for text in before]
    after[700:710] = [f"Section {at}. Quite another text about something else." for at in range(10)]
    began = time.monotonic()
    assert paragraphs(before, after)
    assert time.monotonic() - began < 5


def test_pages_with_nothing_in_common_are_not_compared() -> None:
    with pytest.raises(TooMuchError, match="3,000 paragraphs differ"):
        paragraphs([f"a{at}" for at in range(3_000)], [f"b{at}" for at in range(3_000)])
