"""``monitor run``, its sending half ``monitor deliver`` by hand, and ``monitor doctor``, which looks it over."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.options import (
    REFUSED,
    USAGE,
    ConfigOption,
    JsonOption,
    NowOption,
    clock,
    config_path,
    fail,
    opened,
    shared,
)
from monitor.cli.output import as_json, progress, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.schedule import Job
    from monitor.workflow.context import Context

#: How often the mailbox is read that mail comes back to.
_BOUNCES_SECONDS = 600.0


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
    from monitor.workflow.sealing import settle
    from monitor.workflow.sync import sync

    stop = threading.Event()
    with opened(context, config, now, unready=True, stopping=stop.is_set) as opening:
        configure(logging.INFO)
        current = opening

        def prepare() -> None:
            migrations.require(opening.database)
            sync(opening)
            settle(opening)

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

    fresh = replace(opening, config=load(config_path(context, config), os.environ))
    sync(fresh)
    return fresh


def _jobs(opening: Context) -> Sequence[Job]:
    from monitor.notify.mailbox import MailboxError
    from monitor.schedule import Job, Progress
    from monitor.workflow.bounces import open_inbox, read_bounces
    from monitor.workflow.check import check
    from monitor.workflow.deliver import deliver as send
    from monitor.workflow.heartbeat import heartbeat
    from monitor.workflow.prune import prune
    from monitor.workflow.sealing import watch

    def read(progress: Progress) -> None:
        check(opening, progress=lambda done, total: progress.touch())

    def tell(progress: Progress) -> None:
        watch(opening)
        send(opening, progress=lambda done: progress.touch())

    def reassure(progress: Progress) -> None:
        heartbeat(opening, progress.touch)

    def forget(progress: Progress) -> None:
        prune(opening, progress.touch)

    def come_back(progress: Progress) -> None:
        mailbox = open_inbox(opening)
        report = read_bounces(opening, mailbox, progress=lambda done: progress.touch()) if mailbox else None
        if report and report.problems:
            raise MailboxError(report.problems[0])

    times = opening.config.schedule
    has_inbox = opening.config.mail is not None and opening.config.mail.inbox is not None
    return [
        Job("check", read, every_seconds=times.tick_seconds),
        Job("deliver", tell, every_seconds=times.tick_seconds),
        Job("heartbeat", reassure, every_seconds=max(times.tick_seconds, 300)),
        Job("prune", forget, cron=times.prune, zone=times.zone),
        *([Job("bounces", come_back, every_seconds=_BOUNCES_SECONDS)] if has_inbox else []),
    ]


def deliver(
    context: typer.Context,
    resume: Annotated[
        bool, typer.Option("--resume", help="Send what is held since a backup was restored, too.")
    ] = False,
    forget: Annotated[bool, typer.Option("--forget", help="Drop what is held since a backup was restored.")] = False,
    config: ConfigOption = None,
    now: NowOption = None,
    as_json_: JsonOption = False,
) -> None:
    """Send what is due now."""
    from monitor.workflow import restored
    from monitor.workflow.deliver import deliver as send

    if resume and forget:
        fail("write --resume or --forget, not both", USAGE)
    with opened(context, config, now) as opening, progress("Sending") as show:
        restored.look(opening)
        moved = restored.resume(opening) if resume else restored.forget(opening) if forget else 0
        report = send(opening, progress=lambda done: show(done, None), rested=True)
    if as_json_:
        as_json(report.as_json())
        return
    if resume or forget:
        typer.echo(f"{moved} that were held are {'sent when they are due' if resume else 'dropped'}.")
    counts = ", ".join(
        f"{getattr(report, name)} {name}" for name in ("retrying", "dead", "cancelled") if getattr(report, name)
    )
    typer.echo(f"{report.sent} sent{', ' + counts if counts else ''}.")
    if report.held:
        typer.echo(
            f"{report.held} held: they were queued in a database that was restored and may have been sent before. "
            "To send them: monitor deliver --resume. To drop them: monitor deliver --forget"
        )
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

    moment = clock(now or shared(context).now)()
    findings = examine(config_path(context, config), os.environ, moment, offline=offline)
    if as_json_:
        as_json([finding.as_json() for finding in findings])
    else:
        rows = [(finding.verdict, finding.what, finding.said, finding.advice) for finding in findings]
        table(("", "what", "found", "what to do"), rows, "Nothing was looked at.")
    if any(finding.verdict == "bad" for finding in findings):
        raise typer.Exit(REFUSED)
