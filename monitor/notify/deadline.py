"""A limit for a whole conversation.

A socket's own timeout starts anew with every byte received, so a dripping server never trips it. These sockets are
given only what is left of the time.
"""

from __future__ import annotations

import socket
import ssl
import time
from typing import Any

import certifi


class Deadline:
    """When the present conversation must be over. The clock only ever goes forward."""

    def __init__(self) -> None:
        self._end = float("inf")

    def start(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    @property
    def over(self) -> bool:
        return time.monotonic() >= self._end

    def left(self) -> float:
        """Seconds left. Raises TimeoutError if there are none."""
        if self.over:
            raise TimeoutError("no complete answer in time")
        return max(0.001, self._end - time.monotonic())


class _Plain(socket.socket):
    deadline: Deadline

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        self.settimeout(self.deadline.left())
        return super().recv_into(*args, **kwargs)

    def sendall(self, *args: Any, **kwargs: Any) -> None:
        self.settimeout(self.deadline.left())
        super().sendall(*args, **kwargs)


class _Tls(ssl.SSLSocket):
    context: TlsContext

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        self.settimeout(self.context.deadline.left())
        return super().recv_into(*args, **kwargs)

    def send(self, *args: Any, **kwargs: Any) -> int:
        self.settimeout(self.context.deadline.left())
        return super().send(*args, **kwargs)


class TlsContext(ssl.SSLContext):
    """TLS 1.2 or later, certificate and host name checked, sockets under one deadline."""

    deadline: Deadline
    sslsocket_class = _Tls


def tls_context(deadline: Deadline, ca_file: str = "") -> TlsContext:
    """``ca_file`` adds an authority of one's own (PEM) to the system's and certifi's."""
    context = TlsContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_default_certs()
    context.load_verify_locations(certifi.where())
    if ca_file:
        context.load_verify_locations(ca_file)
    context.deadline = deadline
    return context


def guarded(plain: socket.socket, deadline: Deadline) -> socket.socket:
    """The same connection, under ``deadline``."""
    sock = _Plain(fileno=plain.detach())
    sock.deadline = deadline
    sock.settimeout(deadline.left())
    return sock
