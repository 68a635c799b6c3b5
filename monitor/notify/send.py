"""Opening a channel for sending. Every message gets exactly one outcome; nothing raised here reaches the caller."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection

from apprise import Apprise, AppriseAsset, NotifyFormat

from monitor.model.messaging import ChannelKind, Message, Outcome, OutcomeKind
from monitor.notify.carrier import Carrier, Transport, nothing
from monitor.notify.channels import validate_address
from monitor.notify.email import MailServer, SmtpSettings
from monitor.notify.slack import SlackHooks

APPRISE_TIMEOUT = 30.0

# Apprise's plugins log the addresses they post to, which are secrets, below this level.
logging.getLogger("apprise").setLevel(logging.WARNING)


class OtherServices:
    """Any other Apprise address, through Apprise's own plugin. It says only yes or no: no is worth another try."""

    def __init__(self, timeout: float = APPRISE_TIMEOUT) -> None:
        # Whoever answers must not send the message on, perhaps to a machine of our own network.
        self._asset = AppriseAsset(async_mode=False, secure_logging=True, http_redirects=False)
        self._timeout = timeout

    def send(self, message: Message, before_taken: Callable[[], None] = nothing) -> Outcome:
        """Never raises."""
        try:
            validate_address(ChannelKind.APPRISE, message.address)
            before_taken()
            return self._notify(message)
        except ValueError as error:
            return Outcome(OutcomeKind.PERMANENT, str(error))
        except Exception as error:  # noqa: BLE001  # a hundred foreign plugins; one must not stop the others
            return Outcome(OutcomeKind.TEMPORARY, f"unexpected {type(error).__name__} while sending")

    def close(self) -> None:
        """Nothing is kept open."""

    def _notify(self, message: Message) -> Outcome:
        service = Apprise(asset=self._asset)
        # As text it would be split at commas into several services.
        service.add(Apprise.instantiate(message.address, asset=self._asset) or ())
        taken = service.notify(
            body=message.text, title=message.subject, body_format=NotifyFormat.TEXT, timeout=self._timeout
        )
        scheme = message.address.partition("://")[0]
        if taken:
            return Outcome(OutcomeKind.SENT, f"{scheme} took it")
        return Outcome(OutcomeKind.TEMPORARY, f"{scheme} did not take it; Apprise does not say why")


def open_transport(
    kind: ChannelKind,
    *,
    smtp: SmtpSettings | None = None,
    slack_allowed: Collection[str] = (),
    meanwhile: Callable[[], None] = nothing,
) -> Transport:
    """A transport for ``kind``; close it when done. Use one per thread. ``meanwhile`` is done at each mail while the
    server is busy with it, if at all.

    Email needs ``smtp``. ``slack_allowed`` are webhook bases beside Slack's own. Raises ValueError if email is to be
    sent and config names no mail server.
    """
    if kind is ChannelKind.SLACK:
        return Carrier(SlackHooks(slack_allowed))
    if kind is ChannelKind.APPRISE:
        return OtherServices()
    if smtp is None:
        raise ValueError("there are messages to send by email, but config names no mail server")
    return Carrier(MailServer(smtp, meanwhile))
