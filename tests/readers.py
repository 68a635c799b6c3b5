"""The public pages over a World: a client of the app with the world's clock, and what a reader sees."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from flask.testing import FlaskClient
from pipeline import World

from monitor.web.app import create_app
from monitor.workflow.context import Context


def reader(world: World) -> FlaskClient:
    """A browser that is signed in nowhere; the app follows the world's clock."""
    context = Context(world.config, world.database, now=lambda: world.now, environ=world.environ)
    return create_app(context).test_client()


def seen(page: str) -> str:
    """The words of a page on one line, without what stands in its head."""
    body = page.partition("<main")[2]
    return " ".join(_Words.of(body).split())


class _Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.words.append(" " * (tag != "a"))

    def handle_endtag(self, tag: str) -> None:
        self.words.append(" " * (tag not in ("a", "time")))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @classmethod
    def of(cls, page: str) -> str:
        parser = cls()
        parser.feed(page)
        return "".join(parser.words)


def row_of(page: str, issue_id: str) -> str:
    """The words of one issue's row on the board."""
    found = re.search(rf'<article class="row" id="{issue_id}">(.*?)</article>', page, re.DOTALL)
    assert found is not None, f"no row of {issue_id}"
    return " ".join(_Words.of(found[1]).split())


class Elements(HTMLParser):
    """Every element of a page with its attributes, as a browser's parser sees them."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, dict[str, str]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))

    def of(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.found if name == tag]
