"""What is a difference between two records, and what is none."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.diff import (
    ActionDiff,
    diff_actions,
    diff_acts,
    diff_documents,
    diff_entries,
    document_identity,
    lost_most,
)
from monitor.interpret.actions import classify
from monitor.model.legislature import Act, ActionRow, ActList, BillKey, Document, Feed, FeedEntry

CHANGES = Path(__file__).parent / "changes"


def identity(row: ActionRow) -> tuple[str, ...]:
    return classify(row.description).identity


def _rows(path: Path) -> list[ActionRow]:
    return [ActionRow(date.fromisoformat(day), words) for day, words in json.loads(path.read_text())["actions"]]


def _plain(row: ActionRow) -> list[str]:
    return [row.date.isoformat(), row.description]


def _json(diff: ActionDiff) -> dict[str, object]:
    return {
        "added": [_plain(row) for row in diff.added],
        "removed": [_plain(row) for row in diff.removed],
        "amended": [[_plain(before), _plain(after)] for before, after in diff.amended],
    }


@pytest.mark.parametrize("slug", sorted(path.name for path in CHANGES.iterdir()))
def test_a_change_is_what_was_reviewed(slug, expectation):
    before, after = _rows(CHANGES / slug / "before.json"), _rows(CHANGES / slug / "after.json")
    expectation.check(CHANGES / slug / "expected.json", _json(diff_actions(before, after, identity)))


WORDS = (
    "Referred to Joint Committee on Judiciary",
    "REF. TO JOINT COMM. ON Judiciary",
    "(JUD) Joint Favorable",
    "House Calendar Number 480",
    "House Calendar Number 408",
    "HOUSE CALENDAR NUMBER 480",
    "Signed by the Governor",
    "SIGNED BY GOVERNOR",
    "Vetoed by Governor",
    "In Concurrence",
    "in\xa0 concurrence",
    "Something nobody has seen",
)
ROWS = st.lists(st.builds(ActionRow, st.dates(date(2025, 1, 1), date(2025, 1, 4)), st.sampled_from(WORDS)), max_size=9)


def _meaning(row: ActionRow) -> tuple[date, tuple[str, ...]]:
    return row.date, identity(row)


@given(ROWS, st.randoms(use_true_random=False))
def test_order_is_no_difference(rows, random):
    shuffled = list(rows)
    random.shuffle(shuffled)
    assert not diff_actions(rows, shuffled, identity)


@given(ROWS, st.data())
def test_retyping_is_no_difference(rows, data):
    retyped = [ActionRow(row.date, data.draw(st.sampled_from(_spellings(row.description)))) for row in rows]
    assert not diff_actions(rows, retyped, identity)


def _spellings(words: str) -> list[str]:
    return [words, words.upper(), words.lower(), words.replace(" ", "  "), words.replace(" ", "\xa0"), f" {words}\n"]


@given(ROWS, ROWS)
def test_applying_a_difference_gives_the_new_record(old, new):
    diff = diff_actions(old, new, identity)
    result = Counter(map(_meaning, old))
    result.subtract(map(_meaning, diff.removed))
    result.subtract(_meaning(before) for before, _ in diff.amended)
    result.update(map(_meaning, diff.added))
    result.update(_meaning(after) for _, after in diff.amended)
    assert min(result.values(), default=0) >= 0
    assert +result == Counter(map(_meaning, new))


@given(ROWS, ROWS)
def test_every_row_of_a_difference_comes_from_its_record_and_stands_in_one_place(old, new):
    diff = diff_actions(old, new, identity)
    went = Counter([*diff.removed, *(before for before, _ in diff.amended)])
    came = Counter([*diff.added, *(after for _, after in diff.amended)])
    assert went <= Counter(old)
    assert came <= Counter(new)
    assert not {_meaning(row) for row in went} & {_meaning(row) for row in came}


@given(ROWS, ROWS)
def test_the_difference_backwards_is_the_same_difference(old, new):
    there, back = diff_actions(old, new, identity), diff_actions(new, old, identity)
    assert len(there.amended) == len(back.amended)
    assert Counter(map(_meaning, there.added + tuple(after for _, after in there.amended))) == Counter(
        map(_meaning, back.removed + tuple(before for before, _ in back.amended))
    )


def test_added_rows_keep_the_new_records_order():
    new = [ActionRow(date(2025, 1, 3), "c"), ActionRow(date(2025, 1, 1), "a"), ActionRow(date(2025, 1, 2), "b")]
    assert diff_actions([], new, identity).added == tuple(new)


def test_a_row_moved_to_another_day_pairs_with_the_nearest():
    old = [ActionRow(date(2025, 3, 1), "Joint Favorable")]
    far, near = ActionRow(date(2025, 5, 1), "Joint Favorable"), ActionRow(date(2025, 3, 2), "Joint Favorable")
    diff = diff_actions(old, [far, near], identity)
    assert diff.amended == ((old[0], near),)
    assert diff.added == (far,)


@pytest.mark.parametrize(
    ("old", "new", "lost"),
    [(14, 3, True), (14, 7, False), (14, 6, True), (4, 1, True), (3, 0, False), (0, 9, False), (4, 2, False)],
)
def test_losing_most_rows_is_no_correction(old, new, lost):
    assert lost_most(range(old), range(new)) is lost


def test_documents_are_keyed_on_their_address():
    one = Document("https://www.cga.ct.gov/jud/tfs/A/Anonymous.pdf", "Testimony - Anonymous")
    two = Document("https://www.cga.ct.gov/jud/tfs/A/Anonymous%202.pdf", "Testimony - Anonymous")
    retitled = Document("https://www.cga.ct.gov/JUD/tfs/A/ANONYMOUS.PDF", "Anonymous", "Testimony")
    assert not diff_documents([one, one], [retitled])
    diff = diff_documents([one], [two, retitled])
    assert (diff.added, diff.removed) == ((two,), ())
    diff = diff_documents([one, two], [two])
    assert (diff.added, diff.removed) == ((), (one,))


def test_an_address_is_one_with_and_without_tls():
    assert document_identity("http://www.cga.ct.gov/A.pdf") == document_identity("https://WWW.cga.ct.gov/a.PDF")
    assert document_identity("https://x/a?TF=1") != document_identity("https://x/a?TF=2")


def test_act_numbers_repeat_inside_one_year():
    regular = Act("2025 Regular Session", BillKey("2025", "HB07066"), "25-1", "A")
    special = Act("2025 November Special Session", BillKey("2025", "HB08002"), "25-1", "B")
    assert diff_acts(ActList((regular,)), ActList((special, regular))).added == (special,)
    assert diff_acts(ActList((regular,)), ActList(())).removed == (regular,)
    assert not diff_acts(ActList((regular,)), ActList((Act("2025  regular session", regular.bill, "25-1", "Z"),)))


def test_entries_that_left_a_feed_say_nothing():
    old = Feed("f", (FeedEntry("1", "u", "a"), FeedEntry("2", "u", "b")))
    new = Feed("f", (FeedEntry("3", "u", "c", datetime(2025, 1, 1, tzinfo=UTC)), FeedEntry("2", "v", "retitled")))
    assert [entry.id for entry in diff_entries(old, new)] == ["3"]
