"""Corrections: public, told to whoever was told wrong, in answer to the message that said it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import event, update

from monitor.model.tracking import Status
from monitor.store.schema import Transition
from monitor.store.schema_desk import Deed
from monitor.workflow.correct import correct
from monitor.workflow.review import Refusal
from monitor.workflow.subscribe import choose, subscribe, wish
from monitor.workflow.undo import undo
from tests.integrity import violations
from tests.pipeline import World, issue
from tests.smtp_sink import SmtpSink
from tests.telling import of, parsed, propose, publish, told_world

NO, SOME, ACHIEVED = Status
BEGAN, SIGNED = date(2015, 1, 7), date(2019, 7, 1)
WRONG = "SB 380 was not signed; another bill's row was read."


@pytest.fixture
def mail() -> Iterator[SmtpSink]:
    with SmtpSink() as sink:
        yield sink


@pytest.fixture
def world(tmp_path: Path, database_url: str, mail: SmtpSink) -> Iterator[World]:
    board = [{**issue("stops"), "initial_since": BEGAN.isoformat()}, issue("quotas")]
    with told_world(tmp_path, mail, day=date(2025, 6, 10), database_url=database_url, issues=board) as world:
        yield world


def test_a_retraction_puts_everything_back_and_stays_in_the_history(world: World) -> None:
    before = world.issue("stops")
    moved = publish(world, "stops", "some_progress")
    world.later(days=1)
    right = correct(world.context, moved.id, "Dana", f"  {WRONG} ")
    after = world.issue("stops")
    assert (after.status, after.status_since, after.narrative) == (NO, before.status_since, before.narrative)
    assert after.updated_at == world.now
    first, second = world.rows(Transition)
    assert (first.id, second.id) == (moved.id, right.id)
    assert (second.corrects_id, second.proposal_id, second.reason, second.decided_by) == (first.id, None, WRONG, "Dana")
    assert (second.from_status, second.to_status) == (SOME, NO)
    deeds = world.rows(Deed, Deed.what != "changed what is tracked")
    assert [one.what for one in deeds] == ["approved proposal", "published correction"]
    assert violations(world.database) == []


def test_a_correction_says_what_was_said_and_what_is_right_in_answer_to_it(world: World, mail: SmtpSink) -> None:
    world.subscribe("ann@example.org")
    moved = publish(world, "stops", "some_progress")
    world.deliver()
    correct(world.context, moved.id, "Dana", WRONG)
    world.deliver()
    said, right = (parsed(one) for one in mail.mails)
    assert right["Subject"] == "Correction: Stops"
    thread = "<issue-stops@example.org>"
    assert said["In-Reply-To"] == said["References"] == thread, "everything about one issue is a thread"
    assert right["In-Reply-To"] == said["Message-ID"]
    assert str(right["References"]).split() == [thread, said["Message-ID"]]
    assert right["Message-ID"] != said["Message-ID"]
    text = right.get_body(("plain",)).get_content().replace("\r\n", "\n")  # type: ignore[union-attr]
    assert "We said: Some Progress\nRight: No Progress" in text
    assert "We said: “SB 380 was signed by the Governor on July 1, 2019.”" in text
    assert f"What is right. {WRONG}" in " ".join(text.split())
    assert "A maintainer published this correction on June 10, 2025." in " ".join(text.split())


def test_who_was_not_told_what_was_wrong_hears_nothing_of_a_retraction(world: World, mail: SmtpSink) -> None:
    world.subscribe("ann@example.org")
    world.subscribe("bob@example.org", cadence="weekly")
    moved = publish(world, "stops", "some_progress")
    world.deliver()
    correct(world.context, moved.id, "Dana", WRONG)
    world.later(days=8)
    world.deliver()
    assert [one.recipient for one in mail.mails] == ["ann@example.org"] * 2
    spared = next(one for one in world.deliveries() if one.state == "cancelled")
    assert spared.error == "it was corrected before it was sent"


def test_what_is_being_retried_is_not_sent_after_its_retraction(world: World, mail: SmtpSink) -> None:
    mail.script("RCPT", "451 4.3.0 try later", recipient="ann@example.org", times=1)
    world.subscribe("ann@example.org")
    moved = publish(world, "stops", "some_progress")
    assert world.deliver().retrying == 1
    correct(world.context, moved.id, "Dana", WRONG)
    world.later(hours=1)
    world.deliver()
    (one,) = mail.mails  # a server that said no may have taken it all the same: the correction goes out
    assert parsed(one)["Subject"] == "Correction: Stops"
    assert [one.state for one in of(world, "ann@example.org")] == ["cancelled", "sent"]
    assert violations(world.database) == []


def test_a_digest_that_is_being_retried_leaves_without_what_was_corrected(world: World, mail: SmtpSink) -> None:
    mail.script("RCPT", "451 4.3.0 try later", times=1)
    world.subscribe("bob@example.org", cadence="daily")
    moved = publish(world, "stops", "some_progress")
    publish(world, "quotas", "achieved")
    world.later(days=1)
    assert world.deliver().retrying == 1
    correct(world.context, moved.id, "Dana", WRONG)
    world.later(days=2)
    world.deliver()
    assert [one.state for one in of(world, "bob@example.org")] == ["cancelled", "sent", "sent"]
    told = [parsed(one).get_body(("plain",)).get_content() for one in mail.mails]  # type: ignore[union-attr]
    assert len(told) == 2
    assert "Stops" not in told[0]
    assert "We said: Some Progress" in told[1]
    assert violations(world.database) == []


def test_who_waits_for_a_digest_gets_the_corrected_status_alone(world: World, mail: SmtpSink) -> None:
    world.subscribe("bob@example.org", cadence="weekly")
    moved = publish(world, "stops", "some_progress")
    correct(world.context, moved.id, "Dana", "It became law.", status=ACHIEVED)
    world.later(days=8)
    world.deliver()
    (one,) = mail.mails
    assert parsed(one)["Subject"] == "Correction: Stops"
    assert parsed(one)["In-Reply-To"] == "<issue-stops@example.org>", "the issue's thread alone: nothing wrong was sent"


def test_who_was_told_is_told_even_if_they_follow_something_else_by_now(world: World, mail: SmtpSink) -> None:
    world.subscribe("ann@example.org")
    world.subscribe("cat@example.org")
    moved = publish(world, "stops", "some_progress")
    world.deliver()
    world.subscribe("ann@example.org", issues=["quotas"])
    world.monitor("subscribers", "remove", "cat@example.org")
    correct(world.context, moved.id, "Dana", WRONG)
    world.deliver()
    assert [one.recipient for one in mail.mails][2:] == ["ann@example.org"]


def test_a_text_is_corrected_without_the_status(world: World) -> None:
    moved = publish(world, "stops", "some_progress")
    since = world.issue("stops").status_since
    correct(world.context, moved.id, "Dana", "It was signed on July 2.", narrative="SB 380 was signed on July 2, 2019.")
    stops = world.issue("stops")
    assert (stops.status, stops.status_since, stops.narrative) == (SOME, since, "SB 380 was signed on July 2, 2019.")


def since(world: World) -> tuple[str, date | None]:
    stops = world.issue("stops")
    return stops.status, stops.status_since


def test_an_amended_status_holds_since_what_the_wrong_move_told_of(world: World) -> None:
    moved = publish(world, "stops", "some_progress")
    world.later(days=400)
    more = correct(world.context, moved.id, "Dana", "It became law.", status=ACHIEVED)
    assert since(world) == (ACHIEVED, SIGNED)
    back = correct(world.context, more.id, "Dana", WRONG, status=NO)
    assert since(world) == (NO, BEGAN)
    correct(world.context, back.id, "Dana", "It was signed after all.", status=SOME)
    assert since(world) == (SOME, SIGNED)


def of_the_first_schema(world: World) -> None:
    """Every move so far was published before it was written down how an issue stood."""
    with world.database.transaction() as session:
        session.execute(update(Transition).values(since_before=None, updated_before=None))


def test_a_move_of_the_first_schema_is_taken_back_to_the_boards_beginning(world: World) -> None:
    moved = publish(world, "stops", "some_progress")
    of_the_first_schema(world)
    correct(world.context, moved.id, "Dana", WRONG)
    assert since(world) == (NO, BEGAN)


def test_a_move_of_the_first_schema_is_taken_back_to_the_move_before_it(world: World) -> None:
    publish(world, "stops", "some_progress")
    moved = publish(world, "stops", "achieved")
    of_the_first_schema(world)
    correct(world.context, moved.id, "Dana", WRONG)
    assert since(world) == (SOME, SIGNED)


def test_what_was_not_known_before_is_not_known_after(world: World) -> None:
    moved = publish(world, "quotas", "some_progress")
    correct(world.context, moved.id, "Dana", WRONG)
    assert world.issue("quotas").status_since is None


def test_a_correction_needs_a_reason(world: World) -> None:
    moved = publish(world)
    with pytest.raises(Refusal, match="a correction needs a reason"):
        correct(world.context, moved.id, "Dana", " \n")
    assert len(world.rows(Transition)) == 1


def test_a_second_press_corrects_nothing_more(world: World) -> None:
    moved = publish(world)
    first = correct(world.context, moved.id, "Dana", WRONG)
    with pytest.raises(Refusal, match=f"Dana corrected this on June 10, 2025.*number {first.id}"):
        correct(world.context, moved.id, "Lee", WRONG)
    again = correct(world.context, first.id, "Lee", "It was signed after all.")
    assert again.corrects_id == first.id
    assert world.issue("stops").status == SOME


def test_an_older_move_is_not_taken_back_over_a_newer_one(world: World) -> None:
    first = publish(world, "stops", "some_progress")
    publish(world, "stops", "achieved")
    with pytest.raises(Refusal, match="Stops has moved since"):
        correct(world.context, first.id, "Dana", WRONG)
    correct(world.context, first.id, "Dana", "The date was wrong.", narrative="The whole text, right.")
    assert world.issue("stops").status == ACHIEVED


def test_a_correction_of_what_has_moved_since_it_was_read_is_refused(world: World) -> None:
    first = publish(world, "stops", "some_progress")
    seen = world.issue("stops").updated_at
    world.later(minutes=1)
    publish(world, "stops", "achieved")
    with pytest.raises(Refusal, match="Stops has moved since you opened this page"):
        correct(world.context, first.id, "Lee", WRONG, status=NO, narrative="The old text.", seen=seen)
    assert world.issue("stops").status == ACHIEVED


def test_nothing_of_a_correction_leaves_before_its_hold_is_over(world: World, mail: SmtpSink) -> None:
    world.subscribe("ann@example.org")
    moved = publish(world)
    world.deliver()
    correct(world.context, moved.id, "Dana", WRONG, hold=timedelta(minutes=1))
    world.deliver()
    assert len(mail.mails) == 1
    world.later(seconds=61)
    world.deliver()
    assert len(mail.mails) == 2


def test_a_correction_asks_the_same_however_many_wait_for_what_was_wrong(world: World) -> None:
    """PostgreSQL takes 65,535 values a statement, and the write lock is held all the while."""
    asked: list[int] = []
    event.listen(world.database.engine, "before_cursor_execute", lambda *seen: asked.append(_values(seen[3], seen[5])))
    seen = []
    for readers in (3, 900):  # both are read in one go
        people = [f"reader{number}@example.org" for number in range(readers)]
        weekly = choose(world.config, cadence="weekly")
        subscribe(world.context, [wish(world.config, one, "email", weekly) for one in people])
        moved = publish(world)
        asked.clear()
        correct(world.context, moved.id, "Dana", WRONG)
        seen.append(list(asked))
        waited = [one.state for one in world.deliveries() if one.transition_id == moved.id]
        assert waited == ["cancelled"] * readers
    few, many = seen
    assert many == few


def _values(parameters: object, many: bool) -> int:
    """How many values one statement has; rows written together are counted one by one."""
    return 0 if many or not isinstance(parameters, (Sequence, Mapping)) else len(parameters)


def test_an_unknown_number_says_where_to_look(world: World) -> None:
    with pytest.raises(Refusal, match="nothing was published under the number 99; `monitor history ISSUE`"):
        correct(world.context, 99, "Dana", WRONG)


def test_what_was_corrected_is_not_undone(world: World) -> None:
    number = propose(world)
    moved = world.approve(number)
    assert moved is not None
    correct(world.context, moved.id, "Dana", WRONG)
    with pytest.raises(Refusal, match="another change of Stops was published meanwhile"):
        undo(world.context, number, "Dana")


def test_the_command_corrects_the_last_move(world: World) -> None:
    moved = publish(world)
    said = world.monitor("proposals", "correct", "stops", "--reason", WRONG, "--by", "Dana", "--json").stdout
    assert json.loads(said)["corrects"] == moved.id
    history = world.monitor("history", "stops").stdout
    assert f"Correction of move {moved.id}: {WRONG}" in history
    refused = world.monitor("proposals", "correct", "quotas", "--reason", WRONG, code=1)
    assert "nothing has been published for 'quotas'" in refused.stderr
