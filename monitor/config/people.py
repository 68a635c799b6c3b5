"""The keys of config.yaml about people: who runs the board, who is told, and how it is sent."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator

from monitor.config.board import Strict
from monitor.config.mailing import Dkim, Inbox, is_aligned
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
    bounce_address: Email | None = Field(
        default=None,
        description="Where mail that cannot be delivered comes back to: a mailbox that also takes what is written to "
        "`bounces+anything@…` for `bounces@…`. Every subscriber's mail then has a sender of its own there. "
        "Default: it comes back to `from`, where a person reads it.",
    )
    inbox: Inbox | None = Field(default=None, description="How that mailbox is read, every ten minutes.")
    dkim: Dkim | None = Field(default=None, description="Sign what is sent, if no mail server on its way does.")
    nameserver: Line | None = Field(
        default=None,
        description="The DNS server that `monitor doctor` asks for your domain's records, as `9.9.9.9` or "
        "`127.0.0.1:5353`. Default: this machine's.",
    )

    @model_validator(mode="after")
    def _one_domain(self) -> Self:
        """A sender somewhere else, or somebody else's signature, fails DMARC (RFC 7489 3.1) and lands in the spam."""
        domain = self.sender.rpartition("@")[2]
        if self.bounce_address is not None:
            local, _, other = self.bounce_address.rpartition("@")
            if not is_aligned(other, domain):
                raise wrong(
                    f"{other} is not in the domain of `from`", f"write an address at {domain}", ("bounce_address",)
                )
            if "+" in local or len(local) > 20:
                raise wrong("a reader's token is put behind it", "write 20 letters at most, no +", ("bounce_address",))
        if self.dkim is not None and not is_aligned(self.dkim.domain or domain, domain):
            raise wrong(f"{self.dkim.domain} is not in the domain of `from`", f"write {domain}", ("dkim", "domain"))
        return self

    @property
    def dkim_domain(self) -> str:
        """Whose key signs."""
        return (self.dkim and self.dkim.domain) or self.sender.rpartition("@")[2].lower()

    connections: int = Field(
        default=1,
        ge=1,
        le=10,
        description="So many connections send at a time. A crash sends again what was on its way, at most one message "
        "each.",
    )

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
