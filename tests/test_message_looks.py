"""Emails as a browser shows them: nothing to scroll sideways, no barrier, in both themes.

``pytest --accept tests/test_message_looks.py`` writes the screenshots of docs/screenshots anew: look at them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browsing import Theme, barriers, chromium_path, sideways

pytestmark = [pytest.mark.needs_browser, pytest.mark.timeout(300)]

ROOT = Path(__file__).resolve().parent
SCREENSHOTS = ROOT.parent / "docs" / "screenshots"

#: Each kind on a phone or a desktop, in one theme or the other.
SHOWN: tuple[tuple[str, int, Theme], ...] = (
    ("status", 360, "light"),
    ("status", 800, "dark"),
    ("correction", 800, "light"),
    ("activity", 360, "dark"),
    ("hearing", 360, "light"),
    ("heartbeat", 360, "dark"),
    ("digest-mixed", 360, "dark"),
    ("digest-mixed", 800, "light"),
)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    path = chromium_path()
    if path is None:
        pytest.skip("needs a chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.mark.parametrize(("name", "width", "theme"), SHOWN)
def test_an_email_reads_well(
    chromium: Browser, name: str, width: int, theme: Theme, request: pytest.FixtureRequest
) -> None:
    file = SCREENSHOTS / f"email-{name}-{width}-{theme}.png"
    context = chromium.new_context(color_scheme=theme, viewport={"width": width, "height": 700})
    page = context.new_page()
    page.set_content((ROOT / "messages" / "email" / f"{name}.html").read_text(encoding="utf-8"))
    assert sideways(page) == 0
    assert barriers(page) == []
    if request.config.getoption("--accept"):
        page.screenshot(path=file, full_page=True)
    assert file.is_file(), "run: pytest --accept tests/test_message_looks.py, and look at what it wrote"
    context.close()
