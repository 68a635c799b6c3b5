"""The edits of config.yaml that the desk offers: their fields, and what each does to the text."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from monitor.config.edit import EditError, File, add_issue, add_watch, change_watch, remove_watch, rename_issue
from monitor.model.tracking import Direction, Effect, Status

Values = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Question:
    """One field of a form. ``choices`` are values with their words; ``rows`` make it a longer text."""

    name: str
    label: str
    hint: str = ""
    choices: tuple[tuple[str, str], ...] = ()
    rows: int = 1


@dataclass(frozen=True, slots=True)
class Edit:
    """One kind of edit. ``about`` names the field that says what is edited; it is not asked for."""

    title: str
    about: str
    questions: tuple[Question, ...]
    apply: Callable[[File, Values], str]

    @property
    def fields(self) -> tuple[str, ...]:
        return (self.about, *(one.name for one in self.questions))


DIRECTIONS = (
    (Direction.ADVANCES.value, "Advances this issue"),
    (Direction.REVERSES.value, "Would undo this"),
)
EFFECTS = (
    (Effect.NONE.value, "None: a person reads it and rewrites the text at most"),
    (Effect.SOME_PROGRESS.value, "Some Progress"),
    (Effect.ACHIEVED.value, "Legislation Achieved"),
    (Effect.NO_PROGRESS.value, "No Progress"),
)
KINDS = (
    ("bill", "A bill"),
    ("documents", "A page that lists documents"),
    ("feed", "A feed"),
)

_DIRECTION = Question("direction", "If the bill becomes law, it", choices=DIRECTIONS)
_EFFECT = Question(
    "effect",
    "Effect: the status this issue would deserve then",
    "Keep it low: none, unless the title alone shows that the bill settles or furthers this very question.",
    EFFECTS,
)

EDITS: Mapping[str, Edit] = {
    "add-watch": Edit(
        "Add a watch",
        "issue",
        (
            Question("kind", "What is read", choices=KINDS),
            Question(
                "source",
                "Which one",
                "A bill with its session: 2025 HB 7132. A page of the CGA's site: /jud/taskforce.asp?TF=… "
                "Of another site the whole address; its host must stand under sources.hosts.",
            ),
            Question(_DIRECTION.name, f"For a bill. {_DIRECTION.label}", choices=DIRECTIONS),
            Question(_EFFECT.name, f"For a bill. {_EFFECT.label}", _EFFECT.hint, EFFECTS),
            Question(
                "terms",
                "For documents and feeds. Words in the title that concern this issue",
                "One a line. Without any, every new title is proposed.",
                rows=3,
            ),
        ),
        lambda file, given: add_watch(
            file,
            given["issue"],
            given["kind"],
            given["source"],
            given["direction"],
            given["effect"],
            [line.strip() for line in given["terms"].splitlines() if line.strip()],
        ),
    ),
    "change-watch": Edit(
        "Change a watch",
        "watch",
        (_DIRECTION, _EFFECT),
        lambda file, given: change_watch(file, given["watch"], given["direction"], given["effect"]),
    ),
    "remove-watch": Edit("Remove a watch", "watch", (), lambda file, given: remove_watch(file, given["watch"])),
    "add-issue": Edit(
        "Add an issue",
        "topic",
        (
            Question("name", "Its name on the board"),
            Question("id", "Its id", "Small letters, digits and hyphens. It stands in addresses and never changes."),
            Question(
                "initial_status",
                "Where it stands today",
                choices=tuple((status.value, status.label) for status in Status),
            ),
            Question("initial_narrative", "The board's text", "Plain, a few sentences.", rows=4),
        ),
        lambda file, given: add_issue(
            file, given["topic"], given["id"], given["name"], given["initial_status"], given["initial_narrative"]
        ),
    ),
    "rename-issue": Edit(
        "Rename an issue",
        "issue",
        (Question("name", "Its name on the board"),),
        lambda file, given: rename_issue(file, given["issue"], given["name"]),
    ),
}


@dataclass(frozen=True, slots=True)
class Answer:
    """A question with what was answered, and what is wrong with that."""

    question: Question
    value: str
    wrong: str = ""


def answers(edit: Edit, values: Values, error: EditError | None = None) -> tuple[list[Answer], list[str]]:
    """The form filled in, and the mistakes that belong to no field of it."""
    wrong = {one.field: one.message for one in error.wrong} if error is not None else {}
    names = {question.name for question in edit.questions}
    filled = [Answer(one, values.get(one.name, ""), wrong.get(one.name, "")) for one in edit.questions]
    return filled, [message for field, message in wrong.items() if field not in names]


def before(what: str, file: File, about: str) -> dict[str, str]:
    """What the form says before anybody typed: what stands, or what is most often meant."""
    if what == "change-watch":
        watch = next((one for one in file.config.watches() if one.id == about), None)
        return {"direction": watch.direction, "effect": watch.effect} if watch is not None else {}
    if what == "rename-issue":
        return {"name": next((one.name for one in file.config.issues() if one.id == about), "")}
    return {"kind": "bill", "direction": "advances", "effect": "none", "initial_status": "no_progress"}


@dataclass(frozen=True, slots=True)
class DiffLine:
    """A line of the change: ``kind`` is added, removed, same or skip."""

    kind: str
    text: str


_KINDS = {"+": "added", "-": "removed", " ": "same"}


def difference(old: str, new: str) -> list[DiffLine]:
    """The change with three lines around it."""
    return list(_difference(old.splitlines(), new.splitlines()))


def _difference(old: Sequence[str], new: Sequence[str]) -> Iterator[DiffLine]:
    for line in list(difflib.unified_diff(old, new, n=3, lineterm=""))[2:]:
        if line.startswith("@@"):
            number = line.split("+")[1].split(",")[0].split(" ")[0]
            yield DiffLine("skip", f"line {number}")
        else:
            yield DiffLine(_KINDS[line[0]], line[1:])
