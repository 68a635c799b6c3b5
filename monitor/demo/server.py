"""Replies on the wire: HTTP/1.1 with keep-alive, quiet, and able to break off anywhere."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterable
from contextlib import suppress
from email.utils import format_datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from monitor.demo.site import AUTO, Reply

if TYPE_CHECKING:
    from monitor.demo.replica import Replica


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], replica: Replica) -> None:
        super().__init__(address, _Handler)
        self.replica = replica
        self.open: set[socket.socket] = set()

    def close_all(self) -> None:
        """Close the listener and whatever connections clients keep alive."""
        self.server_close()
        for connection in list(self.open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is part of the play."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def setup(self) -> None:
        super().setup()
        self.server.open.add(self.connection)

    def finish(self) -> None:
        self.server.open.discard(self.connection)
        with suppress(OSError):
            super().finish()

    def log_message(self, *args: object) -> None:
        """Quiet: ``Replica.requests`` is the log."""

    def do_GET(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self._send(self.server.replica.answer(self.command, self.path, headers))

    do_HEAD = do_GET  # noqa: N815 (http.server asks by this name)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        if not self.client_address[0].startswith("127.") or not self.path.startswith("/__replica__/"):
            return self._send(Reply(405))
        try:
            self._send(Reply(200, body=self.server.replica.control(self.path, body).encode()))
        except (ValueError, KeyError) as error:
            self._send(Reply(400, body=f"{error}\n".encode()))

    def _send(self, reply: Reply) -> None:
        stopping = self.server.replica.stopping
        if reply.wait and stopping.wait(reply.wait):
            self.close_connection = True
            return
        try:
            self._write(reply, stopping)
        except OSError:
            self.close_connection = True
        if reply.reset:
            self._reset()

    def _write(self, reply: Reply, stopping: threading.Event) -> None:
        if reply.reset and not reply.body:
            return
        head = self._head(reply)
        pieces: Iterable[bytes] = () if self.command == "HEAD" else reply.stream() if reply.stream else (reply.body,)
        if reply.slow_head:
            self._pieces((bytes([byte]) for byte in head), reply.pace, stopping)
        elif reply.stream is None:
            pieces = (head + b"".join(pieces),)
        else:
            self.wfile.write(head)
        self._pieces(pieces, reply.pace, stopping)

    def _pieces(self, pieces: Iterable[bytes], pace: float, stopping: threading.Event) -> None:
        for piece in pieces:
            self.wfile.write(piece)
            if pace and stopping.wait(pace):
                self.close_connection = True
                return

    def _head(self, reply: Reply) -> bytes:
        phrase = HTTPStatus(reply.status).phrase
        lines = [f"HTTP/1.1 {reply.status} {phrase}", f"Date: {self._date()}", "Server: Microsoft-IIS/10.0"]
        lines += [f"{name}: {value}" for name, value in reply.headers]
        length = len(reply.body) if reply.declared == AUTO else reply.declared
        if length is not None and reply.status != 304:
            lines.append(f"Content-Length: {length}")
        if length is None or (reply.stream is None and length != len(reply.body)):
            lines.append("Connection: close")
            self.close_connection = True
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def _date(self) -> str:
        """By the replica's own clock: its day."""
        replica = self.server.replica
        return format_datetime(replica.site.now(replica.request_count), usegmt=True)

    def _reset(self) -> None:
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
