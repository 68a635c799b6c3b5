"""Config → tables. Config says what is tracked; the tables keep where everything stands."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote

from sqlalchemy import select
from sqlalchemy.orm import Session

from monitor.config import Config
from monitor.config.board import Watch as WatchEntry
from monitor.model.legislature import BillKey
from monitor.model.tracking import SourceKind
from monitor.store import bills, sources
from monitor.store.schema import Bill, Issue, Source, Topic, Watch
from monitor.workflow import audit
from monitor.workflow.bulk import HISTORY
from monitor.workflow.context import Context
from monitor.workflow.killpoints import killpoint

#: The pages of the site we know the way to (FACTS 3 and 4).
STATUS_PAGE = "/asp/cgabillstatus/cgabillstatus.asp?selBillType=Bill&bill_num={identifier}&which_year={session}"
ACTS_PAGE = "/asp/CGATodayFileCopies/CGAAllPA.asp"

#: So many issues and watches a line of the audit log names; a first sync may bring thousands.
_MOST_NAMED = 200


@dataclass(slots=True)
class Synced:
    """What a sync did. ``kept`` names issues whose text in config differs from what was published since."""

    issues: int = 0
    watches: int = 0
    sources: int = 0
    added: list[str] = field(default_factory=list)
    retired: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)


def sync(context: Context) -> Synced:
    """Make the tables track what config names. Statuses, narratives and history are never overwritten."""
    now = context.now()
    with context.database.transaction() as session:
        report = sync_within(session, context.config, now)
        killpoint("before_sync_commit")
    killpoint("after_sync_commit")
    return report


def sync_within(session: Session, config: Config, now: datetime) -> Synced:
    """The same inside the caller's transaction."""
    report, before = Synced(), tracked(session)
    _topics_and_issues(session, config, report, now)
    wanted = _sources(session, config, now)
    _watches(session, config, report)
    _retire(session, config, wanted, report)
    report.sources = len(wanted)
    _note(session, before, tracked(session), now)
    return report


def tracked(session: Session) -> dict[str, str]:
    """What is tracked, by name: every issue with its topic, every watch with its issue, direction and effect."""
    issues = select(Issue.id, Issue.topic_id, Issue.name).where(Issue.active)
    watches = select(Watch.id, Watch.issue_id, Watch.direction, Watch.effect).where(Watch.active)
    return {
        f"{kind} {row[0]}": " ".join(map(str, row[1:]))
        for kind, query in (("issue", issues), ("watch", watches))
        for row in session.execute(query)
    }


def _note(session: Session, before: dict[str, str], after: dict[str, str], now: datetime) -> None:
    """The audit log's line when config tracks something else than it did."""
    detail = {
        "added": [name for name in after if name not in before],
        "retired": [name for name in before if name not in after],
        "changed": [f"{name}: {was} → {after[name]}" for name, was in before.items() if after.get(name, was) != was],
    }
    told = {what: _shortened(names) for what, names in detail.items() if names}
    if told:
        audit.append(session, "config.yaml", "changed what is tracked", "config.yaml", told, now)


def _shortened(names: list[str]) -> list[str]:
    more = len(names) - _MOST_NAMED
    return [*names[:_MOST_NAMED], f"and {more} more"] if more > 0 else names


def _topics_and_issues(session: Session, config: Config, report: Synced, now: datetime) -> None:
    for place, topic in enumerate(config.topics):
        session.merge(Topic(id=topic.id, name=topic.name, position=place, active=True))
        session.flush()
        for position, issue in enumerate(topic.issues):
            row = session.get(Issue, issue.id)
            if row is None:
                row = Issue(
                    id=issue.id,
                    topic_id=topic.id,
                    name=issue.name,
                    position=position,
                    status=issue.initial_status,
                    status_since=issue.initial_since,
                    narrative=issue.initial_narrative,
                    updated_at=now,
                )
                report.added.append(issue.id)
                session.add(row)
            elif row.narrative != issue.initial_narrative or row.status != issue.initial_status:
                report.kept.append(issue.id)
            row.topic_id, row.name, row.position, row.active = topic.id, issue.name, position, True
            row.action_url = str(issue.action_url or "")
            report.issues += 1
    session.flush()


def bill_page_url(base_url: str, key: BillKey) -> str:
    """The status page. Without ``which_year`` the site would silently answer with the current session."""
    return base_url + STATUS_PAGE.format(identifier=key.identifier, session=key.session)


def _sources(session: Session, config: Config, now: datetime) -> set[str]:
    cga = config.sources.cga
    wanted: set[str] = set()

    def want(slug: str, kind: SourceKind, url: str, bill: BillKey | None = None) -> None:
        wanted.add(slug)
        row = sources.by_slug(session, slug)
        if row is None:
            row = Source(slug=slug, kind=kind, url=url, next_check_at=now)
            row.session, row.identifier = (bill.session, bill.identifier) if bill else (None, None)
            session.add(row)
        elif not row.active:
            row.next_check_at = now
        row.url, row.active = url, True

    if config.sources.bill_feed:
        want(f"bill_feed/{HISTORY}", SourceKind.BILL_FEED, f"{cga.base_url}{cga.bulk_path}/{HISTORY}")
    if config.sources.acts_page:
        want("acts_page", SourceKind.ACTS_PAGE, cga.base_url + ACTS_PAGE)
    for watch in config.watches():
        if watch.bill is None:
            want(publication_slug(watch), watch.kind, watch.url)
        elif config.sources.bill_page:
            want(page_slug(watch.bill), SourceKind.BILL_PAGE, bill_page_url(cga.base_url, watch.bill), watch.bill)
    session.flush()
    return wanted


def page_slug(key: BillKey) -> str:
    return f"{SourceKind.BILL_PAGE}/{key.session}-{key.identifier}"


def publication_slug(watch: WatchEntry) -> str:
    """One page watched for several issues is one source: its slug comes from its address."""
    tail = quote(watch.url.rsplit("/", 1)[-1], safe="")[-40:]
    return f"{watch.kind}/{hashlib.sha256(watch.url.encode()).hexdigest()[:8]}-{tail}"


def _watches(session: Session, config: Config, report: Synced) -> None:
    for watch in config.watches():
        bill = _bill(session, watch.bill) if watch.bill is not None else None
        source = sources.by_slug(session, publication_slug(watch)) if watch.bill is None else None
        row = Watch(
            id=watch.id,
            issue_id=watch.issue,
            bill_id=bill.id if bill else None,
            source_id=source.id if source else None,
            direction=watch.direction,
            effect=watch.effect,
            active=True,
        )
        session.merge(row)
        report.watches += 1
    session.flush()


def _bill(session: Session, key: BillKey) -> Bill:
    bill = bills.find(session, key)
    if bill is None:
        bill = Bill(session=key.session, identifier=key.identifier, title="", stage_reason="", in_feed=False)
        session.add(bill)
        session.flush()
    return bill


def _retire(session: Session, config: Config, wanted: Collection[str], report: Synced) -> None:
    """What config no longer names is no longer read; its history stays."""
    issues = {issue.id for issue in config.issues()}
    named: list[tuple[Any, set[str]]] = [
        (Topic, {topic.id for topic in config.topics}),
        (Issue, issues),
        (Watch, {watch.id for watch in config.watches()}),
    ]
    for table, ids in named:
        for row in session.scalars(select(table).where(table.active)):
            if row.id not in ids:
                row.active = False
                report.retired.append(row.id)
    session.flush()
    bills.forget_unwatched(session)
    for source in session.scalars(select(Source).where(Source.active)):
        source.active = source.slug in wanted
