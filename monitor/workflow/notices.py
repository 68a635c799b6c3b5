"""Telling our own people: maintainers what waits, operators what is broken. Each thing once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from monitor.config import Config, Maintainer
from monitor.model.messaging import AnnouncementKind, ChannelKind, DeliveryState, Item, Outcome, OutcomeKind, follows
from monitor.notify.channels import CHANNELS
from monitor.store import hosts, outbox, proposals
from monitor.store.schema import Host, Notice, Proposal, Source

#: How many troubles one notice names before it only counts the rest.
_NAMED = 20

#: Subscribers who cannot be reached are named together, since they tend to be many or none.
_GATHERED = timedelta(minutes=10)

#: A channel that fails as a whole is left alone for ever longer, up to this.
_FIRST_REST = timedelta(minutes=1)
_LAST_REST = timedelta(minutes=15)


def announce_proposals(session: Session, config: Config, now: datetime) -> list[Notice]:
    """Tell every pending proposal nobody has been told of, however the last run ended, to those who follow it.

    What nobody follows waits for somebody who does.
    """
    if not config.maintainers:
        return []  # asked at every pass, and what waits only grows
    waiting = proposals.unannounced(session)
    told: dict[tuple[int, ...], list[tuple[str, str]]] = {}
    for person in config.maintainers:
        followed = tuple(proposal.id for proposal in waiting if _follows(person, proposal))
        told.setdefault(followed, []).append((f"maintainer:{person.name}", person.channel.value))
    return [_propose(session, ids, people, now) for ids, people in told.items() if ids]


def _follows(person: Maintainer, proposal: Proposal) -> bool:
    issue = proposal.issue
    return issue is None or follows(person, issue.id, issue.topic_id)


def _propose(session: Session, ids: tuple[int, ...], people: list[tuple[str, str]], now: datetime) -> Notice:
    notice = outbox.add_notice(session, AnnouncementKind.PROPOSALS, list(ids), people, now)
    proposals.announced(session, ids, notice)
    return notice


def tell_operators(session: Session, config: Config, item: Item, now: datetime) -> Notice | None:
    """One operators' notice, in the transaction that found the reason for it. None if there is nobody to tell."""
    return _tell(session, _operators(config), item, now)


def _tell(session: Session, people: list[tuple[str, str]], item: Item, now: datetime) -> Notice | None:
    return outbox.add_notice(session, AnnouncementKind.OPERATIONS, [_plain(item)], people, now) if people else None


def _operators(config: Config) -> list[tuple[str, str]]:
    return [(f"operator:{person.name}", person.channel.value) for person in config.operators]


def _maintainers(config: Config) -> list[tuple[str, str]]:
    return [(f"maintainer:{person.name}", person.channel.value) for person in config.maintainers]


def _plain(item: Item) -> dict[str, str]:
    stored = ("heading", "sentence", "url", "narrative")
    return {key: str(value) for key, value in asdict(item).items() if key in stored}


def not_reached(session: Session, config: Config, kind: ChannelKind, to: str, outcome: Outcome, now: datetime) -> None:
    """Tell the maintainers of a subscriber who was not told something, a few minutes' worth in one notice."""
    people = _maintainers(config)
    if not people:
        return
    item = _plain(_not_reached(kind, to, outcome))
    notice = outbox.gathering(session, AnnouncementKind.OPERATIONS, people[0][0], now)
    if notice is None:
        outbox.add_notice(session, AnnouncementKind.OPERATIONS, [item], people, now, due_at=now + _GATHERED)
    elif len(notice.items) < _NAMED:
        notice.items = [*notice.items, item]
    else:
        counted = notice.items[_NAMED:]
        notice.items = [*notice.items[:_NAMED], _plain(_and_more(counted[0]["heading"] if counted else "and 0 more"))]


def _and_more(before: str) -> Item:
    """One more than ``before`` counts, in its own words: a notice's items keep nothing but what is read."""
    count = int(before.split()[1]) + 1
    return Item(f"and {count} more", "To see them all, run: monitor subscribers list --all")


def _not_reached(kind: ChannelKind, to: str, outcome: Outcome) -> Item:
    label = CHANNELS[kind].label
    if outcome.kind is OutcomeKind.PERMANENT:
        heading = f"{to} is told nothing more"
        narrative = "If the address is right after all, add it again: monitor subscribers add"
    elif outcome.kind is OutcomeKind.REFUSED:
        heading = f"{to} did not get a message"
        narrative = "The address stays subscribed; this one message is not tried again."
    else:
        heading = f"{to} could not be reached for two days"
        narrative = "The address stays subscribed; this one message is not tried again."
    return Item(heading, f"By {label}: {outcome.detail}", narrative=narrative)


def colleague_not_reached(
    session: Session,
    config: Config,
    recipient: str,
    channel: ChannelKind,
    ids: Collection[str],
    why: str,
    now: datetime,
) -> None:
    """Tell the operators of a maintainer who was not told something, and the other way round.

    Once: not while what was for that person before died too. ``ids`` are the deliveries that died now.
    """
    if outbox.last_over(session, recipient, ids) == DeliveryState.DEAD:
        return
    role, _, name = recipient.partition(":")
    people = _operators(config) if role == "maintainer" else _maintainers(config)
    sentence = f"By {CHANNELS[channel].label}: {why}"
    narrative = (
        f"{name} is one of the {role}s in config.yaml and misses what is meant for them. "
        "Correct the address there; until a notice arrives this is not said again."
    )
    _tell(session, people, Item(f"{name} did not get a notice", sentence, narrative=narrative), now)


def channel_down(session: Session, config: Config, kind: ChannelKind, why: str, now: datetime) -> None:
    """A channel fails as a whole: its queue waits, and the operators are told once, by whatever still works."""
    row = hosts.channel_down(session, kind, why, now)
    row.not_before = now + min(_FIRST_REST * (1 << min(row.failures - 1, 10)), _LAST_REST)
    if row.outage_told_at is None:
        label = CHANNELS[kind].label
        narrative = "Everything for it is kept and sent once it works. To see whether it does, run: monitor doctor"
        item = Item(f"Nothing can be sent by {label}", why, narrative=narrative)
        row.outage_told_at = now if tell_operators(session, config, item, now) else None


def channel_back(session: Session, config: Config, kind: ChannelKind, now: datetime) -> None:
    """It works again: said once, if its failure was."""
    row = hosts.channels(session)[kind]
    if row.outage_told_at is not None:
        label = CHANNELS[kind].label
        sentence = "Nothing needs doing: what waited for it is being sent."
        tell_operators(session, config, Item(f"Sending by {label} works again", sentence), now)
    session.delete(row)


def outages(session: Session, config: Config, now: datetime) -> list[Notice]:
    """Outages that began or ended since they were last told of: one notice for each host, and one for the rest."""
    notices = [_host(session, config, host, now) for host in hosts.load(session)]
    notices.append(_sources(session, config, now))
    return [notice for notice in notices if notice is not None]


def _host(session: Session, config: Config, host: Host, now: datetime) -> Notice | None:
    if host.outage_since is not None and host.outage_told_at is None and host.failures >= config.notices.fail_after:
        notice = tell_operators(session, config, _host_down(host), now)
        host.outage_told_at = now if notice else None
        return notice
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
    back = list(
        session.scalars(select(Source).where(Source.outage_told_at.is_not(None), Source.outage_since.is_(None)))
    )
    if not down and not back:
        return None
    notice = tell_operators(session, config, _trouble(down, back), now)
    for source in down:
        source.outage_told_at = now if notice else None
    for source in back:
        source.outage_told_at = None
    return notice


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
