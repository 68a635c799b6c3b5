"""``monitor audit``: who did what, and whether the log is whole."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.options import ConfigOption, JsonOption, NowOption, opened
from monitor.cli.output import as_json, table

if TYPE_CHECKING:
    from monitor.store.schema_desk import Deed

app = typer.Typer(help="The audit log: who did what.", no_args_is_help=True, rich_markup_mode=None)


@app.command("list", epilog="Examples: monitor audit list · monitor audit list --before 1200 --limit 100 --json")
def list_(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many lines.")] = 50,
    before: Annotated[
        int | None, typer.Option(min=1, max=2**31 - 1, help="Only lines older than the one of this number.")
    ] = None,
    config: ConfigOption = None,
    now: NowOption = None,
    as_json_: JsonOption = False,
) -> None:
    """List lines of the audit log, the newest first."""
    from monitor.store import audit

    with opened(context, config, now) as opening, opening.database.reading() as session:
        rows = [_plain(row) for row in audit.page(session, limit, before)]
    if as_json_:
        as_json(rows)
        return
    shown = [(r["id"], r["at"], r["who"], r["what"], r["about"], _detail(r["detail"])) for r in rows]
    table(("line", "at", "who", "did", "to", "detail"), shown, "Nothing was done yet.")


def _plain(row: Deed) -> dict[str, Any]:
    plain = ("id", "who", "what", "about", "detail", "previous", "digest")
    return {**{name: getattr(row, name) for name in plain}, "at": row.at.isoformat()}


def _detail(detail: dict[str, Any]) -> str:
    return json.dumps(detail, ensure_ascii=False) if detail else ""


@app.command(epilog="Examples: monitor audit verify · monitor audit verify --head DIGEST")
def verify(
    context: typer.Context,
    head: Annotated[
        list[str] | None,
        typer.Option(metavar="DIGEST", help="What an earlier verify printed; it must still be there. May be repeated."),
    ] = None,
    config: ConfigOption = None,
    now: NowOption = None,
    as_json_: JsonOption = False,
) -> None:
    """Check that no line was changed, moved or taken out. Prints the newest digest: note it away from this machine."""
    from monitor.workflow import audit

    with opened(context, config, now) as opening:
        found = audit.verify(opening, head or ())
    if as_json_:
        plain = {"is_whole": found.is_whole, "lines": found.lines, "head": found.head}
        as_json({**plain, "line": found.line, "problem": found.problem})
    elif found.is_whole:
        typer.echo(f"The audit log is whole: {found.lines} lines. Its newest digest:\n{found.head}")
    else:
        typer.echo(f"The audit log is broken: {found.problem}. {found.lines} lines were read well.", err=True)
    if not found.is_whole:
        raise typer.Exit(1)
