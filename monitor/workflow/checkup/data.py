"""The database and the disk it is on."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from monitor.store import migrations
from monitor.store.database import Database
from monitor.workflow.checkup.finding import Finding, Patient, bad, good, warn

_GB = 1_000_000_000
_LEAST_FREE = _GB
_LEAST_SHARE = 0.10
_NOTHING_LEFT = _GB // 10


def schema(database: Database) -> Iterator[Finding]:
    """Whether the database is there, answers, and is at this program's version."""
    shown = database.url.render_as_string(hide_password=True)
    file = database.file
    if file is not None and not file.exists():
        yield bad("database", f"there is none at {file} yet", "Run: monitor db upgrade, then monitor sync")
        return
    try:
        migrations.require(database)
    except migrations.SchemaMismatch as error:
        said, _, advice = str(error).partition("; ")
        yield bad("schema", said, f"{advice[:1].upper()}{advice[1:]}." if advice else "See the sentence before.")
    except SQLAlchemyError as error:
        said = f"{shown} does not answer: {str(getattr(error, 'orig', error)).strip()}"
        yield bad("database", said, "Check that the server runs, that the file is ours, and MONITOR_DATABASE_URL.")
    else:
        yield good("database", f"{shown} answers")
        yield good("schema", f"version {migrations.head()}, as this program needs it")


def soundness(patient: Patient) -> Iterator[Finding]:
    """What the engine itself finds wrong."""
    problems = patient.database.problems(quick=True)
    for line in problems[:5]:
        yield bad("stored data", line, "Stop the service and restore a backup; `monitor db check` looks closer.")
    if not problems:
        yield good("stored data", "the engine finds nothing wrong")


def permissions(patient: Patient) -> Iterator[Finding]:
    """Subscribers' addresses stand in the file: others on this machine need not read them."""
    file = patient.database.file
    if file is None:
        return
    mode = stat.S_IMODE(file.stat().st_mode)
    if mode & (stat.S_IROTH | stat.S_IWOTH):
        said = f"{file} can be read by everybody on this machine (mode {mode:o}); it holds subscribers' addresses"
        yield warn("database file", said, f"Run: chmod 600 {file}")
    elif not os.access(file, os.W_OK) or not os.access(file.absolute().parent, os.W_OK):
        said = f"we may not write to {file} or its folder, where SQLite keeps its journal"
        yield bad("database file", said, "Give file and folder to the user the service runs as.")
    else:
        yield good("database file", f"{file} is ours alone (mode {mode:o})")


def disk(patient: Patient) -> Iterator[Finding]:
    """Room where the database is, or else where the program runs."""
    file = patient.database.file
    wanted = file.absolute() if file is not None else Path.cwd() / "anything"
    folder = next(parent for parent in wanted.parents if parent.is_dir())
    usage = shutil.disk_usage(folder)
    said = f"{usage.free / _GB:.1f} GB free at {folder} ({usage.free / usage.total:.0%})"
    advice = "Make room, or shorten `retention` in config.yaml."
    if usage.free < _NOTHING_LEFT:
        yield bad("disk", said, advice)
    elif usage.free < _LEAST_FREE or usage.free / usage.total < _LEAST_SHARE:
        yield warn("disk", said, advice)
    else:
        yield good("disk", said)
