"""Telling our own people: maintainers what waits, operators what is broken. Each thing once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from monitor.config import Config, Contact
from monitor.model.messaging import AnnouncementKind, Item
from monitor.store import outbox, proposals
from monitor.store.schema import Host, Notice, Proposal, Source
from monitor.workflow.killpoints import killpoint

#: How many troubles one notice names before it only counts the rest.
_NAMED = 20


def announce_proposals(session: Session, config: Config, now: datetime) -> Notice | None:
    """One notice for every pending proposal the maintainers have not been told of, however the last run ended."""
    waiting = proposals.unannounced(session)
    if not waiting:
        return None
    people = [(f"maintainer:{person.name}", person.channel.value) for person in config.maintainers]
    items = [proposal.id for proposal in waiting]
    notice = outbox.add_notice(session, AnnouncementKind.PROPOSALS, items, people, now)
    for proposal in waiting:
        proposal.notice_id = notice.id
    killpoint("before_notice_commit")
    return notice


def tell_operators(session: Session, config: Config, item: Item, now: datetime) -> Notice:
    """One operators' notice, in the transaction that found the reason for it."""
    people = [(f"operator:{person.name}", person.channel.value) for person in config.operators]
    return outbox.add_notice(session, AnnouncementKind.OPERATIONS, [_plain(item)], people, now)


def _plain(item: Item) -> dict[str, str]:
    stored = ("heading", "sentence", "url")
    return {key: str(value) for key, value in asdict(item).items() if key in stored}


def outages(session: Session, config: Config, now: datetime) -> list[Notice]:
    """Outages that began or ended since they were last told of: one notice for each host, and one for the rest."""
    notices = [_host(session, config, host, now) for host in session.scalars(select(Host))]
    notices.append(_sources(session, config, now))
    return [notice for notice in notices if notice is not None]


def _host(session: Session, config: Config, host: Host, now: datetime) -> Notice | None:
    if host.outage_since is not None and host.outage_told_at is None and host.failures >= config.notices.fail_after:
        host.outage_told_at = now
        return tell_operators(session, config, _host_down(host), now)
    if host.outage_since is None and host.outage_told_at is not None:
        host.outage_told_at = None
        sentence = f"{host.host} answers again. Nothing needs doing: everything due is being read."
        return tell_operators(session, config, Item(f"{host.host} is back", sentence), now)
    return None


def _host_down(host: Host) -> Item:
    since = f"{host.outage_since:%Y-%m-%d %H:%M} UTC"
    sentence = (
        f"{host.host} has not answered since {since}: {host.last_error} "
        "We keep trying, more and more slowly. The board keeps its last good reading and says how old it is. "
        "If this lasts, run: monitor doctor"
    )
    return Item(f"{host.host} cannot be read", sentence)


def _sources(session: Session, config: Config, now: datetime) -> Notice | None:
    down = _newly(session, Source.outage_told_at.is_(None), config.notices.fail_after)
    back = list(session.scalars(select(Source).where(Source.outage_told_at.is_not(None), Source.outage_since.is_(None))))
    for source in down:
        source.outage_told_at = now
    for source in back:
        source.outage_told_at = None
    if not down and not back:
        return None
    return tell_operators(session, config, _trouble(down, back), now)


def _newly(session: Session, untold: object, fail_after: int) -> list[Source]:
    """Sources that keep failing for reasons of their own; a dead host has its own notice."""
    rows = select(Source).where(Source.active, Source.outage_since.is_not(None), untold, Source.failures >= fail_after)  # type: ignore[arg-type]
    return list(session.scalars(rows.order_by(Source.id)))


def _trouble(down: Sequence[Source], back: Sequence[Source]) -> Item:
    heading = f"{len(down)} sources cannot be read" if down else f"{len(back)} sources read well again"
    if len(down) == 1:
        heading = f"{down[0].slug} cannot be read"
    lines = [f"{source.slug}: {source.error}" for source in down[:_NAMED]]
    lines += [f"{source.slug} reads well again." for source in back[:_NAMED]]
    rest = len(down) + len(back) - len(lines)
    lines += [f"And {rest} more: monitor doctor lists them."] if rest > 0 else []
    return Item(heading, " ".join(lines), url=down[0].url if down else "")


def recipients(contacts: Iterable[Contact], prefix: str) -> dict[str, Contact]:
    """Our own people by the name a delivery stores, so that no address stands in the database."""
    return {f"{prefix}:{contact.name}": contact for contact in contacts}


