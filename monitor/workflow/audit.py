"""The audit log: who did what, each line sealed to the one before it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session

from monitor.store import audit
from monitor.store.schema_desk import Deed
from monitor.workflow.context import Context

#: What the first line is sealed to.
NOTHING = "0" * 64


def append(session: Session, who: str, what: str, about: str, detail: Mapping[str, Any], now: datetime) -> Deed:
    """Add a line inside the caller's transaction: it stands exactly if what it tells of was done.

    ``about`` names the thing ("proposal 12", "maintainer Dana"); ``detail`` is what JSON can hold, no secrets.
    """
    last = audit.newest(session)
    row = Deed(
        id=last.id + 1 if last is not None else 1,
        at=now,
        who=who,
        what=what,
        about=about,
        detail=json.loads(json.dumps(dict(detail))),
        previous=last.digest if last is not None else NOTHING,
    )
    row.digest = digest(row)
    session.add(row)
    session.flush()
    return row


def digest(row: Deed) -> str:
    """SHA-256 of the line as canonical JSON, with the digest of the line before it."""
    line = {
        "id": row.id,
        "at": row.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "who": row.who,
        "what": row.what,
        "about": row.about,
        "detail": row.detail,
        "previous": row.previous,
    }
    written = json.dumps(line, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(written.encode("ascii")).hexdigest()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What reading the log found. ``head`` is the newest digest; ``line`` and ``problem`` name the first break."""

    lines: int
    head: str
    line: int | None = None
    problem: str = ""

    @property
    def is_whole(self) -> bool:
        return not self.problem


def verify(context: Context, heads: Collection[str] = ()) -> Verdict:
    """Read every line and compute its digest anew.

    A changed, inserted, moved or missing line breaks the chain where it stands. Lines cut off the end, or a log
    written anew from some line on, show only against digests noted elsewhere: ``heads``, all of which must be found.
    """
    count, previous = 0, NOTHING
    missing = dict.fromkeys(heads)
    with context.database.reading() as session:
        for number, row in audit.every(session):
            problem = _break(number, row, count, previous)
            if problem or row is None:
                return Verdict(count, previous, count + 1, problem)
            count, previous = number, row.digest
            missing.pop(previous, None)
    if missing:
        noted = next(iter(missing))
        why = f"the line with the digest {noted}, noted earlier, is gone: lines were cut off or written anew"
        return Verdict(count, previous, None, why)
    return Verdict(count, previous)


def _break(number: int, row: Deed | None, count: int, previous: str) -> str:
    """What is wrong with the line that should be the one after ``count``; empty when nothing is."""
    if number != count + 1:
        return f"line {count + 1} is missing; the next is line {number}"
    if row is None or row.digest != digest(row):
        return f"line {number} was changed: its digest is of other words"
    if row.previous != previous:
        return f"line {number} does not follow line {count}: one of them was written anew"
    return ""
