"""A local HTTP(S) server that misbehaves on request. Loopback only, standard library only.

    with FaultServer() as server:
        server.on("/page", reply(503, headers={"Retry-After": "120"}), reply(200, b"fine"))

Behaviours of one path are used one after the other; the last one stays.
"""

from __future__ import annotations

import gzip
import socket
import ssl
import struct
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self


@dataclass(frozen=True, slots=True)
class Request:
    path: str
    headers: Mapping[str, str]  # names in lower case
    connection: int  # the client's port: equal for requests on one kept connection


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        fault = self.server.fault
        headers = {name.lower(): value for name, value in self.headers.items()}
        behaviour = fault.next_for(Request(self.path, headers, self.client_address[1]))
        try:
            behaviour(self)
        except OSError:
            self.close_connection = True  # the client hung up, as it should have

    def send_raw(self, data: bytes) -> None:
        self.wfile.write(data)
        self.wfile.flush()

    def pause(self, seconds: float) -> None:
        if self.server.fault.closing.wait(seconds):
            raise ConnectionAbortedError

    def log_message(self, *_: object) -> None:
        pass


Behaviour = Callable[[Handler], None]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    fault: FaultServer

    def handle_error(self, *_: object) -> None:
        pass  # a refused TLS handshake or a client that hung up


class FaultServer:
    def __init__(self, tls: ssl.SSLContext | None = None, *, robots: bool = True) -> None:
        self._server = _Server(("127.0.0.1", 0), Handler)
        self._server.fault = self
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._scheme = "https" if tls else "http"
        self._behaviours: dict[str, list[Behaviour]] = {}
        self._lock = threading.Lock()
        self.closing = threading.Event()
        self.requests: list[Request] = []
        self.port: int = self._server.server_address[1]
        self.key = f"127.0.0.1:{self.port}"
        self.url = f"{self._scheme}://{self.key}"
        if robots:
            self.on("/robots.txt", reply(404))

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    def on(self, path: str, *behaviours: Behaviour) -> str:
        """Say what happens at a path; the path's address comes back."""
        self._behaviours[path] = list(behaviours)
        return self.url + path

    def next_for(self, request: Request) -> Behaviour:
        with self._lock:
            self.requests.append(request)
            queue = self._behaviours.get(request.path) or [reply(404, b"nothing here")]
            return queue.pop(0) if len(queue) > 1 else queue[0]

    def paths(self, *, robots: bool = False) -> list[str]:
        return [r.path for r in self.requests if robots or r.path != "/robots.txt"]


def reply(status: int = 200, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Behaviour:
    def behave(handler: Handler) -> None:
        handler.send_response(status)
        for name, value in (headers or {}).items():
            handler.send_header(name, value)
        if status != 304:
            handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return behave


def redirect(location: str, status: int = 302, body: bytes = b"") -> Behaviour:
    return reply(status, body, {"Location": location})


def raw(*parts: bytes, delay: float = 0.0, end: str = "close") -> Behaviour:
    """Bytes as they are, ``delay`` seconds apart; then close, ``reset`` or ``hang``."""

    def behave(handler: Handler) -> None:
        handler.close_connection = True
        for part in parts:
            handler.send_raw(part)
            if delay:
                handler.pause(delay)
        if end == "hang":
            handler.pause(60)
        if end == "reset":
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            handler.connection.close()

    return behave


def stream(head: bytes, parts: Callable[[], Iterator[bytes]], delay: float = 0.0) -> Behaviour:
    """A head and then parts without end, as far as the client takes them."""

    def behave(handler: Handler) -> None:
        handler.close_connection = True
        handler.send_raw(head)
        for part in parts():
            handler.send_raw(part)
            if delay:
                handler.pause(delay)

    return behave


def drip_body(delay: float = 0.05) -> Behaviour:
    def parts() -> Iterator[bytes]:
        while True:
            yield b"x"

    return stream(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", parts, delay)


def drip_headers(delay: float = 0.05) -> Behaviour:
    def parts() -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\nX-Slow: "
        while True:
            yield b"x"

    return stream(b"", parts, delay)


def bomb(mebibytes: int, status: int = 200, extra: bytes = b"") -> Behaviour:
    """Well-formed gzip of that many MiB of zeros, made while it is sent."""

    def parts() -> Iterator[bytes]:
        squeeze = zlib.compressobj(9, zlib.DEFLATED, 31)
        block = bytes(2**20)
        for _ in range(mebibytes):
            if data := squeeze.compress(block):
                yield data
        yield squeeze.flush()

    head = f"HTTP/1.1 {status} X\r\nContent-Encoding: gzip\r\nConnection: close\r\n".encode() + extra + b"\r\n"
    return stream(head, parts)


def gzipped(body: bytes, headers: Mapping[str, str] | None = None) -> Behaviour:
    return reply(200, gzip.compress(body), {"Content-Encoding": "gzip", **(headers or {})})
