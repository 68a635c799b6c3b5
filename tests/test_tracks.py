"""A bill's way in six steps: real bills of the bundle, the traps among them, and what no record shows yet."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from monitor.demo.facts import Facts
from monitor.interpret.phrases import Effect, Phrase
from monitor.interpret.track import Mark, Track, read_track
from monitor.model.legislature import ActionRow, BillKey, Stage

FACTS = Facts.bundled()
AFTER = date(2025, 12, 1)


def track(key: str, as_of: date = AFTER) -> Track:
    session, _, identifier = key.partition(" ")
    bill = FACTS.bills[BillKey(session, identifier.replace(" ", ""))]
    return read_track(bill.key, [ActionRow(row.on, row.description) for row in bill.rows], as_of)


def made_up(identifier: str, *rows: str, as_of: date = AFTER) -> Track:
    """A bill of 2025 with one row a day from March 1 on."""
    actions = [ActionRow(date(2025, 3, number), text) for number, text in enumerate(rows, 1)]
    return read_track(BillKey("2025", identifier), actions, as_of)


def drawn(found: Track) -> str:
    """One mark a step: o done, > here, . ahead, _ not used, | died, X vetoed, @ law, % in part, ~ merged, ^ back."""
    signs = {"done": "o", "here": ">", "ahead": ".", "skipped": "_", "died": "|", "vetoed": "X", "merged": "~"}
    signs |= {"law": "@", "part": "%"}
    return "".join(signs[step.mark] + "^" * step.is_back for step in found.steps)


@pytest.mark.parametrize(
    ("key", "as_of", "marks"),
    [
        ("2025 HB07132", date(2025, 2, 1), "......"),
        ("2025 HB07132", date(2025, 2, 28), "o>...."),
        ("2025 HB07132", date(2025, 3, 3), "o>...."),
        ("2025 HB07132", date(2025, 4, 7), "oo>..."),
        ("2025 HB07132", date(2025, 5, 8), "ooo>.."),
        ("2025 HB07132", date(2025, 5, 22), "oooo>."),
        ("2025 HB07132", date(2025, 5, 30), "oooo>."),  # an act number is not law
        ("2025 HB07132", date(2025, 6, 8), "oooo>."),
        ("2025 HB07132", AFTER, "ooooo@"),
        ("2025 HB06990", AFTER, "oo^ooo@"),
        ("2025 HB05002", date(2025, 4, 29), "o>^...."),  # back to committee, off the floor
        ("2025 HB05002", date(2025, 6, 22), "oo^oo>."),  # numbered as an act, and then vetoed
        ("2025 HB05002", AFTER, "oo^ooX."),
        ("2025 SB00008", AFTER, "oo^ooX."),
        ("2025 SB00007", date(2025, 6, 4), "oo^o>.."),
        ("2025 SB00007", AFTER, "oo^o|.."),
        ("2025 HB08002", AFTER, "o_ooo@"),
        ("2025 HR00010", AFTER, "oo|."),
        ("2025 SB00213", date(2025, 6, 4), "o>...."),  # nothing dies before the session ends
        ("2025 SB00213", AFTER, "o|...."),
        ("2020 HB06004", AFTER, "o_ooo@"),
        ("2017 HB07146", AFTER, "oooo>."),
        ("2019 SB00380", AFTER, "ooooo@"),
        ("2021 SB01093", AFTER, "oooo>."),
    ],
)
def test_a_real_bill_is_drawn_as_it_stood_on_that_day(key, as_of, marks):
    assert drawn(track(key, as_of)) == marks


def test_a_signed_bill_names_its_days_and_its_act():
    assert [(step.name, step.words) for step in track("2025 HB07132").steps] == [
        ("Introduced", "February 28, 2025"),
        ("Committee", "Judiciary approved it April 7, 2025"),
        ("House", "passed May 8, 2025"),
        ("Senate", "passed May 22, 2025"),
        ("Governor", "signed June 9, 2025"),
        ("Law", "Public Act 25-19"),
    ]


@pytest.mark.parametrize(
    ("key", "name", "words"),
    [
        ("2025 SB00213", "Died in committee", "Judiciary had not approved it when the session ended June 4, 2025"),
        (
            "2025 SB00007",
            "Died in the House",
            "the chambers had passed it in different words when the session ended June 4, 2025",
        ),
        ("2025 HR00010", "Died in the House", "no vote before the session ended June 4, 2025"),
        ("2025 HB05002", "Governor", "vetoed June 23, 2025; it is not law"),
        ("2025 HB08002", "Committee", "not used"),
        ("2019 SB00380", "Committee", "day not on record"),
        ("2019 SB00380", "Senate", "passed, day not on record"),
    ],
)
def test_an_end_says_what_happened_and_when(key, name, words):
    assert words in [step.words for step in track(key).steps if step.name == name]


def test_the_chambers_stand_in_the_order_the_bill_meets_them():
    assert [step.name for step in track("2025 SB00008").steps][2:4] == ["Senate", "House"]
    assert [step.name for step in track("2025 HB05002").steps][2:4] == ["House", "Senate"]


def test_the_label_tells_the_outcome():
    assert track("2025 SB00213").label == (
        "SB 213: SB 213 died in the Judiciary Committee when the session ended on June 4, 2025."
    )


def test_a_line_item_veto_makes_law_in_part():
    found = made_up(
        "HB07066",
        "EMERGENCY CERTIFICATION",
        "HOUSE PASSED",
        "SENATE PASSED",
        "IN CONCURRENCE",
        "PUBLIC ACT 25-1",
        "LINE ITEM VETOED BY THE GOVERNOR, SECTION(S): 9, 10",
        "SIGNED BY GOVERNOR",
    )
    assert drawn(found) == "o_ooo%"
    assert found.steps[-1].name == "Law in part"
    assert found.steps[-1].words == "Public Act 25-1; without sections 9 and 10, which the governor vetoed"


def test_a_merged_bill_points_to_the_other():
    found = made_up("SB00111", "REF. TO JOINT COMM. ON Judiciary", "INCORPORATED IN SB00376")
    assert drawn(found) == "o~...."
    assert found.steps[1].words == "text moved into SB 376 March 2, 2025"


def test_a_failed_motion_ends_in_committee_and_a_lost_vote_on_the_floor():
    lost = made_up("HB07018", "REF. TO JOINT COMM. ON Judiciary", "Joint Favorable", "HOUSE REJECTED BILL")
    assert (drawn(lost), lost.steps[2].words) == ("oo|...", "voted down March 3, 2025")
    failed = made_up("HB07070", "REF. TO JOINT COMM. ON Judiciary", "MOTION FAILED JF")
    assert (drawn(failed), failed.steps[1].words) == ("o|....", "Judiciary voted it down March 2, 2025")


def test_a_vote_taken_back_is_no_vote():
    rows = ("REF. TO JOINT COMM. ON Judiciary", "Joint Favorable", "SENATE PASSED", "SENATE RECONSIDERED")
    found = made_up("SB00010", *rows, as_of=date(2025, 3, 20))
    assert (drawn(found), found.steps[2].words) == ("oo>...", "took its vote back")


def test_an_overridden_veto_shows_the_veto_and_the_law(monkeypatch):
    from monitor.interpret import stage, way
    from monitor.interpret import track as tracks
    from monitor.interpret.actions import PhraseTable
    from monitor.interpret.phrases import PHRASES

    wording = Phrase("overridden", "made up override", (), Effect.OVERRIDDEN, "Made Up Override", "Made Up Override")
    table = PhraseTable((*PHRASES, wording))
    monkeypatch.setattr(tracks, "walked", lambda history: way.walked(history, table))
    monkeypatch.setattr(tracks, "read_stage", lambda key, actions, day: stage.read_stage(key, actions, day, table))
    rows = ("HOUSE PASSED", "SENATE PASSED", "IN CONCURRENCE", "PUBLIC ACT 25-9", "VETOED BY GOVERNOR")
    found = made_up("HB07000", *rows, "Made Up Override")
    assert drawn(found) == "o_ooX@"
    assert found.steps[-1].words == "Public Act 25-9; the veto was overridden"


def test_a_bill_without_a_row_promises_nothing():
    found = made_up("HB07000", as_of=date(2025, 3, 1))
    assert drawn(found) == "......"
    assert found.steps[0].words == "not read yet"


#: What the marks must say, whichever bill it is.
_ENDINGS = {
    Stage.SIGNED: Mark.LAW,
    Stage.LAW_IN_PART: Mark.PART,
    Stage.VETOED: Mark.VETOED,
    Stage.MERGED: Mark.MERGED,
    Stage.FAILED: Mark.DIED,
    Stage.ADOPTED: Mark.LAW,
}


@pytest.mark.needs_shared
def test_every_bill_of_the_session_agrees_with_its_stage(shared_cga: Path):
    facts = Facts.from_open_states(shared_cga / "data" / "session-2025.jsonl.gz")
    for key, bill in facts.bills.items():
        rows = [ActionRow(row.on, row.description) for row in bill.rows]
        for day in (date(2025, 4, 15), date(2025, 6, 4), AFTER):
            found = read_track(key, rows, day)
            marks = [step.mark for step in found.steps]
            stage = found.reading.stage
            if stage in _ENDINGS:
                assert _ENDINGS[stage] in marks, key
            assert (Mark.LAW in marks or Mark.PART in marks) == (stage.is_law or stage is Stage.ADOPTED), key
            assert sum(mark in (Mark.HERE, Mark.DIED, Mark.MERGED) for mark in marks) <= 1, key
            ended = [number for number, mark in enumerate(marks) if mark in (Mark.DIED, Mark.MERGED)]
            assert not ended or set(marks[ended[0] + 1 :]) <= {Mark.AHEAD}, key
            assert (Mark.DIED in marks) == (stage in (Stage.DIED, Stage.FAILED) and found.steps[0].on is not None), key
