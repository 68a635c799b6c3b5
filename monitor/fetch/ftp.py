"""Anonymous FTP: the fallback for the bulk files, on the same guarded sockets as HTTP.

ftplib takes the data connection's address from the control connection, never from what the server
says (``trust_server_pasv_ipv4_address`` is off), so the checked address is the only one ever reached.
"""

from __future__ import annotations

import ftplib
import socket
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from email.utils import format_datetime
from urllib.parse import unquote

from monitor.fetch.body import CHUNK, Identity, read_body, too_large
from monitor.fetch.errors import FetchError
from monitor.fetch.exchange import explain
from monitor.fetch.guard import Target
from monitor.fetch.wire import Budget, TimedSocket, dial
from monitor.model.tracking import NotModified, Page, Verdict


class _Session(ftplib.FTP):
    """ftplib over our sockets."""

    def __init__(self, budget: Budget) -> None:
        super().__init__()
        self._budget = budget

    def open(self, target: Target, *, private: bool, patience: float) -> None:
        self.sock = dial(target.host, target.port, self._budget, private=private, patience=patience)
        self.host, self.af = target.host, self.sock.family
        self.file = self.sock.makefile("r", encoding=self.encoding)
        self.welcome = self.getresp()

    def retrieve(self, path: str) -> TimedSocket:
        """The data connection on which the file comes."""
        self.timeout = min(self._budget.left(), 10.0)  # for the connection alone: reads keep the deadline
        plain, _ = self.ntransfercmd(f"RETR {path}")
        data = TimedSocket(fileno=plain.detach())
        data.budget = self._budget
        self._budget.hold(data)
        return data


class _Data:
    """A data connection as body.py reads it."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._buffer = memoryview(bytearray(CHUNK))

    def read(self, amt: int) -> bytes:
        return bytes(self._buffer[: self._sock.recv_into(self._buffer, min(amt, CHUNK))])


def fetch_ftp(
    target: Target,
    budget: Budget,
    *,
    contact: str,
    max_bytes: int,
    private: bool,
    patience: float,
    known: str | None,
    now: Callable[[], datetime],
) -> Page | NotModified:
    """The file at an ``ftp://`` address, logged in as anonymous with the contact address as password.

    The server's MDTM stands in for Last-Modified; if it equals ``known``, the file is not read.
    ``budget`` is the running deadline, ``patience`` the seconds for each connection. Raises FetchError.
    """
    session = _Session(budget)
    try:
        session.open(target, private=private, patience=patience)
        session.login("anonymous", contact or "anonymous@")
        session.voidcmd("TYPE I")
        return _retrieve(session, target, max_bytes, known, now)
    except (ftplib.Error, EOFError, OSError, ValueError) as error:
        raise _explain(error, target, budget) from error
    finally:
        session.close()


def _retrieve(
    session: _Session, target: Target, max_bytes: int, known: str | None, now: Callable[[], datetime]
) -> Page | NotModified:
    path = unquote(target.bare_path)
    modified, size = _modified(session, path), _size(session, path)
    if modified and modified == known:
        return NotModified(target.url, now())
    if size is not None and size > max_bytes:
        raise too_large(max_bytes)
    with closing(session.retrieve(path)) as data:
        body = read_body(_Data(data), Identity(), max_bytes)
    session.voidresp()
    if size is not None and len(body) < size:
        raise EOFError(f"{len(body)} of {size} bytes came")
    if not body:
        raise FetchError(Verdict.SOFT_ERROR, f"{target.url} is an empty file. It is tried again later.")
    headers = {"last-modified": modified} if modified else {}
    return Page(target.url, target.url, 200, headers, body, now())


def _modified(session: _Session, path: str) -> str | None:
    """MDTM (RFC 3659: UTC) as an HTTP date, if the server knows it."""
    try:
        answer = session.voidcmd(f"MDTM {path}")
        at = datetime.strptime(answer.split()[1][:14], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except (ftplib.error_perm, IndexError, ValueError):
        return None
    return format_datetime(at, usegmt=True)


def _size(session: _Session, path: str) -> int | None:
    try:
        return session.size(path)
    except (ftplib.error_perm, ValueError):
        return None


def _explain(error: Exception, target: Target, budget: Budget) -> FetchError:
    code = str(error)[:3]
    match error:
        case ftplib.error_perm() if code == "550":
            return FetchError(Verdict.ABSENT, f"{target.url} is not on the server. Look for its new place.")
        case ftplib.error_perm() if code.startswith("53"):
            message = f"{target.key} refuses an anonymous login ({error}). Use the https copy of the file."
            return FetchError(Verdict.BLOCKED, message, host_fault=True)
        case ftplib.Error() | EOFError() | ValueError():
            message = f"{target.url}: the FTP server said {str(error)!r:.200}. It is tried again later."
            return FetchError(Verdict.UNREACHABLE, message, host_fault=True)
        case _:
            return explain(error, target, budget)
