"""A file of subscribers imported, imported again as it is, and exported."""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path

import world
from measuring import HERE, Cost, Scale, child, note, title, within

DAY = date(2025, 4, 10)


def run(scale: Scale) -> None:
    title(f"people: a file of {scale.people:,} subscribers")
    home = world.folder("people")
    key = next(iter(world.session_facts(scale.bills).bills))
    world.write_config(home, "http://127.0.0.1:9", [key])
    world.prepare(home, DAY)
    lines = (f"reader{number}@example{number % 97}.org,issue-0,daily,2025-01-02\n" for number in range(scale.people))
    (home / "people.csv").write_text("address,issues,cadence,consented_on\n" + "".join(lines))
    _tell("import", child([HERE / "people.py", "import", home]))
    _tell("the same again", child([HERE / "people.py", "import", home]))
    _tell("export", child([HERE / "people.py", "export", home]))


def _tell(what: str, cost: Cost) -> None:
    said = ", ".join(f"{count:,} {name}" for name, count in cost.said.items())
    note(f"{what}: {cost.seconds:.1f} s (at most 60), {cost.cpu:.1f} s CPU, {cost.peak_mb:.0f} MB; {said}")


def _import(home: Path) -> None:
    from monitor.workflow.importing import import_csv

    with world.opened(home, lambda: world.noon(DAY)) as context, within() as said:
        done = import_csv(context, home / "people.csv", "bench")
        said |= {"new": done.new, "changed": done.changed}


def _export(home: Path) -> None:
    from monitor.workflow.exporting import export_csv

    with world.opened(home, lambda: world.noon(DAY)) as context, within() as said:
        said["written"] = sum(1 for _ in export_csv(context, "bench")) - 1


if __name__ == "__main__":
    {"import": _import, "export": _export}[sys.argv[1]](Path(sys.argv[2]))
