"""One list of actions however many channels show it: each row is told once, in whichever wording it came."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from monitor.demo import faults
from monitor.demo.facts import BillFacts, Facts, Row
from monitor.demo.wording import web_rows
from monitor.diff import ActionDiff, diff_actions
from monitor.interpret.actions import classify
from monitor.model.legislature import ActionRow
from monitor.store import bills
from monitor.store.database import Database
from monitor.store.schema import Action, Base, Bill, Source
from monitor.workflow.bulk import HISTORY
from monitor.workflow.ledger import Channel, Reconciled, identity, meaning, reconcile
from tests.pipeline import World, issue, watch

MORNING = datetime(2025, 3, 6, 11, tzinfo=UTC)
FEED: Channel = "in_feed"
PAGE: Channel = "in_page"

_numbers = count(5001)


class Ledger:
    """One bill of a real database, read by either channel an hour apart."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.bill = Bill(session="2025", identifier=f"HB{next(_numbers):05d}", title="", stage_reason="")
        self.sources = {
            FEED: Source(slug=f"feed/{self.bill.identifier}", kind="bill_feed", url="https://cga.example/feed"),
            PAGE: Source(slug=f"page/{self.bill.identifier}", kind="bill_page", url="https://cga.example/page"),
        }
        session.add_all([self.bill, *self.sources.values()])
        session.flush()
        self.showed: dict[Channel, Sequence[ActionRow]] = {FEED: (), PAGE: ()}
        self.now = MORNING

    def read(self, channel: Channel, *rows: ActionRow, baseline: bool = False) -> Reconciled:
        self.now += timedelta(hours=1)
        diff = ActionDiff() if baseline else diff_actions(self.showed[channel], rows, meaning)
        source = self.sources[channel]
        known = self.rows
        result = reconcile(known, rows, diff, channel, source=source, snapshot=None, bill_id=self.bill.id, now=self.now)
        self.session.add_all([*result.added, *result.quiet])
        self.session.flush()
        self.showed[channel] = rows
        return result

    @property
    def rows(self) -> list[Action]:
        """As the database has them now, whatever the objects in memory say."""
        self.session.flush()
        self.session.expire_all()
        return bills.ledger(self.session, self.bill.id)

    @property
    def texts(self) -> list[str]:
        return [action.description for action in self.rows]

    def row(self, text: str) -> Action:
        return next(action for action in self.rows if action.description == text)


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    database = Database("sqlite://")
    Base.metadata.create_all(database.engine)
    with database.transaction() as session:
        yield session
    database.close()


@pytest.fixture
def ledger(session: Session) -> Ledger:
    return Ledger(session)


def row(day: str, text: str) -> ActionRow:
    return ActionRow(date.fromisoformat(f"2025-{day}"), text)


def texts(actions: Sequence[Action]) -> list[str]:
    return [action.description for action in actions]


REFERRED, REFERRED_WEB = (
    row("01-08", "REF. TO JOINT COMM. ON Judiciary"),
    row("01-08", "Referred to Joint Committee on Judiciary"),
)
HEARING, HEARING_WEB = row("02-07", "PUBLIC HEARING 0213"), row("02-07", "Public Hearing 02/13")
FAVORABLE, FAVORABLE_WEB = row("03-06", "Joint Favorable"), row("03-06", "(JUD) Joint Favorable")
FILED, FILED_WEB = row("03-06", "FILED WITH LCO"), row("03-06", "(LCO) Filed with Legislative Commissioners' Office")


# --- what is news -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ((FEED, REFERRED, HEARING), (PAGE, REFERRED_WEB, HEARING_WEB)),
        ((PAGE, REFERRED_WEB, HEARING_WEB), (FEED, REFERRED, HEARING)),
    ],
)
def test_the_second_channel_tells_nothing_the_first_has_told(ledger: Ledger, first: tuple, then: tuple) -> None:
    told = ledger.read(*first)
    again = ledger.read(*then)
    assert texts(told.added) == [first[1].description, first[2].description]
    assert not again.added
    assert not again.quiet
    assert ledger.texts == texts(told.added)
    assert all(action.in_feed and action.in_page for action in ledger.rows)


def test_a_first_sight_enters_everything_and_tells_nothing(ledger: Ledger) -> None:
    result = ledger.read(FEED, REFERRED, HEARING, baseline=True)
    assert not result.added
    assert texts(result.quiet) == ledger.texts == [REFERRED.description, HEARING.description]
    assert texts(ledger.read(FEED, REFERRED, HEARING, FAVORABLE).added) == [FAVORABLE.description]


def test_a_row_the_channel_showed_before_is_no_news_though_the_ledger_lacks_it(ledger: Ledger) -> None:
    """As after a saved page that a later reader of ours reads better: today's extractor sees it on both sides."""
    ledger.showed[FEED] = (REFERRED, HEARING)
    result = ledger.read(FEED, REFERRED, HEARING, FAVORABLE)
    assert texts(result.added) == [FAVORABLE.description]
    assert texts(result.quiet) == [REFERRED.description, HEARING.description]


def test_a_row_remembers_when_and_where_it_was_first_seen(ledger: Ledger) -> None:
    ledger.read(PAGE, REFERRED_WEB)
    seen = ledger.now
    ledger.read(FEED, REFERRED)
    only = ledger.row(REFERRED_WEB.description)
    assert only.first_seen_at == seen
    assert only.source_id == ledger.sources[PAGE].id


# --- rows that go and come back ---------------------------------------------------------------------------------------


def test_a_row_that_one_channel_drops_stands_while_the_other_shows_it(ledger: Ledger) -> None:
    ledger.read(FEED, REFERRED, HEARING)
    ledger.read(PAGE, REFERRED_WEB, HEARING_WEB)
    ledger.read(PAGE, REFERRED_WEB)
    hearing = ledger.row(HEARING.description)
    assert (hearing.in_feed, hearing.in_page, hearing.removed_at) == (True, False, None)


def test_a_row_that_no_channel_shows_is_dated_and_kept(ledger: Ledger) -> None:
    ledger.read(FEED, REFERRED, HEARING)
    ledger.read(PAGE, REFERRED_WEB, HEARING_WEB)
    ledger.read(PAGE, REFERRED_WEB)
    result = ledger.read(FEED, REFERRED)
    assert not result.added
    dropped = ledger.now
    ledger.read(FEED, REFERRED, FAVORABLE)
    hearing = ledger.row(HEARING.description)
    assert hearing.removed_at == dropped  # since when, not how long ago we last looked
    assert not hearing.gone


def test_a_row_restored_before_anyone_was_told_is_no_news(ledger: Ledger) -> None:
    ledger.read(FEED, REFERRED, HEARING)
    ledger.read(FEED, REFERRED)
    result = ledger.read(FEED, REFERRED, HEARING)
    assert not result.added
    assert not result.quiet
    assert len(ledger.rows) == 2
    assert ledger.row(HEARING.description).removed_at is None


@pytest.mark.parametrize("back", [(FEED, REFERRED, HEARING), (PAGE, REFERRED_WEB, HEARING_WEB)])
def test_a_row_restored_after_people_heard_it_was_gone_is_told_again(ledger: Ledger, back: tuple) -> None:
    ledger.read(FEED, REFERRED, HEARING)
    ledger.read(FEED, REFERRED)
    ledger.row(HEARING.description).gone = True  # as upkeep does once it has lasted
    result = ledger.read(*back)
    assert [action.id for action in result.added if action.date == HEARING.date] == [ledger.rows[1].id]
    hearing = ledger.row(HEARING.description)
    assert (hearing.gone, hearing.removed_at) == (False, None)
    assert len(ledger.rows) == 2


# --- amended rows -----------------------------------------------------------------------------------------------------


def test_an_amended_row_keeps_its_place_and_its_age(ledger: Ledger) -> None:
    ledger.read(FEED, REFERRED, HEARING, FAVORABLE)
    old = ledger.row(HEARING.description)
    old_id, seen = old.id, old.first_seen_at
    moved = row("02-07", "PUBLIC HEARING 0220")
    result = ledger.read(FEED, REFERRED, moved, FAVORABLE)
    assert [(action.id, was) for action, was in result.amended] == [(old_id, HEARING.description)]
    assert not result.added
    assert ledger.texts == [REFERRED.description, moved.description, FAVORABLE.description]
    assert ledger.rows[1].first_seen_at == seen


def test_a_row_whose_date_is_corrected_is_amended(ledger: Ledger) -> None:
    ledger.read(FEED, REFERRED, FAVORABLE)
    corrected = row("03-07", FAVORABLE.description)
    result = ledger.read(FEED, REFERRED, corrected)
    assert [was for _, was in result.amended] == [FAVORABLE.description]
    assert not result.added
    assert [(one.date, one.removed_at) for one in ledger.rows] == [(REFERRED.date, None), (corrected.date, None)]


def test_an_edit_is_told_once_though_both_channels_make_it(ledger: Ledger) -> None:
    ledger.read(FEED, REFERRED, HEARING)
    ledger.read(PAGE, REFERRED_WEB, HEARING_WEB)
    page = ledger.read(PAGE, REFERRED_WEB, row("02-07", "Public Hearing 02/20"))
    feed = ledger.read(FEED, REFERRED, row("02-07", "PUBLIC HEARING 0220"))
    assert len(page.amended) == 1
    assert feed == Reconciled(order=feed.order)
    assert ledger.texts == [REFERRED.description, "Public Hearing 02/20"]
    assert all(action.in_feed and action.in_page for action in ledger.rows)


def test_the_old_wording_in_the_slower_channel_ends_with_its_own_edit(ledger: Ledger) -> None:
    """The page is edited at once; the feed brings another row first and the edit only the day after."""
    ledger.read(FEED, REFERRED, HEARING)
    ledger.read(PAGE, REFERRED_WEB, HEARING_WEB)
    edited, edited_web = row("02-07", "PUBLIC HEARING 0220"), row("02-07", "Public Hearing 02/20")
    ledger.read(PAGE, REFERRED_WEB, edited_web)
    between = ledger.read(FEED, REFERRED, HEARING, FAVORABLE)
    after = ledger.read(FEED, REFERRED, edited, FAVORABLE)
    assert texts(between.added) == [FAVORABLE.description]
    assert after == Reconciled(order=after.order)
    assert [one.description for one in ledger.rows if not one.gone] == [
        REFERRED.description,
        edited_web.description,
        FAVORABLE.description,
    ]
    assert not [one for one in ledger.rows if one.removed_at and not one.gone]  # nothing left to call removed


# --- rows that look alike ---------------------------------------------------------------------------------------------


def test_two_rows_that_say_the_same_on_one_day_are_two(ledger: Ledger) -> None:
    """Seen in the record: two hearings of one day, or two equal rows that a clerk typed twice."""
    ledger.read(FEED, REFERRED, HEARING, HEARING)
    ledger.read(PAGE, REFERRED_WEB, HEARING_WEB, HEARING_WEB)
    assert ledger.texts == [REFERRED.description, HEARING.description, HEARING.description]
    result = ledger.read(FEED, REFERRED, HEARING, HEARING, HEARING)
    assert texts(result.added) == [HEARING.description]
    assert len(ledger.rows) == 4


def test_a_restored_twin_revives_what_was_gone_and_not_what_stands(ledger: Ledger) -> None:
    ledger.read(FEED, HEARING, HEARING)
    ledger.read(FEED, HEARING)
    (dropped,) = (one for one in ledger.rows if one.removed_at)
    dropped.gone = True
    assert not ledger.read(PAGE, HEARING_WEB).added
    result = ledger.read(FEED, HEARING, HEARING)
    assert [one.id for one in result.added] == [dropped.id]
    assert len(ledger.rows) == 2


def test_an_unknown_phrase_is_paired_with_the_other_channels_by_its_day(ledger: Ledger) -> None:
    ledger.read(FEED, REFERRED, row("03-06", "HELD AT DESK BY ORD."))
    result = ledger.read(PAGE, REFERRED_WEB, row("03-06", "Retained at the Rostrum"))
    assert not result.added
    assert ledger.texts == [REFERRED.description, "HELD AT DESK BY ORD."]
    assert all(action.in_feed and action.in_page for action in ledger.rows)


def test_unknown_phrases_pair_one_to_one_and_never_across_days(ledger: Ledger) -> None:
    ledger.read(FEED, row("03-06", "HELD AT DESK"))
    result = ledger.read(
        PAGE, row("03-06", "Retained at Rostrum"), row("03-06", "Sent to Nowhere"), row("03-07", "Kept Aside")
    )
    assert texts(result.added) == ["Sent to Nowhere", "Kept Aside"]


def test_a_new_unknown_phrase_of_one_channel_is_not_taken_for_its_own_earlier_one(ledger: Ledger) -> None:
    ledger.read(FEED, row("03-06", "HELD AT DESK"))
    result = ledger.read(FEED, row("03-06", "HELD AT DESK"), row("03-06", "SENT TO NOWHERE"))
    assert texts(result.added) == ["SENT TO NOWHERE"]
    assert len(ledger.rows) == 2


def test_an_unknown_phrase_that_went_is_not_revived_by_another_of_its_day(ledger: Ledger) -> None:
    ledger.read(FEED, REFERRED, row("03-06", "HELD AT DESK"))
    ledger.read(FEED, REFERRED)
    result = ledger.read(PAGE, REFERRED_WEB, row("03-06", "Sent to Nowhere"))
    assert texts(result.added) == ["Sent to Nowhere"]
    assert ledger.row("HELD AT DESK").removed_at is not None


# --- order ------------------------------------------------------------------------------------------------------------


def test_a_late_row_stands_where_its_channel_has_it(ledger: Ledger) -> None:
    ledger.read(FEED, REFERRED, FAVORABLE)
    ledger.read(FEED, REFERRED, HEARING, FAVORABLE)
    assert ledger.texts == [REFERRED.description, HEARING.description, FAVORABLE.description]
    assert [one.position for one in ledger.rows] == [0, 1, 2]


def test_what_only_the_other_channel_shows_follows_the_last_row_of_its_day(ledger: Ledger) -> None:
    later = row("03-10", "RPTD. OUT OF LCO")
    ledger.read(PAGE, REFERRED_WEB, HEARING_WEB, FILED_WEB)
    result = ledger.read(FEED, REFERRED, FAVORABLE, later)
    wanted = [REFERRED_WEB, HEARING_WEB, FAVORABLE, FILED_WEB, later]
    assert ledger.texts == texts(result.order) == [one.description for one in wanted]


def test_the_order_of_one_day_is_the_last_reads(ledger: Ledger) -> None:
    ledger.read(PAGE, FILED_WEB, FAVORABLE_WEB)
    ledger.read(FEED, FAVORABLE, FILED)
    assert ledger.texts == [FAVORABLE_WEB.description, FILED_WEB.description]


def test_a_gone_row_is_no_part_of_the_history(ledger: Ledger) -> None:
    ledger.read(FEED, REFERRED, HEARING)
    ledger.read(FEED, REFERRED)
    dated = ledger.read(FEED, REFERRED)
    assert texts(dated.order) == [REFERRED.description, HEARING.description]  # dated, not yet gone
    ledger.row(HEARING.description).gone = True
    assert texts(ledger.read(FEED, REFERRED).order) == [REFERRED.description]


# --- every row of the real record, in both wordings, in any order of reads --------------------------------------------


@lru_cache(maxsize=1)
def histories() -> list[tuple[list[ActionRow], list[ActionRow]]]:
    """The bundled bills' rows in the bulk and in the web wording."""
    return [_both_wordings(bill) for bill in Facts.bundled().bills.values() if bill.rows]


def _both_wordings(bill: BillFacts) -> tuple[list[ActionRow], list[ActionRow]]:
    web = web_rows([one.description for one in bill.rows], bill.lco)
    cells = [f"({cell.code}) {cell.text}" if cell.code else cell.text for cell in web]
    on_page = [ActionRow(one.on, text) for one, text in zip(bill.rows, cells, strict=True)]
    return [ActionRow(one.on, one.description) for one in bill.rows], on_page


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_the_order_of_reads_every_row_is_told_once(session: Session, data: st.DataObject) -> None:
    bulk, web = data.draw(st.sampled_from(histories()))
    rows = {FEED: bulk, PAGE: web}
    reads = data.draw(st.lists(st.tuples(st.sampled_from([FEED, PAGE]), st.integers(0, len(bulk))), max_size=12))
    shown = dict.fromkeys(rows, 0)
    ledger = Ledger(session)
    told: Counter[object] = Counter()
    for channel, length in [*reads, (FEED, len(bulk)), (PAGE, len(web))]:
        shown[channel] = max(shown[channel], length)
        result = ledger.read(channel, *rows[channel][: shown[channel]])
        told.update(identity(action) for action in result.added)
        assert not result.amended
        assert not result.quiet
    assert told == Counter(identity(one) for one in bulk)
    assert [identity(one) for one in ledger.rows] == [identity(one) for one in bulk]
    assert all(one.in_feed and one.in_page and one.removed_at is None for one in ledger.rows)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_servers_that_take_turns_with_older_copies_tell_nothing_twice(session: Session, data: st.DataObject) -> None:
    bulk, web = data.draw(st.sampled_from(histories()))
    rows = {FEED: bulk, PAGE: web}
    reads = data.draw(st.lists(st.tuples(st.sampled_from([FEED, PAGE]), st.integers(0, len(bulk))), max_size=12))
    ledger = Ledger(session)
    told: Counter[object] = Counter()
    for channel, length in [*reads, (FEED, len(bulk))]:
        told.update(identity(action) for action in ledger.read(channel, *rows[channel][:length]).added)
    assert told == Counter(identity(one) for one in bulk)


def test_the_real_record_has_no_phrase_that_would_make_the_property_empty() -> None:
    known = [classify(one.description).phrase != "unclassified" for bulk, _ in histories() for one in bulk]
    assert len(known) > 500
    assert all(known)


# --- through the whole pipeline ---------------------------------------------------------------------------------------


def corrected(rows: Sequence[Row]) -> list[Row]:
    """The committee's vote of April 7 was really taken on the 4th."""
    return [one._replace(on=date(2025, 4, 4)) if one.description.startswith("Joint Fav") else one for one in rows]


@pytest.mark.parametrize("channels", [{}, {"feed": False}, {"page": False}])
def test_a_corrected_date_is_one_amendment_and_no_second_vote(tmp_path: Path, channels: dict[str, bool]) -> None:
    board = [issue("stops", watch("2025 HB 7132", effect="achieved"))]
    with World(tmp_path, board, day=date(2025, 4, 9), **channels) as world:  # type: ignore[arg-type]
        world.check()
        length = len(world.ledger("HB07132"))
        world.replica.edit("HB07132", corrected)
        for _ in range(3):  # long enough for a row that went to be told as gone
            world.later(days=1)
            world.check()
        (change,) = world.changes()
        assert (change.kind, change.on) == ("action_amended", date(2025, 4, 4))
        assert [one.date for one in world.ledger("HB07132") if "Joint Fav" in one.description] == [date(2025, 4, 4)]
        assert len(world.ledger("HB07132")) == length
        assert world.bill("HB07132").stage_since == date(2025, 4, 4)
        assert not world.proposals()


def test_an_edit_that_the_feed_brings_late_is_told_once(tmp_path: Path) -> None:
    """The page first; then the feed with other news; only then the feed with the edit."""
    board = [issue("stops", watch("2025 HB 7132", effect="achieved"))]
    with World(tmp_path, board, day=date(2025, 4, 16)) as world:
        world.check()
        old_file = world.replica.answer("GET", f"/ftp/pub/data/{HISTORY}", {}).body
        world.replica.edit("HB07132", corrected)
        between = old_file + b"HB07132,2025-04-17 00:00:00,HELD AT DESK,,\r\n"
        world.replica.misbehave(f"/ftp/pub/data/{HISTORY}", faults.changed(lambda _: between, "a night behind"))
        world.later(days=1)
        world.check()
        world.replica.behave()
        for _ in range(3):
            world.later(days=1)
            world.check()
        kinds = Counter(change.kind for change in world.changes() if "Joint Fav" in change.quote)
        assert kinds == {"action_amended": 1}
