"""Slips: which messages their provider has taken, on disk before the database is told.

A commit in SQLite's safe mode costs four syncs of the disk, a slip one. A pass notes every message on a slip as it is
taken and tells the database of all of them together; whatever a crash leaves on the slips, the next pass tells it.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Collection
from pathlib import Path
from threading import Lock
from typing import Self

#: A delivery's id, which is the key of its message. A slip lies within one sector, so it is written whole or not.
_LENGTH = 32

#: How many messages may be noted before the database is told.
SLOTS = 256


class InUseError(Exception):
    """Another process is noting its messages there."""


def peek(path: Path) -> list[str]:
    """What whoever holds the slips has noted so far."""
    return _keys(path.read_bytes()[: SLOTS * _LENGTH])


def _keys(held: bytes) -> list[str]:
    slots = (held[start : start + _LENGTH] for start in range(0, len(held), _LENGTH))
    return [slot.decode("ascii", "replace") for slot in slots if slot.strip(b"\0")]


class Slips:
    """A file of its own size from the beginning, so that a note syncs one block and nothing about the file.

    Only one process holds it; opening it while another does raises InUseError.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(self._file).st_size < SLOTS * _LENGTH:
                self._lay_out(path.absolute().parent)
        except BlockingIOError:
            os.close(self._file)
            raise InUseError(f"{path} is in use") from None
        except BaseException:
            os.close(self._file)
            raise
        self._free = list(reversed(range(SLOTS)))
        self._used: dict[str, int] = {}
        self._lock = Lock()

    def _lay_out(self, folder: Path) -> None:
        os.pwrite(self._file, bytes(SLOTS * _LENGTH), 0)
        os.fsync(self._file)
        parent = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(parent)
        finally:
            os.close(parent)

    def found(self) -> list[str]:
        """The keys a crash has left here."""
        return _keys(os.pread(self._file, SLOTS * _LENGTH, 0))

    def note(self, keys: Collection[str]) -> bool:
        """True once they are all on disk; False, and none noted, if there are not as many free: tell the database."""
        with self._lock:
            if len(keys) > len(self._free):
                return False
            slots = {key: self._free.pop() for key in keys}
            self._used |= slots
        for key, slot in slots.items():
            os.pwrite(self._file, key.encode("ascii").ljust(_LENGTH, b"\0")[:_LENGTH], slot * _LENGTH)
        os.fdatasync(self._file)
        return True

    def clear(self, keys: Collection[str]) -> None:
        """The database knows of these. Not synced: a key that comes back tells nothing new."""
        for key in keys:
            slot = self._used.pop(key)
            os.pwrite(self._file, bytes(_LENGTH), slot * _LENGTH)
            with self._lock:
                self._free.append(slot)

    def wipe(self) -> None:
        """The database knows of all that a crash has left here."""
        os.pwrite(self._file, bytes(SLOTS * _LENGTH), 0)

    def close(self) -> None:
        os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
