"""``monitor subscribers import`` and ``export``."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.options import ConfigOption, JsonOption, NowOption, day, fail, opened
from monitor.cli.output import as_json, progress

#: So many who are left out are named by an import before the rest is counted.
_NAMED = 20
_COLUMNS = (
    "A CSV file with a column address; it may have channel, topics, issues and interests (several parted by blanks), "
    "cadence, hour, weekday, zone, consented_on (the day; needed for a new email address) and consent."
)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(
        "import",
        epilog="Examples: monitor subscribers import people.csv · "
        "monitor subscribers import people.csv --consented-on 2025-03-01",
    )(import_)
    app.command(epilog="Examples: monitor subscribers export people.csv · monitor subscribers export - | wc -l")(export)


def import_(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help=_COLUMNS)],
    consented_on: Annotated[
        str, typer.Option("--consented-on", metavar="DATE", help="Since when they want our mail, if no column says so.")
    ] = "",
    config: ConfigOption = None,
    now: NowOption = None,
    as_json_: JsonOption = False,
) -> None:
    """Import subscribers from a CSV file, all or none; whoever has left stays away."""
    from monitor.workflow.importing import import_csv
    from monitor.workflow.subscribe import Unsuitable

    since = day(consented_on, "--consented-on") if consented_on else None
    with opened(context, config, now, fresh=True) as opening:
        try:
            with progress("Importing") as bar:
                done = import_csv(opening, file, getpass.getuser(), consented_on=since, progress=bar)
        except Unsuitable as error:
            fail(str(error))
    counts = {name: getattr(done, name) for name in ("new", "changed", "folded", "masked")}
    if as_json_:
        as_json({**counts, "left": list(done.left), "suppressed": list(done.suppressed)})
        return
    typer.echo(f"{done.new} added, {done.changed} changed.")
    _tell(done.folded, "lines repeat an address; the last one counts.")
    _tell(done.masked, "webhooks left out: a file only shows them masked. Add them by their addresses.")
    _name(done.left, "left out, since they have left; if they ask to be back: monitor subscribers add")
    _name(done.suppressed, "left out, since nobody writes to them any more: monitor subscribers suppressed")


def _tell(count: int, what: str) -> None:
    if count:
        typer.echo(f"{count} {what}")


def _name(who: tuple[str, ...], what: str) -> None:
    _tell(len(who), what)
    more = [f"… and {len(who) - _NAMED} more"] if len(who) > _NAMED else []
    for line in (*who[:_NAMED], *more):
        typer.echo(f"  {line}")


def export(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="Where to write the CSV file; - is standard output.")],
    config: ConfigOption = None,
    now: NowOption = None,
    as_json_: JsonOption = False,
) -> None:
    """Write everybody who is told something to a CSV file that an import takes back. Webhooks stand masked in it, and
    an import leaves them out."""
    from monitor.workflow.exporting import export_csv

    with opened(context, config, now) as opening, progress("Exporting") as bar:
        lines = export_csv(opening, getpass.getuser(), bar)
        count = _write(file, lines)
    if file == Path("-"):
        return
    if as_json_:
        as_json({"file": str(file), "subscribers": count - 1})
    else:
        typer.echo(f"{count - 1} subscribers written to {file}. It holds people's addresses: only you may read it.")


def _write(file: Path, lines: Iterable[str]) -> int:
    """How many lines. A new file is ours alone from the start; one that is there is left as it is."""
    if file == Path("-"):
        sys.stdout.reconfigure(newline="")  # type: ignore[union-attr]  # csv has its own line ends
        return sum(1 for line in lines if sys.stdout.write(line) >= 0)
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        fail(f"{file} cannot be written: {error.strerror}. Nothing was written.")
    with os.fdopen(handle, "w", encoding="utf-8", newline="") as target:
        return sum(1 for line in lines if target.write(line) >= 0)
