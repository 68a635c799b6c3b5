"""config.yaml as a whole, after the environment had its say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, InstanceOf

from monitor.config import database as databases
from monitor.config.board import Issue, Strict, Topic, Watch, watches_of
from monitor.config.people import Contact, Mail, Maintainer, Organization, Outbox
from monitor.config.reading import Cadence, Manners, Milestones, Notices, Retention, Schedule, Sources
from monitor.config.secrets import Secret
from monitor.config.values import is_private_host


class Config(Strict):
    """The whole configuration, after the environment had its say."""

    organization: Organization = Field(description="Who runs the board.")
    database: Annotated[InstanceOf[Secret], BeforeValidator(databases.read_url)] = Field(
        default="sqlite:///monitor.sqlite3",
        validate_default=True,
        description="Where everything is kept; a relative path starts at the folder of config.yaml. "
        "`MONITOR_DATABASE_URL` overrides it, and is the only place for a URL with a password.",
    )
    sources: Sources = Field(default_factory=Sources, description="What is read.")
    manners: Manners = Field(default_factory=Manners, description="How politely.")
    cadence: Cadence = Field(default_factory=Cadence, description="How often.")
    schedule: Schedule = Field(default_factory=Schedule, description="The service's clock.")
    milestones: Milestones = Field(default_factory=Milestones, description="What suggests what.")
    notices: Notices = Field(default_factory=Notices, description="When the operators are told.")
    mail: Mail | None = Field(default=None, description="The mail server; without it no mail is sent.")
    outbox: Outbox | None = Field(default=None, description="Messages as files instead of sending.")
    maintainers: tuple[Maintainer, ...] = Field(default=(), description="Who decides on proposals.")
    operators: tuple[Contact, ...] = Field(default=(), description="Who is told of outages.")
    retention: Retention = Field(default_factory=Retention, description="How long things are kept.")
    topics: tuple[Topic, ...] = Field(description="The board.", min_length=1)

    @property
    def database_url(self) -> str:
        """For SQLAlchemy. May hold a password: never print it."""
        return self.database.reveal()

    @property
    def private_hosts(self) -> frozenset[str]:
        """Hosts of ours that are private addresses: the only such addresses anybody may connect to."""
        return frozenset(host for host in self._cga_hosts if is_private_host(host))

    @property
    def allowed_hosts(self) -> frozenset[str]:
        """Every host that may be asked for anything."""
        return frozenset(self._cga_hosts) | frozenset(self.sources.hosts)

    @property
    def _cga_hosts(self) -> tuple[str, ...]:
        return tuple(urlsplit(url).hostname or "" for url in (self.sources.cga.base_url, self.sources.cga.ftp_url))

    def issues(self) -> Iterator[Issue]:
        for topic in self.topics:
            yield from topic.issues

    def watches(self) -> Iterator[Watch]:
        for topic in self.topics:
            for issue in topic.issues:
                yield from watches_of(topic, issue, self.sources.cga.base_url)

    def issue(self, issue_id: str) -> Issue:
        """Raises KeyError for an issue that is not on the board."""
        return {issue.id: issue for issue in self.issues()}[issue_id]

    def topic_of(self, issue_id: str) -> Topic:
        """Raises KeyError for an issue that is not on the board."""
        return {issue.id: topic for topic in self.topics for issue in topic.issues}[issue_id]
