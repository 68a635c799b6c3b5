"""Rows of one bill through the whole pipeline, by each channel and both: what becomes a change, and what never does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor.demo import faults
from monitor.demo.facts import BillFacts, Facts, Row
from monitor.demo.pages import STATUS_PATH
from monitor.demo.site import Asked, Reply, Site
from monitor.model.legislature import BillKey
from monitor.store.schema import Proposal
from tests.pipeline import World, days_between, issue, watch

BILL = BillKey("2025", "HB06042")
OTHER = BillKey("2025", "HB06050")
FIRST = date(2025, 1, 20)

ROWS = (
    Row.of(date(2025, 1, 21), "REF. TO JOINT COMM. ON Judiciary"),
    Row.of(date(2025, 2, 5), "PUBLIC HEARING 0210"),
    Row.of(date(2025, 3, 3), "Joint Favorable"),
    Row.of(date(2025, 3, 4), "FILED WITH LCO"),
    Row.of(date(2025, 3, 20), "HOUSE PASSED"),
    Row.of(date(2025, 4, 2), "SENATE PASSED"),
    Row.of(date(2025, 4, 2), "IN CONCURRENCE"),
    Row.of(date(2025, 4, 9), "PUBLIC ACT 25-3"),
    Row.of(date(2025, 4, 15), "TRANSMITTED BY SECRETARY OF THE STATE TO GOVERNOR"),
    Row.of(date(2025, 4, 18), "SIGNED BY GOVERNOR"),
)

CHANNELS = {"bulk files": (True, False), "page": (False, True), "both": (True, True)}
both = pytest.mark.parametrize(("feed", "page"), [(True, True)], ids=["both"])
each = pytest.mark.parametrize(("feed", "page"), CHANNELS.values(), ids=CHANNELS.keys())


def facts_of(*rows: Row) -> Facts:
    """Our bill, and another one so that the bulk files are never without a row."""
    bills = (
        BillFacts(BILL, "AN ACT CONCERNING STOPS.", rows),
        BillFacts(OTHER, "AN ACT CONCERNING BEES.", (Row.of(FIRST, "REF. TO JOINT COMM. ON Environment"),)),
    )
    return Facts("2025", {bill.key: bill for bill in bills})


def one_bill(folder: Path, *rows: Row, feed: bool = True, page: bool = True, **more: Any) -> World:
    """A world that watches our bill, with the day of the other bill's first row."""
    watches = issue("stops", watch("2025 HB 6042", effect="achieved"))
    return World(folder, [watches], facts=facts_of(*rows), day=FIRST, feed=feed, page=page, **more)


def told(world: World) -> list[tuple[str, str]]:
    return [(change.kind, change.quote) for change in world.changes()]


def questions(world: World) -> list[Proposal]:
    """Reviews, without those about bulk files that stand still as ours often do."""
    return [one for one in world.proposals(kind="review") if not one.subject.startswith("quiet:")]


def read_daily(world: World, first: date, last: date) -> None:
    for day in days_between(first, last):
        world.at(day).check()


def read_until(world: World, last: date) -> None:
    """On every day that brings a row, and on the last."""
    rows = world.replica.facts.bills[BILL].rows
    for day in sorted({FIRST, last, *(row.on_page for row in rows if row.on_page < last)}):
        world.at(day).check()


def without(description: str) -> Callable[[Iterable[Row]], Iterator[Row]]:
    return lambda rows: (row for row in rows if row.description != description)


@each
def test_absent_then_introduced_tells_the_first_row(tmp_path: Path, feed: bool, page: bool) -> None:
    with one_bill(tmp_path, *ROWS[:1], feed=feed, page=page) as world:
        assert world.check().failed == 0
        world.at(date(2025, 1, 21)).check()
        assert told(world) == [("action", "REF. TO JOINT COMM. ON Judiciary" if feed else told(world)[0][1])]
        assert world.bill(BILL).stage == "in_committee"
        world.later(days=1).check()
        assert len(told(world)) == 1


@each
def test_first_sight_of_a_bill_on_its_way_is_a_baseline(tmp_path: Path, feed: bool, page: bool) -> None:
    """Whichever channel comes first, and the other soon after: nothing is told, nothing proposed, all is known."""
    with one_bill(tmp_path, *ROWS, feed=feed, page=page) as world:
        world.configure([issue("bees", "2025 HB 6050")])
        world.sync()
        world.at(date(2025, 4, 10)).check()
        world.configure([issue("stops", watch("2025 HB 6042", effect="achieved")), issue("bees", "2025 HB 6050")])
        world.sync()
        assert world.check().changes == []
        assert world.later(hours=2).check().changes == []
        assert (told(world), world.proposals()) == ([], [])
        assert world.bill(BILL).stage == "passed_both"
        assert len(world.ledger(BILL)) == 8
        # The next row is news.
        report = world.at(date(2025, 4, 18)).check()
        assert [change["date"] for change in report.changes] == ["2025-04-15", "2025-04-18"]
        assert [(one.kind, one.to_status) for one in world.proposals()] == [("status", "achieved")]


@each
def test_same_rows_again_and_again_are_no_change(tmp_path: Path, feed: bool, page: bool) -> None:
    with one_bill(tmp_path, *ROWS, feed=feed, page=page) as world:
        read_daily(world, date(2025, 1, 20), date(2025, 4, 25))
        assert [change.on for change in world.changes()] == [row.on for row in ROWS]
        assert {change.kind for change in world.changes()} == {"action"}
        assert all(change.snapshot_id and change.url for change in world.changes())


@each
def test_duplicate_rows_are_two_actions(tmp_path: Path, feed: bool, page: bool) -> None:
    twice = Row.of(date(2025, 3, 3), "Joint Favorable")
    with one_bill(tmp_path, ROWS[0], ROWS[1], twice, feed=feed, page=page) as world:
        read_until(world, date(2025, 3, 3))
        assert len(told(world)) == 3
        world.replica.edit(BILL, lambda rows: [*rows, twice])
        world.later(days=1).check()
        assert len(told(world)) == 4
        # One of the two is taken back: one removal, the other stands.
        world.replica.edit(BILL, lambda rows: rows[:-1])
        read_daily(world, date(2025, 3, 5), date(2025, 3, 7))
        assert [kind for kind, _ in told(world)] == ["action"] * 4 + ["action_removed"]
        assert [action.gone for action in world.ledger(BILL)].count(False) == 3


@each
def test_row_removed_and_soon_restored_is_not_mentioned(tmp_path: Path, feed: bool, page: bool) -> None:
    with one_bill(tmp_path, *ROWS, feed=feed, page=page) as world:
        read_until(world, date(2025, 4, 18))
        before = told(world)
        whole = world.replica.facts.bills[BILL].rows
        world.replica.edit(BILL, without("SIGNED BY GOVERNOR"))
        world.later(hours=3).check()
        assert world.bill(BILL).stage == "signed"
        world.replica.edit(BILL, lambda _: whole)
        world.later(hours=14).check()
        read_daily(world, date(2025, 4, 20), date(2025, 4, 23))
        assert told(world) == before
        assert [action.removed_at for action in world.ledger(BILL)] == [None] * len(ROWS)


@each
def test_row_that_stays_away_is_told_once_and_suggests_the_way_back(tmp_path: Path, feed: bool, page: bool) -> None:
    with one_bill(tmp_path, *ROWS, feed=feed, page=page) as world:
        read_until(world, date(2025, 4, 18))
        world.approve(world.proposals(kind="status")[0].id)
        assert world.issue("stops").status == "achieved"
        world.replica.edit(BILL, without("SIGNED BY GOVERNOR"))
        read_daily(world, date(2025, 4, 19), date(2025, 4, 24))
        gone = [change for change in world.changes() if change.kind == "action_removed"]
        assert [(change.on, change.after) for change in gone] == [(date(2025, 4, 18), "")]
        assert gone[0].before == gone[0].quote
        assert gone[0].quote.lower().startswith("signed by")
        assert world.bill(BILL).stage == "to_governor"
        [back] = world.proposals(kind="status")
        assert (back.from_status, back.to_status) == ("achieved", "no_progress")
        assert world.evidence(back.id)[0].quote == gone[0].quote
        # It comes back after all: told again, and the way forward suggested anew.
        world.replica.edit(BILL, lambda rows: [*rows, ROWS[-1]])
        world.at(date(2025, 4, 25)).check()
        assert [change.kind for change in world.changes()][-1] == "action"
        assert world.bill(BILL).stage == "signed"
        read_daily(world, date(2025, 4, 26), date(2025, 4, 28))
        assert len([change for change in world.changes() if change.on == date(2025, 4, 18)]) == 3


def test_one_old_copy_of_a_page_is_no_removal_however_long_until_the_next_read(tmp_path: Path) -> None:
    """Servers behind a load balancer take turns with older copies; between sessions a page is read once a week."""
    with one_bill(tmp_path, *ROWS, feed=False) as world:
        read_until(world, date(2025, 4, 18))
        before = told(world)
        whole = world.replica.facts.bills[BILL].rows
        world.replica.edit(BILL, without("SIGNED BY GOVERNOR"))
        world.later(days=1).check()
        world.replica.edit(BILL, lambda _: whole)
        # Other passes go by, none of which reads the page.
        for _ in range(3):
            world.later(days=1).check(watches=[])
        assert told(world) == before
        world.later(hours=1).check()
        assert told(world) == before


@each
def test_page_that_flaps_between_two_versions_is_told_once(tmp_path: Path, feed: bool, page: bool) -> None:
    with one_bill(tmp_path, *ROWS, feed=feed, page=page) as world:
        read_until(world, date(2025, 4, 17))
        new = world.replica.facts.bills[BILL].rows
        for turn in range(12):
            world.at(date(2025, 4, 18) + timedelta(days=turn))
            shown = new if turn % 2 == 0 else new[:-1]
            world.replica.edit(BILL, lambda _, shown=shown: shown)  # type: ignore[misc]
            world.check()
        assert [change.on for change in world.changes()] == [row.on for row in ROWS]
        assert {change.kind for change in world.changes()} == {"action"}


@each
def test_reworded_row_is_an_amendment(tmp_path: Path, feed: bool, page: bool) -> None:
    with one_bill(tmp_path, *ROWS[:2], feed=feed, page=page) as world:
        read_until(world, date(2025, 2, 5))
        change_hearing = lambda rows: [rows[0], rows[1]._replace(description="PUBLIC HEARING 0212")]  # noqa: E731
        world.replica.edit(BILL, change_hearing)
        read_daily(world, date(2025, 2, 6), date(2025, 2, 8))
        [amended] = [change for change in world.changes() if change.kind != "action"]
        assert amended.kind == "action_amended"
        assert "10" in amended.before
        assert amended.after == amended.quote
        assert len(world.changes()) == 3
        assert len(world.ledger(BILL)) == 2


@each
def test_redated_row_is_an_amendment(tmp_path: Path, feed: bool, page: bool) -> None:
    with one_bill(tmp_path, *ROWS[:3], feed=feed, page=page) as world:
        read_until(world, date(2025, 3, 3))
        world.replica.edit(BILL, lambda rows: [*rows[:2], rows[2]._replace(on=date(2025, 2, 28))])
        read_daily(world, date(2025, 3, 4), date(2025, 3, 7))
        assert [(one.kind, one.on) for one in world.changes()][3:] == [("action_amended", date(2025, 2, 28))]
        assert [action.date for action in world.ledger(BILL)] == [ROWS[0].on, ROWS[1].on, date(2025, 2, 28)]


@each
def test_back_dated_row_in_the_middle(tmp_path: Path, feed: bool, page: bool) -> None:
    late = Row.of(date(2025, 3, 4), "FILED WITH LCO", seen=date(2025, 4, 3))
    with one_bill(tmp_path, *ROWS[:3], late, *ROWS[4:7], feed=feed, page=page) as world:
        read_until(world, date(2025, 4, 2))
        assert world.bill(BILL).stage == "passed_both"
        report = world.at(date(2025, 4, 3)).check()
        assert [(change["kind"], change["date"]) for change in report.changes] == [("action", "2025-03-04")]
        assert world.bill(BILL).stage == "passed_both"
        assert [action.date for action in world.ledger(BILL)] == sorted(row.on for row in ROWS[:7])
        assert world.changes()[-1].first_seen_at == world.now


def turn_around(day: bytes) -> Callable[[bytes], bytes]:
    """The bulk file with the rows of our bill's day in the other order."""

    def change(body: bytes) -> bytes:
        lines = body.split(b"\r\n")
        ours = [at for at, line in enumerate(lines) if line.startswith(BILL.identifier.encode()) and day in line]
        turned = [lines[at] for at in reversed(ours)]
        for at, line in zip(ours, turned, strict=True):
            lines[at] = line
        return b"\r\n".join(lines)

    return change


def test_rows_of_a_day_in_another_order_in_each_channel(tmp_path: Path) -> None:
    with one_bill(tmp_path, *ROWS) as world:
        turned = faults.changed(turn_around(b"2025-04-02"), "another order")
        world.replica.misbehave("/ftp/pub/data/bill_history.csv", turned)
        read_until(world, date(2025, 4, 9))
        assert sorted(change.on or date.min for change in world.changes()) == [row.on for row in ROWS[:8]]
        assert world.bill(BILL).stage == "passed_both"


@both
def test_unknown_phrase_reads_differently_in_each_channel(tmp_path: Path, feed: bool, page: bool) -> None:
    """One change, one question to a person, whichever wording comes first; and nothing is guessed."""
    strange = Row.of(date(2025, 3, 10), "FROBNICATED BY CLERK")
    reworded = faults.changed(lambda body: body.replace(b"FROBNICATED BY CLERK", b"Frobnicated by the House Clerk"), "")
    with one_bill(tmp_path, *ROWS[:4], strange) as world:
        world.replica.misbehave(STATUS_PATH, reworded)
        read_until(world, date(2025, 3, 20))
        assert [change.on for change in world.changes()] == [row.on for row in (*ROWS[:4], strange)]
        assert world.changes()[-1].phrase == "unclassified"
        [question] = questions(world)
        assert "Unknown phrase in HB 6042" in question.reason
        assert world.bill(BILL).stage == "reported"


def test_removed_by_the_bulk_files_first_is_looked_up_on_the_page_at_once(tmp_path: Path) -> None:
    with one_bill(tmp_path, *ROWS) as world:
        read_until(world, date(2025, 4, 18))
        asked = len([one for one in world.replica.requests if one.path.lower().startswith(STATUS_PATH)])
        world.replica.edit(BILL, without("SIGNED BY GOVERNOR"))
        world.later(days=1).check(everything=False)
        now = [one for one in world.replica.requests if one.path.lower().startswith(STATUS_PATH)]
        assert len(now) == asked + 1
        assert [action.removed_at for action in world.ledger(BILL)][-1] == world.now


def test_row_only_one_channel_shows_is_asked_about_after_days(tmp_path: Path) -> None:
    """Not before: the bulk files are written at night."""

    def hide(asked: Asked, site: Site) -> Reply:
        return site.reply(asked, change=lambda body: b"\r\n".join(
            line for line in body.split(b"\r\n") if b"SIGNED BY" not in line
        ))  # fmt: skip

    with one_bill(tmp_path, *ROWS) as world:
        world.replica.misbehave("/ftp/pub/data/bill_history.csv", faults.Fault(hide, "a row short"))
        read_until(world, date(2025, 4, 20))
        assert questions(world) == []
        # Another bill's news: the bulk files are alive.
        world.replica.edit(OTHER, lambda rows: [*rows, Row.of(date(2025, 4, 24), "PUBLIC HEARING 0428")])
        read_daily(world, date(2025, 4, 21), date(2025, 4, 26))
        [question] = questions(world)
        assert question.reason == (
            "The status page shows “Signed by the Governor” for HB 6042; the bulk files do not. Which is right?"
        )
        assert [change.on for change in world.changes()].count(date(2025, 4, 18)) == 1
