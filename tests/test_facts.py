"""Facts of the record, told as such: new actions, hearings with a date for the calendar, and that nothing changed."""

from __future__ import annotations

import json
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from email import message_from_string
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from icalendar import Calendar
from sqlalchemy import event

from monitor.cli.service import _jobs
from monitor.demo.facts import Facts
from monitor.model import messaging
from monitor.model.messaging import PLACE, ChannelKind, Choice, Interest
from monitor.model.tracking import ChangeKind
from monitor.notify.calendar import MEDIA_TYPE
from monitor.notify.render import HTML_LIMIT
from monitor.schedule import Progress
from monitor.store import audience, subscriptions
from monitor.store.schema import Bill, ChangeRow, Delivery, Evidence, Notice, Proposal, Source, Subscription
from monitor.store.subscriptions import Entry
from monitor.workflow import activity, managing
from monitor.workflow.announce_facts import facts_of
from monitor.workflow.correct import correct
from monitor.workflow.foresee import Sample, foresee
from monitor.workflow.heartbeat import heartbeat
from monitor.workflow.killpoints import WEEKLY_POINTS
from monitor.workflow.parcels import Packer
from tests import pipeline
from tests.crash import Child, Launcher
from tests.pipeline import World, issue, watch, whole_session
from tests.telling import propose, publish

BOARD = [issue("stops", watch("2025 HB 7132", effect="achieved")), issue("quotas", "2025 HB 7132", "2025 SB 1171")]
#: HB 7132's hearing of March 7 was noticed on the 3rd, a Monday.
EVE, NOTICED = date(2025, 3, 2), date(2025, 3, 3)


@pytest.fixture
def world(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setitem(pipeline.ORGANIZATION, "board_url", "https://board.example.org/")
    with World(tmp_path, BOARD, day=EVE, database_url=database_url) as made:
        yield made


def mails(world: World) -> list[EmailMessage]:
    """What was sent, as a mail program reads it."""
    found = (message_from_string(text, policy=default) for text in world.messages())
    return sorted((one for one in found if isinstance(one, EmailMessage)), key=lambda one: str(one["To"]))


def subjects(world: World) -> dict[str, str]:
    return {str(one["To"]).partition("@")[0]: str(one["Subject"]) for one in mails(world)}


def text(mail: EmailMessage) -> str:
    part = mail.get_body(("plain",))
    assert part is not None
    return " ".join(part.get_content().split())


def parcels(world: World) -> dict[str, Any]:
    """What is due, as it would be told, by reader."""
    return {one.address.partition("@")[0]: one.announcement for one in Packer(world.context).claim(ChannelKind.EMAIL)}


class Emptied(dict[Any, Any]):
    """As if another lane emptied it between any two steps."""

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(key, value)
        self.clear()


def test_a_lane_gets_its_message_though_another_makes_room_meanwhile(world: World) -> None:
    world.subscribe("ann@example.org")
    publish(world)
    world.later(minutes=5)
    packer = Packer(world.context)
    packer._rendered = Emptied()
    (parcel,) = packer.claim(ChannelKind.EMAIL)
    assert packer.message(parcel).address == "ann@example.org"


def test_each_reader_is_told_what_they_wanted_of_a_new_action(world: World) -> None:
    world.subscribe("status@example.org")
    world.subscribe("other@example.org", interests=["activity"], issues=["quotas"])
    world.subscribe("activity@example.org", interests=["activity", "status"])
    world.subscribe("both@example.org", interests=["activity", "hearings"], cadence="weekly")
    world.subscribe("hearings@example.org", interests=["hearings"], cadence="weekly")
    world.check()
    assert world.notices() == [], "a first sight tells nothing"
    world.at(NOTICED).check()
    assert world.deliver().sent == 4
    new, hearing = "HB 7132 has a new action", "Hearing March 7: HB 7132"
    assert subjects(world) == {"other": new, "activity": new, "both": hearing, "hearings": hearing}
    assert len(world.notices("activity")) == 1, "readers with the same news share a notice"
    assert world.deliveries(Delivery.state == "pending") == [], "nor is a hearing told again in the week's digest"
    world.check()
    assert world.deliver().sent == 0, "the page says what the file said"


def test_a_bill_of_two_issues_is_told_once_and_names_both(world: World) -> None:
    world.subscribe("all@example.org", interests=["activity"])
    world.subscribe("stops@example.org", interests=["activity"], issues=["stops"])
    world.check()
    world.at(NOTICED).check()
    world.deliver()
    everyone, one = mails(world)
    assert text(everyone).count("PUBLIC HEARING 0307") == 1
    assert "HB 7132 is watched for Stops and Quotas." in text(everyone)
    assert "Because you follow Stops." in text(one)
    assert "Fact from the record. Our status has not been reviewed." in text(one)
    assert one["In-Reply-To"] == "<issue-stops@example.org>"
    assert everyone["In-Reply-To"] is None, "it belongs to no single issue's thread"


def test_a_hearing_comes_with_the_entry_that_the_boards_calendar_has(world: World) -> None:
    world.subscribe("ann@example.org", interests=["hearings"])
    world.check()
    world.at(NOTICED).check()
    (announced,) = parcels(world).values()
    (attached,) = announced.attachments
    assert (attached.name, attached.media_type) == ("hearing-2025-03-07.ics", MEDIA_TYPE)
    (event,) = Calendar.from_ical(attached.body).walk("VEVENT")
    assert event["uid"].endswith("@board.example.org")
    assert event.decoded("dtstart") == date(2025, 3, 7)
    from tests.web import app

    feed = Calendar.from_ical(app(world).test_client().get("/hearings.ics").data)
    assert event["uid"] in {one["uid"] for one in feed.walk("VEVENT")}
    assert ("The Judiciary Committee's page", f"{world.replica.base_url}/jud/") in announced.items[0].links


def test_only_who_is_told_of_a_hearing_has_its_bills_record_searched(world: World) -> None:
    """The write lock is held while a message is put together."""
    world.subscribe("ann@example.org", interests=["status"])
    world.check()
    world.at(NOTICED).check()
    publish(world)
    asked: list[str] = []
    event.listen(world.database.engine, "before_cursor_execute", lambda *seen: asked.append(seen[2]))
    assert parcels(world.later(minutes=5))["ann"].attachments == ()
    assert [one for one in asked if "LIKE" in one.upper()] == []
    asked.clear()
    hearing = next(one for one in world.changes() if activity.heard_on(one) is not None)
    notice = Notice(kind="hearing", items=[hearing.id], created_at=world.now)
    told = world.ask(lambda session: facts_of(world.config, session, [notice], None))
    assert len(told.attachments) == 1
    searched = [one for one in asked if "LIKE" in one.upper() and "FROM CHANGES" in one.upper().replace("\n", "")]
    assert len(searched) == 1
    assert "changes.bill_id IN" in searched[0]


def test_a_hearing_that_is_over_when_it_is_read_is_an_action_like_others(world: World) -> None:
    world.subscribe("ann@example.org", interests=["hearings"])
    world.subscribe("bob@example.org", interests=["hearings", "activity"])
    world.check()
    world.at(date(2025, 3, 20)).check()
    world.deliver()
    assert subjects(world) == {"bob": "HB 7132 has a new action"}


def test_what_was_queued_before_a_change_of_mind_says_so(world: World) -> None:
    world.subscribe("ann@example.org", interests=["status", "activity"], issues=["stops"], cadence="daily")
    world.check()
    world.at(NOTICED).check()
    publish(world, "stops")
    world.subscribe("ann@example.org", interests=["status", "activity"], issues=["quotas"], cadence="daily")
    publish(world, "quotas")
    world.at(NOTICED + timedelta(days=1), 9).deliver()
    (mail,) = mails(world)
    assert text(mail).count("Because you followed Stops before you changed what you follow.") == 1
    assert "Because you follow Stops" not in text(mail)
    assert "Because you follow Quotas." in text(mail)


def test_a_hearing_that_is_moved_is_not_taken_for_a_second_one(world: World) -> None:
    world.subscribe("ann@example.org", interests=["hearings"])
    world.check()
    world.at(NOTICED).check()
    with world.database.transaction() as session:
        bill = session.query(Bill).filter_by(identifier="HB07132").one()
        moved = ChangeRow(bill_id=bill.id, kind=ChangeKind.ACTION_AMENDED, on=NOTICED, quote="PUBLIC HEARING 0312")
        moved.before, moved.after, moved.first_seen_at = "PUBLIC HEARING 0307", moved.quote, world.now
        session.add(moved)
        activity.tell(session, world.config, [moved], world.now, world.today)
    world.deliver()
    (mail,) = mails(world)
    assert "Hearing moved to March 12: HB 7132" in text(mail)
    assert "It was announced for March 7, 2025 before." in text(mail)
    assert "Public hearing on HB 7132, Friday, March 7" not in text(mail)


def test_nobody_is_told_to_testify_at_a_hearing_that_took_place_in_their_pause(world: World) -> None:
    world.subscribe("ann@example.org", interests=["hearings"])
    world.check()
    (ann,) = world.rows(Subscription)
    managing.pause(world.context, ann.id, date(2025, 3, 20))
    world.at(NOTICED).check()
    world.deliver()
    assert mails(world) == []
    world.at(date(2025, 3, 20), 9).deliver()
    (mail,) = mails(world)
    assert mail["Subject"] == "HB 7132 has a new action"
    assert "PUBLIC HEARING 0307" in text(mail)
    assert "testify" not in text(mail)
    assert not list(mail.iter_attachments())


def test_an_action_that_proves_a_change_is_not_told_again_in_its_message(world: World) -> None:
    world.subscribe("ann@example.org", interests=["status", "activity"], issues=["stops"], cadence="weekly")
    world.check()
    world.at(NOTICED).check()
    (change,) = world.changes()
    number = propose(world)
    with world.database.transaction() as session:
        session.add(
            Evidence(proposal_id=number, change_id=change.id, url="", quote=change.quote, first_seen_at=world.now)
        )
    world.approve(number)
    world.at(date(2025, 3, 10)).deliver()
    (mail,) = mails(world)
    assert mail["Subject"] == "Stops: now Some Progress"
    assert text(mail).count("PUBLIC HEARING 0307") == 1
    assert {one.state for one in world.deliveries()} == {"sent"}


def last_night(world: World, count: int = 500) -> list[str]:
    """So many real actions of the 2025 session, all first seen in one minute."""
    rows = [
        (bill.key, row)
        for bill in Facts.bundled().of_session("2025")
        for row in bill.rows
        if row.on >= date(2025, 4, 1)
    ]
    with world.database.transaction() as session:
        known = {bill.key: bill for bill in session.query(Bill)}
        found = [
            ChangeRow(bill_id=known[key].id, kind=ChangeKind.ACTION, on=row.on, quote=row.description)
            for key, row in rows
            if key in known
        ][:count]
        for one in found:
            one.first_seen_at = world.now
        session.add_all(found)
        activity.tell(session, world.config, found, world.now, world.today)
        return [one.quote for one in found]


def test_the_last_night_of_a_session_is_one_message_that_drops_nothing_without_saying_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(pipeline.ORGANIZATION, "board_url", "https://board.example.org/")
    with World(tmp_path, whole_session(Facts.bundled()), day=date(2025, 6, 4)) as world:
        for channel, address in (("email", "ann@example.org"), ("apprise", "ntfys://ntfy.example.org/night")):
            world.subscribe(address, channel, interests=["activity"])
        told = last_night(world)
        assert world.deliver().sent == 2
        chat, mail = sorted(world.messages(), key=len)
    bills = {one.bill_id for one in world.changes()}
    parsed = message_from_string(mail, policy=default)
    assert isinstance(parsed, EmailMessage)
    assert parsed["Subject"] == f"{len(bills)} bills have new actions"
    html = parsed.get_body(("html",))
    assert html is not None
    assert len(html.get_content().encode()) <= HTML_LIMIT
    assert len(told) > 300
    words = text(parsed)
    assert sum(f"{one.key.label} has" in words for one in world.rows(Bill)) == len(bills), (
        "each bill, in a line at least"
    )
    assert "https://board.example.org/issues/everything" in words
    assert "more" in chat
    assert "https://board.example.org/issues/everything" in chat


def test_what_is_too_much_for_a_day_waits_for_the_hour_of_the_digest_and_is_one(
    tmp_path: Path, database_url: str
) -> None:
    limit = {"notices": {"messages_a_day": 2}}
    with World(tmp_path, BOARD, day=date(2025, 6, 3), database_url=database_url, settings=limit) as world:
        world.subscribe("ann@example.org")
        for _ in range(6):
            publish(world)
            world.deliver()
            world.later(hours=1)
        assert len(world.messages()) == 2
        assert {one.due_at for one in world.deliveries(Delivery.state == "pending")} == {
            world.at(date(2025, 6, 4), 8).now
        }
        assert world.deliver().sent == 1
        assert any("4 changes" in one for one in world.messages())
        assert world.deliveries(Delivery.state != "sent") == []


@pytest.mark.parametrize(
    ("topics", "issues", "follows"),
    [
        ((), (), True),
        ((), ("stops",), True),
        (("topic",), (), True),
        (("topic",), ("quotas",), True),
        ((), ("quotas", "stops"), True),
        ((), ("quotas",), False),
        ((), ("stops-more", "no-stops"), False),
        (("stops", "topical"), ("topic",), False),
    ],
)
def test_the_database_answers_who_follows_an_issue(
    world: World, topics: tuple[str, ...], issues: tuple[str, ...], follows: bool
) -> None:
    stops = world.issue("stops")
    choice = Choice(topics, issues, (Interest.STATUS,))
    with world.database.transaction() as session:
        subscriptions.put(session, [Entry(ChannelKind.EMAIL, "ann@example.org", choice)], world.now)
    told = world.ask(lambda session: list(audience.of_issue(session, stops)))
    assert [one.id for one in told] == [1] * follows
    assert world.ask(lambda session: audience.count(session, stops)) == ({"email": 1} if follows else {})
    [ann] = world.ask(lambda session: list(audience.wanting(session, [Interest.STATUS])))
    assert messaging.follows(ann, stops.id, stops.topic_id) is follows
    assert world.ask(lambda session: list(audience.wanting(session, [Interest.STATUS], []))) == []


# --- the weekly note --------------------------------------------------------------------------------------------------

MONDAY = date(2025, 3, 17)


def quiet_week(world: World) -> None:
    """Everything read, nothing new, until the hour of the weekly digest."""
    world.check()
    world.at(MONDAY - timedelta(days=5)).check()
    world.at(MONDAY, 7).check()
    world.at(MONDAY, 8, 4)


def test_a_week_without_news_is_told_once_to_who_wishes(world: World) -> None:
    world.at(date(2025, 3, 9))
    world.subscribe("ann@example.org", interests=["status", "heartbeat"])
    world.subscribe("bob@example.org")
    quiet_week(world)
    assert heartbeat(world.context) == 1
    assert heartbeat(world.context) == 0, "exactly once"
    world.deliver()
    (mail,) = mails(world)
    assert mail["Subject"] == "Nothing changed"
    assert "Nothing changed. All 3 sources read well." in text(mail)
    world.at(MONDAY + timedelta(days=7), 7).check()
    world.at(MONDAY + timedelta(days=7), 8, 4)
    assert heartbeat(world.context) == 1, "a note of last week is no news"


class Counting(Progress):
    """How often a job says that it moves."""

    def __init__(self) -> None:
        self.times = 0
        super().__init__(threading.Event())

    def touch(self) -> None:
        self.times += 1


@pytest.mark.parametrize(("name", "least"), [("heartbeat", 4), ("prune", 7)])
def test_a_long_job_is_not_taken_for_a_hung_one(world: World, name: str, least: int) -> None:
    """For each of many subscribers, and after each kind of thing that is deleted."""
    world.at(date(2025, 3, 9))
    for at in range(least):
        world.subscribe(f"reader{at}@example.org", interests=["heartbeat"])
    quiet_week(world)
    progress = Counting()
    (job,) = (job for job in _jobs(world.context) if job.name == name)
    job.action(progress)
    assert progress.times >= least


@pytest.fixture(scope="module")
def launcher() -> Iterator[Launcher]:
    with Launcher() as one:
        yield one


def noting(launcher: Launcher, world: World, **environ: str) -> Child:
    """Another process that says what the note came to."""
    environ = {**world.command_environ, **environ}
    return launcher.call("monitor.workflow.heartbeat:heartbeat", world.now, environ=environ, folder=world.folder)


@pytest.mark.parametrize("point", WEEKLY_POINTS)
def test_a_kill_loses_no_weekly_note_and_repeats_none(world: World, launcher: Launcher, point: str) -> None:
    world.at(date(2025, 3, 9))
    for name in ("ann", "bob", "cat"):
        world.subscribe(f"{name}@example.org", interests=["heartbeat"])
    quiet_week(world)
    killed = noting(launcher, world, MONITOR_KILL_AT=point)
    assert (killed.wait(), killed.said) == (-signal.SIGKILL, "")
    assert heartbeat(world.context) == (3 if point.startswith("before") else 0)
    assert world.deliver().sent == 3
    assert len(world.deliveries()) == 3
    assert len(world.notices("heartbeat")) == 1, "nothing of the killed one is left"


def test_the_week_is_read_once_however_differently_readers_choose(world: World) -> None:
    world.at(date(2025, 3, 9))
    asked: list[str] = []
    event.listen(world.database.engine, "before_cursor_execute", lambda *seen: asked.append(seen[2]))
    for name, issues in (("ann", []), ("bob", ["stops"]), ("cat", ["quotas"]), ("dan", ["stops", "quotas"])):
        world.subscribe(f"{name}@example.org", interests=["heartbeat"], issues=issues)
    quiet_week(world)
    asked.clear()
    assert heartbeat(world.context) == 4
    assert len(world.notices("heartbeat")) == 4
    for table in ("changes", "transitions"):
        assert len([one for one in asked if f"FROM {table}" in one.replace("\n", "")]) == 1, table


def test_to_find_that_no_week_is_over_keeps_nobody_from_writing(world: World) -> None:
    world.at(date(2025, 3, 9))
    world.subscribe("ann@example.org", interests=["heartbeat"])
    asked: list[str] = []
    event.listen(world.database.engine, "before_cursor_execute", lambda *seen: asked.append(seen[2]))
    assert heartbeat(world.context) == 0
    assert asked
    assert not [one for one in asked if "IMMEDIATE" in one or "advisory" in one]


def test_two_processes_send_one_weekly_note(world: World, launcher: Launcher) -> None:
    world.at(date(2025, 3, 9))
    for number in range(40):
        world.subscribe(f"reader{number}@example.org", interests=["heartbeat"])
    quiet_week(world)
    both = [noting(launcher, world), noting(launcher, world)]
    assert [child.wait() for child in both] == [0, 0], [child.errors for child in both]
    counts = [int(child.said) for child in both]
    assert sum(counts) == 40
    assert sorted(Counter(row.subscription_id for row in world.deliveries()).values()) == [1] * 40


def test_who_was_told_something_or_is_about_to_be_hears_no_note(world: World) -> None:
    world.at(date(2025, 3, 9))
    for address, cadence in (("ann@example.org", "immediate"), ("bob@example.org", "weekly")):
        world.subscribe(address, interests=["status", "heartbeat"], cadence=cadence)
    world.check()
    world.at(MONDAY - timedelta(days=2))
    publish(world)
    world.deliver()
    world.at(MONDAY, 8, 4)
    assert heartbeat(world.context) == 0


def test_who_was_spared_what_was_wrong_was_told_nothing_all_week(world: World) -> None:
    world.at(date(2025, 3, 9))
    world.subscribe("ann@example.org", interests=["status", "heartbeat"], cadence="weekly")
    world.check()
    world.at(MONDAY - timedelta(days=2))
    moved = publish(world)
    correct(world.context, moved.id, "Dana", "Another bill's row was read.")
    world.at(MONDAY, 7).check()
    world.at(MONDAY, 8, 4)
    assert heartbeat(world.context) == 1
    world.deliver()
    (mail,) = mails(world)
    assert mail["Subject"] == "The board has changed"


def test_nothing_is_called_unchanged_while_a_source_is_unread(world: World) -> None:
    world.at(date(2025, 3, 9))
    world.subscribe("ann@example.org", interests=["heartbeat"])
    quiet_week(world)
    with world.database.transaction() as session:
        page = session.query(Source).filter_by(identifier="HB07132").one()
        page.failures = 3
    heartbeat(world.context)
    world.deliver()
    (mail,) = mails(world)
    assert "2 of 3 sources read well; 1 cannot be read: the page of HB 7132 (2025) since March 17, 2025." in text(mail)
    assert "Nothing changed" not in text(mail)
    assert "cannot say that nothing changed" in text(mail)


def test_what_a_reader_did_not_ask_for_is_counted_and_not_denied(world: World) -> None:
    world.at(EVE)
    world.subscribe("ann@example.org", interests=["status", "heartbeat"])
    world.check()
    world.at(date(2025, 3, 4)).check()
    world.at(date(2025, 3, 10), 7).check()
    world.at(date(2025, 3, 10), 8, 4)
    heartbeat(world.context)
    world.deliver()
    (mail,) = mails(world)
    assert "No status changed on the issues you follow. In the record there is 1 new action on their bills." in text(
        mail
    )


def test_a_change_of_the_board_that_a_reader_did_not_ask_for_is_not_denied(world: World) -> None:
    world.at(date(2025, 3, 9))
    world.subscribe("ann@example.org", interests=["heartbeat"], issues=["stops"])
    world.subscribe("bob@example.org", interests=["heartbeat"], issues=["quotas"])
    world.check()
    world.at(MONDAY - timedelta(days=2))
    publish(world, "stops")
    world.at(MONDAY, 7).check()
    world.at(MONDAY, 8, 4)
    assert heartbeat(world.context) == 2
    world.deliver()
    ann, bob = mails(world)
    assert "1 change was published on the issues you follow. All 3 sources read well." in text(ann)
    assert "Nothing changed" not in text(ann)
    assert "Nothing changed." in text(bob)


def test_out_of_session_and_in_a_pause_there_is_no_note(world: World) -> None:
    world.at(date(2025, 7, 7), 8, 4).subscribe("ann@example.org", interests=["heartbeat"])
    world.later(days=7)
    assert heartbeat(world.context) == 0


# --- looking before sending -------------------------------------------------------------------------------------------


@pytest.fixture
def seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setitem(pipeline.ORGANIZATION, "board_url", "https://board.example.org/")
    with World(tmp_path, BOARD, day=EVE) as made:
        made.check()
        made.at(NOTICED).check()
        publish(made)
        yield made


def test_a_message_can_be_looked_at_before_anybody_gets_it(seen: World, tmp_path: Path) -> None:
    said = json.loads(seen.monitor("message", "preview", "stops", "--kind", "digest", "--json").stdout)
    assert said["subject"] == "2 changes this week"
    assert said["attachments"] == ["hearing-2025-03-07.ics"]
    assert f"https://board.example.org/alerts/{PLACE}" in said["text"]
    slack = seen.monitor("message", "preview", "stops", "--channel", "slack", "--kind", "heartbeat").stdout
    assert "3 sources read well" in json.loads(slack)["text"]
    assert PLACE not in slack
    file = tmp_path / "mail.html"
    seen.monitor("message", "preview", "stops", "--html", str(file))
    assert "now Some Progress" in file.read_text() or "Some Progress" in file.read_text()
    assert seen.deliveries() == []
    refused = seen.monitor("message", "preview", "quotas", code=1)
    assert "nothing of the kind status" in refused.stderr


def test_a_proposal_is_looked_at_however_many_newer_ones_wait(world: World) -> None:
    propose(world, "stops", to="achieved")
    with world.database.transaction() as session:
        session.add_all(
            Proposal(kind="review", issue_id="quotas", subject=f"test:{n}", reason="Read it.", created_at=world.now)
            for n in range(1_000)
        )
    said = foresee(world.context, "stops", Sample.STATUS, ChannelKind.EMAIL)
    assert said.subject == "Stops: now Legislation Achieved"
