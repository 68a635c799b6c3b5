"""The real 2025 session through the whole pipeline, noise on: every action row of a watched bill becomes exactly
one change on the first day it can be seen, and nothing else becomes a change.

``Replica(lag=True)`` shows a fifth of the rows a day or two after their date, so that rows also come in the middle.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from monitor.demo.facts import BillFacts, Facts, Row
from monitor.interpret.actions import classify
from monitor.model.legislature import BillKey
from monitor.store.schema import Bill, ChangeRow, Source
from monitor.workflow.context import EASTERN
from tests.pipeline import EVE, World, days_between, issue, watch, whole_session

#: Until the new session's first rows the site goes on serving last session's files.
LAST_YEAR = BillFacts(
    BillKey("2024", "HB05001"), "AN ACT OF 2024.", (Row.of(date(2024, 2, 7), "REF. TO JOINT COMM. ON JUD"),)
)

#: Every so-manieth bill of the session is read by its page; all of them (1) take hours, and all by the bulk files
#: some minutes.
EVERY = int(os.environ.get("MONITOR_REPLAY_EVERY", "48"))

#: One change in a test's terms: the day it was told (or first visible), the bill, the row's own date, what it says.
Told = tuple[date, str, date, tuple[str, ...]]


@lru_cache(maxsize=1)
def session_of_2025(path: Path) -> Facts:
    return with_last_year(Facts.from_open_states(path))


def with_last_year(facts: Facts) -> Facts:
    return replace(facts, bills={**facts.bills, LAST_YEAR.key: LAST_YEAR})


def told(world: World) -> Counter[Told]:
    """Every change in the database."""
    with world.database.reading() as session:
        rows = session.execute(select(ChangeRow, Bill.identifier).join(Bill, Bill.id == ChangeRow.bill_id)).all()
    assert {change.kind for change, _ in rows} <= {"action"}
    return Counter(
        (change.first_seen_at.astimezone(EASTERN).date(), bill, change.on or date.min, classify(change.quote).identity)
        for change, bill in rows
    )


def visible(world: World, bills: Iterable[BillFacts], last: date) -> Counter[Told]:
    """What was to be told until ``last``: every row, on the first day one of the world's channels shows it."""
    sources = world.config.sources
    rows = [
        (bill.key.identifier, row, _first_day(row, sources.bill_feed, sources.bill_page))
        for bill in bills
        for row in bill.rows
    ]
    return Counter((day, bill, row.on, classify(row.description).identity) for bill, row, day in rows if day <= last)


def _first_day(row: Row, feed: bool, page: bool) -> date:
    return min(day for day, read in ((row.on_feed, feed), (row.on_page, page)) if read)


def assert_told_once(world: World, bills: Iterable[BillFacts], last: date) -> None:
    """0 missed, 0 false, 0 twice."""
    seen, wanted = told(world), visible(world, bills, last)
    assert wanted
    missed, wrong = wanted - seen, seen - wanted
    assert not missed, f"{missed.total()} missed or late, such as {list(missed)[:5]}"
    assert not wrong, f"{wrong.total()} false, twice or late, such as {list(wrong)[:5]}"


def assert_all_well(world: World) -> None:
    """Every source was read to the end, and nothing of an honest site was put before a person."""
    assert [source.slug for source in world.rows(Source, Source.verdict.is_distinct_from("ok"))] == []
    reviews = [one.subject for one in world.proposals(None, kind="review")]
    assert [subject for subject in reviews if not subject.startswith(("unsigned:", "session:"))] == []


def begin(world: World) -> None:
    """The day before the session, when no bill of it is known and the bulk files are last session's."""
    world.replica.set_feed_session("2024")
    report = world.check()
    assert (report.failed, report.changes) == (0, [])
    world.replica.set_feed_session("2025")


def of_world(world: World) -> list[BillFacts]:
    """The watched bills as the replica shows them, lag and all."""
    facts = world.replica.facts
    return [facts.bills[one.bill] for one in world.config.watches() if one.bill is not None]


def replay(world: World, bills: Sequence[BillFacts], days: Iterable[date], *, sample: int) -> date:
    """Each day read the bulk files, the pages with news, and every ``sample``-th other page by turns."""
    names = {bill.key: f"everything/2025-{bill.key.identifier}" for bill in bills}
    last = EVE
    for number, last in enumerate(days):
        news = {bill.key for bill in bills if any(row.on_page == last for row in bill.rows)}
        others = {bill.key for at, bill in enumerate(bills) if at % sample == number % sample}
        world.at(last).check(watches=[names[key] for key in sorted(news | others)])
    return last


@pytest.mark.needs_shared
@pytest.mark.timeout(600)
def test_whole_session_by_the_bulk_files_alone(tmp_path: Path, shared_cga: Path) -> None:
    facts = session_of_2025(shared_cga / "data" / "session-2025.jsonl.gz")
    # Every fourth bill and the traps; MONITOR_REPLAY_EVERY=1 takes all 4,076 with their 18,011 rows.
    watched = whole_session(facts, every=4 if EVERY > 1 else 1)
    with World(tmp_path, watched, facts=facts, page=False, replica={"lag": True}) as world:
        begin(world)
        days = world.replica.facts.days()
        for day in days:
            world.at(day).check()
        assert told(world).total() == 18_011 if EVERY == 1 else told(world).total() > 4_000
        assert_told_once(world, of_world(world), days[-1])
        assert_all_well(world)
        # One request a pass finds it all; robots.txt once a day and the titles when something is new.
        assert {entry.path.rpartition("/")[2] for entry in world.replica.requests} == {
            "robots.txt", "bill_history.csv", "bill_info.csv"
        }  # fmt: skip


def traps(shared_cga: Path) -> set[BillKey]:
    """Real histories that defeat simple rules."""
    listed = json.loads((shared_cga / "data" / "traps-2025.json").read_text())["bills"]
    return {BillKey(entry["session"], entry["bill"]) for entry in listed}


def chosen(facts: Facts, always: Collection[BillKey]) -> list[BillFacts]:
    """Every n-th bill with a history and all of ``always``."""
    bills = [bill for bill in facts.of_session("2025") if bill.rows]
    return [bill for at, bill in enumerate(bills) if at % EVERY == 3 % EVERY or bill.key in always]


@pytest.mark.needs_shared
@pytest.mark.timeout(600 * 48 // EVERY)
@pytest.mark.parametrize(
    ("feed", "lag_days"),
    [
        pytest.param(False, 0, id="pages"),
        pytest.param(True, 1, id="both, bulk files a day late"),
    ],
)
def test_traps_and_a_sample_of_the_session_by_their_pages(
    tmp_path: Path, shared_cga: Path, feed: bool, lag_days: int
) -> None:
    facts = session_of_2025(shared_cga / "data" / "session-2025.jsonl.gz")
    watches = [watch(str(bill.key), effect="some_progress") for bill in chosen(facts, traps(shared_cga))]
    site = {"lag": True, "feed_lag_days": lag_days, "odd_pages": False}
    with World(tmp_path, [issue("everything", *watches)], facts=facts, feed=feed, replica=site) as world:
        begin(world)
        bills = of_world(world)
        days = sorted({day for bill in bills for row in bill.rows for day in (row.on_page, row.on_feed)})
        last = replay(world, bills, days, sample=20)
        assert_told_once(world, bills, last)
        assert_all_well(world)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("feed", "page", "lag_days"),
    [
        pytest.param(True, False, 0, id="bulk files"),
        pytest.param(False, True, 0, id="pages"),
        pytest.param(True, True, 1, id="both, bulk files a day late"),
    ],
)
def test_policing_bills_on_every_day_of_the_year(tmp_path: Path, feed: bool, page: bool, lag_days: int) -> None:
    """Days with news read everything, as the command does; on the others the service reads what it finds due.

    Every day with both channels; with one of them the days with news and every seventh of the others.
    """
    facts = with_last_year(Facts.bundled())
    # Pages that only html5lib can read take a second each; one of the four has them.
    site = {"lag": True, "feed_lag_days": lag_days, "seed": 7, "odd_pages": not feed}
    channels: dict[str, Any] = {"feed": feed, "page": page, "acts": page}
    with World(tmp_path, whole_session(facts), facts=facts, replica=site, **channels) as world:
        begin(world)
        news = set(world.replica.facts.days())
        for number, day in enumerate(days_between(EVE + timedelta(days=1), date(2025, 12, 1))):
            if day in news or number % 7 == 0 or (feed and page):
                world.at(day).check(everything=day in news)
        assert told(world).total() == 534
        assert_told_once(world, of_world(world), date(2025, 12, 1))
        assert_all_well(world)
