"""Putting off, and taking back within a minute: whoever was told stays told, and nobody is told of what was undone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from monitor.demo import faults
from monitor.model.tracking import Status
from monitor.store import proposals
from monitor.store.schema import Delivery, Issue, Proposal, Transition
from monitor.store.schema_desk import Deed
from monitor.workflow import review
from monitor.workflow.deliver import deliver
from monitor.workflow.review import Refusal, postpone
from monitor.workflow.undo import GRACE, undo
from tests.integrity import violations
from tests.pipeline import World, issue
from tests.telling import propose

DAY = date(2025, 6, 10)
JULY = date(2025, 7, 1)


@pytest.fixture
def world(tmp_path: Path, database_url: str) -> Iterator[World]:
    with World(tmp_path, [issue("stops"), issue("quotas")], day=DAY, database_url=database_url) as world:
        yield world


def found(world: World, number: int) -> Proposal:
    return next(one for one in world.proposals(None) if one.id == number)


def standing(world: World) -> list[tuple[Any, ...]]:
    return [(one.id, one.status, one.status_since, one.narrative, one.updated_at) for one in world.rows(Issue)]


def deeds(world: World) -> list[tuple[str, str, str]]:
    return [(one.who, one.what, one.about) for one in world.rows(Deed, Deed.what != "changed what is tracked")]


# ------------------------------------------------------------------ putting off


def test_a_postponed_proposal_stays_pending_and_says_until_when(world: World) -> None:
    number = propose(world)
    postpone(world.context, number, "Dana", JULY, version=1)
    put_off = found(world, number)
    assert (put_off.state, put_off.postponed_until, put_off.version) == ("pending", JULY, 2)
    assert proposals.is_postponed(put_off, date(2025, 6, 30))
    assert not proposals.is_postponed(put_off, JULY)
    assert deeds(world) == [("Dana", "postponed proposal", f"proposal {number}")]


@pytest.mark.parametrize("until", [DAY, date(2025, 6, 9)])
def test_a_day_that_is_not_to_come_is_refused(world: World, until: date) -> None:
    number = propose(world)
    with pytest.raises(Refusal, match=r"is not to come; name a later day\. Nothing was changed\."):
        postpone(world.context, number, "Dana", until)
    assert found(world, number).postponed_until is None


def test_a_stale_tab_does_not_postpone(world: World) -> None:
    number = propose(world)
    postpone(world.context, number, "Dana", JULY, version=1)
    with pytest.raises(Refusal, match="has changed since you read it"):
        postpone(world.context, number, "Lee", JULY, version=1)
    world.approve(number, version=2, by="Lee")
    with pytest.raises(Refusal, match="Lee approved proposal"):
        postpone(world.context, number, "Dana", JULY)


def test_a_postponed_proposal_is_replaced_by_a_newer_change_like_any_other(world: World) -> None:
    number = propose(world)
    postpone(world.context, number, "Dana", JULY)
    newer = propose(world)
    with world.database.transaction() as session:
        pair = session.get_one(Proposal, number), session.get_one(Proposal, newer)
        proposals.supersede(session, *pair, world.now, "A newer change replaced this.")
    assert found(world, number).state == "superseded"
    assert found(world, newer).postponed_until is None


def test_the_list_hides_what_is_put_off_until_its_day(world: World) -> None:
    number = propose(world)
    world.monitor("proposals", "postpone", str(number), "--until", "2025-07-01", "--by", "Dana")
    assert "Nothing waits." in world.monitor("proposals", "list").stdout
    assert f"{number}\t" in world.monitor("proposals", "list", "--postponed").stdout
    world.at(JULY)
    assert f"{number}\t" in world.monitor("proposals", "list").stdout


def test_a_postponement_can_be_ended_at_any_time(world: World) -> None:
    number = propose(world)
    postpone(world.context, number, "Dana", JULY)
    world.later(days=2)
    undo(world.context, number, "Lee")
    back = found(world, number)
    assert (back.state, back.postponed_until, back.version) == ("pending", None, 3)
    with pytest.raises(Refusal, match="nobody has decided on proposal"):
        undo(world.context, number, "Lee")


# ------------------------------------------------------------------ taking back


def test_undo_restores_everything_and_nobody_is_told(world: World) -> None:
    world.subscribe("ann@example.org")
    world.subscribe("bob@example.org", cadence="daily")
    before = standing(world)
    number = propose(world)
    world.approve(number, by="Dana", hold=GRACE)
    assert standing(world) != before
    world.later(seconds=59)
    assert world.deliver().sent == 0
    undo(world.context, number, "Dana")
    assert standing(world) == before
    assert world.rows(Transition) == world.rows(Delivery) == []
    back = found(world, number)
    assert (back.state, back.version, back.decided_by, back.decided_at) == ("pending", 3, None, None)
    world.later(days=9)
    assert world.deliver().sent == 0
    assert [what for _, what, _ in deeds(world)] == ["approved proposal", "took back proposal"]
    assert violations(world.database) == []
    world.approve(number, version=3)
    assert world.deliver().sent == 2 - 1  # the digest has its own hour


def test_what_is_held_leaves_after_the_minute(world: World) -> None:
    world.subscribe("ann@example.org")
    world.approve(propose(world), hold=GRACE)
    world.later(seconds=59)
    assert world.deliver().sent == 0
    world.later(seconds=1)
    assert world.deliver().sent == 1


def test_what_is_approved_in_the_minute_before_a_digest_is_in_the_next_one(world: World) -> None:
    """Not in a digest of its own, seconds after the one that tells the rest of the day."""
    world.subscribe("bob@example.org", cadence="daily")
    schedule = world.config.schedule
    line = schedule.daily_digest.next_after(world.now, schedule.zone)
    world.approve(propose(world, "quotas"))
    world._move(line - timedelta(seconds=10))
    world.approve(propose(world), hold=GRACE)
    assert [one.due_at for one in world.deliveries(Delivery.transition_id == 2)] == [
        schedule.daily_digest.next_after(line, schedule.zone)
    ]
    world.later(minutes=5)
    assert world.deliver().sent == 1
    world.later(days=1)
    assert world.deliver().sent == 1


def test_after_a_minute_it_is_too_late(world: World) -> None:
    number = propose(world)
    world.approve(number, hold=GRACE)
    world.later(seconds=61)
    with pytest.raises(Refusal, match=r"^the minute in which .* is over\..*publish a correction"):
        undo(world.context, number, "Dana")
    assert world.issue("stops").status == Status.SOME_PROGRESS


def test_what_somebody_was_told_is_not_undone(world: World) -> None:
    world.subscribe("ann@example.org")
    number = propose(world)
    world.approve(number)  # no hold, as on the command line
    assert world.deliver().sent == 1
    after = standing(world)
    with pytest.raises(Refusal, match=r"somebody was told of it already\. To take back what it published"):
        undo(world.context, number, "Dana")
    assert standing(world) == after
    assert len(world.rows(Transition)) == 1


def test_a_rejection_is_taken_back_too(world: World) -> None:
    number = propose(world)
    world.reject(number, reason="Oh no.")
    undo(world.context, number, "Dana")
    back = found(world, number)
    assert (back.state, back.decision_reason, back.version) == ("pending", "", 3)


def test_a_second_undo_says_that_nothing_is_decided(world: World) -> None:
    number = propose(world)
    world.approve(number)
    undo(world.context, number, "Dana")
    with pytest.raises(Refusal, match="nobody has decided on proposal"):
        undo(world.context, number, "Lee")
    with pytest.raises(Refusal, match="there is no proposal 999"):
        undo(world.context, 999, "Lee")


def test_what_was_built_upon_is_not_undone(world: World) -> None:
    first, second = propose(world), propose(world, to="achieved", reason="Another.")
    world.approve(first)
    world.approve(second, status=Status.ACHIEVED)
    with pytest.raises(Refusal, match="another change of Stops was published meanwhile"):
        undo(world.context, first, "Dana")
    undo(world.context, second, "Dana")
    undo(world.context, first, "Dana")
    assert world.issue("stops").status == Status.NO_PROGRESS


def test_a_newer_change_of_the_same_stands_in_the_way(world: World) -> None:
    number = propose(world)
    world.approve(number)
    newer = propose(world)
    with pytest.raises(Refusal, match=f"decide on proposal {newer}"):
        undo(world.context, number, "Dana")
    assert violations(world.database) == []


def test_a_superseded_proposal_has_nobody_to_undo(world: World) -> None:
    number = propose(world)
    with world.database.transaction() as session:
        proposals.supersede(session, session.get_one(Proposal, number), None, world.now, "It reads well again.")
    with pytest.raises(Refusal, match="is superseded; nobody decided on it"):
        undo(world.context, number, "Dana")


def test_an_accepted_page_is_doubted_again_unless_it_was_read(tmp_path: Path) -> None:
    day = date(2025, 5, 23)
    with World(tmp_path, [issue("stops", "2025 HB 7132")], day=day, feed=False) as world:
        world.check()
        world.replica.misbehave(faults.STATUS, "history_shrunk")
        world.later(hours=7).check()
        (asked,) = world.proposals(kind="review")
        world.approve(asked.id)
        undo(world.context, asked.id, "Dana")
        assert world.page("HB07132").accepted_fingerprint is None
        world.check(everything=False)
        assert [one.id for one in world.proposals(kind="review")] == [asked.id]
        world.approve(asked.id)
        world.later(seconds=5).check(everything=False)
        with pytest.raises(Refusal, match="has been read already"):
            undo(world.context, asked.id, "Dana")


# ------------------------------------------------------------------ against the sender


def test_undo_and_deliver_at_once_never_both(world: World) -> None:
    """Whoever comes first: either it was sent and stands, or it was undone and nobody hears of it."""
    world.subscribe("ann@example.org")
    outcomes = set()
    for round_ in range(12):
        number = propose(world, reason=f"Reason {round_}.")
        world.approve(number, status=Status.SOME_PROGRESS)
        barrier = threading.Barrier(2)
        result: dict[str, int] = {}

        def send(barrier: threading.Barrier = barrier, result: dict[str, int] = result) -> None:
            barrier.wait()
            result["sent"] = deliver(world.context).sent

        def take_back(
            barrier: threading.Barrier = barrier, result: dict[str, int] = result, number: int = number
        ) -> None:
            barrier.wait()
            try:
                undo(world.context, number, "Dana")
                result["undone"] = True
            except Refusal:
                result["undone"] = False

        threads = [threading.Thread(target=act) for act in (send, take_back)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert result["undone"] == (result["sent"] == 0), result
        assert found(world, number).state == ("pending" if result["undone"] else "amended")
        outcomes.add(result["undone"])
        if result["undone"]:
            world.reject(number)
        assert violations(world.database) == []
    assert outcomes <= {True, False}


@pytest.mark.parametrize("first", ["undo", "deliver"])
def test_either_order_has_one_outcome(world: World, first: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sender has claimed the message when the undo comes, or comes when the undo is done."""
    world.subscribe("ann@example.org")
    number = propose(world)
    world.approve(number)
    if first == "undo":
        undo(world.context, number, "Dana")
        assert world.deliver().sent == 0
        assert world.messages() == []
        return
    refusals = []

    def meanwhile(name: str) -> None:
        if name == "before_send":
            with pytest.raises(Refusal) as refusal:
                undo(world.context, number, "Dana")
            refusals.append(str(refusal.value))

    monkeypatch.setattr("monitor.workflow.deliver.killpoint", meanwhile)
    assert world.deliver().sent == 1
    assert len(refusals) == 1
    assert world.issue("stops").status == Status.SOME_PROGRESS


def test_what_was_claimed_and_given_back_untried_can_be_undone(world: World) -> None:
    world.subscribe("ann@example.org")
    number = propose(world)
    world.approve(number)
    with world.database.transaction() as session:
        from monitor.store import outbox

        (one,) = session.scalars(select(Delivery))
        assert outbox.claim(session, {one.id: [one.id]}, "w", world.now) == {one.id}
        outbox.give_back(session, [one.id], "w")
    undo(world.context, number, "Dana")
    assert world.deliveries() == []


# ------------------------------------------------------------------ the issue as it was seen


def test_an_issue_that_moved_since_it_was_seen_is_not_overwritten(world: World) -> None:
    seen = world.issue("stops").updated_at
    first, second = propose(world), propose(world, reason="Another.")
    world.later(minutes=1)
    world.approve(first, by="Lee")
    with pytest.raises(Refusal, match="Stops has moved since you opened this page"):
        review.approve(world.context, second, "Dana", narrative="My own words.", seen=seen)
    assert "My own words." not in world.issue("stops").narrative
    now = world.issue("stops").updated_at
    assert review.approve(world.context, second, "Dana", status=Status.ACHIEVED, narrative="Mine.", seen=now)


def test_a_move_that_was_taken_back_leaves_its_number_to_nobody(world: World) -> None:
    """Feeds name a move by it: a reader who saw the first must not take another for it."""
    first = propose(world)
    world.approve(first)
    [gone] = world.rows(Transition)
    undo(world.context, first, "Dana")
    world.approve(propose(world, "quotas"))
    [other] = world.rows(Transition)
    assert other.issue_id == "quotas"
    assert other.id > gone.id
