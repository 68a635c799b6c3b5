"""Every public page as a file, for any static host: the app answers itself, and its links become relative."""

from __future__ import annotations

import ctypes
import os
import shutil
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from flask import Flask
from flask.testing import FlaskClient

from monitor.web.app import create_app
from monitor.web.files import addresses, file_of, relinked
from monitor.workflow.context import Context
from monitor.workflow.review import Refusal

#: Stands in every folder we made: no other one is ever replaced.
MARK = ".legislative-monitor-copy"

#: Pages that no page of the copy links to by a path of its own.
_SEEDS = ("/", "/embed", "/board.json", "/feed.atom", "/hearings.ics")

#: One saved page may be damaged, or go while the copy is made; the board is more than its proof.
_LOST_CODES = (404, 410)
_LOST = b"This saved page is no longer kept whole. The page that cites it links to the official record.\n"


@dataclass(frozen=True, slots=True)
class Copy:
    """What was written."""

    folder: Path
    files: int
    size: int
    #: Addresses of saved pages that are not kept whole: a note stands in the place of each.
    lost: tuple[str, ...]


def export(context: Context, folder: Path) -> Copy:
    """Write the copy beside ``folder`` and put it in its place at once; a note stands for a damaged saved page.

    Raises Refusal when ``folder`` holds something else, or a page cannot be made; nothing is changed then.
    """
    _refuse_others(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = folder.with_name(f".{folder.name}.new-{os.getpid()}")
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        copy = _write(context, fresh, folder)
        _replace(fresh, folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return copy


def _refuse_others(folder: Path) -> None:
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise Refusal(f"{folder} is not a folder. Nothing was changed.")
    if folder.exists() and any(folder.iterdir()) and not (folder / MARK).exists():
        raise Refusal(f"{folder} holds files that `monitor publish` did not write; name another. Nothing was changed.")


def _write(context: Context, fresh: Path, folder: Path) -> Copy:
    app = create_app(context)
    app.config["EXPORTED"] = True
    fresh.mkdir(mode=0o755)
    fresh.chmod(0o755)
    files = size = 0
    lost: list[str] = []
    for address, body in _pages(app):
        path = fresh / file_of(address)
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        path.write_bytes(body)
        files, size = files + 1, size + len(body)
        if body is _LOST:
            lost.append(address)
    (fresh / MARK).write_text("Written by `monitor publish`, which replaces this folder.\n", encoding="utf-8")
    _open_to_readers(fresh)
    return Copy(folder, files, size, tuple(lost))


def _open_to_readers(fresh: Path) -> None:
    """The web server reads them as another user; the service's own umask lets nobody."""
    for path in fresh.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)


def _pages(app: Flask) -> Iterator[tuple[str, bytes]]:
    """Each address once, with its body as it stands in the copy; every link is followed."""
    client = app.test_client()
    waiting, seen = deque(_SEEDS), set(_SEEDS)
    while waiting:
        address = waiting.popleft()
        body, linked = _page(client, address)
        yield address, body
        for found in linked:
            if found not in seen:
                seen.add(found)
                waiting.append(found)


def _page(client: FlaskClient, address: str) -> tuple[bytes, list[str]]:
    with client.get(address) as response:
        if address.startswith("/archive/") and response.status_code in _LOST_CODES:
            return _LOST, []
        if response.status_code != 200:
            raise Refusal(f"the page {address} cannot be made (HTTP {response.status_code}). Nothing was changed.")
        if response.mimetype != "text/html":
            return response.data, []
        text = response.get_data(as_text=True)
    embeds = [address.replace("/issues/", "/embed/")] if address.count("/") == 2 and "/issues/" in address else []
    return relinked(text, address).encode(), [*addresses(text), *embeds]


# ------------------------------------------------------------------ the swap

_AT_FDCWD, _EXCHANGE = -100, 2


def _replace(fresh: Path, folder: Path) -> None:
    """Put ``fresh`` where ``folder`` is: at once where the system can, else with a moment between two renames."""
    if not folder.exists():
        fresh.rename(folder)
    elif not _exchanged(fresh, folder):
        old = folder.with_name(f"{fresh.name}-old")
        folder.rename(old)
        fresh.rename(folder)
        shutil.rmtree(old)


def _exchanged(one: Path, other: Path) -> bool:
    """Linux swaps two folders in one step; False where that is not known."""
    call = getattr(ctypes.CDLL(None), "renameat2", None)
    return call is not None and call(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _EXCHANGE) == 0
