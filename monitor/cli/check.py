"""``monitor sync`` and ``monitor check``: what is tracked, and one pass over it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.options import ConfigOption, JsonOption, NowOption, fail, opened
from monitor.cli.output import as_json, clean, progress

if TYPE_CHECKING:
    from monitor.workflow.context import Context
    from monitor.workflow.report import CheckReport


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(epilog="Example: monitor sync")(sync)
    app.command(
        epilog="Examples: monitor check · monitor check --all --json · monitor check --watch quotas/2020-HB06004"
    )(check)


def sync(
    context: typer.Context, config: ConfigOption = None, now: NowOption = None, as_json_: JsonOption = False
) -> None:
    """Track what the configuration names. Statuses, texts and history in the database stay as they are."""
    from monitor.workflow.sync import sync as run

    with opened(context, config, now, fresh=True) as opening:
        report = run(opening)
    if as_json_:
        as_json({name: getattr(report, name) for name in type(report).__slots__})
        return
    typer.echo(f"Tracking {report.issues} issues, {report.watches} watches, {report.sources} sources.")
    for name, ids in (("New", report.added), ("No longer tracked", report.retired)):
        if ids:
            typer.echo(f"{name}: {', '.join(ids)}")
    if report.kept:
        typer.echo(f"Moved since they were first synced, kept as published: {', '.join(report.kept)}")


def check(
    context: typer.Context,
    everything: Annotated[bool, typer.Option("--all", help="Read every source, due or not.")] = False,
    watch: Annotated[list[str] | None, typer.Option("--watch", help="Read what stands behind this watch.")] = None,
    config: ConfigOption = None,
    now: NowOption = None,
    as_json_: JsonOption = False,
) -> None:
    """Read what is due, record what changed, propose what it means."""
    from monitor.workflow.check import check as run

    with opened(context, config, now, fresh=True) as opening:
        _ready(opening, watch)
        with progress("Reading") as show:
            report = run(opening, everything=everything, watches=watch, progress=show)
    if as_json_:
        as_json(report.as_json())
    else:
        _tell(report)


def _ready(opening: Context, watch: list[str] | None) -> None:
    """A first check follows config at once; an unknown watch is named with its nearest neighbour."""
    from sqlalchemy import select

    from monitor.config.values import nearest
    from monitor.store.schema import Watch
    from monitor.workflow.sync import sync as run_sync

    with opening.database.reading() as session:
        known = set(session.scalars(select(Watch.id).where(Watch.active)))
    if not known:
        run_sync(opening)
        known = {one.id for one in opening.config.watches()}
    for name in watch or ():
        if name not in known:
            hint = nearest(name, sorted(known)) or "`monitor board --json` names them."
            fail(f"there is no watch {name!r}; {hint}", 2)


def _tell(report: CheckReport) -> None:
    counts = ", ".join(
        f"{getattr(report, name)} {name}"
        for name in ("unchanged", "changed", "failed", "blocked")
        if getattr(report, name)
    )
    typer.echo(f"Read {report.checked} sources ({counts or 'none were due'}) with {report.requests} requests.")
    if report.checked and report.checked == report.failed + report.blocked:
        typer.echo("None could be read; nothing on the board is verified anew. `monitor doctor` looks closer.")
    for change in report.changes:
        typer.echo(f"  {_one(change)}")
    if report.proposals:
        ids = ", ".join(str(number) for number in report.proposals)
        typer.echo(f"New proposals: {ids}. Next: monitor proposals list")


def _one(change: dict[str, Any]) -> str:
    subject = change["bill"] or change["source"]
    return clean(f"{change['date'] or ''} {subject}: {change['description']}")
