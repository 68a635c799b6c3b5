"""A stand-in for Slack's webhooks: answers as scripted, keeps every post.

with SlackSink() as sink:
    sink.script(429, "rate_limited", {"Retry-After": "30"}, times=1)
    ... post to sink.base + "T1/B1/secret" ...
    sink.posts[0].json
"""

from __future__ import annotations

import json
import ssl
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Post:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class _Answer:
    status: int
    body: str
    headers: dict[str, str] = field(default_factory=dict)
    path: str | None = None
    times: int | None = None


class SlackSink:
    """A context manager. ``base`` is the webhooks' common beginning, ending in a slash."""

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        self.posts: list[Post] = []
        self.connections = 0
        self._answers: list[_Answer] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.base = f"{'https' if tls else 'http'}://127.0.0.1:{self._server.server_port}/services/"

    def __enter__(self) -> SlackSink:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def script(
        self,
        status: int,
        body: str = "ok",
        headers: dict[str, str] | None = None,
        *,
        path: str | None = None,
        times: int | None = None,
    ) -> None:
        """Answer so, for the webhook that ends in ``path`` or all, so many times or always."""
        self._answers.append(_Answer(status, body, headers or {}, path, times))

    def clear(self) -> None:
        self._answers.clear()

    def _answer(self, path: str) -> _Answer:
        for answer in self._answers:
            if (answer.path is None or path.endswith(answer.path)) and answer.times != 0:
                answer.times = None if answer.times is None else answer.times - 1
                return answer
        return _Answer(200, "ok")


def _handler(sink: SlackSink) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def setup(self) -> None:
            sink.connections += 1
            super().setup()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            sink.posts.append(Post(self.path, dict(self.headers.items()), body))
            answer = sink._answer(self.path)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body.encode())))
            self.end_headers()
            self.wfile.write(answer.body.encode())

        def do_GET(self) -> None:
            self.do_POST()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    return Handler
