"""When a subscriber is told: their own hour by their own clock, once when the clock changes, not in a pause."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from monitor.model.messaging import AnnouncementKind, Cadence, Choice
from monitor.store import outbox
from monitor.store.schema import Delivery, Subscription
from monitor.workflow import pace
from monitor.workflow.pace import GRACE
from tests.pipeline import World, issue
from tests.telling import publish

NEW_YORK = ZoneInfo("America/New_York")


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The board's digests leave at eight, weekly ones on Mondays."""
    with World(tmp_path_factory.mktemp("pace"), [issue("stops")], synced=False) as world:
        yield world.config


def moment(text: str, zone: ZoneInfo = NEW_YORK) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


@pytest.mark.parametrize(
    ("choice", "now", "due"),
    [
        (Choice(), "2025-03-05T12:00", "2025-03-05T12:00"),
        (Choice(hour=6, zone="Asia/Tokyo"), "2025-03-05T12:00", "2025-03-05T12:00"),
        (Choice(cadence=Cadence.DAILY), "2025-03-05T07:59", "2025-03-05T08:00"),
        (Choice(cadence=Cadence.DAILY), "2025-03-05T08:00", "2025-03-06T08:00"),
        (Choice(cadence=Cadence.DAILY, hour=18), "2025-03-05T12:00", "2025-03-05T18:00"),
        (Choice(cadence=Cadence.DAILY, hour=9, zone="America/Los_Angeles"), "2025-03-05T11:59", "2025-03-05T12:00"),
        (Choice(cadence=Cadence.WEEKLY), "2025-03-05T12:00", "2025-03-10T08:00"),
        (Choice(cadence=Cadence.WEEKLY, weekday=4), "2025-03-05T12:00", "2025-03-07T08:00"),
        (Choice(cadence=Cadence.WEEKLY, weekday=6, hour=20), "2025-03-05T12:00", "2025-03-09T20:00"),
        # A weekday is the digest's, not the daily one's.
        (Choice(cadence=Cadence.DAILY, weekday=4), "2025-03-05T12:00", "2025-03-06T08:00"),
    ],
)
def test_each_is_told_when_they_chose(config, choice, now, due):
    assert pace.due_at(config, choice, moment(now)) == moment(due)


@pytest.mark.parametrize(
    ("first", "hour", "days"),
    [
        ("2025-03-07T12:00", 2, ["2025-03-08T02:00", "2025-03-09T03:00", "2025-03-10T02:00"]),  # no two o'clock
        ("2025-10-31T12:00", 1, ["2025-11-01T01:00", "2025-11-02T01:00", "2025-11-03T01:00"]),  # one o'clock twice
    ],
)
def test_a_day_that_changes_the_clock_has_one_digest(config, first, hour, days):
    choice, told, now = Choice(cadence=Cadence.DAILY, hour=hour), [], moment(first)
    for _ in days:
        now = pace.due_at(config, choice, now)
        told.append(now)
    assert told == [moment(day) for day in days]


def paused(until: date, cadence: Cadence = Cadence.IMMEDIATE, **more: Any) -> Subscription:
    return Subscription(cadence=cadence, paused_until=until, **more)


def test_a_pause_ends_at_a_digests_hour_of_the_day_by_the_subscribers_clock(config):
    tokyo = paused(date(2025, 3, 10), zone="Asia/Tokyo", hour=6)
    before, after = (
        moment("2025-03-10T05:59", ZoneInfo("Asia/Tokyo")),
        moment("2025-03-10T06:00", ZoneInfo("Asia/Tokyo")),
    )
    assert pace.paused(config, tokyo, before)
    assert not pace.paused(config, tokyo, after)
    assert pace.due_at(config, tokyo, moment("2025-03-01T12:00")) == after
    assert pace.due_at(config, tokyo, after) == after  # at once again


def test_everything_that_waited_comes_at_the_end_of_the_pause_whatever_the_cadence(config):
    weekly = paused(date(2025, 3, 12), Cadence.WEEKLY)
    now, end = moment("2025-03-05T12:00"), moment("2025-03-12T08:00")
    assert pace.due_at(config, weekly, now) == pace.at_once(config, weekly, now) == end
    assert pace.due_at(config, weekly, end) == moment("2025-03-17T08:00")


def test_a_day_of_messages_begins_with_the_hour_of_the_digest(config):
    choice = Choice(cadence=Cadence.IMMEDIATE, hour=18)
    now = moment("2025-03-05T12:00")
    assert pace.last_digest(config, choice, now) == moment("2025-03-04T18:00")
    assert pace.next_digest(config, choice, now) == moment("2025-03-05T18:00")
    assert pace.last_digest(config, choice, moment("2025-03-05T18:00")) == moment("2025-03-05T18:00")


@pytest.fixture
def world(tmp_path: Path, database_url: str) -> Any:
    with World(tmp_path, [issue("stops")], database_url=database_url) as made:
        yield made


def change(world: World, **columns: Any) -> None:
    with world.database.transaction() as session:
        row = session.get_one(Subscription, 1)
        for name, value in columns.items():
            setattr(row, name, value)
        pace.reschedule(session, world.config, row, world.now)


def dues(world: World) -> list[datetime]:
    return sorted(one.due_at for one in world.rows(Delivery))


def test_what_waits_follows_a_change_of_mind(world):
    world.at(date(2025, 3, 5)).subscribe("ann@example.org", cadence="weekly")
    publish(world)
    assert dues(world) == [moment("2025-03-10T08:00")]
    change(world, cadence="daily", hour=18)
    assert dues(world) == [moment("2025-03-05T18:00")]
    change(world, paused_until=date(2025, 3, 7))
    assert dues(world) == [moment("2025-03-07T18:00")]
    world.later(hours=1)
    change(world, paused_until=None, cadence="immediate")
    assert dues(world) == [world.now]


def test_what_a_maintainer_may_take_back_does_not_leave_sooner(world):
    world.at(date(2025, 3, 5)).subscribe("ann@example.org", cadence="daily")
    approved = world.now
    publish(world)
    change(world, cadence="immediate")
    assert dues(world) == [approved + GRACE]


def test_a_hearing_does_not_wait_for_the_digest_and_what_was_tried_keeps_its_time(world):
    world.at(date(2025, 3, 5)).subscribe("ann@example.org", cadence="weekly")
    with world.database.transaction() as session:
        for kind, attempts in ((AnnouncementKind.HEARING, 0), (AnnouncementKind.ACTIVITY, 0), ("activity", 1)):
            notice = outbox.add_notice(session, kind, [], [("subscription:1", "email")], world.now)
            for one in session.query(Delivery).filter_by(notice_id=notice.id):
                one.subscription_id, one.attempts = 1, attempts
    retried = world.now
    world.later(hours=1)
    change(world, cadence="daily")
    assert dues(world) == [retried, world.now, moment("2025-03-06T08:00")]
    change(world, paused_until=date(2025, 3, 8))
    assert dues(world) == [retried, moment("2025-03-08T08:00"), moment("2025-03-08T08:00")]
    assert world.now - retried == timedelta(hours=1)
