"""The keys of config.yaml about reading: sources, manners, cadence, the clock, what suggests what, what is kept."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import Field, ValidationInfo, field_validator

from monitor.config.board import Strict
from monitor.config.cron import parse_cron
from monitor.config.values import (
    BaseUrl,
    CronLine,
    Duration,
    FtpUrl,
    HomePath,
    Host,
    Kept,
    Line,
    SitePath,
    Size,
    TimeZone,
    wrong,
)
from monitor.model.tracking import Milestone, SourceKind

Count = Annotated[int, Field(ge=1, le=1000)]


class Cga(Strict):
    """Where the Connecticut General Assembly publishes. A local replica can stand in for it."""

    base_url: BaseUrl = Field(
        default="https://www.cga.ct.gov",
        description="The site. May be a private address: a replica.",
    )
    ftp_url: FtpUrl = Field(default="ftp://ftp.cga.ct.gov/pub/data", description="The bulk files by FTP, the fallback.")
    bulk_path: SitePath = Field(default="/ftp/pub/data", description="The same folder on the site, tried first.")
    intermediates: HomePath | None = Field(
        default=None,
        description="A PEM file with intermediate certificates the site forgets to send. "
        "Each is verified against the machine's roots before it is used. Without it the bundled ones serve.",
    )

    @field_validator("intermediates")
    @classmethod
    def _there(cls, path: HomePath | None) -> HomePath | None:
        if path is not None and not path.is_file():
            raise wrong(f"there is no file {path}", "a relative path starts at the folder of config.yaml")
        return path


class Sources(Strict):
    """What is read, and which hosts may be asked."""

    cga: Cga = Field(default_factory=Cga, description="The legislature's site.")
    hosts: tuple[Host, ...] = Field(
        default=(), description="Further hosts that may be read. Those of `cga.base_url` and `cga.ftp_url` always may."
    )
    bill_feed: bool = Field(default=True, description="Read the bulk files: one request for the whole session.")
    bill_page: bool = Field(default=True, description="Read the status page of watched bills.")
    acts_page: bool = Field(default=True, description="Read the list of all acts.")
    ignore_robots: tuple[Line, ...] = Field(
        default=(),
        description="Where robots.txt is not obeyed: `bill_feed`, `bill_page`, `acts_page`, or an allowed host. "
        "Every start logs it. Ask the site first.",
    )


def channel_prefixes(bulk_path: str = "") -> Mapping[str, str]:
    """Where on the site each channel's pages lie, for robots.txt."""
    return {
        SourceKind.BILL_FEED: f"{bulk_path}/",
        SourceKind.BILL_PAGE: "/asp/cgabillstatus/",
        SourceKind.ACTS_PAGE: "/asp/CGATodayFileCopies/",
    }


class Manners(Strict):
    """How we behave towards the sites we read."""

    interval_seconds: float = Field(
        default=1.0,
        ge=0,
        le=3600,
        description="The least time between two requests to a host. "
        "Only a local replica is ever asked faster than once a second.",
    )
    deadline_seconds: float = Field(
        default=30.0,
        gt=0,
        le=600,
        description="The most a request may take, to its last byte.",
    )
    max_bytes: Size = Field(default=5_000_000, description="The most a page may weigh, decoded: `5 MB`.")
    max_bytes_large: Size = Field(default=25_000_000, description="The same for PDFs, feeds and bulk files.")
    max_redirects: int = Field(default=5, ge=0, le=20, description="How many redirects are followed.")
    full_read_every: Count = Field(
        default=10,
        description="Every so many passes a page is read in full, whatever the server says of it: servers lie.",
    )


class Rhythm(Strict):
    """How often one kind of source is read. A kind that sets one of the three keeps its own default for the others."""

    in_session: Duration = Field(description="While the legislature sits.")
    out_of_session: Duration = Field(description="The rest of the year.")
    settled: Duration = Field(default=timedelta(days=30), description="A bill of a past session, whose end is known.")


def _rhythm(in_session: timedelta, out_of_session: timedelta) -> Rhythm:
    return Rhythm(in_session=in_session, out_of_session=out_of_session)


class Cadence(Strict):
    """How often each kind of source is read. The defaults below are `in_session`, `out_of_session`, `settled`."""

    bill_feed: Rhythm = Field(default=_rhythm(timedelta(hours=1), timedelta(days=1)), description="The bulk files.")
    bill_page: Rhythm = Field(
        default=_rhythm(timedelta(hours=6), timedelta(days=7)),
        description="Bill pages, when `sources.bill_feed` is off.",
    )
    acts_page: Rhythm = Field(
        default=_rhythm(timedelta(hours=6), timedelta(days=1)),
        description="The list of all acts.",
    )
    document_list: Rhythm = Field(
        default=_rhythm(timedelta(days=1), timedelta(days=1)),
        description="Pages of documents.",
    )
    feed: Rhythm = Field(default=_rhythm(timedelta(hours=6), timedelta(hours=6)), description="RSS and Atom feeds.")
    crosscheck: Duration = Field(
        default=timedelta(days=7), description="Every watched bill's page is read this often even if the feed is quiet."
    )

    @field_validator("*", mode="before")
    @classmethod
    def _own_defaults(cls, value: object, info: ValidationInfo) -> object:
        """A kind that sets one of its lengths keeps its own others."""
        default = cls.model_fields[info.field_name or ""].default
        return {**default.model_dump(), **value} if isinstance(value, dict) and isinstance(default, Rhythm) else value

    def of(self, kind: SourceKind) -> Rhythm:
        rhythm: Rhythm = getattr(self, kind.value)
        return rhythm


class Schedule(Strict):
    """The service's clock. Cron lines have five fields; weekdays as in cron: 0 or `sun`, 1 or `mon`, … 6 or `sat`."""

    timezone: TimeZone = Field(default="America/New_York", description="The clock the cron lines below are read by.")
    tick_seconds: int = Field(default=30, ge=1, le=3600, description="How often the service looks what is due.")
    daily_digest: CronLine = Field(default=parse_cron("0 8 * * *"), description="When daily digests go out.")
    weekly_digest: CronLine = Field(default=parse_cron("0 8 * * mon"), description="When weekly digests go out.")
    prune: CronLine = Field(default=parse_cron("30 4 * * *"), description="When what `retention` gives up is deleted.")

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)


class Suggests(StrEnum):
    """What a milestone does."""

    STATUS = "status"
    NARRATIVE = "narrative"
    ACTIVITY = "activity"


#: Only these can move an issue's status: they make, change or undo law.
MAY_MOVE_STATUS = frozenset({Milestone.LAW, Milestone.LAW_IN_PART, Milestone.VETO, Milestone.REVERSED})


class Milestones(Strict):
    """What each milestone suggests: `status` (a new status), `narrative` (the board's text is behind) or `activity`
    (recorded, nothing proposed). Only `law`, `law_in_part`, `veto` and `reversed` may be `status`."""

    law: Suggests = Field(
        default=Suggests.STATUS,
        description="Signed, or law without signature, or a veto overridden.",
    )
    law_in_part: Suggests = Field(default=Suggests.STATUS, description="Signed with a line-item veto.")
    veto: Suggests = Field(default=Suggests.STATUS, description="Vetoed.")
    reversed: Suggests = Field(default=Suggests.STATUS, description="A vote was reversed, or a law was undone.")
    hearing: Suggests = Field(default=Suggests.NARRATIVE, description="The day of a public hearing has come and gone.")
    committee_vote: Suggests = Field(default=Suggests.NARRATIVE, description="A committee voted.")
    chamber_passage: Suggests = Field(default=Suggests.NARRATIVE, description="A chamber passed it.")
    act_number: Suggests = Field(default=Suggests.NARRATIVE, description="It got an act number (it is not law yet).")
    death: Suggests = Field(default=Suggests.NARRATIVE, description="The session ended without it.")
    merged: Suggests = Field(default=Suggests.NARRATIVE, description="Its text went into another bill.")
    failed: Suggests = Field(default=Suggests.NARRATIVE, description="A vote rejected it.")
    adopted: Suggests = Field(default=Suggests.NARRATIVE, description="A resolution was adopted.")
    report: Suggests = Field(default=Suggests.NARRATIVE, description="A new document or feed entry appeared.")

    @field_validator("*")
    @classmethod
    def _only_law_moves(cls, value: Suggests, info: ValidationInfo) -> Suggests:
        if value is Suggests.STATUS and info.field_name not in MAY_MOVE_STATUS:
            hint = f"write narrative or activity; only {', '.join(sorted(MAY_MOVE_STATUS))} may be status"
            raise wrong(f"{info.field_name} cannot suggest a status", hint)
        return value

    @property
    def table(self) -> Mapping[Milestone, str]:
        return {milestone: str(getattr(self, milestone)) for milestone in Milestone}


class Notices(Strict):
    """When the operators are told that a source is not well, and how much is told to a subscriber in a day."""

    fail_after: Count = Field(default=3, description="So many failures in a row before anyone is told.")
    quiet_after: Duration = Field(
        default=timedelta(days=7),
        description="In session, a feed without a change for this long.",
    )
    messages_a_day: Count = Field(
        default=10,
        description="The most messages a subscriber gets from one hour of their digest to the next. What is more waits "
        "for that hour and leaves as one digest. Corrections leave all the same.",
    )


class Retention(Strict):
    """How long things are kept: a length of time, or `forever`. What a proposal cites is never deleted."""

    snapshots: Kept = Field(default=None, description="Accepted pages that nothing cites or rests on.")
    rejected_pages: Kept = Field(default=timedelta(days=90), description="Pages that failed their landmarks.")
    checks: Kept = Field(default=timedelta(days=90), description="The record of each request.")
    deliveries: Kept = Field(default=timedelta(days=365), description="What was sent to whom.")
