"""Every misbehaviour of the site, through the whole pipeline: while it lasts nothing is believed, told or lost; once
it is over the next read tells exactly the rows that appeared meanwhile, each once.

Faults come from the registry, so that a new one is tried at once.
"""

from __future__ import annotations

import json
import signal
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor.demo.facts import BillFacts, Facts, Row
from monitor.demo.faults import FAULTS, FEED, ROBOTS, STATUS, big, drip, drip_headers, gzip_bomb, slow
from monitor.demo.faults import status as status_fault
from monitor.demo.replica import Request
from monitor.demo.site import Promises
from monitor.interpret.actions import classify
from monitor.model.legislature import BillKey
from monitor.store.schema import Bill, Source
from monitor.workflow.report import CheckReport
from tests.pipeline import World, issue, watch

START = date(2025, 3, 3)
BROKEN, WELL = date(2025, 3, 11), date(2025, 3, 12)

#: Committees and calendars, nothing the calendar itself moves; seven rows before the trouble, and one in it.
WORDS = (
    "REF. TO JOINT COMM. ON Judiciary",
    "Vote to Draft",
    "DRAFTED BY COMMITTEE",
    "REF. TO JOINT COMM. ON Judiciary",
    "Joint Favorable",
    "FILED WITH LCO",
    "REFERRED TO OLR, OFA 03/17/25",
    "RPTD. OUT OF LCO",
    "FILE NO. 12",
)


def days_of(number: int) -> list[date]:
    """Rows from March 4 on, one a day; some bills have news on the broken day, some on the day after, some on both."""
    first = {0: date(2025, 3, 4), 1: date(2025, 3, 5), 2: date(2025, 3, 6)}[number % 3]
    return [first + timedelta(days=at) for at in range(7)]


#: HB 6013 and HB 6037 are the fifth that "feed_bills_missing" leaves out; HB 6099 is introduced while all is broken.
NUMBERS = (6010, 6011, 6012, 6013, 6037, 6041)
BILLS = {number: BillKey("2025", f"HB{number:05d}") for number in NUMBERS}
LATE = BillKey("2025", "HB06099")


def site() -> Facts:
    histories = {key: tuple(map(Row.of, days_of(number), WORDS)) for number, key in BILLS.items()}
    histories[LATE] = (Row.of(BROKEN, WORDS[0]), Row.of(WELL, WORDS[1]))
    histories[BillKey("2025", "HB06001")] = (Row.of(START, WORDS[0]),)
    bills = (BillFacts(key, f"AN ACT CONCERNING {key.label}.", rows) for key, rows in histories.items())
    return Facts("2025", {bill.key: bill for bill in bills})


@dataclass(frozen=True)
class Trouble:
    """A fault by name and the path it is put on. Slow ones are shortened to the deadline of these tests."""

    name: str
    where: str

    def __str__(self) -> str:
        return f"{self.name} at {self.where.rsplit('/', 2)[-1] or 'bulk files'}"


#: Against a deadline of one second; the real sizes are tried in test_fetch.
QUICKER = {
    "slow": slow(1.5),
    "drip": drip(0.2),
    "drip_headers": drip_headers(0.2),
    "big": big(12),
    "gzip_bomb": gzip_bomb(40),
}

#: A page so served is as good as any.
HARMLESS = {"charset_lies", "etag_flapping", "no_validators"}
#: Rows are hidden, all else is well: the site may really have taken them back, and only time can tell.
HIDES = {"row_removed", "feed_row_removed", "feed_bills_missing", "last_modified_lies"}

#: The two channels' own paths for a fault that may be anywhere.
ANYWHERE = (STATUS, FEED)


def troubles() -> Iterator[Trouble]:
    for name, fault in FAULTS.items():
        if fault.where == "/":
            yield from (Trouble(name, where) for where in ANYWHERE)
        else:
            yield Trouble(name, fault.where)


def world_for(folder: Path, trouble: Trouble, **more: Any) -> World:
    """The faulty channel alone, so that no other makes up for it; both where robots.txt is at stake."""
    feed = trouble.where.startswith(FEED) or trouble.where == ROBOTS
    page = trouble.where == STATUS or trouble.where == ROBOTS
    watches = [watch(str(key), effect="achieved") for key in (*BILLS.values(), LATE)]
    manners = {"deadline_seconds": 1.0, "max_bytes": "2 MB", "max_bytes_large": "4 MB"}
    issues = [issue("everything", *watches)]
    return World(folder, issues, facts=site(), day=START, feed=feed, page=page, manners=manners, **more)


Saying = tuple[str, str, date | None, tuple[str, ...]]


def told(world: World) -> Counter[Saying]:
    """Every change: its kind, the bill, the row's date and what it says in either wording."""
    names = {bill.id: bill.identifier for bill in world.rows(Bill)}
    return Counter(
        (change.kind, names[change.bill_id], change.on, classify(change.quote).identity) for change in world.changes()
    )


def visible(world: World) -> Counter[Saying]:
    """What should have been told by now."""
    bills = [world.replica.facts.bills[key] for key in (*BILLS.values(), LATE)]
    return Counter(
        ("action", bill.key.identifier, row.on, classify(row.description).identity)
        for bill in bills
        for row in bill.seen(world.today)
    )


def begin(world: World) -> None:
    """All is well until the eve; the first read comes before the first row, so that every row is news."""
    for day in (START, date(2025, 3, 7), BROKEN - timedelta(days=1)):
        world.at(day, 6).check()
    assert told(world) == visible(world) != Counter()


@pytest.mark.parametrize("trouble", list(troubles()), ids=str)
def test_nothing_false_while_it_lasts_and_nothing_missed_after(tmp_path: Path, trouble: Trouble) -> None:
    with world_for(tmp_path, trouble) as world:
        begin(world)
        before = State.of(world)
        world.replica.misbehave(trouble.where, QUICKER.get(trouble.name, FAULTS[trouble.name]))
        for hour in (8, 12, 16):
            report = world.at(BROKEN, hour).check()
            if trouble.name in HARMLESS:
                assert (report.failed, told(world)) == (0, visible(world))
            elif trouble.name in HIDES:
                assert told(world) <= visible(world)
            elif trouble.name == "robots_forbid_status":
                assert told(world) == visible(world), "the bulk files speak for the pages"
                assert {source.verdict for source in failing(world)} == {"blocked"}
            else:
                # A history of one row has nothing to lose.
                honest = {LATE.identifier} if trouble.name == "history_shrunk" else set[str]()
                assert_refused(world, report, before, honest)
        world.replica.behave()
        world.at(WELL, 18).check(everything=False)
        assert told(world) == visible(world)
        assert failing(world) == []
        assert world.proposals(kind="review") == []


@dataclass(frozen=True)
class State:
    """What a fault must leave as it was."""

    told: Counter[Saying]
    suggested: int
    baselines: dict[str, tuple[int | None, str | None, datetime | None]]

    @classmethod
    def of(cls, world: World) -> State:
        suggested = [one for one in world.proposals(None) if one.kind != "review"]
        sources = {one.slug: (one.snapshot_id, one.sha256, one.last_good_at) for one in world.rows(Source)}
        return cls(told(world), len(suggested), sources)


def failing(world: World) -> list[Source]:
    return world.rows(Source, Source.failures > 0)


def assert_refused(world: World, report: CheckReport, before: State, honest: set[str]) -> None:
    """Nothing is believed, and the trouble is on record in words."""
    now = State.of(world)
    assert now.suggested == before.suggested
    assert {bill for _, bill, *_ in now.told - before.told} <= honest
    assert report.failed + report.blocked > 0
    bad = failing(world)
    hosts = [host for host in world.hosts() if host.failures]
    assert bad or hosts
    for source in bad:
        assert now.baselines[source.slug] == before.baselines[source.slug]
        assert source.verdict not in ("ok", "not_modified")
        assert source.error
    assert all(host.last_error for host in hosts)


# --- manners, as the server sees them --------------------------------------------------------------------------------


def one_page(folder: Path, *, feed: bool = False, page: bool = True, **more: Any) -> World:
    watches = [issue("one", watch(str(BILLS[6010]), effect="achieved"))]
    return World(folder, watches, facts=site(), day=START, feed=feed, page=page, **more)


def pages_asked(world: World) -> list[Request]:
    return [one for one in world.replica.requests if one.path.lower().startswith(STATUS)]


def test_only_the_servers_own_validators_are_echoed_and_a_304_costs_no_body(tmp_path: Path) -> None:
    with one_page(tmp_path) as world:
        world.at(date(2025, 3, 5)).check()
        world.later(hours=1).check()
        first, second = pages_asked(world)
        assert {"if-none-match", "if-modified-since"}.isdisjoint(first.headers)
        assert second.headers["if-none-match"] == world.page(BILLS[6010]).etag
        assert (first.status, second.status) == (200, 304)
        assert world.page(BILLS[6010]).requests == 2


def test_an_unchanged_session_costs_one_request(tmp_path: Path) -> None:
    with one_page(tmp_path, feed=True, page=False) as world:
        world.at(date(2025, 3, 5)).check()
        report = world.later(hours=1).check()
        assert (report.requests, report.unchanged) == (1, 1)


@pytest.mark.parametrize(("feed", "page"), [(True, False), (False, True)], ids=["bulk files", "page"])
def test_a_lying_last_modified_is_found_out_by_the_full_read(tmp_path: Path, feed: bool, page: bool) -> None:
    with one_page(tmp_path, feed=feed, page=page, manners={"full_read_every": 3}) as world:
        world.replica.set_promises(Promises.LYING)
        for day in range(12):
            world.at(START + timedelta(days=day)).check()
            missing = visible_of(world, 6010) - told(world).total()
            assert 0 <= missing <= 3
        for _ in range(3):
            world.later(hours=1).check()
        assert told(world).total() == visible_of(world, 6010) == 7
        assert [entry.status for entry in world.replica.requests].count(304) > 6


def visible_of(world: World, number: int) -> int:
    return len(world.replica.facts.bills[BILLS[number]].seen(world.today))


def test_a_pause_the_server_asks_for_outlives_a_restart_and_an_impatient_person(tmp_path: Path) -> None:
    """Two hours, kept with the host: no page of it is asked for meanwhile, by whatever process."""
    with world_for(tmp_path, Trouble("unavailable", STATUS)) as world:
        begin(world)
        world.replica.misbehave("/", status_fault(503, retry_after="7200"), times=1)
        world.at(BROKEN, 8).check()
        asked = world.replica.request_count
        [host] = [host for host in world.hosts() if host.failures]
        assert host.not_before == world.now + timedelta(hours=2)
        world.later(hours=1, minutes=59).check(everything=False)
        done = json.loads(world.process("check", "--all", "--json").stdout)
        assert (done["requests"], done["blocked"]) == (0, len(world.rows(Source)))
        assert world.replica.request_count == asked
        world.later(minutes=2).check(everything=False)
        assert told(world) == visible(world)
        assert [host.failures for host in world.hosts() if host.not_before] == []


def test_what_a_host_asked_of_us_outlives_a_crash(tmp_path: Path) -> None:
    """The pass dies before its end; the next process must still keep away."""
    with one_page(tmp_path) as world:
        begin_one(world)
        world.at(BROKEN).replica.misbehave(STATUS, status_fault(503, retry_after="7200"))
        world.environ["MONITOR_KILL_AT"] = "before_notice_commit"
        assert world.process("check", "--all", code=None).returncode == -signal.SIGKILL
        [host] = [host for host in world.hosts() if host.not_before is not None]
        assert host.not_before == world.now + timedelta(hours=2)


def test_a_forbidden_page_says_so_and_the_issue_lives_on_the_bulk_files(tmp_path: Path) -> None:
    with one_page(tmp_path, feed=True) as world:
        begin_one(world)
        world.replica.set_robots("User-agent: *\nDisallow: /asp/\n")
        asked = len(pages_asked(world))
        world.at(BROKEN).check()
        assert len(pages_asked(world)) == asked
        page = world.page(BILLS[6010])
        assert page.verdict == "blocked"
        assert "robots.txt" in (page.error or "")
        assert told(world).total() == visible_of(world, 6010)
        [standing] = world.standings()
        assert standing.verified_at == world.now
        # An operator who has asked the site first may override it; that is logged.
        watches = issue("one", watch(str(BILLS[6010]), effect="achieved"))
        world.configure([watches], sources={"ignore_robots": ["bill_page"]})
        world.later(hours=13).check(everything=False)
        assert len(pages_asked(world)) == asked + 1
        assert world.page(BILLS[6010]).verdict == "ok"


def test_a_forbidden_page_alone_leaves_the_issue_unverified(tmp_path: Path) -> None:
    with one_page(tmp_path) as world:
        begin_one(world)
        world.replica.set_robots("User-agent: legislative-monitor\nDisallow: /asp/\n")
        world.at(BROKEN).check()
        [standing] = world.standings()
        assert standing.verified_at is not None
        assert standing.verified_at.date() == BROKEN - timedelta(days=1)
        assert len(standing.unread) == 1


def begin_one(world: World) -> None:
    for day in (START, BROKEN - timedelta(days=1)):
        world.at(day).check()
    assert told(world).total() == visible_of(world, 6010)


# --- the new session's files -----------------------------------------------------------------------------------------

NEW = BillKey("2025", "HB05001")
OLD_ROWS = (Row.of(date(2024, 2, 7), WORDS[0]), Row.of(date(2024, 3, 1), "Joint Favorable"))
NEW_ROWS = tuple(map(Row.of, (date(2025, 1, 9), date(2025, 1, 13), date(2025, 1, 16)), WORDS))


def turn_of_sessions(folder: Path, **more: Any) -> World:
    """Bill 5001 of 2024 and of 2025: numbers restart, and the bulk files do not say which session's they are."""
    old, new = BillKey("2024", "HB05001"), BillFacts(NEW, "AN ACT OF 2025.", NEW_ROWS)
    facts = Facts("2025", {old: BillFacts(old, "AN ACT OF 2024.", OLD_ROWS), NEW: new})
    watches = issue("one", watch("2024 HB 5001", effect="achieved"), watch("2025 HB 5001", effect="achieved"))
    return World(folder, [watches], facts=facts, **more)


def told_in(world: World, year: int) -> list[date]:
    return sorted(on for _, _, on, _ in told(world).elements() if on and on.year == year)


@pytest.mark.parametrize("page", [False, True], ids=["bulk files", "both"])
def test_last_sessions_files_are_never_taken_for_the_new_ones(tmp_path: Path, page: bool) -> None:
    """The site has served them for weeks: refused from the first day of the session, and all rows come in the end."""
    with turn_of_sessions(tmp_path, day=date(2024, 12, 20), page=page) as world:
        world.replica.set_feed_session("2024")
        assert world.check().failed == 0
        world.at(date(2025, 1, 7)).check()
        assert world.feed().session == "2024"
        for day in (date(2025, 1, 8), date(2025, 1, 9), date(2025, 1, 13)):
            world.at(day)
            world.replica.edit(BillKey("2024", "HB05001"), lambda rows: [*rows, Row.of(rows[-1].on, "FILED WITH LCO")])
            world.check()
            assert world.feed().verdict == "wrong_page"
            assert "2025 session has begun" in (world.feed().error or "")
        assert told_in(world, 2025) == ([row.on for row in NEW_ROWS[:2]] if page else [])
        world.replica.set_feed_session("2025")
        world.at(date(2025, 1, 17)).check()
        assert world.feed().session == "2025"
        assert told_in(world, 2025) == [row.on for row in NEW_ROWS]
        assert world.bill(BillKey("2024", "HB05001")).in_feed is False
        # And never back.
        world.replica.set_feed_session("2024")
        before = told(world)
        world.later(days=1).check()
        assert (world.feed().verdict, told(world)) == ("wrong_page", before)


@pytest.mark.parametrize("page", [False, True], ids=["bulk files", "both"])
def test_files_that_hold_only_their_headers_at_first(tmp_path: Path, page: bool) -> None:
    with turn_of_sessions(tmp_path, day=date(2024, 12, 20), page=page) as world:
        world.replica.set_feed_session("2024")
        world.check()
        world.replica.set_feed_session("2025")
        world.at(date(2025, 1, 8)).check()
        assert world.feed().verdict == "soft_error"
        world.at(date(2025, 1, 9)).check()
        assert told_in(world, 2025) == [date(2025, 1, 9)]
        assert (world.feed().verdict, world.feed().failures) == ("ok", 0)
