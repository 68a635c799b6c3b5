"""Slips: what was taken is known after any crash, and two processes do not mix theirs up."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from monitor.store.slips import SLOTS, InUseError, Slips


def keys(count: int) -> list[str]:
    return [uuid.uuid4().hex for _ in range(count)]


def test_what_was_noted_is_found_by_the_next(tmp_path: Path) -> None:
    some = keys(3)
    with Slips(tmp_path / "x-sent") as slips:
        assert slips.found() == []
        for key in some:
            slips.note(key)
    with Slips(tmp_path / "x-sent") as slips:
        assert slips.found() == some
        slips.clear()
        assert slips.found() == []
    with Slips(tmp_path / "x-sent") as slips:
        assert slips.found() == []


def test_what_was_noted_before_a_kill_is_found(tmp_path: Path) -> None:
    script = (
        "import os, signal, sys; from pathlib import Path; from monitor.store.slips import Slips;"
        "slips = Slips(Path(sys.argv[1])); slips.note('a' * 32); slips.note('b' * 32);"
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
        for key in keys(SLOTS):
            slips.note(key)
        with pytest.raises(ValueError, match="full"):
            slips.note(keys(1)[0])
        slips.clear()
        slips.note(keys(1)[0])
    assert path.stat().st_size == size == SLOTS * 32
    assert path.stat().st_mode & 0o077 == 0


def test_a_second_process_does_not_get_in(tmp_path: Path) -> None:
    with Slips(tmp_path / "x-sent") as slips:
        slips.note(keys(1)[0])
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
        slips.clear()
        slips.note("a" * 32)
        assert slips.found() == ["a" * 32]


def test_a_folder_that_is_not_there_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Slips(tmp_path / "none" / "x-sent")
