"""config.yaml as a whole, after the environment had its say."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, InstanceOf

from monitor.config import database as databases
from monitor.config.board import Issue, Strict, Topic, Watch, watches_of
from monitor.config.people import Contact, Mail, Maintainer, Organization, Outbox
from monitor.config.reading import Cadence, Manners, Milestones, Notices, Retention, Schedule, Sources, channel_prefixes
from monitor.config.secrets import Secret
from monitor.config.values import FolderUrl, OwnHost, host_key, is_private_host
from monitor.config.web import Web


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
    slack_bases: tuple[FolderUrl, ...] = Field(
        default=(),
        description="Further addresses under which webhooks may be posted to, beside Slack's own: "
        "`https://chat.example.org/hooks/`.",
    )
    apprise_hosts: tuple[OwnHost, ...] = Field(
        default=(),
        description="Hosts of your own network that an Apprise address of a subscriber may lead to, such as "
        "`ntfy.example.lan`; without them only public hosts.",
    )
    outbox: Outbox | None = Field(default=None, description="Messages as files instead of sending.")
    maintainers: tuple[Maintainer, ...] = Field(default=(), description="Who decides on proposals.")
    operators: tuple[Contact, ...] = Field(default=(), description="Who is told of outages.")
    web: Web = Field(default_factory=Web, description="The pages.")
    retention: Retention = Field(default_factory=Retention, description="How long things are kept.")
    topics: tuple[Topic, ...] = Field(description="The board.", min_length=1)

    @property
    def database_url(self) -> str:
        """For SQLAlchemy. May hold a password: never print it."""
        return self.database.reveal()

    @property
    def alerts_url(self) -> str:
        """Where readers sign up, and below it their own pages; "" when there are none, or no mail to lead there."""
        board, mails = self.organization.board_url, self.mail is not None or self.outbox is not None
        return f"{board.rstrip('/')}/alerts" if board and self.web.sign_up and mails else ""

    @property
    def private_hosts(self) -> frozenset[str]:
        """Hosts of ours that are private addresses: the only such addresses anybody may connect to.
        As everywhere, a port that is not the scheme's own is part of the name ("127.0.0.1:8080")."""
        return frozenset(host_key(url) for url in self._cga_urls if is_private_host(urlsplit(url).hostname or ""))

    @property
    def allowed_hosts(self) -> frozenset[str]:
        """Every host that may be asked for anything."""
        return frozenset(map(host_key, self._cga_urls)) | frozenset(self.sources.hosts)

    @property
    def robots_overrides(self) -> frozenset[str]:
        """``sources.ignore_robots`` as hosts and host/path prefixes."""
        cga = self.sources.cga
        site = host_key(cga.base_url)
        kinds = {kind: f"{site}{prefix}" for kind, prefix in channel_prefixes(cga.bulk_path).items()}
        return frozenset(kinds.get(name, name) for name in self.sources.ignore_robots)

    @property
    def _cga_urls(self) -> tuple[str, str]:
        return self.sources.cga.base_url, self.sources.cga.ftp_url

    def issues(self) -> Iterator[Issue]:
        for topic in self.topics:
            yield from topic.issues

    def watches(self) -> Iterator[Watch]:
        return iter(self._watches)

    @cached_property
    def _watches(self) -> tuple[Watch, ...]:
        """Made once: a page asks for them several times, and a board may have thousands."""
        base_url = self.sources.cga.base_url
        return tuple(
            watch for topic in self.topics for issue in topic.issues for watch in watches_of(topic, issue, base_url)
        )

    def issue(self, issue_id: str) -> Issue:
        """Raises KeyError for an issue that is not on the board."""
        return {issue.id: issue for issue in self.issues()}[issue_id]
