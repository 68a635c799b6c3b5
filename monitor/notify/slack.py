"""Slack incoming webhooks over one kept connection. The address is the secret: it is never told or logged.

The standard library's HTTP client is used because requests and urllib3 log the path of what they ask for. It also
follows no redirect, asks no proxy and reads no .netrc.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Collection
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPMessage
from urllib.parse import SplitResult, urlsplit

from urllib3.util import wait_for_read

from monitor.model.messaging import Message, Outcome, OutcomeKind
from monitor.notify.carrier import nothing
from monitor.notify.channels import webhook
from monitor.notify.clean import told
from monitor.notify.deadline import Deadline, TlsContext, guarded, tls_context

TIMEOUT = 10.0
#: Longer than any pause Slack asks for; beyond it the answer is taken for a mistake.
LONGEST_PAUSE = 6 * 3600.0
_ANSWER_LIMIT = 4_096

#: Slack's words for a webhook that will never work again, whatever the status they come with.
#: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks (handling errors)
_GONE = {
    "action_prohibited",
    "channel_is_archived",
    "channel_not_found",
    "invalid_token",
    "no_active_hooks",
    "no_service",
    "no_service_id",
    "no_team",
    "posting_to_general_channel_denied",
    "team_disabled",
    "user_not_found",
}
_BY_STATUS = {
    400: OutcomeKind.REFUSED,  # invalid_payload, no_text, invalid_blocks
    401: OutcomeKind.PERMANENT,
    403: OutcomeKind.PERMANENT,
    404: OutcomeKind.PERMANENT,
    410: OutcomeKind.PERMANENT,
    413: OutcomeKind.REFUSED,
}


def meaning(status: int, answer: str) -> OutcomeKind:
    """What an answer means. Only the word "ok" is success: proxies and login pages answer 200 too."""
    if status == HTTPStatus.OK and answer == "ok":
        return OutcomeKind.SENT
    if answer in _GONE:
        return OutcomeKind.PERMANENT
    return _BY_STATUS.get(status, OutcomeKind.TEMPORARY)


def retry_after(headers: HTTPMessage) -> float | None:
    """The pause asked for, in seconds; None if there is none or it makes no sense.

    A date is read against the answer's own Date, so that no clock of ours takes part.
    """
    asked = headers.get("Retry-After", "").strip()
    try:
        seconds = float(asked) if asked.isdecimal() else _seconds_between(headers.get("Date", ""), asked)
    except (TypeError, ValueError):
        return None
    return seconds if 0 <= seconds <= LONGEST_PAUSE else None


def _seconds_between(earlier: str, later: str) -> float:
    return (parsedate_to_datetime(later) - parsedate_to_datetime(earlier)).total_seconds()


class _Connection(HTTPConnection):
    def __init__(self, target: SplitResult, deadline: Deadline, context: TlsContext) -> None:
        self._deadline = deadline
        self._context = context if target.scheme == "https" else None
        self.default_port = 443 if self._context else 80
        super().__init__(target.hostname or "", target.port or self.default_port)

    def connect(self) -> None:
        plain = socket.create_connection((self.host, self.port), self._deadline.left())
        # Headers and body are two writes; without this the second waits for the other side's acknowledgement.
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = guarded(plain, self._deadline)
        if self._context:
            self.sock = self._context.wrap_socket(self.sock, server_hostname=self.host)


class SlackHooks:
    """Posts to webhooks. ``allowed`` are further bases beside Slack's own, for a local stand-in."""

    def __init__(self, allowed: Collection[str] = (), timeout: float = TIMEOUT, ca_file: str = "") -> None:
        self._allowed = tuple(allowed)
        self._timeout = timeout
        self._deadline = Deadline()
        self._context = tls_context(self._deadline, ca_file)
        self._connection: _Connection | None = None
        self._origin = ("", "")

    def deliver(self, message: Message, before_taken: Callable[[], None] = nothing) -> Outcome:
        try:
            target = urlsplit(webhook(message.address, self._allowed))
        except ValueError as error:
            return Outcome(OutcomeKind.PERMANENT, str(error))
        before_taken()
        self._deadline.start(self._timeout)
        try:
            return self._post(target, message)
        except (OSError, HTTPException) as error:
            self.close()
            why = "no answer in time" if self._deadline.over else f"connection failed ({type(error).__name__})"
            return Outcome(OutcomeKind.TEMPORARY, f"Slack: {why}")

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _post(self, target: SplitResult, message: Message) -> Outcome:
        connection = self._open(target)
        headers = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "legislative-monitor"}
        connection.request("POST", target.path, message.payload.encode(), headers)
        response = connection.getresponse()
        answer = response.read(_ANSWER_LIMIT).decode("utf-8", "replace").strip()
        if not response.isclosed():
            self.close()
        detail = f"Slack: {response.status} {told(answer, message.address, target.path)}".strip()
        return Outcome(meaning(response.status, answer), detail, response.status, retry_after(response.headers))

    def _open(self, target: SplitResult) -> _Connection:
        """The kept connection if it leads there and is still up: an idle one that can be read was hung up."""
        origin = (target.scheme, target.netloc)
        sock = self._connection.sock if self._connection else None
        if origin != self._origin or (sock is not None and wait_for_read(sock, timeout=0)):
            self.close()
        self._origin = origin
        self._connection = self._connection or _Connection(target, self._deadline, self._context)
        return self._connection
