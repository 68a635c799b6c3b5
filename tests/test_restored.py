"""A restored backup does not send old messages again, and an ordinary life makes nobody cry wolf."""

from __future__ import annotations

import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from monitor.model.messaging import DeliveryState
from monitor.store.schema import Delivery, Subscription, Transition
from monitor.workflow import restored
from monitor.workflow.correct import correct
from tests.pipeline import World
from tests.slack_sink import SlackSink
from tests.smtp_sink import SmtpSink
from tests.telling import publish, told, told_world

ANN, BOB = "ann@example.org", "bob@example.org"


@pytest.fixture
def mail() -> Iterator[SmtpSink]:
    with SmtpSink() as sink:
        yield sink


@pytest.fixture
def slack() -> Iterator[SlackSink]:
    with SlackSink() as sink:
        yield sink


@pytest.fixture
def world(tmp_path: Path, mail: SmtpSink, slack: SlackSink) -> Iterator[World]:
    """Ann has been told something, and something else waits for her and Bob."""
    with told_world(tmp_path / "here", mail, slack) as world:
        world.subscribe(ANN)
        publish(world)
        world.deliver()
        world.subscribe(BOB)
        publish(world, "quotas")
        yield world


def file_of(world: World) -> Path:
    assert world.database.file is not None
    return world.database.file


def ours(world: World, target: Path) -> None:
    world.database.backup(target)


def anybodys(world: World, target: Path) -> None:
    """A whole copy made by a tool that knows nothing of us."""
    with sqlite3.connect(file_of(world)) as connection:
        connection.execute("VACUUM INTO ?", (str(target),))
    connection.close()


def put_over(world: World, copy: Path) -> None:
    """`cp backup monitor.sqlite3`, which keeps the file and whatever lies beside it."""
    world.database.close()
    shutil.copyfile(copy, file_of(world))


def moved_in(world: World, copy: Path) -> None:
    """As on a new machine: another file, and nothing beside it."""
    world.database.close()
    for old in file_of(world).parent.glob("monitor.sqlite3*"):
        old.unlink()
    copy.rename(file_of(world))


def states(world: World) -> Counter[str]:
    return Counter(one.state for one in world.deliveries(Delivery.recipient.startswith("subscription:")))


@pytest.mark.parametrize("back_up", [ours, anybodys])
@pytest.mark.parametrize("restore", [put_over, moved_in])
def test_what_a_restored_database_had_queued_is_held_and_told_of_once(
    world: World,
    mail: SmtpSink,
    slack: SlackSink,
    tmp_path: Path,
    back_up: Callable[[World, Path], None],
    restore: Callable[[World, Path], None],
) -> None:
    back_up(world, tmp_path / "backup")
    world.deliver()
    assert sorted(told(mail)) == [ANN, ANN, BOB]
    restore(world, tmp_path / "backup")
    for _ in range(3):
        assert world.deliver().held == 2
        world.later(hours=1)
    assert len(mail.mails) == 3, "nobody hears it twice"
    (notice,) = slack.posts
    assert "2 messages to subscribers are held" in notice.json["text"]
    assert "monitor deliver --resume" in notice.body.decode()
    publish(world, "stops")
    assert world.deliver().sent == 2
    assert sorted(told(mail)[3:]) == [ANN, BOB], "what is new goes out meanwhile"


def test_what_is_held_is_sent_when_a_person_says_so(world: World, mail: SmtpSink, tmp_path: Path) -> None:
    anybodys(world, tmp_path / "backup")
    put_over(world, tmp_path / "backup")
    assert world.deliver().sent == 2, "nothing has been sent since that copy was made"
    world.later(minutes=1)
    put_over(world, tmp_path / "backup")
    assert world.deliver().held == 2
    said = world.monitor("deliver").stdout
    assert "2 held" in said
    assert "--resume" in said
    assert "warn" in (found := world.monitor("doctor", "--offline", code=None).stdout)
    assert "2 messages to subscribers are held" in " ".join(found.split())
    assert "2 sent" in world.monitor("deliver", "--resume").stdout
    assert sorted(told(mail)) == [ANN, ANN, ANN, BOB, BOB]
    assert len({one.data for one in mail.mails[1:]}) == 2, "the same messages, by the same Message-ID"


def test_what_is_corrected_while_it_is_held_is_not_sent_after_its_correction(
    world: World, mail: SmtpSink, tmp_path: Path
) -> None:
    anybodys(world, tmp_path / "backup")
    world.deliver()
    put_over(world, tmp_path / "backup")
    assert world.deliver().held == 2
    (wrong,) = world.rows(Transition, Transition.issue_id == "quotas")
    correct(world.context, wrong.id, "Alex Example", "Nothing was signed.")
    assert world.deliver().sent == 2, "both may have been told what was wrong"
    assert restored.resume(world.context) == 0
    assert world.deliver().sent == 0


def test_a_link_of_a_reader_who_is_lost_with_the_newer_state_opens_nobody_elses_page(
    world: World, tmp_path: Path
) -> None:
    anybodys(world, tmp_path / "backup")
    world.subscribe("lost@example.org")
    (lost,) = world.rows(Subscription, Subscription.address == "lost@example.org")
    world.deliver()
    put_over(world, tmp_path / "backup")
    world.deliver()
    world.subscribe("new@example.org")
    (new,) = world.rows(Subscription, Subscription.address == "new@example.org")
    assert new.id > lost.id


def test_what_is_held_is_dropped_when_a_person_says_so(world: World, mail: SmtpSink, tmp_path: Path) -> None:
    ours(world, tmp_path / "backup")
    put_over(world, tmp_path / "backup")
    assert "2 that were held are dropped" in world.monitor("deliver", "--forget").stdout
    assert states(world) == {"sent": 1, "cancelled": 2}
    assert told(mail) == [ANN]
    assert world.monitor("deliver", "--forget", "--resume", code=2).stdout == ""


def test_what_was_on_its_way_when_the_copy_was_made_is_held_too(world: World, mail: SmtpSink, tmp_path: Path) -> None:
    with world.database.transaction() as session:
        session.execute(text("UPDATE deliveries SET state = 'sending', attempts = 1 WHERE state = 'pending'"))
    ours(world, tmp_path / "backup")
    moved_in(world, tmp_path / "backup")
    assert world.deliver().held == 2
    world.later(hours=1)
    publish(world, "stops")
    assert world.deliver().sent == 2, "and keeps nothing new waiting"


def test_restarts_upgrades_and_a_second_process_hold_nothing(world: World, mail: SmtpSink) -> None:
    for _ in range(3):
        world.database.close()
        assert "held" not in world.monitor("deliver").stdout
        world.monitor("db", "upgrade")
        publish(world)
        assert world.deliver().held == 0
    assert states(world) == {"sent": 9}


def test_an_empty_outbox_is_restored_without_a_word(world: World, slack: SlackSink, tmp_path: Path) -> None:
    world.deliver()
    ours(world, tmp_path / "backup")
    moved_in(world, tmp_path / "backup")
    assert world.deliver().held == 0
    assert slack.posts == []


def test_a_folder_moved_whole_asks_for_nothing(world: World, mail: SmtpSink, tmp_path: Path) -> None:
    inode = file_of(world).stat().st_ino
    world.database.close()
    world.folder.rename(tmp_path / "there")
    (tmp_path / "there").rename(world.folder)
    assert file_of(world).stat().st_ino == inode
    assert world.deliver().sent == 2


@pytest.mark.needs_postgres
def test_a_dump_that_was_restored_is_held(tmp_path: Path, mail: SmtpSink, postgres_url: str) -> None:
    with told_world(tmp_path, mail, database_url=postgres_url) as world:
        world.subscribe(ANN)
        publish(world)
        assert world.deliver().sent == 1
        publish(world, "quotas")
        world.database.close()
        assert restored.look(world.context) == 0
        with world.database.transaction() as session:
            # What `pg_restore --clean` leaves: tables of the same name and content.
            for statement in (
                "ALTER TABLE places RENAME TO dumped",
                "ALTER TABLE dumped RENAME CONSTRAINT pk_places TO pk_dumped",
                "CREATE TABLE places (LIKE dumped INCLUDING ALL)",
                "INSERT INTO places SELECT * FROM dumped",
            ):
                session.execute(text(statement))
        assert (world.deliver().held, told(mail)) == (1, [ANN])
        assert restored.resume(world.context) == 1
        assert world.deliver().sent == 1
        assert {one.state for one in world.deliveries()} == {DeliveryState.SENT}
