"""When a source is read next."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.config import Config, load
from monitor.demo import faults
from monitor.model.legislature import LAW, SETTLED, BillKey, Stage
from monitor.model.tracking import SourceKind
from monitor.workflow import cadence
from tests.pipeline import NO_FTP, World, issue, watch

HB = BillKey("2025", "HB07132")
BILL_FEED, BILL_PAGE, ACTS, DOCUMENTS, FEED = SourceKind

IN_SESSION = date(2025, 3, 6)
ADJOURNED = date(2025, 6, 4)
GOVERNORS_TIME = date(2025, 7, 3)
SUMMER = date(2025, 8, 1)

HOUR, DAY = timedelta(hours=1), timedelta(days=1)

#: Three lengths for every kind that no default equals, so that a mix-up shows.
PACES = {
    "bill_feed": {"in_session": "2h", "out_of_session": "30h", "settled": "61d"},
    "bill_page": {"in_session": "5h", "out_of_session": "8d", "settled": "62d"},
    "acts_page": {"in_session": "4h", "out_of_session": "31h", "settled": "63d"},
    "document_list": {"in_session": "20h", "out_of_session": "32h", "settled": "64d"},
    "feed": {"in_session": "3h", "out_of_session": "33h", "settled": "65d"},
    "crosscheck": "6d",
}


def config_with(folder: Path, *, feed: bool = True) -> Config:
    """A real configuration file, read as the service reads it."""
    path = folder / "config.yaml"
    path.write_text(
        f"""
organization: {{name: Example, contact: monitor@example.org, postal_address: "1 Example Street"}}
database: "sqlite:///{folder}/monitor.sqlite3"
outbox: {{dir: outbox}}
sources: {{bill_feed: {str(feed).lower()}, cga: {{base_url: "http://127.0.0.1:9", ftp_url: "{NO_FTP}"}}}}
cadence: {PACES}
topics:
  - id: topic
    name: The topic
    issues: [{{id: stops, name: Stops, initial_status: no_progress, initial_narrative: Nothing., watches: []}}]
""",
        encoding="utf-8",
    )
    return load(path, {})


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return config_with(tmp_path)


@pytest.mark.parametrize(
    ("kind", "in_session", "out"),
    [
        (BILL_FEED, 2 * HOUR, 30 * HOUR),
        (BILL_PAGE, 5 * HOUR, 8 * DAY),
        (ACTS, 4 * HOUR, 31 * HOUR),
        (DOCUMENTS, 20 * HOUR, 32 * HOUR),
        (FEED, 3 * HOUR, 33 * HOUR),
    ],
)
def test_each_kind_has_a_pace_in_session_and_out_of_it(
    config: Config, kind: SourceKind, in_session: timedelta, out: timedelta
) -> None:
    assert cadence.interval(config, kind, IN_SESSION) == in_session
    assert cadence.interval(config, kind, SUMMER) == out


@pytest.mark.parametrize(
    ("day", "busy"),
    [
        (date(2025, 1, 7), False),
        (date(2025, 1, 8), True),
        (ADJOURNED, True),
        (GOVERNORS_TIME, True),  # most signatures fall in the weeks after adjournment
        (ADJOURNED + 30 * DAY, True),
        (ADJOURNED + 31 * DAY, False),
        (date(2025, 11, 12), True),  # the special session
        (date(2025, 12, 13), True),
        (date(2025, 12, 14), False),
        (date(2026, 2, 3), False),
        (date(2026, 2, 4), True),
    ],
)
def test_the_pace_is_the_sessions_until_the_governors_time_is_up(config: Config, day: date, busy: bool) -> None:
    assert cadence.interval(config, ACTS, day) == (4 * HOUR if busy else 31 * HOUR)


@pytest.mark.parametrize("stage", sorted(SETTLED))
def test_a_bill_that_cannot_move_any_more_is_settled_two_months_after_its_session(config: Config, stage: Stage) -> None:
    settling = ADJOURNED + 60 * DAY
    assert cadence.interval(config, BILL_PAGE, settling, HB, stage) == 8 * DAY
    assert cadence.interval(config, BILL_PAGE, settling + DAY, HB, stage) == 62 * DAY
    assert cadence.interval(config, BILL_PAGE, IN_SESSION + 365 * DAY, HB, stage, by_feed=True) == 62 * DAY


@pytest.mark.parametrize("stage", [*sorted(set(Stage) - SETTLED), None])
def test_a_bill_that_may_still_move_is_never_settled(config: Config, stage: Stage | None) -> None:
    assert cadence.interval(config, BILL_PAGE, date(2025, 10, 1), HB, stage) == 8 * DAY


def test_law_and_death_are_settled_and_a_bill_before_the_governor_is_not() -> None:
    assert LAW < SETTLED
    assert {Stage.DIED, Stage.VETOED, Stage.MERGED} < SETTLED
    assert not {Stage.TO_GOVERNOR, Stage.PASSED_BOTH, Stage.RECONSIDERED} & SETTLED


def test_a_special_sessions_bill_settles_by_its_own_session(config: Config) -> None:
    special = BillKey("2025", "HB08002")
    day = ADJOURNED + 61 * DAY
    assert cadence.interval(config, BILL_PAGE, day, HB, Stage.SIGNED) == 62 * DAY
    assert cadence.interval(config, BILL_PAGE, date(2026, 1, 5), special, Stage.SIGNED) == 8 * DAY
    assert cadence.interval(config, BILL_PAGE, date(2026, 1, 13), special, Stage.SIGNED) == 62 * DAY


def test_a_bill_the_files_speak_for_is_only_cross_checked(config: Config) -> None:
    assert cadence.interval(config, BILL_PAGE, IN_SESSION, HB, Stage.HEARING, by_feed=True) == 6 * DAY
    assert cadence.interval(config, BILL_PAGE, GOVERNORS_TIME, HB, Stage.SIGNED, by_feed=True) == 6 * DAY


def test_a_page_goes_at_its_own_pace_when_no_file_speaks_for_its_bill(tmp_path: Path) -> None:
    config = config_with(tmp_path)
    assert cadence.interval(config, BILL_PAGE, IN_SESSION, HB, Stage.HEARING) == 5 * HOUR
    past = BillKey("2024", "HB05001")  # the files are of this session, whatever a caller says
    assert cadence.interval(config, BILL_PAGE, IN_SESSION, past, Stage.TO_GOVERNOR, by_feed=True) == 5 * HOUR


def test_a_page_goes_at_its_own_pace_when_the_files_are_switched_off(tmp_path: Path) -> None:
    config = config_with(tmp_path, feed=False)
    assert cadence.interval(config, BILL_PAGE, IN_SESSION, HB, Stage.HEARING, by_feed=True) == 5 * HOUR


# --- spreading, retrying, waiting -------------------------------------------------------------------------------------


@given(seed=st.integers(), hours=st.integers(1, 24 * 90))
def test_a_long_gap_is_spread_by_a_tenth_at_most(seed: int, hours: int) -> None:
    gap = timedelta(hours=hours)
    assert 0.9 * gap <= cadence.spread(gap, random.Random(seed)) <= 1.1 * gap


def test_pages_of_one_board_fall_due_at_different_moments_and_a_short_gap_stays() -> None:
    rng = random.Random(7)
    assert len({cadence.spread(6 * HOUR, rng) for _ in range(50)}) > 40
    assert cadence.spread(timedelta(minutes=30), rng) == timedelta(minutes=30)


@given(seed=st.integers(), failures=st.integers(1, 10_000))
def test_a_retry_waits_longer_each_time_and_half_a_day_at_most(seed: int, failures: int) -> None:
    ceiling = min(timedelta(minutes=10) * 2 ** min(failures - 1, 7), 12 * HOUR)
    assert ceiling / 2 <= cadence.retry(failures, random.Random(seed)) <= ceiling


def test_the_retries_of_one_outage_grow_to_the_last() -> None:
    ceilings = [max(cadence.retry(n, random.Random(seed)) for seed in range(200)) for n in range(1, 10)]
    assert ceilings == sorted(ceilings)
    assert ceilings[0] > timedelta(minutes=9)
    assert ceilings[-1] > 11 * HOUR


@given(
    good=st.datetimes(timezones=st.just(UTC)),
    asked=st.one_of(st.none(), st.datetimes(timezones=st.just(UTC))),
)
def test_never_before_the_moment_the_server_asked_for(good: datetime, asked: datetime | None) -> None:
    found = cadence.next_read(good, asked)
    assert found >= good
    assert asked is None or found >= asked
    assert found in (good, asked)


# --- in a real pass ---------------------------------------------------------------------------------------------------


def wait(world: World) -> timedelta:
    """How long until the bill's page is read next."""
    return due(world) - world.now


def due(world: World) -> datetime:
    moment = world.page("HB07132").next_check_at
    assert moment is not None
    return moment


def test_a_good_read_is_followed_by_the_next_at_its_pace(tmp_path: Path) -> None:
    with World(tmp_path, [issue("stops", watch("2025 HB 7132"))], day=IN_SESSION) as world:
        world.check()
        feed_due = world.feed().next_check_at
        assert feed_due is not None
        assert 0.9 * HOUR <= feed_due - world.now <= 1.1 * HOUR
        assert 0.9 * 7 * DAY <= wait(world) <= 1.1 * 7 * DAY  # the files speak for the bill
        world.later(minutes=30)
        assert world.check(everything=False).checked == 0
        world.later(minutes=40)
        assert world.check(everything=False).checked == 1


def test_a_server_that_asks_for_five_hours_is_left_alone_for_five_hours(tmp_path: Path) -> None:
    with World(tmp_path, [issue("stops", watch("2025 HB 7132"))], day=IN_SESSION, feed=False) as world:
        world.check()
        world.replica.misbehave(faults.STATUS, faults.status(503, retry_after=str(5 * 3600)))
        world.later(hours=8)
        asked_at = world.now
        world.check(everything=False)
        before = world.replica.request_count
        assert due(world) >= asked_at + 5 * HOUR
        world.replica.behave()
        world.later(hours=4)
        world.check()  # even when a person asks for everything
        assert world.replica.request_count == before
        assert due(world) >= asked_at + 5 * HOUR
        world.later(hours=2)
        world.check(everything=False)
        assert world.page("HB07132").failures == 0


def test_a_page_that_fails_is_tried_again_soon_and_then_less_and_less(tmp_path: Path) -> None:
    with World(tmp_path, [issue("stops", watch("2025 HB 7132"))], day=IN_SESSION, feed=False) as world:
        world.check()
        world.replica.misbehave(faults.STATUS, "maintenance")
        waits = []
        for _ in range(8):
            world.now = due(world)
            world.check(everything=False)
            waits.append(wait(world))
        assert waits[0] <= timedelta(minutes=10)
        assert all(later > earlier / 2 for earlier, later in pairwise(waits))
        assert 6 * HOUR <= waits[-1] <= 12 * HOUR


def test_days_are_connecticuts(tmp_path: Path) -> None:
    with World(tmp_path, [issue("stops", watch("2025 HB 7132"))], day=IN_SESSION, feed=False) as world:
        world.at(ADJOURNED + 30 * DAY, 23, 30)  # already the day after in UTC
        assert world.context.today() == ADJOURNED + 30 * DAY
        world.check()
        assert wait(world) < 7 * HOUR
        world.later(hours=1)
        world.check()
        assert wait(world) > 6 * DAY
