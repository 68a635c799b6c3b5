"""Connections that keep a deadline, can be stopped, and stand where they should.

``timeout=`` of every HTTP library restarts with each byte, so a server that drips one byte a second is
never given up. Here the socket itself knows the deadline and sets what is left of it before every read:
no watchdog thread, and headers, chunk sizes and TLS records are covered alike.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any

import urllib3.connection

from monitor.fetch.errors import FetchError, FetchStopped
from monitor.fetch.guard import addresses
from monitor.fetch.tls import HostContext
from monitor.model.tracking import Verdict


class Stop:
    """A stop that may be given from a signal handler: it takes no lock, and a sleeper wakes at once."""

    def __init__(self) -> None:
        self.given = False
        self._wake: SimpleQueue[None] = SimpleQueue()

    def give(self) -> None:
        self.given = True
        self._wake.put(None)

    def sleep(self, seconds: float) -> None:
        try:
            self._wake.get(timeout=seconds)
        except Empty:
            return
        self._wake.put(None)  # for the next sleeper

    def check(self) -> None:
        if self.given:
            raise FetchStopped


class Budget:
    """The seconds one exchange may still take, and the socket it is taking them on."""

    def __init__(self, stop: Stop) -> None:
        self.stop = stop
        self.dialed = False  # whether this exchange opened a connection, or goes over a kept one
        self._ends = 0.0
        self._sock: socket.socket | None = None

    def start(self, seconds: float) -> None:
        self.dialed = False
        self._ends = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds left. Raises TimeoutError when they are used up, FetchStopped when stopped."""
        if self.stop.given:
            raise FetchStopped
        seconds = self._ends - time.monotonic()
        if seconds <= 0:
            raise TimeoutError("the deadline has passed")
        return seconds

    @property
    def remaining(self) -> float:
        """As left(), but never raises: zero or less when used up."""
        return self._ends - time.monotonic()

    def hold(self, sock: socket.socket) -> None:
        self._sock, self.dialed = sock, True
        self.stop.check()

    def abort(self) -> None:
        """Wake whoever waits on the socket. It stays open: closing is its owner's business."""
        if self._sock is None:
            return
        try:
            socket.socket.shutdown(self._sock, socket.SHUT_RDWR)
        except OSError:
            pass  # not connected any more, which is what we wanted


class TimedSocket(socket.socket):
    """A socket whose every read ends at the deadline."""

    budget: Budget

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        self.settimeout(self.budget.left())
        return super().recv_into(*args, **kwargs)


class TimedTLSSocket(ssl.SSLSocket):
    """The same over TLS. The budget is found through the context, as the handshake runs in the constructor."""

    @property
    def budget(self) -> Budget:
        budget: Budget = self.context.budget  # type: ignore[attr-defined]
        return budget

    def do_handshake(self, block: bool = False) -> None:
        self.budget.hold(self)
        self.settimeout(self.budget.left())
        super().do_handshake(block)

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        self.settimeout(self.budget.left())
        return super().recv_into(*args, **kwargs)


def dial(host: str, port: int, budget: Budget, *, private: bool, patience: float) -> TimedSocket:
    """A connection to one of the host's checked addresses, tried in turn.

    ``patience`` bounds each attempt, in seconds. Raises FetchError, or OSError if none answers.
    """
    failure = OSError("no address")
    for address in addresses(host, port, private=private, left=budget.left, patience=patience):
        sock = TimedSocket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        sock.budget = budget
        try:
            return _connect(sock, address, port, patience)
        except OSError as error:
            sock.close()
            failure = error
        except BaseException:
            sock.close()
            raise
    raise failure


def _connect(sock: TimedSocket, address: str, port: int, patience: float) -> TimedSocket:
    budget = sock.budget
    budget.hold(sock)
    sock.settimeout(min(patience, budget.left()))
    sock.connect((address, port))
    budget.stop.check()
    peer = str(sock.getpeername()[0])
    if peer != address:
        raise FetchError(Verdict.BLOCKED, f"Connected to {peer} instead of {address}; closed again. Check the network.")
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.settimeout(budget.left())
    return sock


def timed(context: HostContext, budget: Budget) -> HostContext:
    """The context, from now on making sockets that keep the budget's deadline."""
    context.sslsocket_class = TimedTLSSocket
    context.budget = budget
    return context


class _Dialed:
    """A connection whose socket comes from ``dialer`` instead of urllib3's own look-up and connect."""

    def __init__(self, *args: Any, dialer: Callable[[], socket.socket], **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._dialer = dialer

    def _new_conn(self) -> socket.socket:
        return self._dialer()


class PlainConnection(_Dialed, urllib3.connection.HTTPConnection):
    """HTTP over a checked, timed socket."""


class TLSConnection(_Dialed, urllib3.connection.HTTPSConnection):
    """HTTPS over a checked, timed socket; the context verifies name, dates and chain."""
