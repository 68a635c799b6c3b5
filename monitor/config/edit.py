"""Edits of what config.yaml tracks: text in, text out. Every edit is read by the real loader, or changes nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from monitor.config.errors import ConfigError, Problem
from monitor.config.load import loads
from monitor.config.schema import Config
from monitor.config.splice import Append, Put, Remove, Unsplicable, plain_lines, splice, watch_lines
from monitor.config.text import Loc

#: What the loader says begins with the place in the file; a form has fields instead.
_PLACE = re.compile(r"topics\[\d+\](?:\.\w+|\[\d+\])*?(?:\.(?P<field>[a-z_]+)(?:\[\d+\])?)?: ")


@dataclass(frozen=True, slots=True)
class Wrong:
    """One mistake: the field at fault ("" for the edit as a whole) and what to do."""

    field: str
    message: str


class EditError(Exception):
    """The edit cannot be made, and why; the text is as it was."""

    def __init__(self, *wrong: Wrong) -> None:
        self.wrong = wrong
        super().__init__("; ".join(one.message for one in wrong))


@dataclass(frozen=True)
class File:
    """config.yaml as it is read: its text, where it stands, and the environment that has its say."""

    text: str
    path: Path
    environ: Mapping[str, str]

    @cached_property
    def config(self) -> Config:
        """Raises ConfigError."""
        return loads(self.text, self.path, self.environ)


def add_watch(
    file: File, issue: str, kind: str, source: str, direction: str, effect: str, terms: Sequence[str] = ()
) -> str:
    """A further watch of an issue. ``direction`` and ``effect`` are for a bill, ``terms`` for the others."""
    entry: dict[str, str | list[str]] = {_one_of("kind", kind, ("bill", "documents", "feed")): source.strip()}
    if kind == "bill":
        entry |= {"direction": direction} if direction != "advances" else {}
        entry |= {"effect": effect}
    elif terms:
        entry["terms"] = [term.strip() for term in terms]
    at = (*_issue(file.config, issue), "watches")
    return _edited(file, Append(at, entry, watch_lines(entry)), source=(kind, "watches"))


def change_watch(file: File, watch: str, direction: str, effect: str) -> str:
    """Another direction or effect of a bill's watch."""
    at, index = _watch(file.config, watch)
    entry = (*at, index)
    known = next(one for one in file.config.watches() if one.id == watch)
    changes = [Put(entry, "effect", effect)] if effect != known.effect else []
    changes += [Put(entry, "direction", direction)] if direction != known.direction else []
    if not changes:
        raise EditError(Wrong("effect", "This is how it stands already."))
    return _edited(file, *changes)


def remove_watch(file: File, watch: str) -> str:
    """One watch less; what was read of it stays in the database."""
    at, index = _watch(file.config, watch)
    return _edited(file, Remove(at, index))


def add_issue(file: File, topic: str, issue: str, name: str, status: str, narrative: str) -> str:
    """A further issue at the end of a topic, with nothing watched yet."""
    places = {one.id: place for place, one in enumerate(file.config.topics)}
    if topic not in places:
        raise EditError(Wrong("topic", "This topic is not in config.yaml any more."))
    entry = {
        "id": issue.strip(),
        "name": name.strip(),
        "initial_status": status,
        "initial_narrative": " ".join(narrative.split()),
    }
    lines = (*plain_lines(entry, "initial_narrative"), "watches: []")
    at = ("topics", places[topic], "issues")
    return _edited(file, Append(at, {**entry, "watches": []}, lines))


def rename_issue(file: File, issue: str, name: str) -> str:
    """Another name on the board; the id stays."""
    return _edited(file, Put(_issue(file.config, issue), "name", name.strip()))


def _edited(file: File, *changes: Append | Put | Remove, **fields: Sequence[str]) -> str:
    """``fields`` name those of the form that config.yaml calls otherwise."""
    try:
        text = splice(file.text, *changes)
        loads(text, file.path, file.environ)
    except Unsplicable as error:
        raise EditError(Wrong("", str(error))) from None
    except ConfigError as error:
        raise EditError(*(_wrong(problem, fields) for problem in error.problems)) from None
    return text


def _wrong(problem: Problem, fields: Mapping[str, Sequence[str]]) -> Wrong:
    """The loader's words at the form's field."""
    place = _PLACE.match(problem.message)
    message = problem.message[place.end() :] if place else problem.message
    key = (place["field"] or "") if place else ""
    named = next((name for name, keys in fields.items() if key in keys), key)
    said = f"{message[:1].upper()}{message[1:]}"
    return Wrong(named, f"{said}: {problem.hint}." if problem.hint else f"{said}.")


def _one_of(field: str, value: str, known: Sequence[str]) -> str:
    if value not in known:
        raise EditError(Wrong(field, f"Choose one of {', '.join(known)}."))
    return value


def _issue(config: Config, issue: str) -> Loc:
    for place, topic in enumerate(config.topics):
        for position, one in enumerate(topic.issues):
            if one.id == issue:
                return ("topics", place, "issues", position)
    raise EditError(Wrong("", f"The issue {issue} is not in config.yaml any more."))


def _watch(config: Config, watch: str) -> tuple[Loc, int]:
    issue, _, local = watch.partition("/")
    at = (*_issue(config, issue), "watches")
    known = [one.local_id for one in config.issue(issue).watches]
    if local not in known:
        raise EditError(Wrong("", f"The watch {watch} is not in config.yaml any more."))
    return at, known.index(local)
