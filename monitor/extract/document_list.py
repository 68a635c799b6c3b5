"""Pages that list documents: task forces (``/jud/taskforce.asp?TF=…``) and committees' ``CommDocList.asp``.

Titles are typed by hand and repeat ("Testimony - Anonymous"), so the address is a document's identity.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from monitor.extract import fingerprint, page
from monitor.extract.base import ExtractError, pick
from monitor.extract.text import fold
from monitor.model.committees import COMMITTEES
from monitor.model.legislature import Document, DocumentList
from monitor.model.tracking import SourceKind, Verdict

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag

#: What a document's address ends in; pages of the site itself end in .asp.
DOCUMENT = re.compile(r"\.(?:pdf|docx?|xlsx?|pptx?|rtf|txt|csv|zip|mp[34]|wav)$", re.IGNORECASE)
#: Documents before 2016 are .htm below a year's folder or a task force's.
OLD_DOCUMENT = re.compile(r"/(?:\d{4}|tfs)/.*\.html?$", re.IGNORECASE)
HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
#: The share of the address's words that the page's heading must have: people shorten names.
COVERED = 0.75
GENERIC = frozenset({"the", "of", "on", "and", "for", "to", "task", "force", "study", "working", "group", "committee"})


class DocumentListPage:
    kind = SourceKind.DOCUMENT_LIST
    version = 1

    def extract(self, body: bytes, *, url: str, content_type: str | None = None) -> DocumentList:
        """The documents in page order, each address once. A page without any is an error, not an empty list."""
        text = page.read(body, url, content_type)
        if not re.search(r"<a\b", text, re.IGNORECASE):
            raise page.explain_missing(text, url, "links to documents")
        if not page.is_complete(text):
            raise page.truncated(url)
        return page.parse(text, partial(_document_list, text=text, url=url))

    def fingerprint(self, body: bytes) -> str | None:
        return fingerprint.of_document_list(body)


def _document_list(soup: BeautifulSoup, *, text: str, url: str) -> DocumentList:
    headings = [heading for node in soup.find_all(list(HEADINGS)) if (heading := page.text_of(node))]
    title = _title(headings, soup, url)
    documents = {_identity(document.url): document for document in _documents(soup, url)}
    if not documents:
        raise page.explain_missing(text, url, "links to documents")
    return DocumentList(title, tuple(documents.values()))


def _title(headings: list[str], soup: BeautifulSoup, url: str) -> str:
    """The heading that names what the address asked for; the first heading where the address names nothing."""
    if soup.title is not None:
        headings = [*headings, page.text_of(soup.title)]
    pick(headings, what="heading", where=url)
    name = _asked_name(url)
    if not name:
        return headings[0]
    title = max(headings, key=lambda heading: _coverage(name, heading))
    if _coverage(name, title) < COVERED:
        raise ExtractError(Verdict.WRONG_PAGE, f"asked for {name!r}, the page is headed {headings[0]!r}: {url}")
    return title


def _asked_name(url: str) -> str:
    """ "20200116_Police%20Transparency…" without its date, or the committee of ``comm_code``."""
    query = page.query_of(url)
    if name := re.sub(r"^\d{8}_", "", query.get("tf", "")):
        return name.replace("_", " ")
    return COMMITTEES.get(query.get("comm_code", "").upper(), "")


def _coverage(name: str, heading: str) -> float:
    """The share of the words of ``name`` that stand in ``heading``; words every task force has count little."""
    wanted, shown = _words(name), _words(heading)
    return len(wanted & shown) / len(wanted)


def _words(text: str) -> set[str]:
    words = set(re.findall(r"\w+", text.casefold()))
    return words - GENERIC or words


def _documents(soup: BeautifulSoup, url: str) -> Iterator[Document]:
    section = ""
    for node in soup.find_all([*HEADINGS, "a"]):
        if node.name != "a":
            section = page.text_of(node)
        elif document := _document(node, section, url):
            yield document


def _document(link: Tag, section: str, url: str) -> Document | None:
    target = page.address(page.attribute(link, "href"), url)
    path = unquote(urlsplit(target).path)
    if not (DOCUMENT.search(path) or OLD_DOCUMENT.search(path)):
        return None
    return Document(target, page.text_of(link) or fold(path.rpartition("/")[2]), section)


def _identity(url: str) -> str:
    """Paths on the site do not mind the case, and one document is often linked twice."""
    return url.casefold()
