"""Deciding on a proposal: one decision, one winner, and words that say what to do when it cannot be taken."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from monitor.demo import faults
from monitor.model.tracking import Status, Verdict
from monitor.store import outbox, proposals
from monitor.store.schema import Action, Delivery, Evidence, Issue, Proposal, Transition
from monitor.workflow import review
from monitor.workflow.review import Refusal, with_sentence
from tests.pipeline import World, issue, watch

NO, SOME, ACHIEVED = Status
SENTENCE = "The governor signed HB 7132 on June 9, 2025."


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Two issues without a source: what is decided here was proposed by hand."""
    with World(tmp_path, [issue("stops"), issue("quotas")], day=date(2025, 6, 10)) as world:
        yield world


def propose(world: World, **values: Any) -> int:
    """A pending proposal as a check stores it, proven by two rows."""
    dates = values.pop("dates", (date(2025, 5, 30), date(2025, 6, 9)))
    defaults = {
        "kind": "status",
        "issue_id": "stops",
        "subject": "bill:2025-HB07132",
        "from_status": NO,
        "to_status": ACHIEVED,
        "reason": SENTENCE,
        "narrative": SENTENCE,
        "created_at": world.now,
    }
    with world.database.transaction() as session:
        proposal = Proposal(**{**defaults, **values})
        proposal.evidence = [
            Evidence(url="https://cga.example/", quote=f"ROW OF {day}", action_date=day, first_seen_at=world.now)
            for day in dates
        ]
        session.add(proposal)
        session.flush()
        return proposal.id


def proposal(world: World, number: int) -> Proposal:
    return next(one for one in world.proposals(None) if one.id == number)


def refused(world: World, number: int, **how: Any) -> str:
    """The words of a refused approval, which has changed nothing."""
    before = everything(world)
    with pytest.raises(Refusal) as refusal:
        world.approve(number, **how)
    assert everything(world) == before
    return str(refusal.value)


def everything(world: World) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = [
        (one.id, one.state, one.version, one.decided_by, one.decision_reason) for one in world.proposals(None)
    ]
    found += [(one.id, one.status, one.status_since, one.narrative, one.updated_at) for one in world.rows(Issue)]
    found += [(one.id, one.to_status) for one in world.rows(Transition)]
    return [*found, *((one.id, one.state) for one in world.deliveries())]


# --- approving --------------------------------------------------------------------------------------------------------


def test_approving_moves_the_issue_and_remembers_how(world: World) -> None:
    number = propose(world)
    moved = world.approve(number, by="Alex")
    stops = world.issue("stops")
    assert (stops.status, stops.narrative) == (ACHIEVED, f"Nothing yet. {SENTENCE}")
    assert stops.status_since == date(2025, 6, 9)  # since the newest row that proves it, not since today
    assert stops.updated_at == world.now
    (kept,) = world.rows(Transition)
    assert moved is not None
    assert kept.id == moved.id
    assert (kept.from_status, kept.to_status, kept.decided_by, kept.at) == (NO, ACHIEVED, "Alex", world.now)
    assert (kept.narrative_before, kept.narrative_after) == ("Nothing yet.", stops.narrative)
    assert (kept.proposal_id, kept.reason) == (number, SENTENCE)
    done = proposal(world, number)
    assert (done.state, done.decided_by, done.decided_at, done.version) == ("approved", "Alex", world.now, 2)
    assert world.issue("quotas").status == NO


def test_without_a_dated_row_the_status_holds_since_today_in_connecticut(world: World) -> None:
    world.at(date(2025, 6, 10), 23, 30)  # the 11th already in UTC
    world.approve(propose(world, dates=()))
    assert world.issue("stops").status_since == date(2025, 6, 10)


def test_a_narrative_moves_the_text_and_not_the_status(world: World) -> None:
    world.approve(propose(world), by="Alex")
    world.later(days=1)
    number = propose(world, kind="narrative", from_status=ACHIEVED, to_status=ACHIEVED, narrative="It took effect.")
    moved = world.approve(number)
    stops = world.issue("stops")
    assert moved is not None
    assert moved.from_status == moved.to_status == ACHIEVED
    assert stops.status_since == date(2025, 6, 9)
    assert stops.narrative == f"Nothing yet. {SENTENCE} It took effect."


def test_a_narrative_keeps_the_status_somebody_published_meanwhile(world: World) -> None:
    number = propose(world, kind="narrative", to_status=NO)
    world.approve(propose(world, subject="bill:2025-HB05002"))
    world.approve(number)
    assert world.issue("stops").status == ACHIEVED


def test_a_sentence_is_appended_once(world: World) -> None:
    world.approve(propose(world))
    world.approve(propose(world, from_status=ACHIEVED, kind="narrative"))
    assert world.issue("stops").narrative == f"Nothing yet. {SENTENCE}"


@pytest.mark.parametrize(
    ("narrative", "sentence", "whole"),
    [
        ("One.", "Two.", "One. Two."),
        ("One. \n", "Two.", "One. Two."),
        ("", "Two.", "Two."),
        ("One.", "", "One."),
        ("One. Two. Three.", "Two.", "One. Two. Three."),
    ],
)
def test_with_sentence(narrative: str, sentence: str, whole: str) -> None:
    assert with_sentence(narrative, sentence) == whole


def test_approving_queues_a_delivery_for_each_who_asked_for_this_issue(world: World) -> None:
    world.subscribe("ann@example.org")
    world.subscribe("bob@example.org", issues=["stops"])
    world.subscribe("cat@example.org", issues=["quotas"])
    world.subscribe("dan@example.org", cadence="daily")
    world.approve(propose(world))
    queued = {one.subscription_id: one for one in world.deliveries()}
    assert len(queued) == 3
    assert [one.due_at == world.now for one in queued.values()].count(True) == 2
    assert all(one.transition_id == world.rows(Transition)[0].id for one in queued.values())


# --- amending ---------------------------------------------------------------------------------------------------------


def test_an_amended_status_is_published_with_the_suggested_sentence(world: World) -> None:
    number = propose(world)
    world.approve(number, status=SOME)
    assert world.issue("stops").status == SOME
    assert world.issue("stops").narrative.endswith(SENTENCE)
    assert proposal(world, number).state == "amended"


def test_an_amended_narrative_is_the_issues_whole_text(world: World) -> None:
    number = propose(world)
    world.approve(number, narrative="Officers must say why they stop a driver.")
    stops = world.issue("stops")
    assert (stops.status, stops.narrative) == (ACHIEVED, "Officers must say why they stop a driver.")
    assert proposal(world, number).state == "amended"


def test_amending_to_the_standing_status_publishes_only_the_text(world: World) -> None:
    moved = world.approve(propose(world), status=NO)
    assert moved is not None
    assert moved.from_status == moved.to_status == NO
    assert world.issue("stops").status_since is None


# --- rejecting --------------------------------------------------------------------------------------------------------


def test_rejecting_publishes_nothing_and_keeps_the_reason(world: World) -> None:
    world.subscribe("ann@example.org")
    number = propose(world)
    world.reject(number, by="Lee", reason="  The act only asks for a study. ")
    done = proposal(world, number)
    assert (done.state, done.decided_by) == ("rejected", "Lee")
    assert done.decision_reason == "The act only asks for a study."
    assert world.issue("stops").status == NO
    assert world.rows(Transition) == world.deliveries() == []


@pytest.mark.parametrize("reason", ["", "  \n"])
def test_a_rejection_needs_a_reason(world: World, reason: str) -> None:
    number = propose(world)
    with pytest.raises(Refusal, match=r"needs a reason: .* Nothing was changed\."):
        world.reject(number, reason=reason)
    assert proposal(world, number).state == "pending"


# --- what cannot be decided -------------------------------------------------------------------------------------------


def test_who_was_faster_is_named_with_the_moment(world: World) -> None:
    number = propose(world)
    world.approve(number, by="Lee")
    world.later(minutes=3)
    assert refused(world, number) == (
        f"Lee approved proposal {number} on June 10, 2025 at 12:00 PM Eastern. Nothing was changed."
    )
    with pytest.raises(Refusal, match=f"^Lee approved proposal {number} on June 10, 2025"):
        world.reject(number)
    assert len(world.rows(Transition)) == 1


def test_a_rejected_proposal_cannot_be_approved(world: World) -> None:
    number = propose(world)
    world.reject(number, by="Lee")
    assert refused(world, number).startswith(f"Lee rejected proposal {number} on June 10, 2025")


def test_a_superseded_proposal_names_the_one_to_decide_on(world: World) -> None:
    old, new = propose(world), propose(world, from_status=NO, subject="bill:2025-HB05002")
    with world.database.transaction() as session:
        pair = session.get_one(Proposal, old), session.get_one(Proposal, new)
        proposals.supersede(session, *pair, world.now, f"A newer change replaced this: proposal {new}.")
    assert refused(world, old) == (
        f"proposal {old} is superseded; decide on proposal {new} instead. "
        f"A newer change replaced this: proposal {new}. Nothing was changed."
    )


def test_a_proposal_closed_by_its_sources_recovery_says_so(world: World) -> None:
    number = propose(world, kind="review", subject="quarantine:page:x")
    with world.database.transaction() as session:
        proposals.supersede(session, session.get_one(Proposal, number), None, world.now, "The page reads well again.")
    assert refused(world, number) == (
        f"proposal {number} is superseded. The page reads well again. Nothing was changed."
    )


def test_an_unknown_id_says_where_to_look(world: World) -> None:
    assert refused(world, 999) == "there is no proposal 999; `monitor proposals list` shows what waits"


def test_another_version_than_the_one_read_is_refused(world: World) -> None:
    number = propose(world, version=3)
    assert refused(world, number, version=2) == (
        f"proposal {number} has changed since you read it; look at it again. Nothing was changed."
    )
    with pytest.raises(Refusal, match="has changed since you read it"):
        review.reject(world.context, number, "Alex", "Stale.", version=2)
    assert world.approve(number, version=3) is not None


def test_a_status_that_moved_since_is_not_overwritten_unless_said_outright(world: World) -> None:
    stale = propose(world, to_status=SOME)
    world.approve(propose(world, subject="bill:2025-HB05002"))
    assert refused(world, stale) == (
        f"Stops moved from No Progress to Legislation Achieved since proposal {stale} was made. Say with --status "
        "which status should stand, or reject the proposal. Nothing was changed."
    )
    assert refused(world, stale, narrative="Only the text.").startswith("Stops moved from No Progress")
    assert world.approve(stale, status=SOME) is not None
    assert world.issue("stops").status == SOME


def test_only_one_of_two_decisions_at_once_wins(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The proposal still read as pending when the other decision had been written: the conditional update says no."""
    number = propose(world)
    honest = review._open

    def slow(session: Any, proposal_id: int, version: int | None) -> Proposal:
        found = honest(session, proposal_id, version)
        faster = {"state": "rejected", "version": 2, "decided_by": "Lee", "decided_at": world.now}
        no_sync = {"synchronize_session": False}
        session.execute(update(Proposal).where(Proposal.id == proposal_id).values(**faster), execution_options=no_sync)
        return found

    monkeypatch.setattr(review, "_open", slow)
    with pytest.raises(Refusal, match=f"^Lee rejected proposal {number}"):
        world.approve(number)
    assert world.rows(Transition) == []
    assert world.issue("stops").status == NO


# --- one transaction --------------------------------------------------------------------------------------------------


def test_a_failure_in_the_middle_leaves_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The move is written before its deliveries are: neither may be there without the other."""
    world.subscribe("ann@example.org")
    number = propose(world)
    before = everything(world)
    queue = outbox.queue

    def half(session: Any, rows: Any) -> None:
        queue(session, rows)
        raise OSError("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(outbox, "queue", half)
        with pytest.raises(OSError, match="disk is full"):
            world.approve(number)
    assert everything(world) == before
    world.approve(number)
    assert len(world.rows(Transition)) == len(world.rows(Delivery)) == 1


# --- reviews: a question without a status -----------------------------------------------------------------------------


def test_a_review_publishes_nothing(world: World) -> None:
    world.subscribe("ann@example.org")
    number = propose(world, kind="review", subject="phrase:x", to_status=None, narrative="")
    assert world.approve(number) is None
    assert proposal(world, number).state == "approved"
    assert world.rows(Transition) == world.deliveries() == []
    assert world.issue("stops").narrative == "Nothing yet."


@pytest.mark.parametrize("amended", [{"status": SOME}, {"narrative": "New text."}])
def test_a_review_cannot_be_amended(world: World, amended: dict[str, Any]) -> None:
    number = propose(world, kind="review", subject="phrase:x", to_status=None, narrative="")
    assert refused(world, number, **amended) == (
        f"proposal {number} asks for a look and suggests no status or text; approve it as it is once "
        "you have looked, or reject it. Nothing was changed."
    )


# --- a page that lost most of its rows --------------------------------------------------------------------------------


@pytest.fixture
def shrunk(tmp_path: Path) -> Iterator[World]:
    """HB 7132's page showed its history, then two rows of it, and is quarantined."""
    with World(tmp_path, [issue("stops", watch("2025 HB 7132"))], day=date(2025, 5, 23), feed=False) as world:
        world.check()
        assert len(world.ledger("HB07132")) == 19
        world.replica.misbehave(faults.STATUS, "history_shrunk")
        world.later(hours=7)
        world.check()
        yield world


def standing(world: World) -> list[Action]:
    return [one for one in world.ledger("HB07132") if one.removed_at is None]


def keep_rows(number: int) -> faults.Fault:
    return faults.changed(faults._keep(lambda rows: rows[:number]), "so many rows left")


def test_a_shrunk_page_waits_for_a_person_and_changes_nothing(shrunk: World) -> None:
    (asked,) = shrunk.proposals(kind="review")
    assert asked.reason.startswith("Quarantined: HB 7132's history fell from 19 rows to 2.")
    assert shrunk.page("HB07132").verdict == Verdict.SHRUNK
    shrunk.later(hours=7)
    shrunk.check()
    assert len(shrunk.proposals(kind="review")) == 1
    assert len(standing(shrunk)) == 19
    assert shrunk.changes() == []


def test_an_accepted_page_is_believed_at_the_next_read(shrunk: World) -> None:
    (asked,) = shrunk.proposals(kind="review")
    assert shrunk.approve(asked.id) is None
    assert shrunk.page("HB07132").next_check_at == shrunk.now
    report = shrunk.check(everything=False)
    page = shrunk.page("HB07132")
    assert (report.checked, page.verdict, page.failures, page.outage_since) == (1, Verdict.OK, 0, None)
    assert page.accepted_fingerprint is None  # it was for this once
    assert len(standing(shrunk)) == 2
    shrunk.later(days=1)
    shrunk.check()
    assert [change.kind for change in shrunk.changes()] == ["action_removed"] * 17


def test_a_rejected_page_stays_disbelieved_and_is_not_asked_about_again(shrunk: World) -> None:
    (asked,) = shrunk.proposals(kind="review")
    shrunk.reject(asked.id, reason="The last good page is right.")
    shrunk.later(days=1)
    shrunk.check()
    assert shrunk.proposals() == []
    assert len(standing(shrunk)) == 19
    shrunk.replica.behave()
    shrunk.later(days=1)
    shrunk.check()
    assert shrunk.page("HB07132").verdict == Verdict.OK
    assert len(standing(shrunk)) == 19


def test_a_page_that_recovers_takes_its_question_back(shrunk: World) -> None:
    (asked,) = shrunk.proposals(kind="review")
    shrunk.replica.behave()
    shrunk.later(hours=7)
    shrunk.check()
    assert "The page reads well again." in refused(shrunk, asked.id)
    assert shrunk.changes() == []


def test_accepting_one_page_accepts_no_other(shrunk: World) -> None:
    """By the time of the decision the page shows something else again: a person is asked about that too."""
    (asked,) = shrunk.proposals(kind="review")
    shrunk.replica.misbehave(faults.STATUS, keep_rows(4))
    shrunk.approve(asked.id)
    shrunk.check(everything=False)
    assert len(standing(shrunk)) == 19
    (again,) = shrunk.proposals(kind="review")
    assert "fell from 19 rows to 4" in again.reason
    shrunk.approve(again.id)
    shrunk.check(everything=False)
    assert len(standing(shrunk)) == 4


def test_bulk_files_that_shrank_and_were_accepted_are_believed_whole(tmp_path: Path) -> None:
    """One decision about the file, not one more for every bill in it."""
    watches = [watch("2025 HB 7132"), watch("2025 SB 1195")]
    with World(tmp_path, [issue("stops", *watches)], day=date(2025, 5, 23), page=False) as world:
        world.check()
        rows = len(standing(world))
        world.replica.misbehave(faults.FEED, "feed_shrunk")
        for _ in range(4):
            world.later(hours=13).check()
        (asked,) = world.proposals(kind="review")
        assert "bill_history.csv fell from" in asked.reason
        assert len(standing(world)) == rows
        world.approve(asked.id)
        report = world.check(everything=False)
        assert (report.failed, world.feed().verdict, world.feed().failures) == (0, Verdict.OK, 0)
        assert len(standing(world)) < rows
        assert world.proposals(kind="review") == []
