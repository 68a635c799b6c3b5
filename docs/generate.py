"""What the documentation says of the code, taken from the code: `.venv/bin/python docs/generate.py` writes it anew.

A page marks each such part with `<!-- generated: name -->` and `<!-- end -->`; everything else is written by hand.
`tests/test_docs.py` fails while a part is behind.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import typer

from monitor.cli.app import app
from monitor.config.reading import Milestones
from monitor.interpret.phrases import DEVIATIONS, PHRASES, Effect, Phrase
from monitor.interpret.stage import read_stage
from monitor.model.legislature import LAW, ActionRow, BillKey, Stage
from monitor.store import schema_desk, schema_subscribers  # noqa: F401 - its tables are part of the schema
from monitor.store.schema import Base

ROOT = Path(__file__).resolve().parent.parent
PART = re.compile(r"(<!-- generated: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)

#: Options that nearly every command has; the page explains them once.
SHARED = ("--config", "--now", "--json", "--help")


def pages() -> list[Path]:
    """Every page of the documentation."""
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def renew(text: str) -> str:
    """``text`` with its generated parts as the code has them now."""
    return PART.sub(lambda part: f"{part[1]}\n{PARTS[part[2]]().strip()}\n\n{part[3]}", text)


def table(columns: Sequence[str], rows: Iterator[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


# ------------------------------------------------------------------ commands


def commands() -> Iterator[tuple[str, Any]]:
    """Every command by its whole name: ("proposals list", …)."""
    yield from _below(typer.main.get_command(app), ())


def _below(group: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _below(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


def options(command: Any) -> list[str]:
    """The spellings of a command's options."""
    return [spelling for one in command.params if one.param_type_name == "option" for spelling in one.opts] + ["--help"]


def command_table() -> str:
    rows = ([f"`monitor {name}`", _sentence(command.help)] for name, command in commands())
    return table(("command", "what it does"), rows)


def command_pages() -> str:
    return "\n\n".join(_command(name, command) for name, command in commands())


def _command(name: str, command: Any) -> str:
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    own = [one for one in command.params if one.param_type_name == "option" and one.opts[0] not in SHARED]
    usage = " ".join(["monitor", name, *(_metavar(one) for one in arguments), *(["[options]"] if own else [])])
    rows = [[f"`{_metavar(one)}`", _sentence(one.help or "The proposal's number.")] for one in arguments]
    rows += [[_spelled(one), _sentence(one.help)] for one in own]
    shared = [f"`{one.opts[0]}`" for one in command.params if one.opts[0] in SHARED]
    parts = [f"## monitor {name}", _sentence(command.help), f"    {usage}"]
    parts += [table(("", ""), iter(rows))] if rows else []
    parts += [f"Also: {', '.join(shared)}."] if shared else []
    return "\n\n".join([*parts, *_examples(command.epilog)])


def _examples(epilog: str | None) -> Iterator[str]:
    text = re.sub(r"^Examples?: ", "", " ".join((epilog or "").split()))
    yield "\n".join(["```sh", *text.split(" · "), "```"])


def _metavar(argument: Any) -> str:
    return str(argument.metavar or argument.name.upper())


def _spelled(option: Any) -> str:
    return ", ".join(f"`{spelling}`" for spelling in option.opts)


def _sentence(text: str | None) -> str:
    return " ".join((text or "").split())


# ------------------------------------------------------------------ phrases and stages


def phrase_table() -> str:
    rows = (
        [f"`{one.id}`", _terms(one.classification), f"`{one.effect}`", f"`{one.bulk}`", f"`{one.web}`"]
        for one in PHRASES
    )
    return table(("phrase", "classification", "effect", "bulk wording", "web wording"), rows)


def _terms(terms: Sequence[str]) -> str:
    return ", ".join(f"`{term}`" for term in terms) or "–"


def deviation_table() -> str:
    rows = ([f"`{one.phrase}`", _terms(one.theirs), _terms(one.ours), one.reason] for one in DEVIATIONS)
    return table(("phrase", "Open States", "here", "why"), rows)


#: Histories after which each phrase is tried, to see which stage it brings a bill or a resolution to.
_TO_THE_FLOOR = (
    "REF. TO JOINT COMM. ON Judiciary",
    "PUBLIC HEARING 0221",
    "Joint Favorable",
    "TABLED FOR HOUSE CALENDAR",
)
_HISTORIES: Sequence[Sequence[str]] = (
    (*_TO_THE_FLOOR, "HOUSE PASSED", "SENATE PASSED", "IMMEDIATE TRANSMITTAL TO THE GOV.", "SIGNED BY GOVERNOR"),
    (*_TO_THE_FLOOR, "SENATE PASSED, HOUSE AMEND. SCH. A,C"),
    (*_TO_THE_FLOOR, "SENATE PASSED"),
    (*_TO_THE_FLOOR, "ADOPTED, SENATE", "ADOPTED, HOUSE"),
    ("LINE ITEM VETOED BY THE GOVERNOR, SECTION(S): 9, 10, 11",),
)
_KEYS = (BillKey("2025", "HB06663"), BillKey("2025", "HJ00012"), BillKey("2025", "HR00001"))


def stage_table() -> str:
    ways = _ways()
    rows = ([f"`{one}`", one.label, "law" if one in LAW else "", _way(ways[one])] for one in Stage)
    return table(("stage", "in words", "", "a row that can lead there"), rows)


def _ways() -> Mapping[Stage, list[Phrase]]:
    """For every stage the phrases that were seen to bring a bill there from another one."""
    found: dict[Stage, list[Phrase]] = {stage: [] for stage in Stage}
    before = [(key, rows[:length]) for key in _KEYS for rows in _HISTORIES for length in range(len(rows) + 1)]
    for phrase in PHRASES:
        for stage in dict.fromkeys(_moves(key, rows, phrase) for key, rows in before):
            if stage is not None:
                found[stage].append(phrase)
    return found


def _moves(key: BillKey, rows: Sequence[str], phrase: Phrase) -> Stage | None:
    was, now = _stage(key, rows), _stage(key, (*rows, phrase.bulk))
    return now if now != was else None


def _stage(key: BillKey, rows: Sequence[str]) -> Stage | None:
    """The stage on a day of the session; None before any row, so that the first one is seen to lead somewhere."""
    day = date(2025, 3, 3)
    reading = read_stage(key, [ActionRow(day, row) for row in rows], day)
    return reading.stage if reading.since else None


def _way(phrases: Sequence[Phrase]) -> str:
    return ", ".join(f"`{phrase.id}`" for phrase in phrases) or "–"


def effect_list() -> str:
    """Effects that no known wording has."""
    used = {phrase.effect for phrase in PHRASES}
    return ", ".join(f"`{effect}`" for effect in Effect if effect not in used)


# ------------------------------------------------------------------ milestones and tables


def milestone_table() -> str:
    fields = Milestones.model_fields
    rows = ([f"`{name}`", field.description or "", f"`{field.default}`"] for name, field in fields.items())
    return table(("milestone", "what happened", "suggests"), rows)


def column_table() -> str:
    rows = (
        [f"`{one.name}`", ", ".join(f"`{column.name}`" for column in one.columns)]
        for one in sorted(Base.metadata.tables.values(), key=lambda table: table.name)
    )
    return table(("table", "columns"), rows)


PARTS: Mapping[str, Callable[[], str]] = {
    "command-table": command_table,
    "commands": command_pages,
    "phrases": phrase_table,
    "deviations": deviation_table,
    "stages": stage_table,
    "unworded-effects": effect_list,
    "milestones": milestone_table,
    "columns": column_table,
}


def main() -> None:
    """Write every page anew that is behind, and name it."""
    for page in pages():
        before = page.read_text(encoding="utf-8")
        after = renew(before)
        if after != before:
            page.write_text(after, encoding="utf-8")
            sys.stdout.write(f"wrote {page.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
