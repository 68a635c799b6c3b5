"""Whether what should be read is being read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from monitor.interpret import sessions
from monitor.model.tracking import SourceKind
from monitor.store import hosts
from monitor.store.schema import Run, Source
from monitor.workflow.checkup.finding import Finding, Patient, bad, good, warn
from monitor.workflow.context import EASTERN

#: So many are named before the rest is only counted.
_NAMED = 10


def last_pass(patient: Patient) -> Iterator[Finding]:
    """A service that stopped says nothing; the time of its last pass does."""
    with patient.database.reading() as session:
        finished = session.scalar(select(func.max(Run.finished_at)))
    if finished is None:
        yield warn("service", "no pass has ever been finished", "Start it: monitor run (or: monitor check)")
        return
    age, longest = patient.now - finished, 2 * _shortest_rhythm(patient)
    said = f"the last pass ended on {_when(finished)}"
    if age > longest:
        said += f", {_length(age)} ago: it has silently stopped"
        yield bad("service", said, "Look at it: systemctl status legislative-monitor, then monitor run")
    else:
        yield good("service", said)


def _shortest_rhythm(patient: Patient) -> timedelta:
    config = patient.config
    today = patient.now.astimezone(EASTERN).date()
    paces = [config.cadence.of(kind) for kind in SourceKind]
    gaps = [pace.in_session if sessions.in_session(today) else pace.out_of_session for pace in paces]
    return max(min(gaps), timedelta(seconds=config.schedule.tick_seconds))


def failing(patient: Patient) -> Iterator[Finding]:
    """Sources and hosts that cannot be read: since when, and why."""
    with patient.database.reading() as session:
        down = list(
            session.scalars(
                select(Source)
                .where(Source.active, Source.failures >= patient.config.notices.fail_after)
                .order_by(Source.outage_since, Source.id)
            )
        )
        dead = [host for host in hosts.load(session) if host.outage_since is not None]
        active = list(session.scalars(select(Source).where(Source.active)))
    for host in dead:
        said = f"{host.host} has not answered since {_when(host.outage_since)}: {host.last_error}"
        yield bad("hosts", said, "Wait if the site is down; else check name, network and TLS of this machine.")
    for source in down[:_NAMED]:
        said = f"{source.slug} has failed {source.failures} times since {_when(source.outage_since)}: {source.error}"
        yield warn("sources", said, f"Open it: {source.url}")
    if len(down) > _NAMED:
        yield warn("sources", f"and {len(down) - _NAMED} more fail", "See: monitor board --json")
    never = [source for source in active if source.last_good_at is None]
    if active and len(never) == len(active):
        yield bad(
            "sources", f"none of {len(active)} has ever been read well", "Run: monitor check, and see what it says."
        )
    elif never:
        named = ", ".join(source.slug for source in never[:5])
        yield warn("sources", f"{len(never)} of {len(active)} were never read well: {named}", "Run: monitor check")
    elif not down and not dead:
        yield good("sources", f"all {len(active)} are being read")


def quiet(patient: Patient) -> Iterator[Finding]:
    """In session the bulk files change every working day: silence means that something stopped."""
    if not sessions.in_session(patient.now.astimezone(EASTERN).date()):
        yield good("quiet sources", "the legislature is not in session, so silence means nothing")
        return
    limit = patient.now - patient.config.notices.quiet_after
    with patient.database.reading() as session:
        silent = _silent_since(session, limit)
    for source in silent:
        said = f"{source.slug} has not changed since {_when(source.last_changed_at)}, and the legislature is in session"
        yield warn(
            "quiet sources", said, f"Compare with the site, and see whether last session's file is served: {source.url}"
        )
    if not silent:
        yield good("quiet sources", "none has gone quiet in session")


def _silent_since(session: Session, limit: datetime) -> list[Source]:
    feeds = select(Source).where(Source.kind == SourceKind.BILL_FEED, Source.active, Source.last_changed_at < limit)
    return list(session.scalars(feeds.order_by(Source.id)))


def _when(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment is not None else "an unknown time"


def _length(gap: timedelta) -> str:
    hours = int(gap.total_seconds() // 3600)
    return f"{hours // 24} days" if hours >= 48 else f"{hours} hours"
