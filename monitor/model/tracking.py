"""What we keep about issues: watches, pages, changes, proposals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class SourceKind(StrEnum):
    """The kinds of source; each is one module of ``monitor/extract``."""

    BILL_FEED = "bill_feed"
    BILL_PAGE = "bill_page"
    ACTS_PAGE = "acts_page"
    DOCUMENT_LIST = "document_list"
    FEED = "feed"


class Status(StrEnum):
    """An issue's place on the board, lowest first."""

    NO_PROGRESS = "no_progress"
    SOME_PROGRESS = "some_progress"
    ACHIEVED = "achieved"

    @property
    def label(self) -> str:
        return {"no_progress": "No Progress", "some_progress": "Some Progress", "achieved": "Legislation Achieved"}[
            self.value
        ]

    @property
    def rank(self) -> int:
        return list(Status).index(self)


class Effect(StrEnum):
    """What a bill's enactment would mean for the issue that watches it."""

    ACHIEVED = "achieved"
    SOME_PROGRESS = "some_progress"
    NO_PROGRESS = "no_progress"
    NONE = "none"


class Direction(StrEnum):
    """Whether enactment would advance the issue or undo it."""

    ADVANCES = "advances"
    REVERSES = "reverses"


class Verdict(StrEnum):
    """Said of every capture before any diff. Only ``ok`` may move the baseline."""

    OK = "ok"
    NOT_MODIFIED = "not_modified"
    ABSENT = "absent"  # the site says it has no such bill
    SOFT_ERROR = "soft_error"  # an error page served as 200
    BLOCKED = "blocked"  # robots.txt, 401, 403, 429 or a bot wall
    LAYOUT_CHANGED = "layout_changed"  # a landmark is missing
    WRONG_PAGE = "wrong_page"  # another bill or another session
    TRUNCATED = "truncated"
    SHRUNK = "shrunk"  # most of the rows are gone: a person must look
    UNREACHABLE = "unreachable"  # DNS, TLS, connection, deadline, 5xx
    TOO_LARGE = "too_large"


class ChangeKind(StrEnum):
    """What can change."""

    ACTION = "action"
    ACTION_REMOVED = "action_removed"
    ACTION_AMENDED = "action_amended"
    TITLE = "title"
    DOCUMENT = "document"
    DOCUMENT_REMOVED = "document_removed"
    ACT = "act"
    ENTRY = "entry"


class Milestone(StrEnum):
    """What can happen to a bill or a task force that the board may have to say. Config decides what each suggests."""

    LAW = "law"
    LAW_IN_PART = "law_in_part"
    VETO = "veto"
    REVERSED = "reversed"  # a reversed vote, or a law that is none any more
    HEARING = "hearing"
    COMMITTEE_VOTE = "committee_vote"
    CHAMBER_PASSAGE = "chamber_passage"
    ACT_NUMBER = "act_number"
    DEATH = "death"
    MERGED = "merged"
    FAILED = "failed"
    ADOPTED = "adopted"
    REPORT = "report"


class ProposalKind(StrEnum):
    STATUS = "status"
    NARRATIVE = "narrative"
    REVIEW = "review"


class ProposalState(StrEnum):
    PENDING = "pending"
    APPROVED = "approved"
    AMENDED = "amended"
    REJECTED = "rejected"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True)
class Validators:
    """The server's own words for "which version I gave you", echoed back and never made up."""

    etag: str | None = None
    last_modified: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """One response, complete and decoded from its transfer encoding.

    ``url`` is what was asked, ``final_url`` where redirects led. ``fetched_at`` is our clock, UTC.
    """

    url: str
    final_url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    fetched_at: datetime

    @property
    def content_type(self) -> str | None:
        return self.headers.get("content-type")

    @property
    def validators(self) -> Validators:
        return Validators(self.headers.get("etag"), self.headers.get("last-modified"))


@dataclass(frozen=True, slots=True)
class NotModified:
    """The server answered 304 to our own validators."""

    url: str
    fetched_at: datetime


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What a change means for one issue, before it is stored as a proposal."""

    kind: ProposalKind
    reason: str
    narrative: str = ""
    to_status: Status | None = None
