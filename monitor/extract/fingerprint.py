"""A cheap hash of what a page says: decides most passes before anything is parsed.

Equal fingerprints mean equal records, letter case aside. A fingerprint may differ where the record does
not (that costs one full reading), never the other way round: pieces that become the record are
hashed whole but for known noise, and of the rest everything that could swallow or add a piece.
"""

from __future__ import annotations

import re
from hashlib import blake2b

#: Age cells change their colour by themselves after one and four days.
_COLOUR = re.compile(rb"\s*bgcolor\s*=\s*(?:\"[^\"<>]*\"|'[^'<>]*'|[^\s\"'<>]+)")
_LONE_NBSP = re.compile(rb"(?<![\x80-\xff])\xa0")
_END = re.compile(rb"[^<>]{0,40}>(?:\s+|<!--.*?-->|<script\b[^>]*>.*?</script\s*>)*", re.DOTALL)

#: Outside the pieces: whatever opens a comment, hides or adds a piece, or changes how bytes are read.
_STRUCTURE = re.compile(
    rb"\0|<!|-->|<\?|charset[^>]{0,40}|<base\b[^>]*|text-justify|not\s+found\s+in"
    rb"|</?(?:script|style|textarea|title|xmp|plaintext|noscript|noembed|noframes|iframe|template|select|svg|math"
    rb"|object|frameset|head|body|html|table|caption|form|h[1-6])\b"
)

_BILL_PIECES = re.compile(
    rb"<h3\b.*?</h3>|<h4\b.*?</h4>|<h5\b.*?(?=<h[1-6]\b|<table\b)|<p\b[^>]*text-justify.*?</p>"
    rb"|<table\b[^>]*\b(?:status\s+of\s+bills|bill\s+history).*?</table",
    re.DOTALL,
)
_BILL_HISTORY = re.compile(rb"<table\b[^>]*\bsummary\s*=\s*[\"']?\s*bill\s+history")
_LIST_PIECES = re.compile(rb"<h[1-6]\b.*?</h[1-6]>|<a\b[^>]*href[^>]*>.*?</a>", re.DOTALL)
_ACT_PIECES = re.compile(rb"<h3\b.*?</h3>|<table\b.*?</table", re.DOTALL)


def of_bill_page(body: bytes) -> str | None:
    """None for the layout before 2014 too: its bills are settled, a full reading now and then is cheap."""
    page = body.lower()
    if not _BILL_HISTORY.search(page) or b"cgasubheader" in page:
        return None
    return _of_pieces(page, _BILL_PIECES)


def of_document_list(body: bytes) -> str | None:
    """Headings and links: staff names and telephones stand between them."""
    return _of_pieces(body.lower(), _LIST_PIECES)


def of_acts_page(body: bytes) -> str | None:
    page = body.lower()
    return _of_pieces(page, _ACT_PIECES) if b"all acts as of" in page else None


def of_bytes(body: bytes) -> str | None:
    return blake2b(body, digest_size=16).hexdigest() if body else None


def _of_pieces(page: bytes, pieces: re.Pattern[bytes]) -> str | None:
    end = page.rfind(b"</html")
    if end < 0 or b"\0" in page or not _END.fullmatch(page, end + len(b"</html")):
        return None
    found = pieces.findall(page)
    rest = pieces.sub(b"\0", page)
    if not found:
        return None
    digest = blake2b(_without_noise(b"\0".join(found)), digest_size=16)
    digest.update(repr((_STRUCTURE.findall(rest), *_balance(rest))).encode())
    return digest.hexdigest()


def _balance(rest: bytes) -> tuple[int, int, int]:
    """Changes when a quote or bracket opens in the noise and would swallow what follows."""
    return rest.count(b"<") - rest.count(b">"), rest.count(b'"') % 2, rest.count(b"'") % 2


def _without_noise(text: bytes) -> bytes:
    text = _COLOUR.sub(b"", text)
    text = text.replace(b"&nbsp;", b" ").replace(b"&nbsp", b" ").replace(b"\xc2\xa0", b" ")
    if b"\xa0" in text:
        text = _LONE_NBSP.sub(b" ", text)
    return b" ".join(text.split())
