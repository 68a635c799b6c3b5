"""A mailbox as a row of mails nobody has read yet. Each is marked once it was dealt with, and not before.

What is marked twice, or read twice because the mark was lost, must do nothing new: that is the caller's business.
"""

from __future__ import annotations

import imaplib
import mailbox
import re
import ssl
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import certifi

from monitor.notify.clean import told
from monitor.notify.returned import LARGEST

_TIMEOUT = 30.0
_READ = re.compile(rb"(?im)^status:[ \t]*[a-z]*R")


class MailboxError(Exception):
    """The mailbox cannot be read, in words for a person. What was read before stays read."""


class Mailbox(Protocol):
    """``unread`` gives each mail's mark and its first megabyte; ``done`` marks it."""

    def unread(self) -> Iterator[tuple[str, bytes]]: ...

    def done(self, mark: str) -> None: ...

    def close(self) -> None: ...


class Maildir:
    """A folder with ``new`` and ``cur`` in it; what is done goes to ``cur`` with the flag S."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        if not (folder / "new").is_dir():
            raise MailboxError(f"{folder} is no Maildir: there is no folder `new` in it")

    def unread(self) -> Iterator[tuple[str, bytes]]:
        """What cannot be read is told once all the others were given: it must not keep them waiting for good."""
        trouble = None
        for path in self._files():
            try:
                with path.open("rb") as file:
                    data = file.read(LARGEST)
            except FileNotFoundError:
                continue  # a mail program moved it meanwhile
            except OSError as error:
                trouble = trouble or MailboxError(f"{path} cannot be read: {error.strerror}")
                continue
            yield str(path), data
        if trouble is not None:
            raise trouble

    def _files(self) -> list[Path]:
        try:
            there = (*(self._folder / "new").iterdir(), *self._seen_by_nobody())
            return sorted(path for path in there if path.is_file())
        except OSError as error:
            raise MailboxError(f"{self._folder} cannot be read: {error.strerror}") from error

    def _seen_by_nobody(self) -> Iterator[Path]:
        cur = self._folder / "cur"
        if cur.is_dir():
            yield from (path for path in cur.iterdir() if "S" not in path.name.partition(":2,")[2])

    def done(self, mark: str) -> None:
        path = Path(mark)
        name, _, flags = path.name.partition(":2,")
        cur = self._folder / "cur"
        try:
            cur.mkdir(exist_ok=True)
            with suppress(FileNotFoundError):
                path.rename(cur / f"{name}:2,{''.join(sorted({*flags, 'S'}))}")
        except OSError as error:
            raise MailboxError(f"{path} cannot be marked as seen: {error.strerror}") from error

    def close(self) -> None:
        """Nothing is kept open."""


class Mbox:
    """One file, locked while it is read; what is done gets the flags R and O when it is closed."""

    def __init__(self, file: Path) -> None:
        if not file.is_file():
            raise MailboxError(f"there is no mailbox file {file}")
        self._file = file
        # Its keys are numbers, which its published types do not know.
        self._box: Any = mailbox.mbox(file, create=False)
        try:
            self._box.lock()
        except (mailbox.ExternalClashError, OSError) as error:
            raise MailboxError(f"{file} is in use by another program, or cannot be locked; try again later") from error
        self._done: list[str] = []
        self._size = file.stat().st_size

    def unread(self) -> Iterator[tuple[str, bytes]]:
        try:
            for key in self._box.keys():  # noqa: SIM118  # a mailbox, of which a loop gives the mails
                with self._box.get_file(key) as file:
                    data = file.read(LARGEST)
                if not _READ.search(data.partition(b"\n\n")[0]):
                    yield str(key), data
        except (OSError, mailbox.Error) as error:
            raise MailboxError(f"{self._file} cannot be read to its end: {error}") from error

    def done(self, mark: str) -> None:
        self._done.append(mark)

    def close(self) -> None:
        """Raises MailboxError when what was read cannot be marked: it is read again, and does nothing new."""
        try:
            with closing(self._box):
                self._mark()
        except (OSError, mailbox.Error) as error:
            raise MailboxError(f"{self._file} cannot be marked as read, so it is read again: {error}") from error

    def _mark(self) -> None:
        if self._done and self._file.stat().st_size != self._size:
            # Python itself would not notice, and write the file without what was added.
            raise mailbox.ExternalClashError("another program changed it without asking for the lock")
        for mark in self._done:
            # As bytes: of what strangers write there are mails that Python can read and not write again.
            envelope, _, mail = self._box.get_bytes(int(mark), from_=True).partition(b"\n")
            self._box[int(mark)] = envelope + b"\nStatus: RO\n" + mail
        self._box.flush()


@dataclass(frozen=True, slots=True)
class ImapSettings:
    """A mailbox on another machine, over TLS. ``ca_file`` adds an authority of one's own (PEM)."""

    host: str
    username: str
    password: str = field(repr=False)
    port: int = 993
    folder: str = "INBOX"
    timeout: float = _TIMEOUT
    ca_file: str = ""


class Imap:
    """IMAP over TLS. Looking at a mail leaves it unseen; ``done`` sets the flag."""

    def __init__(self, settings: ImapSettings) -> None:
        self._settings = settings
        context = ssl.create_default_context(cafile=certifi.where())
        context.load_default_certs()
        if settings.ca_file:
            context.load_verify_locations(settings.ca_file)
        try:
            self._server = imaplib.IMAP4_SSL(
                settings.host, settings.port, ssl_context=context, timeout=settings.timeout
            )
        except (OSError, imaplib.IMAP4.error) as error:
            raise self._trouble("cannot be reached", error) from None
        self._login()

    def _login(self) -> None:
        try:
            self._server.login(self._settings.username, self._settings.password)
            quoted = self._settings.folder.replace("\\", "\\\\").replace('"', '\\"')
            self._ask("select", f'"{quoted}"')
        except (OSError, imaplib.IMAP4.error) as error:
            self.close()
            raise self._trouble("did not let us in", error) from None
        except MailboxError:
            self.close()
            raise

    def unread(self) -> Iterator[tuple[str, bytes]]:
        numbers = self._ask("uid", "SEARCH", "UNSEEN")[0] or b""
        for number in numbers.decode("ascii", "replace").split():
            for answer in self._ask("uid", "FETCH", number, f"(BODY.PEEK[]<0.{LARGEST}>)"):
                if isinstance(answer, tuple):
                    yield number, answer[1]

    def done(self, mark: str) -> None:
        self._ask("uid", "STORE", mark, "+FLAGS.SILENT", r"(\Seen)")

    def close(self) -> None:
        with suppress(OSError, imaplib.IMAP4.error):
            self._server.logout()
        with suppress(OSError):
            self._server.shutdown()

    def _ask(self, command: str, *arguments: str) -> list[Any]:
        try:
            kind, answer = getattr(self._server, command)(*arguments)
        except (OSError, imaplib.IMAP4.error) as error:
            raise self._trouble("broke off", error) from None
        if kind != "OK":
            raise MailboxError(f"the mailbox at {self._settings.host} refuses {arguments[0]}: {self._told(answer)}")
        return list(answer)

    def _trouble(self, words: str, error: Exception) -> MailboxError:
        said = "no answer in time" if isinstance(error, TimeoutError) else self._told(str(error))
        return MailboxError(f"the mailbox at {self._settings.host}:{self._settings.port} {words}: {said}")

    def _told(self, answer: object) -> str:
        return told(str(answer), self._settings.password, self._settings.username)
