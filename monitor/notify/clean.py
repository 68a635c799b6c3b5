"""Text from the world made safe for a channel. Bill titles are typed by strangers; pure, standard library only."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import urlsplit

ELLIPSIS = "…"

#: Everything that ends a line somewhere, and the other control characters.
_BREAKS = re.compile("[\x00-\x20\x7f-\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+")
#: Invisible characters that hide, join or turn text round: soft hyphen, zero widths, bidi controls,
#: interlinear anchors, tags. U+200D stays where emoji need it (between two characters beyond ASCII).
_INVISIBLE = re.compile(
    "[\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b\u200c\u200e\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff]"
    "|(?<![^\x00-\x7f])\u200d|\u200d(?![^\x00-\x7f])"
)
_HIDDEN = "[hidden]"
#: Anything that may be somebody's address; what stands around one is kept.
_ADDRESS = re.compile(r"""[^\s<>()\[\]{}"',;:@]+@[^\s<>()\[\]{}"',;:@]+""")
_SURROGATES = re.compile("[\ud800-\udfff]")
#: A header value holding an encoded word is decoded when it is set: CPython before 3.11.10 and 3.12.5 then
#: writes the decoded line breaks to the wire, so a title could add a Bcc (TORTURE N16).
_ENCODED_WORD = re.compile(r"=(?=\?)|\?(?==)")
_SLACK_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
#: What chat services behind Apprise read as a call to everyone, a mention or a Markdown link.
_CHAT_SIGNALS = re.compile(r"(?<!\w)@(?=\w)|@(?=everyone|here\b|channel|all\b)|<(?=[@!#&])|\](?=\()", re.IGNORECASE)


def line(text: str, limit: int = 500) -> str:
    """``text`` as one visible line of at most ``limit`` characters that every encoding can carry."""
    visible = _INVISIBLE.sub("", _SURROGATES.sub("\ufffd", text))
    return clip(_BREAKS.sub(" ", visible).strip(), limit)


def header(text: str, limit: int = 200) -> str:
    """``text`` as an email header value: one line in which no parser finds an encoded word."""
    return clip(_ENCODED_WORD.sub(lambda match: match[0] + " ", line(text, limit)), limit)


def clip(text: str, limit: int) -> str:
    """At most ``limit`` characters, never cutting what a reader sees as one character."""
    if len(text) <= limit:
        return text
    if limit < 1:
        return ""
    end = limit - len(ELLIPSIS)
    while end > 0 and _joins(text[end - 1], text[end]):
        end -= 1
    blank = text.rfind(" ", max(0, end - 15), end + 1)
    return text[: blank if blank > 0 else end].rstrip() + ELLIPSIS


def _joins(before: str, after: str) -> bool:
    """Whether the two belong to one visible character; errs towards yes."""
    return (
        unicodedata.category(after).startswith("M")
        or "\u200d" in (before, after)
        or "\U0001f3fb" <= after <= "\U0001f3ff"
        or "\U0001f1e6" <= after <= "\U0001f1ff"
    )


def mrkdwn(text: str, limit: int) -> str:
    """``text`` for a Slack section: escaped, so that nothing pings or links, and then at most ``limit`` long."""
    room = limit
    while len(escaped := clip(text, room).translate(_SLACK_ESCAPES)) > limit:
        room -= max(1, (len(escaped) - limit) // 5)
    return escaped


def chat(text: str) -> str:
    """``text`` for a chat service we know nothing of: mentions, channel calls and Markdown links come apart."""
    return _CHAT_SIGNALS.sub(lambda match: match[0] + ("\u200b" if match[0] == "@" else " "), text)


def link(url: str) -> str:
    """``url`` if it is safe to be clicked, else nothing: http(s), a host, no credentials, no odd characters."""
    if not re.fullmatch(r"https?://[!#$%&'()*+,./0-9:;=?@A-Z\[\]_a-z~-]{1,1000}", url):
        return ""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return ""
    return url if host and "@" not in parts.netloc else ""


def told(text: bytes | str, *secrets: str) -> str:
    """A provider's words as one line for a log, without our secrets, however they are spelled."""
    words = line(text.decode("utf-8", "replace") if isinstance(text, bytes) else text, 2_000)
    folded = words.casefold()
    # Nearly always there is none, and a pattern would be compiled for each address that is written to.
    for secret in (one for one in secrets if one and one.casefold() in folded):
        words = re.sub(re.escape(secret), _HIDDEN, words, flags=re.IGNORECASE)
    return clip(words, 200)


def nameless(text: str) -> str:
    """A stranger's words as one line, without any address: a mail that was passed on names further ones."""
    return clip(_ADDRESS.sub(_HIDDEN, line(text, 2_000)), 200)
