"""A mailbox over IMAP and TLS, as far as `monitor.notify.mailbox.Imap` speaks it. Keeps which mails are seen.

with ImapServer(tls, [b"mail one", b"mail two"]) as server:
    Imap(ImapSettings(server.host, ..., port=server.port, ca_file=...))
    server.seen
"""

from __future__ import annotations

import re
import socketserver
import ssl
import threading
from typing import Any

LOGIN = ("bounces", 'pass"word\\')


class ImapServer:
    """A context manager. ``break_after`` hangs up once so many mails were fetched."""

    host = "localhost"

    def __init__(self, tls: ssl.SSLContext, mails: list[bytes], *, break_after: int | None = None) -> None:
        self.mails = mails
        self.seen: set[int] = set()
        self.commands: list[str] = []
        self.left = break_after
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), _handler(self, tls))
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]

    def __enter__(self) -> ImapServer:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, line: str) -> tuple[bytes, bytes] | None:
        """What comes before the tagged answer, and its words; None hangs up."""
        self.commands.append(line.split(maxsplit=1)[0])
        if line.startswith("CAPABILITY"):
            return b"* CAPABILITY IMAP4rev1\r\n", b"OK"
        if line.startswith("LOGIN"):
            given = re.fullmatch(r'LOGIN "?(\w+)"? "(.*)"', line)
            good = given and (given[1], re.sub(r"\\(.)", r"\1", given[2])) == LOGIN
            return b"", b"OK" if good else b"NO [AUTHENTICATIONFAILED] not with that"
        if line.startswith("SELECT"):
            return (
                f"* {len(self.mails)} EXISTS\r\n".encode(),
                b"OK" if "INBOX" in line else b"NO there is no such folder",
            )
        if line.startswith("UID SEARCH UNSEEN"):
            unseen = (str(at + 1) for at in range(len(self.mails)) if at + 1 not in self.seen)
            return f"* SEARCH {' '.join(unseen)}\r\n".encode(), b"OK"
        if fetch := re.match(r"UID FETCH (\d+) \(BODY\.PEEK\[\]<0\.(\d+)>\)", line):
            if self.left == 0:
                return None
            self.left = None if self.left is None else self.left - 1
            data = self.mails[int(fetch[1]) - 1][: int(fetch[2])]
            head = f"* {fetch[1]} FETCH (UID {fetch[1]} BODY[]<0> {{{len(data)}}}\r\n".encode()
            return head + data + b")\r\n", b"OK"
        if store := re.match(r"UID STORE (\d+) \+FLAGS\.SILENT \(\\Seen\)", line):
            self.seen.add(int(store[1]))
            return b"", b"OK"
        return b"", b"OK" if line.startswith("LOGOUT") else b"BAD what is that"


def _handler(server: ImapServer, tls: ssl.SSLContext) -> type[socketserver.BaseRequestHandler]:
    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            try:
                with tls.wrap_socket(self.request, server_side=True) as connection:
                    self._talk(connection)
            except OSError:
                pass  # a client that does not trust us hangs up

        def _talk(self, connection: Any) -> None:
            lines = connection.makefile("rb")
            connection.sendall(b"* OK ready\r\n")
            for raw in lines:
                tag, _, line = raw.decode().strip().partition(" ")
                answered = server.answer(line)
                if answered is None:
                    return
                connection.sendall(answered[0] + tag.encode() + b" " + answered[1] + b" done\r\n")
                if line.startswith("LOGOUT"):
                    return

    return Handler
