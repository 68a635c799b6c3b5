"""A saved page as the paragraphs a reader sees. Pure."""

from __future__ import annotations

from html.parser import HTMLParser

from monitor.extract.text import decode, fold

#: A larger page is not compared here: nobody would read the difference.
MOST_BYTES = 2_000_000

_HIDDEN = frozenset({"script", "style", "head", "template", "noscript"})
_CELLS = frozenset({"td", "th"})
_BLOCKS = frozenset(
    {"br", "p", "div", "li", "tr", "table", "ul", "ol", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "section", "form"}
)


class _Reader(HTMLParser):
    """Text in the order it stands; cells of one row stay on one line."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.lines: list[str] = []
        self._line: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in _HIDDEN
        if tag in _BLOCKS:
            self.end_line()

    def handle_endtag(self, tag: str) -> None:
        if tag in _HIDDEN:
            self._hidden = max(0, self._hidden - 1)
        if tag in _CELLS:
            self._line.append("  ")
        if tag in _BLOCKS:
            self.end_line()

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self._line.append(data)

    def end_line(self) -> None:
        text = "  ".join(filter(None, (fold(part) for part in "".join(self._line).split("  "))))
        self._line.clear()
        if text:
            self.lines.append(text)


def paragraphs(body: bytes, content_type: str | None) -> list[str]:
    """The page's lines without markup; of anything but HTML, its own lines."""
    text = decode(body, content_type)
    if "<" not in text[:2000] or "csv" in (content_type or ""):
        return [line for line in (fold(one) for one in text.splitlines()) if line]
    reader = _Reader()
    reader.feed(text)
    reader.close()
    reader.end_line()
    return reader.lines
