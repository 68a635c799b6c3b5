"""Slips: what was taken is known after any crash, and two processes do not mix theirs up."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import update

from monitor.model.messaging import Choice, DeliveryState
from monitor.store.schema import Delivery
from monitor.store.slips import SLOTS, InUseError, Slips
from monitor.workflow.subscribe import subscribe, wish
from tests.pipeline import World
from tests.smtp_sink import SmtpSink
from tests.telling import parsed, publish, told_world


def keys(count: int) -> list[str]:
    return [uuid.uuid4().hex for _ in range(count)]


def test_what_was_noted_is_found_by_the_next(tmp_path: Path) -> None:
    some = keys(3)
    with Slips(tmp_path / "x-sent") as slips:
        assert slips.found() == []
        for key in some:
            slips.note([key])
    with Slips(tmp_path / "x-sent") as slips:
        assert slips.found() == some
        slips.wipe()
        assert slips.found() == []
    with Slips(tmp_path / "x-sent") as slips:
        assert slips.found() == []


def test_what_was_noted_before_a_kill_is_found(tmp_path: Path) -> None:
    script = (
        "import os, signal, sys; from pathlib import Path; from monitor.store.slips import Slips;"
        "slips = Slips(Path(sys.argv[1])); slips.note(['a' * 32]); slips.note(['b' * 32]);"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    path = tmp_path / "x-sent"
    done = subprocess.run([sys.executable, "-c", script, str(path)], cwd=Path(__file__).parent.parent, check=False)
    assert done.returncode == -9
    with Slips(path) as slips:
        assert slips.found() == ["a" * 32, "b" * 32]


def test_the_file_never_grows_and_is_ours_alone(tmp_path: Path) -> None:
    path = tmp_path / "x-sent"
    with Slips(path) as slips:
        size = path.stat().st_size
        assert slips.note(keys(SLOTS))
        assert not slips.note(keys(1)), "full"
        some = slips.found()[:2]
        slips.clear(some)
        assert slips.note(keys(1))
        assert len(slips.found()) == SLOTS - 1
        assert not set(some) & set(slips.found())
    assert path.stat().st_size == size == SLOTS * 32
    assert path.stat().st_mode & 0o077 == 0


def test_a_second_process_does_not_get_in(tmp_path: Path) -> None:
    with Slips(tmp_path / "x-sent") as slips:
        slips.note(keys(1))
        with pytest.raises(InUseError):
            Slips(tmp_path / "x-sent")
        assert len(slips.found()) == 1
    Slips(tmp_path / "x-sent").close()


def test_nothing_stays_open_after_a_refusal(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208  # no folder of ours
    with Slips(tmp_path / "x-sent"):
        for _ in range(20):
            with pytest.raises(InUseError):
                Slips(tmp_path / "x-sent")
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


@pytest.mark.parametrize("content", [b"", b"\x00" * 10, b"\xff" * 64, b"\x00" * SLOTS * 32, b"rubbish" * 1000])
def test_a_file_of_any_content_is_read(tmp_path: Path, content: bytes) -> None:
    """A slip is written whole or not at all; whatever else stands there is nobody's key."""
    path = tmp_path / "x-sent"
    path.write_bytes(content)
    with Slips(path) as slips:
        assert all(len(key) <= 32 for key in slips.found())
        slips.wipe()
        slips.note(["a" * 32])
        assert slips.found() == ["a" * 32]


def test_a_folder_that_is_not_there_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Slips(tmp_path / "none" / "x-sent")


# --- in a pass --------------------------------------------------------------------------------------------------------


@pytest.fixture
def mail() -> Iterator[SmtpSink]:
    with SmtpSink() as sink:
        yield sink


@pytest.fixture
def world(tmp_path: Path, mail: SmtpSink) -> Iterator[World]:
    with told_world(tmp_path, mail) as world:
        for number in range(8):
            world.subscribe(f"reader{number}@example.org")
        publish(world)
        yield world


def killed(world: World, point: str) -> None:
    """A pass of another process that dies there."""
    world.environ["MONITOR_KILL_AT"] = point
    assert world.process("deliver", code=None).returncode == -9
    del world.environ["MONITOR_KILL_AT"]


def states(world: World) -> Counter[str]:
    return Counter(one.state for one in world.deliveries())


@pytest.mark.parametrize(
    ("point", "taken", "known", "copies"),
    [
        ("after_send_before_mark:3", 3, 2, 9),  # the third was taken, and nobody knows
        ("before_send:4", 3, 2, 9),  # the mark waits for the next message to be on its way
        ("before_mark_commit:1", 8, 8, 8),
        ("after_mark_commit:1", 8, 8, 8),
    ],
)
def test_a_pass_that_dies_repeats_one_message_at_most(
    world: World, mail: SmtpSink, point: str, taken: int, known: int, copies: int
) -> None:
    killed(world, point)
    assert len(mail.mails) == taken
    world.deliver()
    assert states(world)["sent"] == known, "what the slips say is told at once"
    assert len(mail.mails) == taken, "and the others wait for the lease of the dead"
    world.later(minutes=3)
    world.deliver()
    assert states(world) == {"sent": 8}
    ids = [parsed(one)["Message-ID"] for one in mail.mails]
    assert (len(ids), len(set(ids))) == (copies, 8), "a repeat has the same Message-ID"
    world.later(days=1)
    assert world.deliver().sent == 0


def test_another_process_at_the_same_time_marks_without_slips(world: World, mail: SmtpSink) -> None:
    with Slips(world.folder / "monitor.sqlite3-sent") as theirs:
        theirs.note(["a" * 32])
        assert world.deliver().sent == 8
        assert states(world) == {"sent": 8}
        assert theirs.found() == ["a" * 32]
    assert len(mail.mails) == 8


def test_slips_that_speak_of_nothing_here_change_nothing(world: World, mail: SmtpSink) -> None:
    """As after the database was made anew, or restored from before they were written."""
    with Slips(world.folder / "monitor.sqlite3-sent") as slips:
        for key in keys(5):
            slips.note([key])
    assert world.deliver().sent == 8
    with Slips(world.folder / "monitor.sqlite3-sent") as slips:
        assert slips.found() == []


def test_what_was_cancelled_meanwhile_stays_cancelled(world: World, mail: SmtpSink) -> None:
    killed(world, "after_send_before_mark:2")
    with world.database.transaction() as session:
        session.execute(update(Delivery).values(state=DeliveryState.CANCELLED))
    world.deliver()
    assert states(world) == {"cancelled": 8}


def test_more_messages_than_there_are_slips(world: World, mail: SmtpSink) -> None:
    more = [wish(world.config, f"more{number}@example.org", "email", Choice()) for number in range(300)]
    subscribe(world.context, more)
    publish(world, "quotas")
    assert world.deliver().sent == 308, "who waits for two changes gets one message"
    assert states(world) == {"sent": 316}
