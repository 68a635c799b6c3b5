"""A mail server that takes, refuses, hangs up or hangs as a test scripts it, and keeps every mail's bytes.

with SmtpSink() as sink:
    sink.script("RCPT", "550 5.1.1 no such user", recipient="gone@example.org")
    sink.script("DATA", DROP_TAKEN, times=1)
    ...
    sink.mails[0].data
"""

from __future__ import annotations

import asyncio
import itertools
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Any, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

#: Hang up instead of answering; at DATA before keeping the mail, or after having kept it.
DROP = "drop"
DROP_TAKEN = "drop, taken"
#: Never answer.
HANG = "hang"

PHASES = ("EHLO", "MAIL", "RCPT", "DATA")


@dataclass(frozen=True)
class Mail:
    """One accepted mail: the envelope, the bytes as they came, and the number of the connection."""

    sender: str
    recipient: str
    data: bytes
    connection: int


@dataclass
class _Line:
    phase: str
    reply: str
    recipient: str | None
    times: int | None


class SmtpSink:
    """A context manager. ``login`` is (user, password); ``implicit_tls`` speaks TLS from the first byte;
    ``pipelining``, as most servers do, reads on before it has answered."""

    def __init__(
        self,
        *,
        tls: ssl.SSLContext | None = None,
        implicit_tls: bool = False,
        login: tuple[str, str] | None = None,
        pipelining: bool = True,
        **options: Any,
    ) -> None:
        self._pipelining = pipelining
        self.mails: list[Mail] = []
        #: What came and is never answered, because DATA hangs.
        self.unanswered: list[Mail] = []
        self._hanging: list[Any] = []
        self._lines: list[_Line] = []
        self._numbers: dict[Any, int] = {}
        if login is not None:
            options |= {"authenticator": lambda *args: _check(args[-1], login), "auth_required": True}
            options |= {"auth_require_tls": tls is not None}
        if tls is not None and not implicit_tls:
            options["tls_context"] = tls
        self._sock = socket.create_server(("127.0.0.1", 0))
        # As asyncio does for the sockets it opens itself.
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.host, self.port = self._sock.getsockname()
        self._controller = _Controller(
            self, sock=self._sock, port=self.port, ssl_context=tls if implicit_tls else None, **options
        )

    def __enter__(self) -> Self:
        self._controller.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._controller.stop()

    @property
    def connections(self) -> int:
        return len(self._numbers)

    def script(self, phase: str, reply: str, *, recipient: str | None = None, times: int | None = None) -> None:
        """Answer ``reply`` in ``phase`` (of ``PHASES``), for one recipient or all, so many times or always."""
        if phase not in PHASES:
            raise ValueError(f"there is no phase {phase!r}: {', '.join(PHASES)}")
        self._lines.append(_Line(phase, reply, recipient, times))

    def clear(self) -> None:
        """Forget the script: take everything from here on."""
        self._lines.clear()

    def hang_up(self) -> None:
        """End what hangs."""
        for transport in self._hanging:
            self._controller.loop.call_soon_threadsafe(transport.abort)

    def _scripted(self, phase: str, recipient: str | None = None) -> str | None:
        for line in self._lines:
            if line.phase == phase and line.recipient in (None, recipient) and line.times != 0:
                line.times = None if line.times is None else line.times - 1
                return line.reply
        return None

    async def _act(self, server: Any, phase: str, recipient: str | None, usual: str) -> str:
        reply = self._scripted(phase, recipient) or usual
        if reply == HANG:
            self._hanging.append(server.transport)
            await asyncio.Event().wait()
        if reply in (DROP, DROP_TAKEN):
            server.transport.abort()
        return reply

    async def handle_EHLO(self, server: Any, session: Any, envelope: Any, hostname: str, responses: list[str]) -> Any:  # noqa: N802
        # By peer: STARTTLS begins a new session on the same connection.
        if session.peer not in self._numbers:
            self._numbers[session.peer] = len(self._numbers) + 1
        session.host_name = hostname
        reply = await self._act(server, "EHLO", None, "")
        if reply:
            return [reply]
        return [*responses[:-1], "250-PIPELINING", *responses[-1:]] if self._pipelining else responses

    async def handle_MAIL(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:  # noqa: N802
        reply = await self._act(server, "MAIL", None, "250 OK")
        if reply.startswith("2"):
            envelope.mail_from = address
            envelope.mail_options.extend(options)
        return reply

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:  # noqa: N802
        reply = await self._act(server, "RCPT", address, "250 OK")
        if reply.startswith("2"):
            envelope.rcpt_tos.append(address)
        return reply

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        recipient, connection = envelope.rcpt_tos[0], self._numbers.get(session.peer, 0)
        mail = Mail(envelope.mail_from, recipient, envelope.original_content, connection)
        self.unanswered.append(mail)
        reply = await self._act(server, "DATA", recipient, "250 2.0.0 taken")
        self.unanswered.remove(mail)
        if reply.startswith("2") or reply == DROP_TAKEN:
            self.mails.append(mail)
        return reply


class _Controller(Controller):
    def __init__(self, handler: SmtpSink, *, sock: socket.socket, port: int, **options: Any) -> None:
        self._listening = sock
        super().__init__(handler, hostname="127.0.0.1", port=port, ready_timeout=20, **options)

    def _create_server(self) -> Any:
        return self.loop.create_server(self._factory_invoker, sock=self._listening, ssl=self.ssl_context)


def _check(given: Any, login: tuple[str, str]) -> AuthResult:
    right = (given.login.decode(), given.password.decode()) == login
    return AuthResult(success=right, handled=False)


class RawServer:
    """Whatever happens below a protocol: ``talk`` is given each connection, in its own thread."""

    def __init__(self, talk: Callable[[socket.socket], None]) -> None:
        self._talk = talk
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.host, self.port = self._listening.getsockname()
        self.stopped = threading.Event()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> RawServer:
        self._listening.settimeout(0.05)
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        for thread in list(self._threads):
            thread.join()
        self._listening.close()

    def _start(self, target: Callable[[], None]) -> None:
        self._threads.append(threading.Thread(target=target))
        self._threads[-1].start()

    def _accept(self) -> None:
        while not self.stopped.is_set():
            try:
                connection, _ = self._listening.accept()
            except TimeoutError:
                continue
            self._start(partial(self._serve, connection))

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                self._talk(connection)
            except OSError:
                pass  # the client went away, as it should

    def drip(self, connection: socket.socket, text: bytes) -> None:
        """One byte at a time, over and over, for as long as the other side listens; nothing at all if no text."""
        if not text:
            self.stopped.wait()
        for byte in itertools.cycle(text):
            connection.sendall(bytes([byte]))
            if self.stopped.wait(0.02):
                return
