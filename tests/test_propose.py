"""Changes to proposals: one for each issue and bill, replaced by the next, and nothing proven is lost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from monitor.demo.facts import Row
from monitor.interpret.status import Event
from monitor.model.legislature import Stage, StageReading
from monitor.model.tracking import Milestone, SourceKind, Status
from monitor.store import bills, sources
from monitor.store.schema import ChangeRow, Evidence, Proposal, Source
from monitor.workflow import propose
from monitor.workflow.correct import correct
from monitor.workflow.propose import News
from tests.pipeline import World, days_between, issue, watch

TASK_FORCE = "/jud/taskforce.asp?TF=20200116_Police%20Transparency%20and%20Accountability%20Task%20Force"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    board = [
        issue("stops", watch("2025 HB 7132", effect="achieved"), watch("2025 SB 1436", effect="some_progress")),
        issue("quotas", watch("2025 HB 7132", effect="some_progress"), status="some_progress"),
        issue("studies", watch("2025 HB 7132")),
    ]
    with World(tmp_path, board) as world:
        yield world


def event(milestone: str, sentence: str = "") -> Event:
    return Event(Milestone(milestone), sentence or f"A {milestone} happened.")


def reading(stage: str) -> StageReading:
    return StageReading(Stage(stage), date(2025, 6, 9), f"It is {stage}.")


def about_bill(world: World, stage: str, *events: Event, proof: Sequence[str] = (), bill: str = "HB07132") -> list[int]:
    """What a read with these milestones proposes; ids by issue."""
    with world.database.transaction() as session:
        found = bills.find(session, world._key(bill))
        assert found is not None
        evidence = [Evidence(url="https://cga.example/", quote=text, first_seen_at=world.now) for text in proof]
        news = News(events, reading("hearing"), reading(stage), evidence)
        made = propose.about_bill(session, world.config.milestones.table, found, news, world.now)
        session.flush()
        return [one.id for one in made]


def states(world: World) -> list[tuple[str | None, str, str, str | None]]:
    return [(one.issue_id, one.kind, one.state, one.to_status) for one in world.proposals(None)]


def quotes(world: World, number: int) -> list[str]:
    return [one.quote for one in world.evidence(number)]


# --- one proposal for each issue --------------------------------------------------------------------------------------


def test_each_issue_that_watches_the_bill_gets_what_it_means_for_it(world: World) -> None:
    about_bill(world, "signed", event("law", "The governor signed HB 7132."))
    assert states(world) == [
        ("quotas", "narrative", "pending", "some_progress"),  # there already: the text may be behind
        ("stops", "status", "pending", "achieved"),
        ("studies", "narrative", "pending", "no_progress"),  # a watch without effect moves nothing
    ]
    one = next(one for one in world.proposals() if one.issue_id == "stops")
    assert (one.subject, one.from_status) == ("bill:2025-HB07132", "no_progress")
    assert one.narrative == "The governor signed HB 7132."
    assert one.bill_id == world.bill("HB07132").id


def test_an_unwatched_issue_hears_nothing_of_it(world: World) -> None:
    about_bill(world, "signed", event("law"), bill="SB01436")
    assert states(world) == [("stops", "status", "pending", "some_progress")]


def test_news_without_a_milestone_proposes_nothing_and_leaves_what_waits(world: World) -> None:
    assert about_bill(world, "in_committee", proof=["REF. TO JOINT COMM. ON Judiciary"]) == []
    about_bill(world, "signed", event("law"))
    before = states(world)
    assert about_bill(world, "signed") == []
    assert states(world) == before


def test_two_bills_of_one_issue_are_two_proposals(world: World) -> None:
    about_bill(world, "reported", event("committee_vote"), bill="HB07132")
    about_bill(world, "reported", event("committee_vote"), bill="SB01436")
    waiting = [one.subject for one in world.proposals() if one.issue_id == "stops"]
    assert waiting == ["bill:2025-HB07132", "bill:2025-SB01436"]


# --- superseding ------------------------------------------------------------------------------------------------------


def of_stops(world: World) -> list[Proposal]:
    return [one for one in world.proposals(None) if one.issue_id == "stops"]


def test_the_newer_proposal_takes_the_pending_ones_place_and_its_evidence(world: World) -> None:
    about_bill(world, "reported", event("committee_vote"), proof=["Joint Favorable"])
    about_bill(world, "passed_one_chamber", event("chamber_passage"), proof=["HOUSE PASSED"])
    old, new = of_stops(world)
    assert (old.state, old.superseded_by, old.version) == ("superseded", new.id, 2)
    assert old.decided_at == world.now
    assert f"proposal {new.id}" in old.decision_reason
    assert new.state == "pending"
    assert quotes(world, new.id) == ["HOUSE PASSED", "Joint Favorable"]  # the newest proof first
    assert quotes(world, old.id) == ["Joint Favorable"]  # and what was shown before is still shown there


def test_a_decided_proposal_is_not_superseded(world: World) -> None:
    about_bill(world, "reported", event("committee_vote"), proof=["Joint Favorable"])
    (first,) = of_stops(world)
    world.reject(first.id)
    about_bill(world, "passed_one_chamber", event("chamber_passage"), proof=["HOUSE PASSED"])
    old, new = of_stops(world)
    assert (old.state, new.state) == ("rejected", "pending")
    assert quotes(world, new.id) == ["HOUSE PASSED"]


def test_a_pending_status_outlives_lesser_news(world: World) -> None:
    """The act's number was read the day after the signature: the issue is still to be called achieved."""
    about_bill(world, "signed", event("law", "It was signed."), proof=["SIGNED BY GOVERNOR"])
    about_bill(world, "signed", event("act_number", "It has a number."), proof=["PUBLIC ACT 25-19"])
    *_, new = of_stops(world)
    assert (new.kind, new.to_status, new.state) == ("status", "achieved", "pending")
    assert new.narrative == "It was signed."
    assert new.reason == "It was signed. It has a number."
    assert quotes(world, new.id) == ["PUBLIC ACT 25-19", "SIGNED BY GOVERNOR"]


def test_a_pending_status_ends_when_the_history_speaks_for_it_no_more(world: World) -> None:
    about_bill(world, "signed", event("law", "It was signed."))
    about_bill(world, "to_governor", event("reversed", "The signature was taken back."))
    *_, new = of_stops(world)
    assert (new.kind, new.narrative) == ("narrative", "The signature was taken back.")


def test_a_pending_status_ends_when_the_issue_got_there_by_another_way(world: World) -> None:
    about_bill(world, "signed", event("law"))
    about_bill(world, "signed", event("law"), bill="SB01436")
    world.approve(of_stops(world)[-1].id, status=Status.ACHIEVED)
    about_bill(world, "signed", event("act_number"))
    *_, new = of_stops(world)
    assert (new.kind, new.to_status) == ("narrative", "achieved")


def test_a_decided_status_is_not_proposed_again_by_lesser_news(world: World) -> None:
    about_bill(world, "signed", event("law"))
    (law,) = of_stops(world)
    world.reject(law.id, reason="Only a study.")
    about_bill(world, "signed", event("act_number"))
    *_, new = of_stops(world)
    assert new.kind == "narrative"


# --- the way back -----------------------------------------------------------------------------------------------------


def test_a_law_undone_leads_back_to_where_the_issue_stood(world: World) -> None:
    about_bill(world, "signed", event("law"))
    world.approve(of_stops(world)[0].id)
    about_bill(world, "to_governor", event("reversed"))
    *_, back = of_stops(world)
    assert (back.kind, back.from_status, back.to_status) == ("status", "achieved", "no_progress")


def test_a_status_that_a_person_has_moved_since_has_no_way_back(world: World) -> None:
    about_bill(world, "signed", event("law"))
    world.approve(of_stops(world)[0].id)
    about_bill(world, "signed", event("law"), bill="SB01436")
    world.approve(of_stops(world)[-1].id, status=Status.SOME_PROGRESS)  # a person says that it is only a beginning
    about_bill(world, "to_governor", event("reversed"))
    assert of_stops(world)[-1].kind == "narrative"


def test_a_lift_that_was_corrected_to_less_has_its_way_back(world: World) -> None:
    about_bill(world, "signed", event("law"))
    moved = world.approve(of_stops(world)[0].id)
    assert moved is not None
    less = correct(world.context, moved.id, "Dana", "Only in part.", status=Status.SOME_PROGRESS)
    correct(world.context, less.id, "Dana", "The words were wrong.", narrative="Only in part, so far.")
    about_bill(world, "to_governor", event("reversed"))
    *_, back = of_stops(world)
    assert (back.kind, back.from_status, back.to_status) == ("status", "some_progress", "no_progress")


def test_an_earlier_lift_has_its_way_back_once_the_wrong_one_after_it_was_taken_back(world: World) -> None:
    about_bill(world, "reported", event("committee_vote"))
    world.approve(of_stops(world)[0].id, status=Status.SOME_PROGRESS)
    about_bill(world, "signed", event("law"))
    wrong = world.approve(of_stops(world)[-1].id)
    assert wrong is not None
    correct(world.context, wrong.id, "Dana", "It was not signed.")
    about_bill(world, "failed", event("reversed"))
    *_, back = of_stops(world)
    assert (back.kind, back.from_status, back.to_status) == ("status", "some_progress", "no_progress")


def test_a_lift_that_was_taken_back_has_no_way_back(world: World) -> None:
    about_bill(world, "signed", event("law"))
    moved = world.approve(of_stops(world)[0].id)
    assert moved is not None
    correct(world.context, moved.id, "Dana", "It was not signed.")
    about_bill(world, "to_governor", event("reversed"))
    assert of_stops(world)[-1].kind == "narrative"


def test_what_another_bill_lifted_this_one_does_not_take_back(world: World) -> None:
    about_bill(world, "signed", event("law"), bill="HB07132")
    world.approve(of_stops(world)[0].id)
    about_bill(world, "vetoed", event("veto"), bill="SB01436")
    assert of_stops(world)[-1].kind == "narrative"


# --- reviews ----------------------------------------------------------------------------------------------------------


def ask(world: World, subject: str = "phrase:x", **about: Any) -> Proposal | None:
    with world.database.transaction() as session:
        bill = bills.find(session, world._key(about["bill"])) if "bill" in about else None
        evidence = [Evidence(url="https://cga.example/", quote="HELD AT DESK", first_seen_at=world.now)]
        return propose.review(session, subject, "Which stage?", evidence, world.now, bill=bill)


def test_a_question_is_asked_once_while_it_waits(world: World) -> None:
    assert ask(world) is not None
    assert ask(world) is None
    assert len(world.proposals()) == 1


@pytest.mark.parametrize("decide", ["approve", "reject"])
def test_a_question_that_was_answered_is_not_asked_again(world: World, decide: str) -> None:
    first = ask(world)
    assert first is not None
    getattr(world, decide)(first.id)
    assert ask(world) is None
    assert ask(world, "phrase:y") is not None


def test_a_question_about_a_bill_stands_with_the_first_issue_that_watches_it(world: World) -> None:
    found = ask(world, bill="HB07132")
    assert found is not None
    assert (found.issue_id, found.kind, found.narrative) == ("quotas", "review", "")


def test_an_unknown_phrase_reaches_a_person_once_and_moves_nothing(world: World) -> None:
    day = date(2025, 3, 4)
    world.at(date(2025, 3, 3)).check()
    world.replica.edit("HB07132", lambda rows: [*rows, Row.of(day, "HELD AT DESK BY ORDER OF NOBODY")])
    for _ in range(2):
        world.later(days=1)
        world.check()
    (asked,) = world.proposals(kind="review")
    assert asked.reason == ("Unknown phrase in HB 7132: “HELD AT DESK BY ORDER OF NOBODY”. Which stage does it mean?")
    assert quotes(world, asked.id) == ["HELD AT DESK BY ORDER OF NOBODY"]
    assert world.bill("HB07132").stage == Stage.HEARING
    assert world.proposals(kind="status") == []


# --- documents and feeds ----------------------------------------------------------------------------------------------


@pytest.fixture
def publications(tmp_path: Path) -> Iterator[World]:
    """One page of documents for three issues: one takes everything, one what its terms name, one none of it."""
    board = [
        issue("all", watch(TASK_FORCE, id="force")),
        issue("stops", watch(TASK_FORCE, id="force", terms=["traffic STOP", "quota"])),
        issue("never", watch(TASK_FORCE, id="force", terms=["forfeiture"])),
    ]
    with World(tmp_path, board, day=date(2025, 4, 1), feed=False) as world:
        yield world


def publish(world: World, *titles: str) -> list[int]:
    with world.database.transaction() as session:
        source = sources.by_slug(session, world.rows(Source, Source.kind == SourceKind.DOCUMENT_LIST)[0].slug)
        assert source is not None
        changes = [
            ChangeRow(
                source_id=source.id, kind="document", quote=title, url="https://cga.example/", first_seen_at=world.now
            )
            for title in titles
        ]
        session.add_all(changes)
        session.flush()
        terms = {one.id: one for one in world.config.watches()}
        policy = world.config.milestones.table
        made = propose.about_publications(
            session,
            policy,
            lambda watch_id, title: terms[watch_id].concerns(title),
            source,
            "the task force's page",
            changes,
            world.now,
        )
        return [one.id for one in made]


def test_a_publication_is_proposed_where_its_title_concerns(publications: World) -> None:
    publish(publications, "Report on Traffic Stop Receipts", "Meeting Agenda")
    found = {one.issue_id: one for one in publications.proposals()}
    assert set(found) == {"all", "stops"}
    assert quotes(publications, found["all"].id) == ["Report on Traffic Stop Receipts", "Meeting Agenda"]
    assert quotes(publications, found["stops"].id) == ["Report on Traffic Stop Receipts"]
    assert (
        found["stops"].reason == "“Report on Traffic Stop Receipts” was published on the page “the task force's page”."
    )
    assert {one.kind for one in found.values()} == {"narrative"}


def test_a_later_publication_carries_the_earlier_while_nobody_decided(publications: World) -> None:
    publish(publications, "Report on Quotas")
    publish(publications, "Traffic Stops, second report")
    old, new = (one for one in publications.proposals(None) if one.issue_id == "stops")
    assert (old.state, new.state) == ("superseded", "pending")
    assert quotes(publications, new.id) == ["Traffic Stops, second report", "Report on Quotas"]
    publications.reject(new.id)
    publish(publications, "Quota, third report")
    (third,) = (one for one in publications.proposals() if one.issue_id == "stops")
    assert quotes(publications, third.id) == ["Quota, third report"]


def test_publications_that_config_calls_activity_are_only_recorded(publications: World) -> None:
    publications.configure([issue("all", watch(TASK_FORCE, id="force"))], milestones={"report": "activity"})
    publications.sync()
    assert publish(publications, "Report on Quotas") == []


def test_the_real_page_proposes_its_new_report(publications: World) -> None:
    publications.check()
    publications.at(date(2025, 4, 10)).check()
    found = {one.issue_id: one for one in publications.proposals()}
    assert set(found) == {"all", "stops"}
    assert quotes(publications, found["stops"].id) == ["Report on Traffic Stop Receipts (demonstration)"]


# --- the whole of it --------------------------------------------------------------------------------------------------


def test_a_bills_last_month_leaves_one_proposal_for_each_issue(world: World) -> None:
    """HB 7132 from its last vote to its signature, nobody deciding: one waits for each issue, with all its proof."""
    world.at(date(2025, 5, 21)).check()
    for day in days_between(date(2025, 5, 22), date(2025, 6, 10)):
        world.at(day).check()
    waiting = [one for one in world.proposals() if one.subject == "bill:2025-HB07132"]
    assert [(one.issue_id, one.kind) for one in waiting] == [
        ("quotas", "narrative"),
        ("stops", "status"),
        ("studies", "narrative"),
    ]
    stops = waiting[1]
    assert quotes(world, stops.id) == ["SIGNED BY GOVERNOR", "PUBLIC ACT 25-19", "SEN. PASSED, HO. AMEND. SCH. A"]
    assert all(one.snapshot_sha256 for one in world.evidence(stops.id))
    former = [one for one in world.proposals("superseded") if one.issue_id == "stops" and one.bill_id == stops.bill_id]
    assert former
    assert {one.superseded_by for one in former} <= {one.id for one in world.proposals(None)}
