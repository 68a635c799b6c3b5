"""Published moves in words and, for one issue, as a line over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from monitor.interpret.sentences import plain_day
from monitor.model.tracking import Status
from monitor.store import bills
from monitor.store.schema import Bill, Evidence, Transition
from monitor.web import words
from monitor.web.links import Linker, Piece, safe
from monitor.web.words import When


@dataclass(frozen=True, slots=True)
class Proof:
    """A row as the source wrote it. ``sha256`` names the saved page, "" if there is none."""

    day: str
    quote: str
    official: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Move:
    """One published move. ``on`` is the day of what happened, ``published`` when the board said so."""

    id: int
    issue_id: str
    issue: str
    before: Status
    after: Status
    reason: tuple[Piece, ...]
    on: When
    published: When
    at: datetime
    proofs: tuple[Proof, ...]
    corrects: int | None
    corrects_on: str
    corrected_by: int | None
    corrected_on: str
    corrected_because: tuple[Piece, ...]
    text_before: str
    text_after: str

    @property
    def moved(self) -> bool:
        return self.before is not self.after

    @property
    def sentence(self) -> str:
        return "".join(piece.text for piece in self.reason)

    @property
    def is_text_changed(self) -> bool:
        return self.text_before != self.text_after


def read_moves(session: Session, rows: Sequence[Transition], linker: Linker) -> tuple[Move, ...]:
    """The moves, in the order given. A correction and what it corrects name each other."""
    named = bills.of_ids(session, {row.bill_id for row in rows if row.bill_id})
    corrected = {row.corrects_id: row for row in reversed(rows) if row.corrects_id is not None}
    by_id = {row.id: row for row in rows}
    return tuple(_move(row, linker, named, by_id.get(row.corrects_id or 0), corrected.get(row.id)) for row in rows)


def _move(
    row: Transition, linker: Linker, named: Mapping[int, Bill], earlier: Transition | None, later: Transition | None
) -> Move:
    evidence = row.proposal.evidence if row.proposal is not None else []
    happened = max((one.action_date for one in evidence if one.action_date is not None), default=words.day(row.at))
    day = words.day(row.at) if row.corrects_id is not None else happened
    bill = named.get(row.bill_id or 0)
    official = linker.official(bill.key) if bill is not None else ""
    return Move(
        id=row.id,
        issue_id=row.issue_id,
        issue=row.issue.name,
        before=Status(row.from_status),
        after=Status(row.to_status),
        reason=linker.pieces(row.reason, row.issue_id),
        on=words.on(day),
        published=words.at(row.at),
        at=max(row.at, later.at) if later is not None else row.at,
        proofs=tuple(_proof(one, official) for one in evidence[:5]),
        corrects=row.corrects_id,
        corrects_on=plain_day(words.day(earlier.at)) if earlier is not None else "",
        corrected_by=later.id if later is not None else None,
        corrected_on=plain_day(words.day(later.at)) if later is not None else "",
        corrected_because=linker.pieces(later.reason, row.issue_id) if later is not None else (),
        text_before=row.narrative_before,
        text_after=row.narrative_after,
    )


def _proof(one: Evidence, official: str) -> Proof:
    day = f"{one.action_date.month}/{one.action_date.day}/{one.action_date.year}" if one.action_date else ""
    return Proof(day, one.quote, official or safe(one.url), one.snapshot_sha256 or "")


# ------------------------------------------------------------------ the line

_LEFT, _RIGHT = 190, 930
_HEIGHT = {Status.ACHIEVED: 40, Status.SOME_PROGRESS: 100, Status.NO_PROGRESS: 160}
#: Between two marks: their dates must not run into each other.
_LEAST = 120
_MOST = 6


@dataclass(frozen=True, slots=True)
class Point:
    """A mark on the line: ``status`` for a move; None for a text that changed, a mere stroke."""

    x: int
    y: int
    words: str
    status: Status | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """The status over time as one path with its marks; ``label`` says the same in words."""

    path: str
    points: tuple[Point, ...]
    label: str
    levels: tuple[tuple[str, int], ...] = tuple((one.label, height) for one, height in _HEIGHT.items())


def draw(moves: Sequence[Move]) -> Line | None:
    """The line of an issue's moves (newest first, as they are listed); None while nothing ever moved."""
    shown = [move for move in reversed(moves) if move.moved or move.is_text_changed][-_MOST:]
    if not any(move.moved for move in shown):
        return None
    step = max(_LEAST, (_RIGHT - _LEFT - 80) // (len(shown) + 1))
    first = shown[0].before
    points = [Point(_LEFT, _HEIGHT[first], "before", first)]
    for number, move in enumerate(shown, 1):
        note = "" if move.moved else ("corrected" if move.corrects else "text changed")
        x = min(_LEFT + number * step, _RIGHT - 40)
        points.append(Point(x, _HEIGHT[move.after], move.on.words, move.after if move.moved else None, note))
    path = f"M{_LEFT} {_HEIGHT[first]}" + "".join(f"H{point.x}V{point.y}" for point in points[1:]) + f"H{_RIGHT}"
    return Line(path, tuple(points), _label(first, shown))


def _label(first: Status, shown: Sequence[Move]) -> str:
    said = [f"{first.label} before {shown[0].on.words}"]
    said += [f"{move.after.label} from {move.on.words}" for move in shown if move.moved]
    return f"Status over time: {'; '.join(said)} to today. The same facts are listed below."
