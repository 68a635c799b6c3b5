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
_BLOCK_TAG = re.compile(rb"(</?(?:t[dhr]|tbody|thead|table|h[1-6]|p|br|li|ul|div)\b[^<>]*>)")
#: A tag whose name runs into something else, or with an NBSP in it: too odd to judge here.
_ODD_TAG = re.compile(rb"<(?:/?[a-z][a-z0-9]*(?![a-z0-9\s/>])|[^<>\0]*(?:\xa0|&nbsp))")
_COMMENT = re.compile(rb"<!--[^\0]{0,1000}?-->")
_LONE_NBSP = re.compile(rb"(?<![\x80-\xff])\xa0")
_END = re.compile(rb"[^<>]{0,40}>(?:\s++|<!--.*?-->|<script\b[^<>]*>.*?</script\s*>)*+", re.DOTALL)

#: More than this, in a page or of tables, is no page of the site, and could make an expression here run for minutes.
LARGE, MANY_TABLES = 300_000, 200
#: Stands where a piece was taken out. (Every expression here begins with a literal: that is what makes it cheap.)
_GAP = b"<\0>"
#: Outside the pieces: the tags that open a comment, hide or add a piece, or change how bytes are read …
_STRUCTURE = re.compile(
    rb"<(?:\0|!|\?|meta\b[^<>]*|base\b[^<>]*|/?(?:script|style|textarea|title|xmp|plaintext|noscript|noembed|noframes"
    rb"|iframe|template|select|svg|math|object|frameset|head|body|html|table|caption|t[dhr]|tbody|thead|form|h[1-6])(?=[\s/>]))"
)
#: … and what else would: a quote or bracket that opens in the noise swallows what follows.
_BALANCED = (b"-->", b"text-justify", b"not found in")

#: The same as ``.*?</table\s*>``, tag by tag and not letter by letter.
_TO_TABLE_END = rb"[^<]*(?:<(?!/table\s*>)[^<]*)*</table\s*>"
_BILL_PIECES = re.compile(
    rb"(<h3\b.{0,2000}?</h3>|<h4\b.{0,2000}?</h4>|<h5\b.{0,2000}?</h5>.{0,4000}?(?=<(?:h[1-6r]|table|p|div|form)\b)"
    rb"|<p\b[^<>]*text-justify.{0,8000}?</p>"
    rb"|<table\b[^<>]*\b(?:status\s+of\s+bills|bill\s+history)" + _TO_TABLE_END + rb")",
    re.DOTALL,
)
_BILL_HISTORY = re.compile(rb"<table\b[^<>]*\bsummary\s*=\s*[\"']?\s*bill\s+history")
#: What stands below the history (co-sponsors, footer) never reaches the record, unless it has one of these.
_BILL_TAIL = re.compile(rb"<(?:h3\b[^<>]*text-center|table\b[^<>]*\b(?:status\s+of\s+bills|bill\s+history))")
_LIST_PIECES = re.compile(
    rb"(<h[1-6]\b.{0,2000}?</h[1-6]>"
    rb"|<a\b[^<>]*href[^<>]*\.(?:pdf|docx?|xlsx?|pptx?|rtf|txt|csv|zip|mp[34]|wav|html?)\b[^<>]*>.{0,4000}?</a>)",
    re.DOTALL,
)
_ACT_PIECES = re.compile(rb"(<h3\b.{0,2000}?</h3>|<table\b" + _TO_TABLE_END + rb")", re.DOTALL)
_BUILD_DATE = re.compile(rb"<lastBuildDate>[^<>]*</lastBuildDate>")


def of_bill_page(body: bytes) -> str | None:
    """None for the layout before 2014 too: its bills are settled, a full reading now and then is cheap."""
    page = body.lower()
    history = _BILL_HISTORY.search(page)
    end = page.find(b"</table", history.end()) if history else -1
    if end < 0 or b"cgasubheader" in page or _BILL_TAIL.search(page, end) or not _is_complete(page):
        return None
    return _of_pieces(page[: page.find(b">", end) + 1], _BILL_PIECES)


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
    end = page.rfind(b"</html") if len(page) <= LARGE else -1
    return end >= 0 and b"\0" not in page and _END.fullmatch(page, end + len(b"</html")) is not None


def _of_pieces(page: bytes, pieces: re.Pattern[bytes]) -> str | None:
    if page.count(b"<table") > MANY_TABLES:
        return None
    parts = pieces.split(page)
    text = _GAP.join(parts[1::2])
    if not text or _ODD_TAG.search(text):
        return None
    rest = _COMMENT.sub(b"", _GAP.join(parts[::2]))
    digest = blake2b(_without_noise(text), digest_size=16)
    digest.update(repr((_STRUCTURE.findall(rest), _balance(rest))).encode())
    return digest.hexdigest()


def _balance(rest: bytes) -> tuple[int, ...]:
    brackets = rest.count(b"<") - rest.count(b">")
    return brackets, rest.count(b'"') % 2, rest.count(b"'") % 2, *(rest.count(text) for text in _BALANCED)


def _without_noise(text: bytes) -> bytes:
    parts = _BLOCK_TAG.split(_without_nbsp(text))
    tags = _COLOUR.sub(b"", b"\0".join(parts[1::2]))
    texts = b" ".join(b"\0".join(parts[::2]).split()).replace(b" \0", b"\0").replace(b"\0 ", b"\0")
    return b"\1".join([b" ".join(tags.split()), texts])


def _without_nbsp(text: bytes) -> bytes:
    text = text.replace(b"&nbsp;", b" ").replace(b"&nbsp", b" ").replace(b"\xc2\xa0", b" ")
    return _LONE_NBSP.sub(b" ", text) if b"\xa0" in text else text
