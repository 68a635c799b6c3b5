"""The board: topics, their issues, and the sources watched for each issue."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Self
from urllib.parse import parse_qsl, unquote, urljoin, urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator

from monitor.config.values import BillNumber, Line, Slug, SourceUrl, Text, Url, wrong
from monitor.model.legislature import BillKey
from monitor.model.tracking import Direction, Effect, SourceKind, Status


class Strict(BaseModel):
    """A block of config.yaml. ``hide_input_in_errors`` keeps a mistyped secret out of every traceback."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, validate_default=False)


@dataclass(frozen=True, slots=True)
class Watch:
    """One source checked for one issue, as the rest of the service sees it.

    ``id`` is stable: "<issue>/2020-HB06004", "<issue>/documents-<slug>", "<issue>/feed-<slug>", or as config says.
    ``bill`` is set for a bill; ``url`` is absolute, and empty for a bill (its channels know their own addresses).
    """

    id: str
    issue: str
    topic: str
    kind: SourceKind
    bill: BillKey | None = None
    url: str = ""
    direction: Direction = Direction.ADVANCES
    effect: Effect = Effect.NONE
    terms: tuple[str, ...] = ()

    def concerns(self, title: str) -> bool:
        """Whether a document or entry of this title is about the issue; with no terms, every one is."""
        folded = title.casefold()
        return not self.terms or any(term.casefold() in folded for term in self.terms)


class WatchEntry(Strict):
    """One source checked for an issue: a bill, a page of documents, or a feed. Exactly one of the three."""

    bill: BillNumber | None = Field(
        default=None, description="A bill: session, letters and number, as in `2020 HB 6004`."
    )
    documents: SourceUrl | None = Field(
        default=None,
        description="A page that lists documents (a task force, a committee). "
        "A path such as `/jud/taskforce.asp?TF=…` is on the CGA's site (`sources.cga.base_url`).",
    )
    feed: SourceUrl | None = Field(default=None, description="An RSS or Atom feed.")
    direction: Direction = Field(
        default=Direction.ADVANCES,
        description="Whether the bill's enactment would move the issue forward (`advances`) or undo it (`reverses`).",
    )
    effect: Effect = Field(
        default=Effect.NONE,
        description="The status the issue would deserve if the bill became law. "
        "`none`: it would not move the status; a person reads it and rewrites the text at most.",
    )
    terms: tuple[Line, ...] = Field(
        default=(),
        description="For `documents` and `feed`: only a title with one of these words or phrases is proposed; "
        "the others are recorded. Without terms every new one is proposed.",
    )
    id: Slug | None = Field(
        default=None, description="A name of your own in place of the derived one; it must never change."
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        given = [name for name in SOURCES if getattr(self, name) is not None]
        if len(given) != 1:
            said = " and ".join(given) or "none of them"
            raise wrong(f"a watch is one of bill, documents or feed; this one has {said}", "write one watch for each")
        return self

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        if self.bill is None:
            for name in ("direction", "effect"):
                if name in self.model_fields_set:
                    raise wrong(f"{name} belongs to a bill: a page or a feed enacts nothing", "remove it", (name,))
        elif self.terms:
            raise wrong("terms belong to documents and feeds: every action of a bill is read", "remove it", ("terms",))
        if self.effect not in _POSSIBLE[self.direction]:
            allowed = " or ".join(_POSSIBLE[self.direction])
            raise wrong(f"{self.effect} does not fit a bill that {self.direction}", f"write {allowed}", ("effect",))
        return self

    @property
    def kind(self) -> SourceKind:
        if self.bill is not None:
            return SourceKind.BILL_PAGE
        return SourceKind.DOCUMENT_LIST if self.documents is not None else SourceKind.FEED

    @property
    def local_id(self) -> str:
        """The part of the id after the issue's."""
        if self.id is not None:
            return self.id
        if self.bill is not None:
            return f"{self.bill.session}-{self.bill.identifier}"
        return f"documents-{_page_slug(self.documents)}" if self.documents else f"feed-{_site_slug(self.feed or '')}"


#: The three keys that name a source.
SOURCES = ("bill", "documents", "feed")
_POSSIBLE = {
    Direction.ADVANCES: (Effect.ACHIEVED, Effect.SOME_PROGRESS, Effect.NONE),
    Direction.REVERSES: (Effect.SOME_PROGRESS, Effect.NO_PROGRESS, Effect.NONE),
}


class Letter(Strict):
    """A letter to a lawmaker that a reader may send, opened in their own mail program or copied."""

    subject: Line = Field(description="Its subject. `{name}` and `{town}` stand for the reader's own.")
    body: Text = Field(description="Its text, with the same two placeholders; no other braces.")

    @model_validator(mode="after")
    def _known_placeholders(self) -> Self:
        for name in ("subject", "body"):
            rest = re.sub(r"\{(name|town)\}", "", getattr(self, name))
            if "{" in rest or "}" in rest:
                message = "a letter knows two placeholders only: {name} and {town}"
                raise wrong(message, "remove other braces", (name,))
        return self

    def filled(self, name: str, town: str) -> tuple[str, str]:
        """Subject and body with the reader's name and town."""
        subject, body = (text.replace("{name}", name).replace("{town}", town) for text in (self.subject, self.body))
        return subject, body


class Issue(Strict):
    """One policy question of the board. The status and text here are where it starts; afterwards the database knows."""

    id: Slug = Field(description="Its stable name, in addresses and on the command line. Never reuse or change one.")
    name: Line = Field(description="Its name on the board.")
    initial_status: Status = Field(description="At first: `no_progress`, `some_progress` or `achieved`.")
    initial_since: date | None = Field(default=None, description="Since when, if known: `2020-07-31`.")
    initial_narrative: Text = Field(description="The board's text at first: plain, a few sentences.")
    action_url: Url | None = Field(default=None, description="Where a reader can do something about it.")
    letter: Letter | None = Field(default=None, description="A letter to a lawmaker, offered on the issue's page.")
    watches: tuple[WatchEntry, ...] = Field(
        description="What is read for it. `[]` is allowed and means that no reading can ever verify this issue."
    )


class Topic(Strict):
    """A heading of the board with its issues."""

    id: Slug = Field(description="Its stable name; no topic and issue share one.")
    name: Line = Field(description="The heading.")
    issues: tuple[Issue, ...] = Field(description="Its issues, in the board's order.", min_length=1)


def watches_of(topic: Topic, issue: Issue, base_url: str) -> Iterator[Watch]:
    """An issue's watches with their ids and absolute addresses."""
    for entry in issue.watches:
        yield Watch(
            id=f"{issue.id}/{entry.local_id}",
            issue=issue.id,
            topic=topic.id,
            kind=entry.kind,
            bill=entry.bill,
            url=urljoin(base_url, entry.documents or entry.feed or "") if entry.bill is None else "",
            direction=entry.direction,
            effect=entry.effect,
            terms=entry.terms,
        )


def _page_slug(url: str) -> str:
    """What names a page in its address: the query's values, else the last step of the path, else the host."""
    parts = urlsplit(url)
    values = [value for _, value in parse_qsl(parts.query)]
    steps = [unquote(step) for step in parts.path.split("/") if step]
    return _slug("-".join(values or steps[-1:] or [parts.hostname or ""]))


def _site_slug(url: str) -> str:
    """What names a feed: its site, for the path says "feed" or "rss.xml" everywhere."""
    host = urlsplit(url).hostname
    return _slug(host.removeprefix("www.")) if host else _page_slug(url)


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60].strip("-") or "page"
