"""The tables. Mapped rows stay in workflow, web and store; values cross the other rooms."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, ClassVar

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, LargeBinary, MetaData, String, UniqueConstraint, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from monitor.model.legislature import BillKey
from monitor.store.database import UtcDateTime

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map: ClassVar[dict[Any, Any]] = {datetime: UtcDateTime, dict[str, Any]: JSON, list[Any]: JSON}


class Topic(Base):
    __tablename__ = "topics"
    id: Mapped[str] = mapped_column(String(80), primary_key=True)
    name: Mapped[str]
    position: Mapped[int]
    active: Mapped[bool] = mapped_column(default=True)


class Issue(Base):
    """A policy question and where it stands. Config starts it; only transitions move it."""

    __tablename__ = "issues"
    id: Mapped[str] = mapped_column(String(80), primary_key=True)
    topic_id: Mapped[str] = mapped_column(ForeignKey("topics.id"))
    name: Mapped[str]
    position: Mapped[int]
    active: Mapped[bool] = mapped_column(default=True)
    status: Mapped[str] = mapped_column(String(20))
    status_since: Mapped[date | None]
    narrative: Mapped[str]
    action_url: Mapped[str] = mapped_column(default="")
    updated_at: Mapped[datetime]
    topic: Mapped[Topic] = relationship()


class Source(Base):
    """One address that is read, with its health kept apart from its changes."""

    __tablename__ = "sources"
    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(String(200), unique=True)
    kind: Mapped[str] = mapped_column(String(20))
    url: Mapped[str]
    session: Mapped[str | None] = mapped_column(String(4))
    identifier: Mapped[str | None] = mapped_column(String(10))
    active: Mapped[bool] = mapped_column(default=True)

    next_check_at: Mapped[datetime | None] = mapped_column(index=True)
    claimed_by: Mapped[str | None] = mapped_column(String(80))
    claimed_until: Mapped[datetime | None]

    #: The baseline. No foreign key: a snapshot points to its source already; the tables must not wait on each other.
    snapshot_id: Mapped[int | None]
    sha256: Mapped[str | None] = mapped_column(String(64))
    fingerprint: Mapped[str | None] = mapped_column(String(64))
    accepted_fingerprint: Mapped[str | None] = mapped_column(String(64))
    extractor_version: Mapped[int | None]
    etag: Mapped[str | None]
    last_modified: Mapped[str | None]
    conditional_passes: Mapped[int] = mapped_column(default=0)

    verdict: Mapped[str | None] = mapped_column(String(20))
    error: Mapped[str | None]
    failures: Mapped[int] = mapped_column(default=0)
    last_read_at: Mapped[datetime | None]
    last_good_at: Mapped[datetime | None]
    last_changed_at: Mapped[datetime | None]
    outage_since: Mapped[datetime | None]
    outage_told_at: Mapped[datetime | None]
    requests: Mapped[int] = mapped_column(default=0)
    bytes_read: Mapped[int] = mapped_column(default=0)

    @property
    def bill(self) -> BillKey | None:
        return BillKey(self.session, self.identifier) if self.session and self.identifier else None


class Watch(Base):
    """One bill or source watched for one issue, with what its enactment would mean for it."""

    __tablename__ = "watches"
    id: Mapped[str] = mapped_column(String(160), primary_key=True)
    issue_id: Mapped[str] = mapped_column(ForeignKey("issues.id"), index=True)
    bill_id: Mapped[int | None] = mapped_column(ForeignKey("bills.id"), index=True)
    source_id: Mapped[int | None] = mapped_column(ForeignKey("sources.id"), index=True)
    direction: Mapped[str] = mapped_column(String(10))
    effect: Mapped[str] = mapped_column(String(20))
    active: Mapped[bool] = mapped_column(default=True)
    issue: Mapped[Issue] = relationship()


class Bill(Base):
    """A watched bill and its stage as last read."""

    __tablename__ = "bills"
    __table_args__ = (UniqueConstraint("session", "identifier"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    session: Mapped[str] = mapped_column(String(4))
    identifier: Mapped[str] = mapped_column(String(10))
    title: Mapped[str] = mapped_column(default="")
    stage: Mapped[str | None] = mapped_column(String(24))
    stage_since: Mapped[date | None]
    stage_reason: Mapped[str] = mapped_column(default="")
    stage_on: Mapped[date | None]
    feed_asked_at: Mapped[datetime | None]
    in_feed: Mapped[bool] = mapped_column(default=False)
    page_read_at: Mapped[datetime | None]
    first_read_at: Mapped[datetime | None]
    act: Mapped[str | None] = mapped_column(String(20))
    act_seen_at: Mapped[datetime | None]
    heard_on: Mapped[date | None]

    @property
    def key(self) -> BillKey:
        return BillKey(self.session, self.identifier)


class Action(Base):
    """One row of a bill's history, however many channels show it. Kept when the sources remove it.

    ``removed_at`` is when no channel showed it any more; it is ``gone`` once that has lasted, because
    servers behind a load balancer take turns with older copies.
    """

    __tablename__ = "actions"
    id: Mapped[int] = mapped_column(primary_key=True)
    bill_id: Mapped[int] = mapped_column(ForeignKey("bills.id"), index=True)
    position: Mapped[int]
    date: Mapped[date]
    description: Mapped[str]
    in_feed: Mapped[bool] = mapped_column(default=False)
    in_page: Mapped[bool] = mapped_column(default=False)
    first_seen_at: Mapped[datetime]
    source_id: Mapped[int] = mapped_column(ForeignKey("sources.id"))
    snapshot_id: Mapped[int | None] = mapped_column(ForeignKey("snapshots.id"))
    removed_at: Mapped[datetime | None]
    gone: Mapped[bool] = mapped_column(default=False)


class Publication(Base):
    """One document or feed entry a source has ever listed: a list that shrinks and grows again is no news."""

    __tablename__ = "publications"
    __table_args__ = (UniqueConstraint("source_id", "key"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    source_id: Mapped[int] = mapped_column(ForeignKey("sources.id"))
    key: Mapped[str]
    title: Mapped[str]
    url: Mapped[str]
    first_seen_at: Mapped[datetime]


class Snapshot(Base):
    """The raw bytes of one capture, zstandard-compressed, with ``base`` as dictionary if it has one."""

    __tablename__ = "snapshots"
    id: Mapped[int] = mapped_column(primary_key=True)
    source_id: Mapped[int] = mapped_column(ForeignKey("sources.id"), index=True)
    base_id: Mapped[int | None] = mapped_column(ForeignKey("snapshots.id"))
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    size: Mapped[int]
    body: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    verdict: Mapped[str] = mapped_column(String(20))
    url: Mapped[str]
    content_type: Mapped[str | None]
    fetched_at: Mapped[datetime]


class Run(Base):
    """One pass of ``check``: its counts, and when it ended, if it did."""

    __tablename__ = "runs"
    id: Mapped[int] = mapped_column(primary_key=True)
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    counts: Mapped[dict[str, Any]] = mapped_column(default=dict)


class ChangeRow(Base):
    """One thing that became different, on the first read that showed it."""

    __tablename__ = "changes"
    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int | None] = mapped_column(ForeignKey("runs.id"), index=True)
    source_id: Mapped[int | None] = mapped_column(ForeignKey("sources.id"), index=True)
    bill_id: Mapped[int | None] = mapped_column(ForeignKey("bills.id"), index=True)
    snapshot_id: Mapped[int | None] = mapped_column(ForeignKey("snapshots.id"))
    kind: Mapped[str] = mapped_column(String(20))
    on: Mapped[date | None]
    quote: Mapped[str]
    url: Mapped[str] = mapped_column(default="")
    before: Mapped[str] = mapped_column(default="")
    after: Mapped[str] = mapped_column(default="")
    phrase: Mapped[str] = mapped_column(default="")
    classification: Mapped[list[Any]] = mapped_column(default=list)
    first_seen_at: Mapped[datetime]


class Proposal(Base):
    """What we suggest to a maintainer. ``version`` moves with every change of state."""

    __tablename__ = "proposals"
    __table_args__ = (
        CheckConstraint("state IN ('pending','approved','amended','rejected','superseded')", name="state"),
        Index("ix_proposals_state_created", "state", "created_at"),
        Index("ix_proposals_subject", "issue_id", "subject"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(default=1)
    state: Mapped[str] = mapped_column(String(12), default="pending")
    kind: Mapped[str] = mapped_column(String(12))
    issue_id: Mapped[str | None] = mapped_column(ForeignKey("issues.id"))
    bill_id: Mapped[int | None] = mapped_column(ForeignKey("bills.id"))
    source_id: Mapped[int | None] = mapped_column(ForeignKey("sources.id"))
    subject: Mapped[str]
    from_status: Mapped[str | None] = mapped_column(String(20))
    to_status: Mapped[str | None] = mapped_column(String(20))
    reason: Mapped[str]
    narrative: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[str | None]
    decision_reason: Mapped[str] = mapped_column(default="")
    superseded_by: Mapped[int | None] = mapped_column(ForeignKey("proposals.id"))
    notice_id: Mapped[int | None] = mapped_column(ForeignKey("notices.id"), index=True)
    #: Kept out of the queue until this day; it stays pending, and a newer one supersedes it all the same.
    postponed_until: Mapped[date | None]
    evidence: Mapped[list[Evidence]] = relationship(order_by="Evidence.id", back_populates="proposal")
    issue: Mapped[Issue | None] = relationship()


class Evidence(Base):
    __tablename__ = "evidence"
    id: Mapped[int] = mapped_column(primary_key=True)
    proposal_id: Mapped[int] = mapped_column(ForeignKey("proposals.id"), index=True)
    change_id: Mapped[int | None] = mapped_column(ForeignKey("changes.id"))
    url: Mapped[str]
    quote: Mapped[str]
    action_date: Mapped[date | None]
    first_seen_at: Mapped[datetime]
    snapshot_sha256: Mapped[str | None] = mapped_column(String(64))
    before: Mapped[str] = mapped_column(default="")
    after: Mapped[str] = mapped_column(default="")
    proposal: Mapped[Proposal] = relationship(back_populates="evidence")


class Transition(Base):
    """An issue's published move: its status, its narrative, or both."""

    __tablename__ = "transitions"
    #: Feeds name a move by its id: one that was taken back must not come again as another.
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012 - SQLAlchemy wants a plain dict
    id: Mapped[int] = mapped_column(primary_key=True)
    issue_id: Mapped[str] = mapped_column(ForeignKey("issues.id"), index=True)
    proposal_id: Mapped[int | None] = mapped_column(ForeignKey("proposals.id"), unique=True)
    bill_id: Mapped[int | None] = mapped_column(ForeignKey("bills.id"))
    from_status: Mapped[str] = mapped_column(String(20))
    to_status: Mapped[str] = mapped_column(String(20))
    narrative_before: Mapped[str]
    narrative_after: Mapped[str]
    reason: Mapped[str]
    decided_by: Mapped[str]
    at: Mapped[datetime]
    #: What the issue said of itself before, for the way back.
    since_before: Mapped[date | None]
    updated_before: Mapped[datetime | None]
    #: Set on a correction: the move it takes back or puts right, which stays in the history.
    corrects_id: Mapped[int | None] = mapped_column(ForeignKey("transitions.id"))
    issue: Mapped[Issue] = relationship()
    proposal: Mapped[Proposal | None] = relationship()


class Subscription(Base):
    """One address that is told: it was confirmed by its reader, or a maintainer answers for it.

    ``topics`` and ``issues`` empty means everything. ``hour`` (0-23) and ``weekday`` (Monday is 0) of a digest are by
    the clock of ``zone``; what is not given is the board's own. A webhook or another service's address is a secret:
    it stands encrypted in ``sealed``, and ``address`` is how it may be shown.
    """

    __tablename__ = "subscriptions"
    #: A signed link names its row by the id: one that was deleted must not open somebody else's.
    __table_args__ = (
        UniqueConstraint("channel", "address"),
        Index("ix_subscriptions_mailbox", text("lower(address)")),
        {"sqlite_autoincrement": True},
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    channel: Mapped[str] = mapped_column(String(10))
    address: Mapped[str]
    sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    topics: Mapped[list[Any]] = mapped_column(default=list)
    issues: Mapped[list[Any]] = mapped_column(default=list)
    interests: Mapped[list[Any]] = mapped_column(default=lambda: ["status"])
    cadence: Mapped[str] = mapped_column(String(10))
    hour: Mapped[int | None]
    weekday: Mapped[int | None]
    zone: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime]
    #: How we came to write to them, and since when: "signed up on the board", "imported: fair 2025".
    consent: Mapped[str] = mapped_column(default="")
    consented_on: Mapped[date | None]
    paused_until: Mapped[date | None]
    #: When they were last told that nothing changed.
    heartbeat_at: Mapped[datetime | None]
    left_at: Mapped[datetime | None]
    broken_at: Mapped[datetime | None]
    broken_reason: Mapped[str] = mapped_column(default="")

    @property
    def live(self) -> bool:
        return self.left_at is None and self.broken_at is None


class Notice(Base):
    """Something told once that no decision made: to our own people, or facts of the record to subscribers.

    ``items`` are proposals' ids (kind ``proposals``), changes' ids (``activity``, ``hearing``), a sign-up's id
    (``confirm``), or the items themselves.
    """

    __tablename__ = "notices"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(12))
    items: Mapped[list[Any]] = mapped_column(default=list)
    created_at: Mapped[datetime]


class Delivery(Base):
    """One thing to tell one address: the outbox. Its id makes the Message-ID.

    Deliveries that leave in one message (a digest) share ``message_key``, written when they are
    claimed, so that a repeat after a crash is the same message with the same Message-ID.
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint("transition_id", "subscription_id", "channel"),
        UniqueConstraint("notice_id", "recipient"),
        CheckConstraint("state IN ('pending','sending','sent','dead','cancelled','held')", name="state"),
        Index("ix_deliveries_due", "state", "due_at"),
    )
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    transition_id: Mapped[int | None] = mapped_column(ForeignKey("transitions.id"))
    subscription_id: Mapped[int | None] = mapped_column(ForeignKey("subscriptions.id"), index=True)
    notice_id: Mapped[int | None] = mapped_column(ForeignKey("notices.id"))
    recipient: Mapped[str]
    channel: Mapped[str] = mapped_column(String(10))
    state: Mapped[str] = mapped_column(String(10), default="pending")
    due_at: Mapped[datetime]
    created_at: Mapped[datetime] = mapped_column(index=True)
    message_key: Mapped[str | None] = mapped_column(String(32), index=True)
    claimed_by: Mapped[str | None] = mapped_column(String(80))
    claimed_until: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    code: Mapped[int | None]
    error: Mapped[str] = mapped_column(default="")
    sent_at: Mapped[datetime | None]
    transition: Mapped[Transition | None] = relationship()
    subscription: Mapped[Subscription | None] = relationship()
    notice: Mapped[Notice | None] = relationship()


class Host(Base):
    """What a host asked of us and how it fares; outlives a restart."""

    __tablename__ = "hosts"
    host: Mapped[str] = mapped_column(String(200), primary_key=True)
    not_before: Mapped[datetime | None]
    failures: Mapped[int] = mapped_column(default=0)
    robots: Mapped[str | None]
    robots_status: Mapped[int | None]
    robots_at: Mapped[datetime | None]
    outage_since: Mapped[datetime | None]
    outage_told_at: Mapped[datetime | None]
    last_error: Mapped[str] = mapped_column(default="")
