"""``monitor search``: where the board and the record speak of something."""

from __future__ import annotations

from typing import Annotated

import typer

from monitor.cli.options import ConfigOption, JsonOption, NowOption, opened
from monitor.cli.output import as_json, table


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(epilog="Examples: monitor search HB 7132 · monitor search traffic stops --json")(search)


def search(
    context: typer.Context,
    words: Annotated[list[str], typer.Argument(metavar="WORDS", help="Words, or a bill or act in any spelling.")],
    config: ConfigOption = None,
    now: NowOption = None,
    as_json_: JsonOption = False,
) -> None:
    """Find the issues, bills and actions that have all the words, at most 20 of each."""
    from monitor.workflow.search import search as run

    with opened(context, config, now) as opening:
        found = run(opening, " ".join(words)).as_json()
    if as_json_:
        as_json(found)
        return
    rows = [("issue", one["issue"], one["text"]) for one in found["issues"]]
    rows += [("bill", f"{one['session']} {one['bill']}", one["title"]) for one in found["bills"]]
    rows += [("action", f"{one['session']} {one['bill']} {one['date']}", one["text"]) for one in found["actions"]]
    for note in found["notes"]:
        typer.echo(note, err=True)
    table(("kind", "where", "text"), rows, "Nothing has all of these words.")
    if found["more"]:
        typer.echo(f"There are more {' and '.join(found['more'])}; add a word.", err=True)
