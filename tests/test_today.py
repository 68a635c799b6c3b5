"""The desk's page of a day."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from pipeline import World, issue, watch
from web import desk, public

from monitor.store import runs
from monitor.store.schema import ChangeRow, Delivery


@pytest.fixture
def world(tmp_path: Path, database_url: str) -> Iterator[World]:
    issues = [issue("stops", watch("2025 HB 7132", effect="achieved"))]
    people = {"maintainers": [{"name": "Alex", "channel": "email", "address": "alex@example.org"}]}
    with World(tmp_path, issues, database_url=database_url, settings=people) as world:
        world.check()
        world.at(date(2025, 6, 10), hour=18).check()
        yield world


def page(world: World, day: str = "") -> str:
    answer = desk(world).get("/desk/today", query_string={"day": day} if day else None)
    assert answer.status_code == 200
    return str(answer.text)


def sums(text: str) -> dict[str, str]:
    return dict(re.findall(r"<dt>([^<]+)</dt><dd>([^<]+)</dd>", text))


def test_today_shows_what_was_read_and_what_changed(world):
    text = page(world)
    assert "<h1>Today</h1>" in text
    assert sums(text)["Passes"] == "1"
    assert int(sums(text)["Requests"]) >= 2
    assert "HB 7132 (2025)" in text
    assert '<span class="row-quote">SIGNED BY GOVERNOR</span> <span>dated June 9, 2025, first seen 6:00 p.m.' in text


def test_proposals_made_decided_and_messages_sent(world):
    world.subscribe("ann@example.org")
    (waiting,) = world.proposals(kind="status")
    assert "No Progress → Legislation Achieved" in page(world)
    world.approve(waiting.id)
    world.later(minutes=5).deliver()
    text = page(world)
    assert "made <time" in text
    assert "Approved by Alex Example, 6:00 p.m." in text
    assert re.search(r"\d sent by email\.", text)


def test_a_decision_counts_on_its_own_day(world):
    (waiting,) = world.proposals(kind="status")
    world.at(date(2025, 6, 12)).reject(waiting.id, reason="Read <again>.")
    text = page(world)
    assert "Rejected by Alex Example, 12:00 p.m.: Read &lt;again&gt;." in text
    assert "made <time" not in text
    assert "Rejected" not in page(world, "2025-06-10")


def test_a_day_ends_at_midnight_in_connecticut(world):
    with world.database.transaction() as session:
        first = session.query(ChangeRow).first()
        assert first is not None
        # 11:30 p.m. Eastern is the next day in UTC.
        first.quote, first.first_seen_at = "LATE ROW", world.at(date(2025, 6, 11), 23, 30).now
    assert "LATE ROW" in page(world, "2025-06-11")
    assert "LATE ROW" not in page(world, "2025-06-12")


def test_a_message_that_was_given_up_is_shown_without_its_address(world):
    world.subscribe("ann@example.org")
    (waiting,) = world.proposals(kind="status")
    world.approve(waiting.id)
    with world.database.transaction() as session:
        for one in session.query(Delivery).filter(Delivery.subscription_id.is_not(None)):
            one.state, one.error, one.attempts = "dead", "550 no such mailbox", 3
    text = page(world)
    assert "email, given up</b>: 550 no such mailbox" in text
    assert "ann@example.org" not in text


def test_a_day_without_a_pass_says_so(world):
    text = page(world, "2025-03-01")
    assert "No pass began on this day: nothing was read." in text
    assert "<h1>March 1, 2025</h1>" in text


def test_a_day_that_is_none_is_not_found(tmp_path, database_url):
    with World(tmp_path, [issue("stops")], database_url=database_url) as world:
        client = desk(world)
        for day in ("yesterday", "2025-13-01", "0001-01-01", "9999-12-31", "2025-06-10' OR 1=1"):
            assert client.get("/desk/today", query_string={"day": day}).status_code == 404, day


@pytest.mark.parametrize("day", ["0001-01-02", "9999-12-30"])
def test_the_calendars_last_days_are_days(world, day):
    assert desk(world).get("/desk/today", query_string={"day": day}).status_code == 200


def test_a_fault_of_a_page_is_not_told_as_a_day_that_is_none(world, monkeypatch):
    def broken(*_):
        raise ValueError("a count that is no number")

    monkeypatch.setattr(runs, "between", broken)
    assert desk(world).get("/desk/today").status_code == 500


def test_there_is_no_day_after_today(world):
    today = page(world)
    assert "The day after" not in today
    assert "The day after" in page(world, (world.today - timedelta(days=1)).isoformat())
    assert public(world).get("/desk/today").status_code == 303
