"""Bytes to clean text: nothing lost to a wrong charset, nothing invisible kept."""

from __future__ import annotations

import codecs
import re
import unicodedata

#: The only charsets a page may declare. "iso-8859-1" means windows-1252 on the web (WHATWG Encoding).
CHARSETS = {
    "utf-8": "utf-8-sig",
    "utf8": "utf-8-sig",
    "iso-8859-1": "cp1252",
    "latin-1": "cp1252",
    "windows-1252": "cp1252",
    "cp1252": "cp1252",
}
BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))

_DECLARED = re.compile(r"charset\s*=\s*[\"']?\s*([\w.:-]+)", re.IGNORECASE)
_META = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w.:-]+)", re.IGNORECASE)

# NUL and other controls, soft hyphens, zero-width and bidirectional marks, lone surrogates: a reader
# sees none of them, and they have been used to disguise text.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
)


def _one_byte(error: UnicodeError) -> tuple[str, int]:
    """cp1252 for each byte that is not UTF-8: the site mixes the two inside one file."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    byte = error.object[error.start : error.start + 1]
    return byte.decode("cp1252", "ignore"), error.start + 1


codecs.register_error("monitor-cp1252", _one_byte)


def decode(body: bytes, content_type: str | None = None) -> str:
    """The text of ``body``, whatever it says about itself: header, then BOM, then meta, then UTF-8.

    A byte that is not UTF-8 where UTF-8 was declared or assumed is read as cp1252; no page is lost to it.
    """
    codec = _declared(content_type) or _bom(body) or _meta(body) or "utf-8-sig"
    errors = "monitor-cp1252" if codec.startswith("utf-8") else "replace"
    return body.decode(codec, errors)


def _declared(content_type: str | None) -> str | None:
    match = _DECLARED.search(content_type or "")
    return CHARSETS.get(match[1].lower()) if match else None


def _bom(body: bytes) -> str | None:
    return next((codec for bom, codec in BOMS if body.startswith(bom)), None)


def _meta(body: bytes) -> str | None:
    match = _META.search(body, 0, 4096)
    return CHARSETS.get(match[1].decode("ascii", "replace").lower()) if match else None


def fold(text: str) -> str:
    """``text`` on one line as a reader sees it: NFC, single blanks (NBSP included), nothing invisible."""
    if text.isascii():
        return " ".join((text if text.isprintable() else _INVISIBLE.sub("", text)).split())
    text = unicodedata.normalize("NFC", text)
    return " ".join(_INVISIBLE.sub("", text).split())
