"""A cheap hash of what a page says: decides most passes before anything is parsed.

Equal fingerprints mean equal records, letter case aside. A fingerprint may differ where the record does
not (that costs one full reading), never the other way round: pieces that become the record are
hashed whole but for known noise, and of the rest everything that could swallow or add a piece.
"""

from __future__ import annotations

import re
from hashlib import blake2b

#: Age cells change their colour by themselves after one and four days.
_COLOUR = re.compile(rb"bgcolor\s*=\s*(?:\"[^\"<>]*\"|'[^'<>]*'|[^\s\"'<>]+)")
#: Blanks beside these tags are seen by nobody; beside others they may divide two words.
_BLOCK_TAG = re.compile(rb"(</?(?:t[dhr]|tbody|thead|table|h[1-6]|p|br|li|ul|div)\b[^>]*>)")
_COMMENT = re.compile(rb"<!--[^\0]*?-->")
_LONE_NBSP = re.compile(rb"(?<![\x80-\xff])\xa0")
_END = re.compile(rb"[^<>]{0,40}>(?:\s+|<!--.*?-->|<script\b[^>]*>.*?</script\s*>)*", re.DOTALL)

#: Stands where a piece was taken out. (Every expression here begins with a literal: that is what makes it cheap.)
_GAP = b"<\0>"
#: Outside the pieces: the tags that open a comment, hide or add a piece, or change how bytes are read …
_STRUCTURE = re.compile(
    rb"<(?:\0|!|\?|meta\b[^>]*|base\b[^>]*|/?(?:script|style|textarea|title|xmp|plaintext|noscript|noembed|noframes"
    rb"|iframe|template|select|svg|math|object|frameset|head|body|html|table|caption|form|h[1-6])\b)"
)
#: … and what else would: a quote or bracket that opens in the noise swallows what follows.
_BALANCED = (b"-->", b"text-justify", b"not found in")

_BILL_PIECES = re.compile(
    rb"(<h3\b.*?</h3>|<h4\b.*?</h4>|<h5\b.*?</h5>.*?(?=<(?:h[1-6r]|table|p|div|form)\b)"
    rb"|<p\b[^>]*text-justify.*?</p>|<table\b[^>]*\b(?:status\s+of\s+bills|bill\s+history).*?</table)",
    re.DOTALL,
)
_BILL_HISTORY = re.compile(rb"<table\b[^>]*\bsummary\s*=\s*[\"']?\s*bill\s+history")
#: What stands below the history (co-sponsors, footer) never reaches the record, unless it has one of these.
_BILL_TAIL = re.compile(rb"<(?:h3\b[^>]*text-center|table\b[^>]*\b(?:status\s+of\s+bills|bill\s+history))")
_LIST_PIECES = re.compile(
    rb"(<h[1-6]\b.*?</h[1-6]>"
    rb"|<a\b[^>]*href[^>]*\.(?:pdf|docx?|xlsx?|pptx?|rtf|txt|csv|zip|mp[34]|wav|html?)\b[^>]*>.*?</a>)",
    re.DOTALL,
)
_ACT_PIECES = re.compile(rb"(<h3\b.*?</h3>|<table\b.*?</table)", re.DOTALL)


_BUILD_DATE = re.compile(rb"<lastBuildDate>[^<>]*</lastBuildDate>")


def of_bill_page(body: bytes) -> str | None:
    """None for the layout before 2014 too: its bills are settled, a full reading now and then is cheap."""
    page = body.lower()
    history = _BILL_HISTORY.search(page)
    end = page.find(b"</table", history.end()) if history else -1
    if end < 0 or b"cgasubheader" in page or _BILL_TAIL.search(page, end) or not _is_complete(page):
        return None
    return _of_pieces(page[: end + len(b"</table")], _BILL_PIECES)


def of_document_list(body: bytes) -> str | None:
    """Headings and links: staff names and telephones stand between them."""
    page = body.lower()
    return _of_pieces(page, _LIST_PIECES) if _is_complete(page) else None


def of_acts_page(body: bytes) -> str | None:
    page = body.lower()
    return _of_pieces(page, _ACT_PIECES) if b"all acts as of" in page and _is_complete(page) else None


def of_bytes(body: bytes) -> str | None:
    """For what has no noise, or only a feed's ``lastBuildDate``."""
    return blake2b(_BUILD_DATE.sub(b"", body), digest_size=16).hexdigest() if body else None


def _is_complete(page: bytes) -> bool:
    end = page.rfind(b"</html")
    return end >= 0 and b"\0" not in page and _END.fullmatch(page, end + len(b"</html")) is not None


def _of_pieces(page: bytes, pieces: re.Pattern[bytes]) -> str | None:
    parts = pieces.split(page)
    if len(parts) == 1:
        return None
    rest = _COMMENT.sub(b"", _GAP.join(parts[::2]))
    digest = blake2b(_without_noise(_GAP.join(parts[1::2])), digest_size=16)
    digest.update(repr((_STRUCTURE.findall(rest), _balance(rest))).encode())
    return digest.hexdigest()


def _balance(rest: bytes) -> tuple[int, ...]:
    brackets = rest.count(b"<") - rest.count(b">")
    return brackets, rest.count(b'"') % 2, rest.count(b"'") % 2, *(rest.count(text) for text in _BALANCED)


def _without_noise(text: bytes) -> bytes:
    text = _COLOUR.sub(b"", text)
    text = text.replace(b"&nbsp;", b" ").replace(b"&nbsp", b" ").replace(b"\xc2\xa0", b" ")
    if b"\xa0" in text:
        text = _LONE_NBSP.sub(b" ", text)
    return b"".join([part.strip() for part in _BLOCK_TAG.split(b" ".join(text.split()))])
