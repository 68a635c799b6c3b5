"""A real browser over a served app: Debian's chromium, driven by Playwright.

    with served(world) as base, opened(chromium, base, theme="dark", width=390) as page:
        page.goto("/")

Every page notes what it was asked to load: ``outside(page)`` names addresses that are not ours.
"""

from __future__ import annotations

import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page
from waitress.server import create_server

from tests.pipeline import World
from tests.web import PASSWORD, app, desk

Theme = Literal["light", "dark"]

#: Widths a page must fit without sideways scroll: the smallest phone, a phone, a tablet, a desktop.
WIDTHS = (320, 390, 768, 1280)


def chromium_path() -> str | None:
    """Debian's browser, if this machine has it."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


@contextmanager
def served(world: World) -> Iterator[str]:
    """The app on a port of its own, as ``monitor serve`` serves it."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    server = create_server(app(world), host="127.0.0.1", port=port, threads=4)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.close()
        thread.join(5)


@contextmanager
def opened(browser: Browser, base: str, *, theme: Theme = "light", width: int = 1280, **more: Any) -> Iterator[Page]:
    """A page of a browser that knows nothing yet. What it says on its console as an error fails the test."""
    context = browser.new_context(
        base_url=base, color_scheme=theme, viewport={"width": width, "height": more.pop("height", 800)}, **more
    )
    page = context.new_page()
    troubles: list[str] = []
    page.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("request", lambda request: troubles.append(request.url) if not request.url.startswith(base) else None)
    try:
        yield page
        assert troubles == [], troubles
    finally:
        context.close()


def signed_in(page: Page, world: World) -> None:
    """Through the form, as Dana, who is a maintainer."""
    desk(world)  # makes her
    page.goto("/desk/sign-in")
    page.get_by_label("Name").fill("Dana")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/desk**")


def barriers(page: Page) -> list[str]:
    """What axe-core finds: WCAG 2.2 A and AA, and best practice."""
    found = Axe().run(
        page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
    )
    return [
        f"{one['id']}: {one['help']}: {node['html'][:120]}"
        for one in found.response["violations"]
        for node in one["nodes"]
    ]


def sideways(page: Page) -> int:
    """How many pixels a reader would have to scroll sideways."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))
