"""Email over one pooled SMTP connection.

Apprise's own mailto plugin opens TLS anew for every mail (18 a second against 200) and answers only yes or no.
"""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, get_args

from monitor.model.messaging import Message, Outcome, OutcomeKind
from monitor.notify import mime
from monitor.notify.carrier import nothing
from monitor.notify.clean import told
from monitor.notify.deadline import Deadline, TlsContext, guarded, tls_context
from monitor.notify.signing import Signature

Security = Literal["none", "starttls", "tls"]
_GO_AHEAD = 354
_LEADING_DOT = re.compile(rb"(?m)^\.")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class SmtpSettings:
    """How to reach the mail server. ``timeout`` in seconds is for one mail, connecting included.

    ``from_address`` is the envelope's sender, where bounces go if a message's reader has no address of their own for
    them. With a ``signature`` every mail is signed. ``hostname`` is what we call ourselves, by default
    the sender's domain. ``ca_file`` names a further authority (PEM) for the server's certificate.
    """

    host: str
    port: int = 587
    security: Security = "starttls"
    username: str = ""
    password: str = field(default="", repr=False)
    from_address: str = ""
    timeout: float = 30.0
    hostname: str = ""
    ca_file: str = ""
    signature: Signature | None = None

    def __post_init__(self) -> None:
        if self.security not in get_args(Security):
            raise ValueError(f"security is none, starttls or tls, not {self.security!r}")
        if self.username and self.security == "none" and self.host not in _LOOPBACK:
            raise ValueError(f"a password does not go to {self.host} in the clear; set security to starttls or tls")
        if not mime.ADDRESS.fullmatch(self.from_address):
            raise ValueError(f"mail needs a sender's address such as board@example.org, not {self.from_address!r}")


class Phase(StrEnum):
    """Where in a mail's conversation an answer came."""

    MAIL = "MAIL FROM"
    RCPT = "RCPT TO"
    DATA = "DATA"


@dataclass(frozen=True, slots=True)
class Rule:
    """Answers ``code`` (and ``enhanced``, RFC 3463) in ``phase``, both regular expressions, mean ``kind``."""

    phase: str
    code: str
    enhanced: str
    kind: OutcomeKind


#: The first that fits answers. RFC 5321 section 4.2.3 for the codes.
RULES: tuple[Rule, ...] = (
    Rule(".*", "4..", ".*", OutcomeKind.TEMPORARY),
    Rule(".*", "530|534|535|538", ".*", OutcomeKind.CHANNEL),  # wants a login, or a better one
    Rule("MAIL.*", "552", ".*", OutcomeKind.REFUSED),  # larger than the server takes
    Rule("MAIL.*", "5..", ".*", OutcomeKind.CHANNEL),  # our own sender address is refused
    Rule("RCPT.*", "552", ".*", OutcomeKind.TEMPORARY),  # RFC 5321 4.5.3.1.10: read as 452
    Rule("RCPT.*", "5..", r"5\.2\.2", OutcomeKind.TEMPORARY),  # mailbox full
    Rule("RCPT.*", "5..", r"5\.7\.\d+", OutcomeKind.REFUSED),  # policy, says nothing of the address
    Rule("RCPT.*", "554", r"(?!5\.1\.).*", OutcomeKind.REFUSED),
    Rule("RCPT.*", "5..", ".*", OutcomeKind.PERMANENT),
    Rule("DATA", "5..", r"5\.1\.\d+", OutcomeKind.PERMANENT),  # the address is looked up late
    Rule("DATA", "5..", ".*", OutcomeKind.REFUSED),
)


def meaning(phase: Phase, code: int, reply: bytes) -> OutcomeKind:
    """What a refusal means. An answer outside the protocol is worth another try."""
    found = re.match(rb"\s*([245]\.\d{1,3}\.\d{1,3})\b", reply)
    enhanced = found[1].decode() if found else ""
    for rule in RULES:
        if all(map(re.fullmatch, (rule.phase, rule.code, rule.enhanced), (phase, str(code), enhanced))):
            return rule.kind
    return OutcomeKind.TEMPORARY


class _DroppedError(Exception):
    """The connection ended in ``phase``. ``again``: another connection may do better at once."""

    def __init__(self, phase: Phase, words: str, *, again: bool, code: int | None = None) -> None:
        doubt = "; it may have been taken, a repeat has the same Message-ID" if phase is Phase.DATA else ""
        super().__init__(f"{words} at {phase}{doubt}")
        self.again = again
        self.code = code


class _Client(smtplib.SMTP):
    def __init__(self, settings: SmtpSettings, deadline: Deadline, context: TlsContext | None) -> None:
        self._deadline = deadline
        self._context = context if settings.security == "tls" else None
        own_name = settings.hostname or settings.from_address.rpartition("@")[2]
        self._asked: list[str] = []
        super().__init__(settings.host, settings.port, own_name, settings.timeout)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        plain = socket.create_connection((host, port), self._deadline.left())
        # A mail's last line is a packet of its own, which must not wait for the acknowledgement of the others.
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = guarded(plain, self._deadline)
        return self._context.wrap_socket(connection, server_hostname=host) if self._context else connection

    @property
    def _reads_on(self) -> bool:
        return self.has_extn("pipelining")

    def ask(self, commands: Sequence[str], meanwhile: Callable[[], None]) -> tuple[int, bytes]:
        """The answer to the first. Where the server reads on (PIPELINING, RFC 2920) all are sent at once and cost one
        journey, or else each when its answer is wanted."""
        now = commands if self._reads_on else commands[:1]
        self._asked = list(commands[1:])
        self.send("".join(f"{command}\r\n" for command in now))
        meanwhile()
        return self.getreply()

    def answer(self) -> tuple[int, bytes]:
        """To the next of the commands."""
        command = self._asked.pop(0)
        if not self._reads_on:
            self.putcmd(command)
        return self.getreply()

    def unask(self) -> None:
        """One was refused: hear what is said to those that went with it. A server may want a mail all the same, with
        nobody to send it to (RFC 2920, 3.1)."""
        while self._asked and self._reads_on:
            code, _ = self.answer()
            if code == _GO_AHEAD:
                self.send(b".\r\n")
                self.getreply()

    def hand_over(self, data: bytes, before_taken: Callable[[], None]) -> tuple[int, bytes]:
        """The DATA command. The server can take the mail only once it has the last line: until then it is busy
        reading, and so are we with ``before_taken``."""
        code, reply = self.answer()
        if code != _GO_AHEAD:
            if code < 400:
                raise smtplib.SMTPException(f"{code} in answer to DATA")
            return code, reply
        self.send(_ended(data))
        before_taken()
        self.send(b".\r\n")
        return self.getreply()


def _ended(data: bytes) -> bytes:
    """The mail's text with its line end, and no line that would end it (RFC 5321, 4.5.2). Few have a leading dot, and
    to look for the two bytes takes a hundredth of what the pattern takes."""
    if data.startswith(b".") or b"\n." in data:
        data = _LEADING_DOT.sub(b"..", data)
    return data if data.endswith(b"\r\n") else data + b"\r\n"


class MailServer:
    """Takes mail after mail over one connection, and is called again when it hung up.

    ``meanwhile`` is done at each mail while the server reads from whom and to whom it is.
    """

    def __init__(self, settings: SmtpSettings, meanwhile: Callable[[], None] = nothing) -> None:
        self._settings = settings
        self._meanwhile = meanwhile
        self._deadline = Deadline()
        # Reading the authorities takes a tenth of a second, which a relay on this machine does not need.
        self._context = tls_context(self._deadline, settings.ca_file) if settings.security != "none" else None
        self._client: _Client | None = None

    def deliver(self, message: Message, before_taken: Callable[[], None] = nothing) -> Outcome:
        try:
            data, sender = self._signed(mime.wire(message)), self._envelope_sender(message)
        except mime.AddressError as error:
            return Outcome(OutcomeKind.PERMANENT, str(error))
        except ValueError as error:
            return Outcome(OutcomeKind.REFUSED, str(error))
        self._deadline.start(self._settings.timeout)
        while True:
            pooled = self._client is not None
            try:
                self._client = self._client or self._connect()
            except (OSError, smtplib.SMTPException) as error:
                return self._unreachable(error)
            try:
                return self._converse(self._client, sender, message.address, data, before_taken)
            except _DroppedError as drop:
                self.close()
                # Servers hang up on an idle connection; that says nothing about this mail.
                if not (pooled and drop.again):
                    return Outcome(OutcomeKind.TEMPORARY, str(drop), drop.code)

    def greet(self) -> Outcome:
        """Say hello, log in and leave: whether mail would be taken now (SENT). Nothing is sent."""
        self._deadline.start(self._settings.timeout)
        try:
            client = self._connect()
            code, reply = client.noop()
            client.quit()
        except (OSError, smtplib.SMTPException) as error:
            return self._unreachable(error)
        kind = OutcomeKind.SENT if code == 250 else OutcomeKind.CHANNEL
        return Outcome(kind, f"mail server {self._where} says {code} {self._told(reply)}", code)

    def close(self) -> None:
        """Hang up. The server may have done so long before us."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _connect(self) -> _Client:
        client = _Client(self._settings, self._deadline, self._context)
        try:
            if self._settings.security == "starttls":
                client.starttls(context=self._context)
            if self._settings.username:
                client.login(self._settings.username, self._settings.password)
            client.ehlo_or_helo_if_needed()
        except BaseException:
            client.close()
            raise
        return client

    def _signed(self, data: bytes) -> bytes:
        return self._settings.signature.on(data) if self._settings.signature is not None else data

    def _envelope_sender(self, message: Message) -> str:
        own = message.reader.bounce_address if message.reader is not None else ""
        if own and not mime.ADDRESS.fullmatch(own):
            raise ValueError("the address for what comes back cannot stand in an envelope")
        return own or self._settings.from_address

    def _converse(
        self, client: _Client, sender: str, address: str, data: bytes, before_taken: Callable[[], None]
    ) -> Outcome:
        """One mail, from MAIL FROM to the server's word on it. Raises _DroppedError."""
        size = f" SIZE={len(data)}" if client.has_extn("size") else ""
        # Both addresses are plain by now; smtplib's own mail() and rcpt() would parse them anew for every mail.
        commands = f"MAIL FROM:<{sender}>{size}", f"RCPT TO:<{address}>", "DATA"
        steps: tuple[tuple[Phase, Callable[[], tuple[int, bytes]]], ...] = (
            (Phase.MAIL, lambda: client.ask(commands, self._meanwhile)),
            (Phase.RCPT, client.answer),
            (Phase.DATA, lambda: client.hand_over(data, before_taken)),
        )
        code, reply = 0, b""
        for phase, step in steps:
            code, reply = self._answer(phase, step)
            if not 200 <= code < 300:
                return self._refused(client, phase, code, reply, address)
        return Outcome(OutcomeKind.SENT, self._told(reply, address), code)

    def _refused(self, client: _Client, phase: Phase, code: int, reply: bytes, address: str) -> Outcome:
        """What a refusal means for the mail. Raises _DroppedError if the server hangs up with it."""
        said = self._told(reply, address)
        if code == 421:
            raise _DroppedError(phase, f"421 {said}", again=phase is not Phase.DATA, code=code)
        self._reset(client)
        return Outcome(meaning(phase, code, reply), f"{phase}: {said}", code)

    def _answer(self, phase: Phase, step: Callable[[], tuple[int, bytes]]) -> tuple[int, bytes]:
        try:
            return step()
        except (OSError, smtplib.SMTPException) as error:
            # smtplib makes one error of a hang and a hang-up.
            late = self._deadline.over
            words = "no answer in time" if late else "connection lost"
            raise _DroppedError(phase, words, again=phase is not Phase.DATA and not late) from error

    def _reset(self, client: _Client) -> None:
        try:
            client.unask()
            client.rset()
        except (OSError, smtplib.SMTPException):
            self.close()

    def _unreachable(self, error: Exception) -> Outcome:
        """Nothing about the mail: whatever keeps us from the server keeps every mail back."""
        said = TimeoutError() if self._deadline.over else error
        words = next(words for kind, words in _UNREACHABLE if isinstance(said, kind))
        code, reply = getattr(error, "smtp_code", None), getattr(error, "smtp_error", b"")
        answer = f" (it said: {code} {self._told(reply)})" if code else ""
        return Outcome(OutcomeKind.CHANNEL, f"mail server {self._where} {words}{answer}", code)

    @property
    def _where(self) -> str:
        return f"{self._settings.host}:{self._settings.port}"

    def _told(self, text: bytes | str, address: str = "") -> str:
        """Without the recipient's address, which servers repeat: whoever looks at the desk reads these words."""
        return told(text, self._settings.password, self._settings.username, address)


#: The first that fits; the most special first.
_UNREACHABLE: tuple[tuple[type[Exception], str], ...] = (
    (smtplib.SMTPAuthenticationError, "refused the login; check the user name and the password"),
    (smtplib.SMTPNotSupportedError, "does not offer what the settings ask for (STARTTLS or a login); nothing was sent"),
    (smtplib.SMTPResponseException, "did not let us in"),
    (smtplib.SMTPServerDisconnected, "hung up before the first mail"),
    (ssl.SSLCertVerificationError, "showed a certificate that is not good for its name; nothing was sent"),
    (ssl.SSLError, "does not speak TLS as it should; nothing was sent"),
    (TimeoutError, "did not answer in time"),
    (socket.gaierror, "has no address; check the host name"),
    (Exception, "cannot be reached"),
)
