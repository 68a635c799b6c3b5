"""A bill's way in steps: introduced, committee, first chamber, second chamber, governor, law, each with its date."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from monitor.interpret.sentences import plain_day
from monitor.interpret.stage import read_stage
from monitor.interpret.way import Walk, walked
from monitor.model.committees import COMMITTEES
from monitor.model.legislature import ActionRow, BillKey, Chamber, Stage, StageReading

_COMMITTEE = 1
_FIRST_CHAMBER = 2


class Mark(StrEnum):
    """How a step is drawn. One shape each; none has a color of its own, for colors mean status."""

    DONE = "done"
    HERE = "here"
    AHEAD = "ahead"
    SKIPPED = "skipped"
    DIED = "died"
    VETOED = "vetoed"
    MERGED = "merged"
    LAW = "law"
    PART = "part"


@dataclass(frozen=True, slots=True)
class Step:
    """One step. ``words`` say when and how; ``is_back``: the bill was sent back to this step from a later one."""

    name: str
    mark: Mark
    words: str = ""
    on: date | None = None
    is_back: bool = False


@dataclass(frozen=True, slots=True)
class Track:
    """All steps and the sentence that tells the outcome. A resolution has no governor."""

    key: BillKey
    steps: tuple[Step, ...]
    reading: StageReading

    @property
    def label(self) -> str:
        """For those who do not see the steps: "HB 7132: The governor signed HB 7132 on June 9, 2025."."""
        return f"{self.key.label}: {self.reading.reason}"


def read_track(key: BillKey, actions: Sequence[ActionRow], as_of: date) -> Track:
    """The steps a bill had taken at the end of a day; ``actions`` as ``read_stage`` wants them."""
    reading = read_stage(key, actions, as_of)
    history = sorted((row for row in actions if row.date <= as_of), key=lambda row: row.date)
    walk = walked(history)
    alive = reading
    if reading.stage is Stage.DIED and reading.since is not None:
        alive = read_stage(key, actions, reading.since - timedelta(days=1))
    chambers = _chambers(key)
    place = _place(alive.stage, walk, chambers)
    scene = _Scene(key, walk, reading, alive.stage, place, chambers)
    return Track(key, tuple(_steps(scene)), reading)


def _chambers(key: BillKey) -> tuple[Chamber, ...]:
    """In the order the bill meets them; a resolution of one chamber meets one."""
    return (key.chamber,) if key.letters in ("HR", "SR") else (key.chamber, key.chamber.other)


@dataclass(frozen=True, slots=True)
class _Scene:
    """What every step is drawn from: ``alive`` is the stage before the session's end, ``place`` its step's number."""

    key: BillKey
    walk: Walk
    reading: StageReading
    alive: Stage
    place: int
    chambers: tuple[Chamber, ...]

    @property
    def day(self) -> str:
        """When the bill came to where it is."""
        return plain_day(self.reading.since) if self.reading.since is not None else "on an unknown day"

    @property
    def end(self) -> str:
        """When the session ended, for a bill that died with it."""
        since = self.reading.since
        return plain_day(since - timedelta(days=1)) if since is not None else ""

    def mark(self, number: int, *, known: bool) -> Mark:
        """The mark of a step that is no special case; ``known``: the record itself says it was taken."""
        if number == self.place:
            return _ENDS.get(self.reading.stage, Mark.HERE)
        return Mark.DONE if known or number < self.place else Mark.AHEAD


#: The mark of the step a bill is at, by its stage; else it is simply there.
_ENDS: Mapping[Stage, Mark] = {
    Stage.DIED: Mark.DIED,
    Stage.FAILED: Mark.DIED,
    Stage.MERGED: Mark.MERGED,
    Stage.VETOED: Mark.VETOED,
    Stage.SIGNED: Mark.LAW,
    Stage.LAW_WITHOUT_SIGNATURE: Mark.LAW,
    Stage.VETO_OVERRIDDEN: Mark.LAW,
    Stage.LAW_IN_PART: Mark.PART,
    Stage.ADOPTED: Mark.LAW,
}

_FIXED = {Stage.INTRODUCED: 0, Stage.IN_COMMITTEE: _COMMITTEE, Stage.HEARING: _COMMITTEE}

#: Stages that are at a step whatever else the rows say, counted from the step after the chambers (0: governor).
_AFTER_THE_CHAMBERS: Mapping[Stage, int] = {
    Stage.DISAGREEING: -1,
    Stage.PASSED_BOTH: 0,
    Stage.TO_GOVERNOR: 0,
    Stage.VETOED: 0,
    Stage.ADOPTED: 0,
    Stage.SIGNED: 1,
    Stage.LAW_WITHOUT_SIGNATURE: 1,
    Stage.LAW_IN_PART: 1,
    Stage.VETO_OVERRIDDEN: 1,
}


def _place(stage: Stage, walk: Walk, chambers: Sequence[Chamber]) -> int:
    after = _FIRST_CHAMBER + len(chambers)
    fixed = {**_FIXED, **{one: after + steps for one, steps in _AFTER_THE_CHAMBERS.items()}}
    if stage in fixed:
        return fixed[stage]
    if stage is Stage.FAILED:
        return _FIRST_CHAMBER + chambers.index(walk.failed_in) if walk.failed_in in chambers else _COMMITTEE
    if stage is Stage.MERGED and walk.reported is None:
        return _COMMITTEE
    waiting = [number for number, chamber in enumerate(chambers) if chamber not in walk.passed]
    return _FIRST_CHAMBER + waiting[0] if waiting else after - 1


def _steps(scene: _Scene) -> list[Step]:
    steps = [_introduced(scene), _in_committee(scene)]
    steps += [_in_chamber(scene, number, chamber) for number, chamber in enumerate(scene.chambers)]
    return steps + ([_adopted(scene)] if scene.key.letters[1] != "B" else [_at_governor(scene), _as_law(scene)])


def _introduced(scene: _Scene) -> Step:
    day = scene.walk.introduced
    mark = scene.mark(0, known=day is not None)
    return Step("Introduced", mark if day is not None else Mark.AHEAD, plain_day(day) if day else "not read yet", day)


def _in_committee(scene: _Scene) -> Step:
    walk = scene.walk
    name = COMMITTEES.get(walk.committee, walk.committee)
    mark = scene.mark(_COMMITTEE, known=walk.reported is not None)
    if mark is Mark.DONE and walk.in_committee is None and walk.reported is None:
        # Some old records begin with the act: they say nothing of a committee, and nothing against it.
        votes = any(chamber in walk.passed for chamber in scene.chambers)
        return Step("Committee", *((Mark.SKIPPED, "not used") if votes else (Mark.DONE, "day not on record")))
    words, day = _committee_words(scene, mark, name)
    title = "Died in committee" if mark is Mark.DIED else "Committee"
    return Step(title, mark, words, day, is_back=walk.sent_back is not None)


def _committee_words(scene: _Scene, mark: Mark, name: str) -> tuple[str, date | None]:
    walk, since = scene.walk, scene.reading.since
    if mark is Mark.DIED:
        return f"{name or 'the committee'} {_committee_death(scene)}", since
    if mark is Mark.MERGED:
        return _merger(scene)
    if mark is Mark.DONE and walk.reported is not None:
        return f"{name or 'a committee'} approved it {plain_day(walk.reported)}", walk.reported
    if mark is Mark.DONE:
        return f"sent to {name} {plain_day(walk.in_committee)}" if walk.in_committee else "", walk.in_committee
    return _now_in_committee(walk, name) if mark is Mark.HERE else ("", None)


def _committee_death(scene: _Scene) -> str:
    if scene.reading.stage is Stage.FAILED:
        return f"voted it down {scene.day}"
    return f"had not approved it when the session ended {scene.end}"


def _now_in_committee(walk: Walk, name: str) -> tuple[str, date | None]:
    if walk.sent_back is not None:
        return f"sent back to {name} {plain_day(walk.sent_back)}", walk.sent_back
    if walk.hearing is not None:
        return f"{name}, hearing {plain_day(walk.hearing)}".lstrip(", "), walk.hearing
    return f"{name}, since {plain_day(walk.in_committee)}" if walk.in_committee else name, walk.in_committee


def _merger(scene: _Scene) -> tuple[str, date | None]:
    other = BillKey(scene.key.session, scene.walk.merged_into).label
    return f"text moved into {other} {scene.day}", scene.reading.since


def _in_chamber(scene: _Scene, number: int, chamber: Chamber) -> Step:
    day = scene.walk.passed.get(chamber)
    mark = scene.mark(_FIRST_CHAMBER + number, known=day is not None)
    if mark is Mark.DIED:
        return Step(f"Died in the {chamber.label}", mark, _chamber_death(scene), scene.reading.since)
    if mark is Mark.MERGED:
        return Step(chamber.label, mark, *_merger(scene))
    if mark is Mark.DONE:
        passed = "passed" if scene.key.letters[1] == "B" else "adopted"
        return Step(chamber.label, mark, f"{passed} {plain_day(day)}" if day else "passed, day not on record", day)
    return Step(chamber.label, mark, _CHAMBER_WAITS.get(scene.alive, "") if mark is Mark.HERE else "")


#: What a bill waits for in the chamber it is in.
_CHAMBER_WAITS: Mapping[Stage, str] = {
    Stage.REPORTED: "not on its calendar yet",
    Stage.ON_CALENDAR: "on its calendar",
    Stage.PASSED_ONE_CHAMBER: "has not voted yet",
    Stage.RECONSIDERED: "took its vote back",
    Stage.DISAGREEING: "the chambers passed it in different words",
}


def _chamber_death(scene: _Scene) -> str:
    if scene.reading.stage is Stage.FAILED:
        return f"voted down {scene.day}"
    if scene.alive is Stage.DISAGREEING:
        return f"the chambers had passed it in different words when the session ended {scene.end}"
    return f"no vote before the session ended {scene.end}"


def _at_governor(scene: _Scene) -> Step:
    walk, stage = scene.walk, scene.reading.stage
    number = _FIRST_CHAMBER + len(scene.chambers)
    if stage is Stage.VETO_OVERRIDDEN:
        words = f"vetoed {plain_day(walk.vetoed)}" if walk.vetoed else "vetoed"
        return Step("Governor", Mark.VETOED, words, walk.vetoed)
    mark = scene.mark(number, known=False)
    if mark is Mark.VETOED and walk.vetoed is not None:
        return Step("Governor", mark, f"vetoed {plain_day(walk.vetoed)}; it is not law", walk.vetoed)
    if mark is Mark.DONE and walk.signed is not None:
        return Step("Governor", mark, f"signed {plain_day(walk.signed)}", walk.signed)
    if mark is Mark.DONE:
        return Step("Governor", mark, "did not sign it")
    if mark is Mark.HERE:
        day = walk.presented
        return Step("Governor", mark, f"received it {plain_day(day)}" if day else "nothing on record yet", day)
    return Step("Governor", mark)


def _as_law(scene: _Scene) -> Step:
    mark = scene.mark(_FIRST_CHAMBER + len(scene.chambers) + 1, known=False)
    if mark not in (Mark.LAW, Mark.PART):
        return Step("Law", Mark.AHEAD)
    part = f"without {scene.walk.line_items}, which the governor vetoed" if mark is Mark.PART else ""
    how = "the veto was overridden" if scene.reading.stage is Stage.VETO_OVERRIDDEN else part
    words = "; ".join(said for said in (scene.walk.act, how) if said)
    return Step("Law in part" if mark is Mark.PART else "Law", mark, words, scene.reading.since)


def _adopted(scene: _Scene) -> Step:
    mark = scene.mark(_FIRST_CHAMBER + len(scene.chambers), known=False)
    return Step("Adopted", mark, scene.day, scene.reading.since) if mark is Mark.LAW else Step("Adopted", mark)
