"""Mail that came back: what it says of the mail we sent. Pure, standard library only.

Anybody can write to the mailbox this is read from. Nothing here raises, and nothing is believed: the tokens found are
for the caller to verify.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from enum import StrEnum
from itertools import islice

from monitor.notify.clean import line, nameless

#: More is not read: reports are short, and quote a mail of ours at most.
LARGEST = 1_000_000
#: More parts than a report has; beyond, every line is compared with the ends of all of them.
_PARTS = 40
_ENDS_OF_PARTS = 400
_TOKENS = 8
#: A longer Content-Type is none: Python's parser looks at a field's parameters anew for each of them.
_CONTENT_FIELD = re.compile(rb"(?i)(?:\A|[\r\n])content-[a-z-]+[ \t]*:(?:.|\n[ \t]){4000}")

_TOKEN = re.compile(r"(?<![0-9a-z])[bm][0-9a-z]{7}[0-9a-f]{32}(?![0-9a-z])")
_STATUS = re.compile(r"\b([245]\.\d{1,3}\.\d{1,3})\b")
_CODE = re.compile(r"\b([45]\d\d)\b")


class ReturnedKind(StrEnum):
    PERMANENT = "permanent"  # the address will never take mail
    TEMPORARY = "temporary"  # it did not take this one, which says nothing of the next
    COMPLAINT = "complaint"  # its reader called it spam
    LEAVE = "leave"  # its reader wrote to the address to leave
    AUTO_REPLY = "auto-reply"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Returned:
    """``tokens`` are those in the mail's own addresses, or in the report, as they may be ours. ``status`` is RFC 3463's
    ("5.1.1"), ``diagnostic`` the server's words on one line, without addresses."""

    kind: ReturnedKind
    tokens: tuple[str, ...] = field(default=(), repr=False)
    status: str = ""
    diagnostic: str = ""


#: What a refusal's status means; the first that fits. Whatever is not about the address itself costs nobody their
#: subscription: a full mailbox, a policy, our own sender, a mail too large or of a kind not liked.
RULES: tuple[tuple[str, ReturnedKind], ...] = (
    (r"4\..*", ReturnedKind.TEMPORARY),
    (r"5\.1\.[78]", ReturnedKind.TEMPORARY),
    (r"5\.2\.[23]", ReturnedKind.TEMPORARY),
    (r"5\.3\..*", ReturnedKind.TEMPORARY),
    (r"5\.4\.6", ReturnedKind.TEMPORARY),  # a loop
    (r"5\.[67]\..*", ReturnedKind.TEMPORARY),
    (r"5\..*", ReturnedKind.PERMANENT),
)

#: Of ARF's kinds (RFC 5965 7.3) those a reader makes; a failed check of a signature is none.
_COMPLAINTS = ("abuse", "fraud", "opt-out", "opt-out-list")

#: Where a mail server writes for whom it took a mail.
_ADDRESSED = ("to", "cc", "delivered-to", "x-original-to", "envelope-to", "x-envelope-to")


def read(data: bytes) -> Returned:
    """What one mail of the mailbox says. Never raises."""
    try:
        head = data[:LARGEST]
        if head.lower().count(b"boundary=") > _PARTS or head.count(b"\n--") > _ENDS_OF_PARTS:
            return Returned(ReturnedKind.UNKNOWN)
        if _CONTENT_FIELD.search(head):
            return Returned(ReturnedKind.UNKNOWN)
        return _read(message_from_bytes(head))
    except Exception:  # noqa: BLE001  # strangers write these, and Python's parser has its faults
        return Returned(ReturnedKind.UNKNOWN)


def _read(mail: Message) -> Returned:
    parts = list(islice(mail.walk(), _PARTS))
    for part in parts:
        if part.get_content_type() == "message/delivery-status":
            return _status_report(mail, parts, _inside(part))
    for part in parts:
        if part.get_content_type() == "message/feedback-report":
            return _complaint(mail, parts, _inside(part))
    own = tuple(_tokens(_addressed(mail)))
    if _answers_by_itself(mail):
        return Returned(ReturnedKind.AUTO_REPLY, own)
    leaves = any(token.startswith("m") for token in own)
    return Returned(ReturnedKind.LEAVE if leaves else ReturnedKind.UNKNOWN, own)


def _inside(part: Message) -> list[Message]:
    """The blocks of fields of a report."""
    payload = part.get_payload()
    return [one for one in payload if isinstance(one, Message)] if isinstance(payload, list) else []


def _text(mail: Message, name: str) -> str:
    return str(mail.get(name, ""))


def _addressed(mail: Message) -> Iterator[str]:
    return (str(value) for name in _ADDRESSED for value in mail.get_all(name, []))


def _tokens(texts: Iterator[str]) -> Iterator[str]:
    found = (token for text in texts for token in _TOKEN.findall(text.lower()))
    return islice(dict.fromkeys(found), _TOKENS)


def _reported(mail: Message, parts: Sequence[Message]) -> tuple[str, ...]:
    """Tokens of a report: where it was sent, which is the sender we gave, and in the headers it quotes."""
    quoted = (str(value) for part in parts if part is not mail for value in part.values())
    headers_only = (str(part.get_payload())[:20_000] for part in parts if "rfc822-headers" in part.get_content_type())
    return tuple(_tokens(text for texts in (_addressed(mail), quoted, headers_only) for text in texts))


# ------------------------------------------------------------------ delivery status, RFC 3464


def _status_report(mail: Message, parts: Sequence[Message], blocks: Sequence[Message]) -> Returned:
    tokens = _reported(mail, parts)
    told = [(block, _kind(block)) for block in blocks if block.get("action") or block.get("status")]
    if not told:
        return Returned(ReturnedKind.UNKNOWN, tokens)
    # A mail of ours has one recipient; if theirs passes it on to several, one that takes it is enough.
    order = (ReturnedKind.UNKNOWN, ReturnedKind.TEMPORARY, ReturnedKind.PERMANENT)
    block, kind = min(told, key=lambda one: order.index(one[1]))
    return Returned(kind, tokens, _status(block), nameless(_text(block, "diagnostic-code").partition(";")[2]))


def _kind(block: Message) -> ReturnedKind:
    action = _text(block, "action").strip().lower()
    if action == "delayed":
        return ReturnedKind.TEMPORARY
    if action != "failed":
        return ReturnedKind.UNKNOWN
    status = _status(block)
    return next((kind for pattern, kind in RULES if re.fullmatch(pattern, status)), ReturnedKind.UNKNOWN)


def _status(block: Message) -> str:
    """The exacter of what the report and the server's own words say: 5.0.0 and "550 5.2.2 full" are 5.2.2."""
    words = _text(block, "diagnostic-code")
    reported, said, code = (
        pattern.search(text) for pattern, text in ((_STATUS, _text(block, "status")), (_STATUS, words), (_CODE, words))
    )
    if said and (reported is None or reported[1].endswith(".0.0")):
        return said[1]
    return reported[1] if reported else f"{code[1][0]}.0.0" if code else ""


# ------------------------------------------------------------------ complaints and answers


def _complaint(mail: Message, parts: Sequence[Message], blocks: Sequence[Message]) -> Returned:
    kind = next((_text(block, "feedback-type").strip().lower() for block in blocks), "")
    found = ReturnedKind.COMPLAINT if kind in _COMPLAINTS else ReturnedKind.UNKNOWN
    return Returned(found, _reported(mail, parts), diagnostic=line(kind, 40))


def _answers_by_itself(mail: Message) -> bool:
    """Some mail programs leave for their reader: that is generated too, but no reply (RFC 3834)."""
    if _text(mail, "auto-submitted").strip().lower().startswith("auto-replied"):
        return True
    marks = ("x-autoreply", "x-autorespond", "x-auto-response-suppress")
    subject = _text(mail, "subject").strip().lower()
    return any(name in mail for name in marks) or subject.startswith(("out of office", "automatic reply", "auto:"))
