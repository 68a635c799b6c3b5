"""What all HTML sources share: error pages that answer 200, completeness, text and links.

Parsers are imported when a page is first parsed: a pass that finds nothing new needs none of their memory.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import parse_qs, urljoin, urlsplit, urlunsplit

from monitor.extract.base import ExtractError
from monitor.extract.text import decode, fold
from monitor.model.tracking import Verdict

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag
    from bs4.element import NavigableString

T = TypeVar("T")

#: Pages that answer 200 and say something went wrong: the wording, and what it means.
SOFT_ERRORS: tuple[tuple[str, str], ...] = (
    (r"(?:down|closed|unavailable) for (?:scheduled |routine )?maintenance", "the site is down for maintenance"),
    (r"(?:undergoing|under) (?:scheduled |routine )?maintenance", "the site is under maintenance"),
    (r"scheduled maintenance", "the site announces maintenance instead of the page"),
    (r"temporarily (?:unavailable|out of service|offline)", "the site says it is temporarily unavailable"),
    (r"server error in '/", "ASP.NET's error page"),
    (r"runtime error", "the server's run-time error page"),
    (r"internal server error", "the server's own error page"),
    (r"active server pages error|microsoft vbscript|microsoft ole db|odbc (?:sql server )?driver", "an ASP error"),
    (r"an error (?:has )?occurred", "the site says an error occurred"),
    (r"(?:file or directory|page|resource)\b[^.]{0,80}(?:not found|could not be found|cannot be found)", "a 404 page"),
    (r"service (?:is )?unavailable", "the server says the service is unavailable"),
    (r"(?:connection|request|execution) timed? ?out|timeout expired", "the server's database timed out"),
    (r"request unsuccessful|access denied|verify you are (?:a )?human|checking your browser", "a bot wall"),
)  # fmt: skip
_SOFT_ERRORS = tuple((re.compile(pattern, re.IGNORECASE), reason) for pattern, reason in SOFT_ERRORS)

FRONT_PAGES = frozenset({"", "/", "/default.asp", "/default.aspx", "/index.asp", "/index.html"})

_HTML_END = re.compile("</html", re.IGNORECASE)
#: What may follow ``</html>``: white space, comments, and whole scripts that a server appends.
_AFTER_HTML = re.compile(
    r"[^<>]{0,40}>(?:\s++|<!--.*?-->|<script\b[^<>]*>.*?</script\s*>)*+", re.IGNORECASE | re.DOTALL
)
_BLOCKS = frozenset({"br", "p", "div", "li", "td", "th", "tr", "h1", "h2", "h3", "h4", "h5", "h6", "table", "ul", "hr"})


def read(body: bytes, url: str, content_type: str | None) -> str:
    """The page's text with NULs gone, once its address and size say it can be the page we asked for."""
    refuse_error_address(url)
    text = decode(body, content_type).replace("\0", "")
    if not text.strip():
        raise ExtractError(Verdict.SOFT_ERROR, f"an empty page was served as if it were good: {url}")
    return text


def refuse_error_address(url: str) -> None:
    """The site answers trouble by redirecting to an error page or to its front page, with 200."""
    parts = urlsplit(url)
    if "aspxerrorpath" in parts.query.lower():
        raise ExtractError(Verdict.SOFT_ERROR, f"the site redirected to its error page: {url}")
    if parts.path.lower() in FRONT_PAGES and parts.netloc and not parts.query:
        raise ExtractError(Verdict.SOFT_ERROR, f"the site redirected to its front page: {url}")


def explain_missing(text: str, url: str, what: str) -> ExtractError:
    """Why the page has no ``what``: an error page, a cut-off page, or another layout."""
    plain = fold(re.sub(r"<[^<>]*>", " ", text[:200_000]))
    for pattern, reason in _SOFT_ERRORS:
        if match := pattern.search(plain):
            return ExtractError(Verdict.SOFT_ERROR, f"{reason} ({match[0]!r}): {url}")
    if not is_complete(text):
        return truncated(url)
    return ExtractError(
        Verdict.LAYOUT_CHANGED, f"expected {what}, found none, on {url}: look at the page, then mend its extractor"
    )


def truncated(url: str) -> ExtractError:
    return ExtractError(Verdict.TRUNCATED, f"the page breaks off before </html>: {url}")


def is_complete(text: str) -> bool:
    """Whether ``</html>`` was reached. Every HTTP library takes a body cut short without a length as good."""
    ends = [match.end() for match in _HTML_END.finditer(text)]
    return bool(ends) and _AFTER_HTML.fullmatch(text, ends[-1]) is not None


def parse(text: str, reader: Callable[[BeautifulSoup], T]) -> T:
    """``reader`` on lxml's tree; if landmarks are missing there, on html5lib's.

    The site leaves out tags that browsers supply: html5lib does the same, lxml does not, and costs five times less.
    """
    try:
        return reader(soup(text, "lxml"))
    except ExtractError as error:
        if error.verdict is not Verdict.LAYOUT_CHANGED:
            raise
    return reader(soup(text, "html5lib"))


def soup(text: str, parser: str) -> BeautifulSoup:
    """The tree of ``text``. A parser that gives up on hostile markup means the layout is not ours."""
    from bs4 import BeautifulSoup, MarkupResemblesLocatorWarning, XMLParsedAsHTMLWarning

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", XMLParsedAsHTMLWarning)
            warnings.simplefilter("ignore", MarkupResemblesLocatorWarning)
            return BeautifulSoup(text, parser)
    except MemoryError as error:
        raise ExtractError(Verdict.TOO_LARGE, f"{parser} ran out of memory on the page") from error
    except Exception as error:  # html5lib and bs4 raise AssertionError, KeyError, … on broken markup
        raise ExtractError(Verdict.LAYOUT_CHANGED, f"{parser} cannot parse the page: {error!r}") from error


def text_of(node: Tag) -> str:
    """The folded text of ``node``, with a blank where a block or line break stands."""
    from bs4.element import NavigableString, Tag

    parts: list[str] = []
    for child in node.descendants:
        if type(child) is NavigableString:
            parts.append(child)
        elif isinstance(child, Tag) and child.name in _BLOCKS:
            parts.append(" ")
    return fold("".join(parts))


def tags(nodes: Iterable[object]) -> Iterator[Tag]:
    """Those of ``nodes`` that are tags."""
    from bs4 import Tag

    return (node for node in nodes if isinstance(node, Tag))


def strings(nodes: Iterable[object]) -> Iterator[NavigableString]:
    """Those of ``nodes`` that are text a reader sees: comments, styles and scripts are classes of their own."""
    from bs4.element import NavigableString

    return (node for node in nodes if type(node) is NavigableString)


def attribute(node: Tag, name: str) -> str:
    value = node.get(name)
    return " ".join(value) if isinstance(value, list) else value or ""


def marked(soup: BeautifulSoup, tag: str, name: str, pattern: re.Pattern[str]) -> list[Tag]:
    """The ``tag``s whose attribute ``name`` matches: bs4's and soupsieve's own filters cost ten times as much."""
    return [node for node in soup.find_all(tag) if pattern.search(attribute(node, name))]


def address(href: str, url: str) -> str:
    """``href`` as an absolute address without fragment; "" if it leads to no page.

    Entities are the parser's business; blanks inside hand-written links are escaped as browsers do.
    """
    try:
        parts = urlsplit(urljoin(url, fold(href).replace("\\", "/")))
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https", "ftp") or not parts.netloc:
        return ""
    path, query = (part.replace(" ", "%20") for part in (parts.path, parts.query))
    return urlunsplit((parts.scheme, parts.netloc.lower(), path or "/", query, ""))


def query_of(url: str) -> dict[str, str]:
    """The query of ``url``, names in lower case: classic ASP does not mind the case."""
    return {name.lower(): values[-1].strip() for name, values in parse_qs(urlsplit(url).query).items()}
