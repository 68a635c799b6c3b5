"""Config and secrets become open channels; in a trial they become files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from monitor.config import Config
from monitor.config.mailing import signing_key
from monitor.config.people import Mail
from monitor.model.messaging import ChannelKind, Message, Outcome, OutcomeKind
from monitor.notify.carrier import Transport, nothing
from monitor.notify.email import SmtpSettings
from monitor.notify.mime import wire
from monitor.notify.send import OtherServices, open_transport
from monitor.notify.signing import Signature
from monitor.workflow.context import Context


def smtp_settings(context: Context) -> SmtpSettings | None:
    """The mail server of config with its password from the environment or systemd; None without a mail block.

    Raises ValueError if mail is to be signed and the key was not given.
    """
    mail = context.config.mail
    if mail is None:
        return None
    password = mail.password(context.environ)
    return SmtpSettings(
        host=mail.host,
        port=mail.effective_port,
        security=mail.security.value,
        username=mail.username or "",
        password=password.reveal() if password is not None else "",
        from_address=str(mail.bounce_address or mail.sender),
        hostname=mail.sender.rpartition("@")[2],
        signature=_signature(context, mail),
    )


def _signature(context: Context, mail: Mail) -> Signature | None:
    if mail.dkim is None:
        return None
    key = mail.dkim.key(context.environ)
    if key is None:
        raise ValueError("mail is to be signed, and MONITOR_DKIM_KEY is not set")
    return Signature(mail.dkim.selector, mail.dkim_domain, signing_key(key))


def slack_allowed(config: Config) -> tuple[str, ...]:
    """Webhook bases beside Slack's own."""
    return tuple(str(base) for base in config.slack_bases)


def open_channel(
    context: Context, kind: ChannelKind, *, patience: float | None = None, meanwhile: Callable[[], None] = nothing
) -> Transport:
    """A transport for ``kind``; ``patience`` are the seconds another service may take, if not the usual, and
    ``meanwhile`` what to do while a mail server is busy with a mail.

    Raises ValueError with words when config does not allow sending by it.
    """
    if context.config.outbox is not None:
        return Folder(Path(context.config.outbox.dir))
    if kind is ChannelKind.APPRISE and patience is not None:
        return OtherServices(patience)
    # What mail lacks, such as its key, keeps back mail and nothing else.
    smtp = smtp_settings(context) if kind is ChannelKind.EMAIL else None
    return open_transport(kind, smtp=smtp, slack_allowed=slack_allowed(context.config), meanwhile=meanwhile)


class Folder:
    """Writes each message as a file: to try things out without telling anybody."""

    _ENDING: ClassVar = {ChannelKind.EMAIL: "eml", ChannelKind.SLACK: "json", ChannelKind.APPRISE: "txt"}

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def send(self, message: Message, before_taken: Callable[[], None] = nothing) -> Outcome:
        """A repeat of a message overwrites it: its name is its Message-ID."""
        name = f"{message.message_id.partition('@')[0]}.{self._ENDING[message.channel]}"
        content = wire(message) if message.channel is ChannelKind.EMAIL else _plain(message)
        before_taken()
        (self._folder / name).write_bytes(content)
        return Outcome(OutcomeKind.SENT, f"written to {name}")

    def close(self) -> None:
        """Nothing is kept open."""


def _plain(message: Message) -> bytes:
    return (message.payload or f"{message.subject}\n\n{message.text}\n").encode()
