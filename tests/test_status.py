"""What a bill's news means for an issue: the milestones, their words, and how far each may move a status."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from itertools import product

import pytest

from monitor.config.reading import Milestones
from monitor.interpret import status as interpret
from monitor.interpret.actions import classify
from monitor.interpret.stage import read_stage
from monitor.interpret.status import Event, Standing, suggest, target_status
from monitor.model.legislature import LAW, ActionRow, BillKey, Stage, StageReading
from monitor.model.tracking import Direction, Effect, Milestone, ProposalKind, Status

POLICY: Mapping[Milestone, str] = Milestones().table
NO, SOME, ACHIEVED = Status
HB = BillKey("2025", "HB07132")
SB = BillKey("2025", "SB01234")

COMMITTEE = """
    01-08 REF. TO JOINT COMM. ON Judiciary
    02-07 PUBLIC HEARING 0213
"""
REPORTED = f"""{COMMITTEE}
    03-06 Joint Favorable Substitute
    03-06 FILED WITH LCO
    03-25 RPTD. OUT OF LCO
    03-25 FAV. RPT., TABLED FOR HOUSE CALENDAR
    03-25 HOUSE CALENDAR NUMBER 151
    03-25 FILE NO. 222
"""
HOUSE = f"""{REPORTED}
    05-01 HOUSE PASSED
    05-02 FAV. RPT., TAB. FOR CAL., SEN.
"""
BOTH = f"""{HOUSE}
    05-20 SENATE PASSED
    05-20 IN CONCURRENCE
"""
NUMBERED = f"{BOTH}    05-28 PUBLIC ACT 25-19\n"
SENT = f"{NUMBERED}    05-30 TRANSMITTED BY SECRETARY OF THE STATE TO GOVERNOR\n"
SIGNED = f"{SENT}    06-09 SIGNED BY GOVERNOR\n"
VETOED = f"{SENT}    06-09 VETOED BY GOVERNOR\n"


def rows_of(text: str) -> list[ActionRow]:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return [ActionRow(date.fromisoformat(f"2025-{line[:5]}"), line[6:]) for line in lines]


def happened(before: str, after: str, key: BillKey = HB, as_of: date | None = None) -> list[Event]:
    """The milestones of the rows that ``after`` has behind those of ``before``; the last day is ``as_of``."""
    old, rows = rows_of(before), rows_of(after)
    was = read_stage(key, old, old[-1].date)
    now = read_stage(key, rows, as_of or rows[-1].date)
    history = [(row, classify(row.description)) for row in rows]
    return interpret.events(key, was, now, history, range(len(old), len(rows)))


def milestones(events: Sequence[Event]) -> list[str]:
    return [event.milestone.value for event in events]


# --- each milestone and its sentence ----------------------------------------------------------------------------------

FAILED = COMMITTEE + "    03-06 MOTION FAILED JF\n"
MERGED = COMMITTEE + "    03-06 INCORPORATED IN HB07200\n"
UNSIGNED = SENT + "    06-20 BECAME LAW WITHOUT GOVERNOR'S SIGNATURE\n"
PARTLY = SIGNED + "    06-09 LINE ITEM VETOED BY THE GOVERNOR, SECTION(S): 9,10,11\n"


@pytest.mark.parametrize(
    ("before", "after", "milestone", "sentence"),
    [
        (
            COMMITTEE,
            COMMITTEE + "03-06 Joint Favorable",
            "committee_vote",
            "The Judiciary Committee approved HB 7132 on March 6, 2025.",
        ),
        (
            COMMITTEE,
            COMMITTEE + "03-06 (JUD) Joint Favorable Substitute",
            "committee_vote",
            "The Judiciary Committee approved HB 7132 on March 6, 2025.",
        ),
        (REPORTED, REPORTED + "05-01 HOUSE PASSED", "chamber_passage", "The House passed HB 7132 on May 1, 2025."),
        (HOUSE, HOUSE + "05-20 Senate Passed", "chamber_passage", "The Senate passed HB 7132 on May 20, 2025."),
        (
            BOTH,
            NUMBERED,
            "act_number",
            "HB 7132 was numbered Public Act 25-19 on May 28, 2025; the number alone does not make it law.",
        ),
        (
            BOTH,
            BOTH + "05-28 SPECIAL ACT 25-3",
            "act_number",
            "HB 7132 was numbered Special Act 25-3 on May 28, 2025; the number alone does not make it law.",
        ),
        (SENT, SIGNED, "law", "The governor signed HB 7132 on June 9, 2025."),
        (SENT, VETOED, "veto", "The governor vetoed HB 7132 on June 9, 2025; it is not law."),
        (
            SIGNED,
            PARTLY,
            "law_in_part",
            "The governor signed HB 7132 on June 9, 2025, but vetoed sections 9, 10 and 11.",
        ),
        (
            COMMITTEE,
            FAILED,
            "failed",
            "A motion to report HB 7132 favorably failed in the Judiciary Committee on March 6, 2025.",
        ),
        (COMMITTEE, MERGED, "merged", "The text of HB 7132 moved into HB 7200 on March 6, 2025."),
        (HOUSE, HOUSE + "05-03 HOUSE RECONSIDERED", "reversed", "The House reconsidered its vote on HB 7132"),
    ],
)
def test_a_milestone_and_its_sentence(before: str, after: str, milestone: str, sentence: str) -> None:
    (event,) = happened(before, after)
    assert event.milestone == milestone
    assert event.sentence.startswith(sentence)
    assert event.row == len(rows_of(after)) - 1


def test_a_committee_without_a_referral_is_said_without_its_name() -> None:
    text = "01-08 FILED WITH LCO\n"
    (event,) = happened(text, text + "03-06 Joint Favorable")
    assert event.sentence == "The committee approved HB 7132 on March 6, 2025."


def test_the_committee_that_voted_is_the_last_it_was_referred_to() -> None:
    text = COMMITTEE + "04-10 REF. BY HOUSE TO COMMITTEE ON Appropriations\n"
    (event,) = happened(text, text + "04-20 Joint Favorable")
    assert event.sentence == "The Appropriations Committee approved HB 7132 on April 20, 2025."


def test_a_resolutions_last_vote_is_its_adoption_and_not_one_more_passage() -> None:
    key = BillKey("2025", "SJ00020")
    text = "01-08 REF. TO JOINT COMM. ON Judiciary\n03-06 Joint Favorable\n05-01 ADOPTED, SENATE\n"
    found = happened(text, text + "05-20 ADOPTED, HOUSE\n05-20 IN CONCURRENCE", key)
    assert milestones(found) == ["adopted"]
    assert found[0].sentence == "The House and the Senate adopted SJ 20 on May 20, 2025."


def test_the_sessions_end_is_a_death_that_no_row_proves() -> None:
    rows = rows_of(COMMITTEE)
    history = [(row, classify(row.description)) for row in rows]
    last, after = (read_stage(HB, rows, day) for day in (date(2025, 6, 4), date(2025, 6, 5)))
    (event,) = interpret.events(HB, last, after, history, [])
    assert (event.milestone, event.row) == (Milestone.DEATH, None)
    assert event.sentence == "HB 7132 died in the Judiciary Committee when the session ended on June 4, 2025."
    assert interpret.events(HB, after, after, history, []) == []


def test_a_law_that_is_none_any_more_is_a_reversal() -> None:
    """The signature's row was taken back: a clerk's mistake."""
    rows = rows_of(SENT)
    law = read_stage(HB, rows_of(SIGNED), date(2025, 6, 9))
    now = read_stage(HB, rows, date(2025, 6, 9))
    (event,) = interpret.events(HB, law, now, [(row, classify(row.description)) for row in rows], [])
    assert event.milestone is Milestone.REVERSED


@pytest.mark.parametrize(
    "text",
    [
        COMMITTEE + "03-25 HOUSE CALENDAR NUMBER 151",
        REPORTED + "04-01 BILL PASSED TEMPORARILY",
        REPORTED + "04-01 HOUSE ADOPTED HOUSE AMEND. SCH. A",
        REPORTED + "04-01 MOVED TO FOOT OF CAL., SENATE",
        BOTH + "05-25 TRANSMITTED TO SECRETARY OF THE STATE",
    ],
)
def test_ordinary_rows_are_no_milestones(text: str) -> None:
    lines = text.rsplit("\n", 1)[0]
    assert happened(lines, text) == []


def test_what_was_known_is_not_told_again() -> None:
    rows = rows_of(SIGNED)
    now = read_stage(HB, rows, date(2025, 6, 10))
    assert interpret.events(HB, now, now, [(row, classify(row.description)) for row in rows], []) == []


def test_several_at_once_come_weightiest_first() -> None:
    found = happened(REPORTED, SIGNED)
    assert milestones(found) == ["law", "chamber_passage", "chamber_passage", "act_number"]
    assert [event.sentence.split()[1] for event in found[1:3]] == ["House", "Senate"]


def test_the_turning_row_is_the_first_that_put_the_bill_there() -> None:
    text = SIGNED + "06-12 SIGNED BY GOVERNOR IN ORIGINAL"
    rows = rows_of(text)
    law = happened(SENT, text)[0]
    assert law.milestone is Milestone.LAW
    assert law.row is not None
    assert rows[law.row].description == "SIGNED BY GOVERNOR"


def test_the_first_read_of_a_signed_bill_names_its_law() -> None:
    rows = rows_of(SIGNED)
    now = read_stage(HB, rows, date(2025, 6, 9))
    history = [(row, classify(row.description)) for row in rows]
    assert Milestone.LAW in [one.milestone for one in interpret.events(HB, None, now, history, range(len(rows)))]


def test_the_day_of_a_hearing_and_a_new_report() -> None:
    hearing = interpret.hearing_event(HB, date(2025, 2, 13))
    report = interpret.report_event("Final Report", "Police Transparency Task Force")
    assert (hearing.milestone, hearing.sentence) == (
        Milestone.HEARING,
        "A public hearing on HB 7132 was set for February 13, 2025.",
    )
    assert (report.milestone, report.sentence) == (
        Milestone.REPORT,
        "“Final Report” was published on the page “Police Transparency Task Force”.",
    )


def test_every_milestone_that_config_knows_can_come_about() -> None:
    told = {*interpret.STAGE_MILESTONES.values(), *(one for one, _ in interpret.ACTION_MILESTONES.values())}
    assert told | {Milestone.HEARING, Milestone.REPORT} == set(Milestone)
    assert set(POLICY) == set(Milestone)


# --- what to propose --------------------------------------------------------------------------------------------------


def reading(stage: Stage) -> StageReading:
    return StageReading(stage, date(2025, 6, 9), f"It is {stage.label}.")


def event(milestone: Milestone | str) -> Event:
    return Event(Milestone(milestone), f"Something like {milestone} happened.")


LAW_EVENT = event("law")


def standing(
    status: Status = NO,
    effect: Effect | str = "achieved",
    direction: Direction | str = "advances",
    lifted_from: Status | None = None,
) -> Standing:
    return Standing(status, Direction(direction), Effect(effect), lifted_from)


@pytest.mark.parametrize(
    ("direction", "effect", "status", "target"),
    [
        ("advances", "achieved", NO, ACHIEVED),
        ("advances", "achieved", SOME, ACHIEVED),
        ("advances", "achieved", ACHIEVED, None),
        ("advances", "some_progress", NO, SOME),
        ("advances", "some_progress", SOME, None),
        ("advances", "some_progress", ACHIEVED, None),  # a smaller law takes nothing back
        ("advances", "none", NO, None),
        ("reverses", "no_progress", ACHIEVED, NO),
        ("reverses", "no_progress", SOME, NO),
        ("reverses", "no_progress", NO, None),
        ("reverses", "some_progress", ACHIEVED, SOME),
        ("reverses", "some_progress", NO, None),  # what would undo an issue never lifts it
        ("reverses", "none", ACHIEVED, None),
    ],
)
@pytest.mark.parametrize("stage", sorted(LAW))
def test_law_moves_an_issue_exactly_as_far_as_the_effect_says(
    direction: str, effect: str, status: Status, target: Status | None, stage: Stage
) -> None:
    found = suggest([LAW_EVENT], reading(stage), standing(status, effect, direction), POLICY)
    assert found is not None
    wanted = ProposalKind.STATUS if target is not None else ProposalKind.NARRATIVE
    assert (found.kind, found.to_status) == (wanted, target)
    assert found.narrative == LAW_EVENT.sentence


@pytest.mark.parametrize("stage", sorted(set(Stage) - LAW))
def test_nothing_but_law_ever_moves_an_issue(stage: Stage) -> None:
    everything = [event(milestone) for milestone in Milestone]
    for status, effect, direction in product(Status, Effect, Direction):
        found = suggest(everything, reading(stage), standing(status, effect, direction), POLICY)
        assert found is not None
        assert (found.kind, found.to_status) == (ProposalKind.NARRATIVE, None)


@pytest.mark.parametrize(("stage", "milestone"), [(Stage.TO_GOVERNOR, "reversed"), (Stage.VETOED, "veto")])
def test_a_lost_law_suggests_the_way_back(stage: Stage, milestone: str) -> None:
    lifted = standing(ACHIEVED, lifted_from=SOME)
    found = suggest([event(milestone)], reading(stage), lifted, POLICY)
    assert found is not None
    assert (found.kind, found.to_status) == (ProposalKind.STATUS, SOME)


def test_a_lost_law_that_lifted_nothing_is_only_told() -> None:
    found = suggest([event("reversed")], reading(Stage.TO_GOVERNOR), standing(ACHIEVED), POLICY)
    assert found is not None
    assert found.kind is ProposalKind.NARRATIVE


def test_the_way_back_of_a_law_that_undid_an_issue_leads_up() -> None:
    undone = standing(NO, "no_progress", "reverses", lifted_from=ACHIEVED)
    found = suggest([event("reversed")], reading(Stage.TO_GOVERNOR), undone, POLICY)
    assert found is not None
    assert found.to_status is ACHIEVED


@pytest.mark.parametrize("milestone", [one for one in Milestone if POLICY[one] != "status"])
def test_a_death_or_a_hearing_never_suggests_the_way_back_by_itself(milestone: Milestone) -> None:
    """Only a milestone that config lets move a status can: the others leave a status to the weightier ones."""
    found = suggest([event(milestone)], reading(Stage.DIED), standing(ACHIEVED, lifted_from=SOME), POLICY)
    assert found is not None
    assert found.kind is ProposalKind.NARRATIVE


def test_activity_is_recorded_and_proposes_nothing() -> None:
    quiet = {**POLICY, Milestone.COMMITTEE_VOTE: "activity"}
    assert suggest([event("committee_vote")], reading(Stage.REPORTED), standing(), quiet) is None
    assert suggest([], reading(Stage.SIGNED), standing(), POLICY) is None


def test_activity_is_not_mentioned_beside_what_is_told() -> None:
    quiet = {**POLICY, Milestone.ACT_NUMBER: "activity"}
    found = suggest([LAW_EVENT, event("act_number")], reading(Stage.SIGNED), standing(), quiet)
    assert found is not None
    assert found.reason == LAW_EVENT.sentence


def test_law_as_a_narrative_moves_no_status() -> None:
    found = suggest([LAW_EVENT], reading(Stage.SIGNED), standing(), {**POLICY, Milestone.LAW: "narrative"})
    assert found is not None
    assert (found.kind, found.to_status) == (ProposalKind.NARRATIVE, None)


def test_the_reason_tells_everything_once_and_the_text_only_the_weightiest() -> None:
    both = [LAW_EVENT, event("chamber_passage"), event("chamber_passage"), event("act_number")]
    found = suggest(both, reading(Stage.SIGNED), standing(), POLICY)
    assert found is not None
    assert found.reason == " ".join(one.sentence for one in [both[0], both[1], both[3]])
    assert found.narrative == LAW_EVENT.sentence


def test_a_publication_has_no_stage_and_moves_no_status() -> None:
    report = interpret.report_event("Final Report", "the task force's page")
    found = suggest([report], None, standing(NO, "none"), POLICY)
    assert found is not None
    assert (found.kind, found.narrative) == (ProposalKind.NARRATIVE, report.sentence)


def test_the_history_speaks_for_a_status_only_while_the_bill_is_law() -> None:
    lifted = standing(ACHIEVED, lifted_from=NO)
    assert target_status(reading(Stage.SIGNED), lifted) is ACHIEVED
    assert target_status(reading(Stage.TO_GOVERNOR), lifted) is NO
    assert target_status(reading(Stage.DIED), replace(lifted, lifted_from=None)) is None
