"""``monitor run``, its sending half ``monitor deliver`` by hand, and ``monitor doctor``, which looks it over."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.options import REFUSED, ConfigOption, JsonOption, NowOption, Shared, clock, opened
from monitor.cli.output import as_json, progress, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.schedule import Job
    from monitor.workflow.context import Context


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(epilog="Example: monitor run --config /etc/legislative-monitor/config.yaml")(run)
    app.command(epilog="Example: monitor deliver --json")(deliver)
    app.command(epilog="Example: monitor doctor")(doctor)


def run(context: typer.Context, config: ConfigOption = None, now: NowOption = None) -> None:
    """Run the service: check what is due, deliver, prune, until SIGTERM. SIGHUP reads the configuration again."""
    import logging
    import threading

    from monitor import schedule
    from monitor.cli.logs import configure
    from monitor.store import migrations
    from monitor.systemd import Notifier, watchdog_seconds
    from monitor.workflow.jobs import job_failing, job_recovered
    from monitor.workflow.sync import sync

    stop = threading.Event()
    with opened(context, config, now, unready=True, stopping=stop.is_set) as opening:
        configure(logging.INFO)
        current = opening

        def prepare() -> None:
            migrations.require(opening.database)
            sync(opening)

        def reload() -> Sequence[Job]:
            nonlocal current
            current = _reloaded(context, config, opening)
            return _jobs(current)

        code = schedule.run(
            _jobs(opening),
            notify=Notifier.from_environ(os.environ),
            stop=stop,
            watchdog_seconds=watchdog_seconds(os.environ),
            healthy=opening.database.answers,
            prepare=prepare,
            on_failing=lambda job, times, error: job_failing(current, job, times, error),
            on_recovered=lambda job: job_recovered(current, job),
            reload=reload,
        )
    raise typer.Exit(code)


def _reloaded(context: typer.Context, config: Path | None, opening: Context) -> Context:
    """The same database and clock with the configuration as it is now. Raises ConfigError and changes nothing."""
    from dataclasses import replace

    from monitor.config import load
    from monitor.workflow.sync import sync

    shared = context.obj if isinstance(context.obj, Shared) else Shared()
    fresh = replace(opening, config=load(config or shared.config or Path("config.yaml"), os.environ))
    sync(fresh)
    return fresh


def _jobs(opening: Context) -> Sequence[Job]:
    from monitor.schedule import Job, Progress
    from monitor.workflow.check import check
    from monitor.workflow.deliver import deliver as send
    from monitor.workflow.prune import prune

    def read(progress: Progress) -> None:
        check(opening, progress=lambda done, total: progress.touch())

    def tell(progress: Progress) -> None:
        send(opening, progress=lambda done: progress.touch())

    def forget(progress: Progress) -> None:
        prune(opening)
        progress.touch()

    times = opening.config.schedule
    return [
        Job("check", read, every_seconds=times.tick_seconds),
        Job("deliver", tell, every_seconds=times.tick_seconds),
        Job("prune", forget, cron=times.prune),
    ]


def deliver(
    context: typer.Context, config: ConfigOption = None, now: NowOption = None, as_json_: JsonOption = False
) -> None:
    """Send what is due now."""
    from monitor.workflow.deliver import deliver as send

    with opened(context, config, now) as opening, progress("Sending") as show:
        report = send(opening, progress=lambda done: show(done, None), rested=True)
    if as_json_:
        as_json(report.as_json())
        return
    counts = ", ".join(
        f"{getattr(report, name)} {name}" for name in ("retrying", "dead", "cancelled") if getattr(report, name)
    )
    typer.echo(f"{report.sent} sent{', ' + counts if counts else ''}.")
    for problem in report.problems[:20]:
        typer.echo(f"  {problem}")


def doctor(
    context: typer.Context,
    offline: Annotated[bool, typer.Option("--offline", help="Leave out what needs the network.")] = False,
    config: ConfigOption = None,
    now: NowOption = None,
    as_json_: JsonOption = False,
) -> None:
    """Look over the installation and say what to do about each trouble."""
    from monitor.workflow.doctor import examine

    shared = context.obj if isinstance(context.obj, Shared) else Shared()
    path = config or shared.config or Path("config.yaml")
    findings = examine(path, os.environ, clock(now or shared.now)(), offline=offline)
    if as_json_:
        as_json([finding.as_json() for finding in findings])
    else:
        rows = [(finding.verdict, finding.what, finding.said, finding.advice) for finding in findings]
        table(("", "what", "found", "what to do"), rows, "Nothing was looked at.")
    if any(finding.verdict == "bad" for finding in findings):
        raise typer.Exit(REFUSED)
