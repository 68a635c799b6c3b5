"""Which file of the exported copy an address becomes, and how one file links to another."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from html import escape, unescape
from urllib.parse import parse_qsl, urlsplit

#: An address of our own in a page. Texts of others cannot look like one: their quotation marks are escaped.
_ADDRESS = re.compile(r'\b(href|src)="(/[^"]*)"')


def file_of(address: str) -> str:
    """The file's path in the copy: "/issues/quotas" is "issues/quotas.html".

    >>> file_of("/?status=achieved"), file_of("/static/site.css?v=1"), file_of("/archive/ab12")
    ('status-achieved.html', 'static/site.css', 'archive/ab12.txt')
    """
    parts = urlsplit(address)
    path = parts.path.strip("/")
    if path.startswith("archive/"):
        return f"{path}.txt"
    if not path:
        asked = dict(parse_qsl(parts.query)).get("status", "")
        return f"status-{asked}.html" if asked else "index.html"
    return path if "." in posixpath.basename(path) else f"{path}.html"


def relative(address: str, at: str) -> str:
    """How the page at address ``at`` links to ``address``: both are files of one folder."""
    target, _, fragment = address.partition("#")
    link = posixpath.relpath(file_of(target), posixpath.dirname(file_of(at)) or ".")
    return f"{link}#{fragment}" if fragment else link


def addresses(page: str) -> list[str]:
    """Every address of our own that a page links to, without its fragment."""
    found = (unescape(address).partition("#")[0] for _, address in _ADDRESS.findall(page))
    return list(dict.fromkeys(found))


def relinked(page: str, at: str) -> str:
    """The page with links that work from a folder."""
    return _relinked(page, lambda address: relative(address, at))


def _relinked(page: str, link: Callable[[str], str]) -> str:
    return _ADDRESS.sub(lambda match: f'{match[1]}="{escape(link(unescape(match[2])))}"', page)
