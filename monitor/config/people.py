"""The keys of config.yaml about people: who runs the board, who is told, and how it is sent."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator

from monitor.config.board import Strict
from monitor.config.secrets import Secret, secret
from monitor.config.values import Email, HomePath, Line, SecretName, Slug, Url, is_email, is_private_host, wrong
from monitor.model.messaging import ChannelKind


class Organization(Strict):
    """Who runs the board."""

    name: Line = Field(description="Its name, as readers know it.")
    contact: Email = Field(
        description="A person's mailbox: named to every site we read (User-Agent), and where answers to our mail go."
    )
    postal_address: Line = Field(
        default="", description="Stands at the foot of every mail (the law wants it). Needed as soon as `mail` is set."
    )
    board_url: Url | None = Field(default=None, description="The public board, if there is one.")

    @property
    def is_example(self) -> bool:
        """Whether the shipped contact still stands here."""
        return self.contact.endswith(("@example.org", "@example.com"))


class Security(StrEnum):
    NONE = "none"
    STARTTLS = "starttls"
    TLS = "tls"


_PORTS = {Security.NONE: 25, Security.STARTTLS: 587, Security.TLS: 465}


class Mail(Strict):
    """The mail server. Its password is the secret SMTP_PASSWORD: `MONITOR_SMTP_PASSWORD` or the systemd credential
    `smtp_password`."""

    host: Line = Field(description="Its name or address.")
    port: int | None = Field(
        default=None, ge=1, le=65535, description="Default: 587 with starttls, 465 with tls, 25 with none."
    )
    security: Security = Field(
        default=Security.STARTTLS,
        description="`starttls`, `tls`, or `none` (this machine's own relay, without a login).",
    )
    username: Line | None = Field(default=None, description="The login, if the server wants one.")
    sender: Email = Field(alias="from", description="The address mail comes from.")

    @model_validator(mode="after")
    def _nothing_in_the_clear(self) -> Self:
        if self.security is Security.NONE and (self.username or not is_private_host(self.host)):
            raise wrong("mail and login would cross the network in the clear", "write starttls", ("security",))
        return self

    @property
    def effective_port(self) -> int:
        return self.port or _PORTS[self.security]

    def password(self, environ: Mapping[str, str]) -> Secret | None:
        return secret("SMTP_PASSWORD", environ)


class Outbox(Strict):
    """Write messages as files instead of sending them: to try things out."""

    dir: HomePath = Field(description="The folder; a relative one starts at the folder of config.yaml.")


class Contact(Strict):
    """A person of ours and how to reach them."""

    name: Line = Field(description="Who it is; decisions are signed with it.")
    channel: ChannelKind = Field(description="`email`, `slack` or `apprise`.")
    address: Line | None = Field(default=None, description="For email: the address.")
    address_secret: SecretName | None = Field(
        default=None,
        description="The name of the secret that holds the address: `SLACK_WEBHOOK` is read from "
        "`MONITOR_SLACK_WEBHOOK` or the credential `slack_webhook`. Slack and Apprise addresses are secrets.",
    )

    @model_validator(mode="after")
    def _one_address(self) -> Self:
        if self.channel is not ChannelKind.EMAIL and self.address is not None:
            raise wrong(f"the address of {self.channel} is a secret", "write address_secret: NAME", ("address",))
        if (self.address is None) == (self.address_secret is None):
            wanted = "address or address_secret" if self.channel is ChannelKind.EMAIL else "address_secret"
            raise wrong(f"{self.name} needs one {wanted}")
        if self.address is not None and not is_email(self.address):
            raise wrong("this is not an email address", "write it plainly: someone@example.org", ("address",))
        return self

    def target(self, environ: Mapping[str, str]) -> Secret | None:
        """Where to write to; None if its secret was not given."""
        return secret(self.address_secret, environ) if self.address_secret else Secret(self.address or "")


class Maintainer(Contact):
    """Who decides, and is told of new proposals."""

    topics: tuple[Slug, ...] = Field(default=(), description="Told of these topics only; with neither key, of all.")
    issues: tuple[Slug, ...] = Field(default=(), description="Told of these issues, besides the topics.")

    def follows(self, topic: str, issue: str) -> bool:
        return not (self.topics or self.issues) or topic in self.topics or issue in self.issues
