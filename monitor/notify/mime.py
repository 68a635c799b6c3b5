"""A message as the bytes that go over the wire. Pure, standard library only.

Whatever a stranger typed goes through EmailMessage once per announcement; what differs from mail to mail holds only
characters checked here: the headers that are put in front, and the reader's token where PLACE stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from functools import lru_cache
from hashlib import sha256
from urllib.parse import quote

from monitor.model.messaging import PLACE, Attachment, Message, Reader

#: Seven bits: not every server on the way offers 8BITMIME.
_POLICY = SMTP.clone(cte_type="7bit")
_MESSAGE_ID = re.compile(r"<?([A-Za-z0-9._+-]{1,120}@[A-Za-z0-9.-]{1,120})>?")
ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,253}")
_TOKEN = re.compile(rf"[a-z0-9]{{{len(PLACE)}}}")
_LEAVE_URL = re.compile(r"https?://[A-Za-z0-9.:\[\]_~/-]{1,400}")
_BREAK = b"=\r\n"
#: Quoted-printable may break a line anywhere, in the middle of PLACE too.
_PLACE = re.compile(b"(?:=\r\n)?".join(re.escape(PLACE[at : at + 1].encode()) for at in range(len(PLACE))))


class AddressError(ValueError):
    """No mail can be sent to this address."""


def wire(message: Message) -> bytes:
    """The whole mail, CRLF line ends, the same bytes every time.

    Raises AddressError if the address could not stand in a header as it is, ValueError if a message id or what is the
    reader's own could not, or if there is a place for a reader's token and no reader.
    """
    if not ADDRESS.fullmatch(message.address) or "=?" in message.address:
        raise AddressError("not an email address that a mail can be sent to")
    head = f"To: {message.address}\r\nMessage-ID: <{_identity(message.message_id)}>\r\n"
    if message.references:
        thread = [f"<{_identity(one)}>" for one in message.references]
        head += f"In-Reply-To: {thread[-1]}\r\nReferences: {' '.join(thread)}\r\n"
    rest = _rest(message.subject, message.text, message.html, message.headers, message.attachments)
    if message.reader is not None:
        head += _ways_to_leave(message.reader)
    return head.encode("ascii") + rest.filled(message.reader.token if message.reader is not None else "")


def _identity(message_id: str) -> str:
    match = _MESSAGE_ID.fullmatch(message_id)
    if match is None:
        raise ValueError("the message id is not of the form delivery@domain")
    return match[1]


def _ways_to_leave(reader: Reader) -> str:
    """RFC 2369; and RFC 8058, which only an https address may claim."""
    if not _TOKEN.fullmatch(reader.token):
        raise ValueError("the reader's token is not one of ours")
    ways = []
    if reader.leave_url:
        if not _LEAVE_URL.fullmatch(reader.leave_url):
            raise ValueError("the address of the page to leave cannot stand in a header")
        ways.append(f"<{reader.leave_url}>")
    if reader.leave_address:
        if not ADDRESS.fullmatch(reader.leave_address) or "=?" in reader.leave_address:
            raise ValueError("the address to leave by mail cannot stand in a header")
        ways.append(f"<{leave_link(reader.leave_address)}>")
    lines = f"List-Unsubscribe: {f',{_FOLD}'.join(ways)}\r\n" if ways else ""
    if reader.leave_url.startswith("https://"):
        lines += "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
    return lines


_FOLD = "\r\n "


def leave_link(address: str) -> str:
    """RFC 6068. Much of what an address may hold means something else in a URL."""
    return f"mailto:{quote(address, safe='@+')}?subject=leave"


@dataclass(frozen=True, slots=True)
class _Rest:
    """All of a mail that is the same for every reader, cut where the reader's token belongs.

    ``slots`` holds one more piece than ``places``; each place is a piece of the token, from its first character to
    before its last.
    """

    pieces: tuple[bytes, ...]
    places: tuple[slice, ...]

    def filled(self, token: str) -> bytes:
        if not self.places:
            return self.pieces[0]
        if not token:
            raise ValueError("the message has a place for a reader's token and no reader")
        own = token.encode("ascii")
        parts = [self.pieces[0]]
        for place, piece in zip(self.places, self.pieces[1:], strict=True):
            parts += own[place], piece
        return b"".join(parts)


@lru_cache(maxsize=64)
def _rest(
    subject: str, text: str, html: str, headers: tuple[tuple[str, str], ...], attachments: tuple[Attachment, ...]
) -> _Rest:
    mail = EmailMessage(_POLICY)
    mail["Subject"] = subject
    for name, value in headers:
        mail[name] = value
    mail.set_content(text, cte=_encoding(text))
    if html:
        mail.add_alternative(html, subtype="html", cte=_encoding(html))
    for one in attachments:
        _attach(mail, one)
    seed = sha256((text + html).encode()).hexdigest()[:32]
    for number, part in enumerate(part for part in mail.walk() if part.is_multipart()):
        part.set_boundary(f"={seed}{number or ''}=")
    return _cut(mail.as_bytes())


def _encoding(text: str) -> str | None:
    """Base64, which Python takes for some alphabets, would hide PLACE."""
    return "quoted-printable" if PLACE in text else None


def _attach(mail: EmailMessage, attachment: Attachment) -> None:
    """``media_type`` may have parameters: "text/calendar; charset=utf-8; method=PUBLISH"."""
    kind = EmailMessage(_POLICY)
    kind["Content-Type"] = attachment.media_type
    mail.add_attachment(
        attachment.body,
        maintype=kind.get_content_maintype(),
        subtype=kind.get_content_subtype(),
        filename=attachment.name,
        params=dict(kind["Content-Type"].params),
        cte=_encoding(attachment.body.decode("latin-1")) or "base64",
    )


def _cut(data: bytes) -> _Rest:
    pieces, places, end = list[bytes](), list[slice](), 0
    for match in _PLACE.finditer(data):
        pieces.append(data[end : match.start()])
        places += (own := list(_runs(match[0].split(_BREAK))))
        pieces += [_BREAK] * (len(own) - 1)
        end = match.end()
    return _Rest((*pieces, data[end:]), tuple(places))


def _runs(parts: Sequence[bytes]) -> Iterator[slice]:
    """Where in the token each unbroken part begins and ends."""
    start = 0
    for part in parts:
        yield slice(start, start + len(part))
        start += len(part)
