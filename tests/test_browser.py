"""In a real browser: no barrier, no sideways scroll, nothing from elsewhere, in both themes and at every width; and the
whole story, from a day of the site to an approved status on the public board.

``pytest --accept tests/test_browser.py`` writes the screenshots of docs/screenshots anew: look at them.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from monitor.model.messaging import ChannelKind, Choice
from monitor.store import subscriptions
from monitor.store.schema_subscribers import SignUp
from monitor.workflow.links import Purpose, links
from monitor.workflow.sign_up import sign_up
from tests.browsing import WIDTHS, Theme, barriers, chromium_path, opened, served, sideways, signed_in
from tests.pipeline import ORGANIZATION, World, issue, watch

pytestmark = [pytest.mark.needs_browser, pytest.mark.timeout(300)]

SCREENSHOTS = Path(__file__).resolve().parent.parent / "docs" / "screenshots"

BOARD = [
    issue(
        "stops",
        watch("2025 HB 7132", effect="achieved"),
        *(watch(bill) for bill in ("2025 SB 213", "2025 HB 6667", "2025 HB 5179", "2025 HB 5203")),
        status="some_progress",
        narrative="HB 6004 (2020) made a start. Officers may still stop anybody for a broken light.",
    )
    | {"letter": {"subject": "Stops in {town}", "body": "I live in {town}.\n\n{name}"}},
    issue("cash", watch("2025 HB 6990", effect="some_progress"), watch("2025 SB 1171")),
    issue("undo", watch("2025 SB 213", direction="reverses"), status="achieved", narrative="Public Act 20-1 did it."),
    issue("nobody-looks"),
]

#: The pages take sign-ups; which port they are served at does not matter.
OPEN = {**ORGANIZATION, "board_url": "http://127.0.0.1:8080"}

#: The element that has the focus: its place among the links, its text, whether it is in view and outlined.
_FOCUS = """() => {
    const e = document.activeElement
    if (e === document.body) return null
    const box = e.getBoundingClientRect(), style = getComputedStyle(e)
    return [Array.from(document.querySelectorAll("a")).indexOf(e), e.outerHTML.slice(0, 200),
        box.bottom > 0 && box.top < innerHeight, style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2]
}"""

PUBLIC = (
    "/",
    "/?status=achieved",
    "/issues/stops",
    "/issues/undo",
    "/changes",
    "/hearings",
    "/how-we-decide",
    "/share",
    *("/alerts?issues=stops", "/alerts/sent"),
)
DESK = (
    *("/desk", "/desk/proposals/{proposal}", "/desk/sources", "/desk/today", "/desk/search?q=hb+7132", "/desk/audit"),
    "/desk/board",
    *("/desk/subscribers", "/desk/subscribers/1", "/desk/subscribers/add", "/desk/subscribers/suppressed"),
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


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The day after HB 7132 was signed; its proposal waits."""
    folder = tmp_path_factory.mktemp("browser")
    with World(folder, BOARD, settings={"organization": OPEN}, day=date(2025, 3, 3)) as world:
        world.check()
        for day in (date(2025, 5, 9), date(2025, 5, 23), date(2025, 6, 5)):
            world.at(day).check()
        for one in world.proposals():
            if one.issue_id == "stops":
                world.reject(one.id)
        world.at(date(2025, 6, 10)).check()
        world.subscribe("https://hooks.slack.com/services/T0/B0/secret", "slack", issues=["stops"])
        yield world


@pytest.fixture(scope="module")
def base(world: World) -> Iterator[str]:
    with served(world) as address:
        yield address


def _proposal(world: World) -> int:
    [proposal] = world.proposals(kind="status")
    return proposal.id


def _desk(world: World, path: str) -> str:
    return path.format(proposal=_proposal(world))


def _fits(page: Page, path: str) -> None:
    answer = page.goto(path)
    assert answer is not None
    assert answer.status == 200
    assert barriers(page) == []
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        assert sideways(page) <= 0, f"{path} at {width} px"


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("path", PUBLIC)
def test_a_public_page_has_no_barrier_and_fits(chromium: Browser, base: str, theme: Theme, path: str) -> None:
    with opened(chromium, base, theme=theme) as page:
        _fits(page, path)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_readers_own_pages_have_no_barrier_and_fit(chromium: Browser, base: str, world: World, theme: Theme) -> None:
    world.subscribe("lee@example.org", issues=["stops"], cadence="weekly")
    sign_up(world.context, "new@example.org", Choice(), "192.0.2.1")
    with world.database.transaction() as session:
        lee = subscriptions.find(session, ChannelKind.EMAIL, "lee@example.org")
        assert lee is not None
        own = f"/alerts/{links(session).token(Purpose.MANAGE, lee.id)}"
        link = f"/alerts/confirm/{links(session).token(Purpose.CONFIRM, 1)}"
    with opened(chromium, base, theme=theme) as page:
        for path in (f"{own}?done=changed", f"{own}/leave", f"{own}/delete", link):
            _fits(page, path)
        page.goto(f"{own}/leave")
        page.get_by_role("button", name="Leave").click()
        expect(page.locator("main")).to_contain_text("Nothing more will be sent.")
        assert barriers(page) == []
        page.get_by_role("button", name="Undo").click()
        banner = page.get_by_text("You are subscribed again.")
        expect(banner).to_be_visible()
        assert page.evaluate("document.activeElement.className") == "banner"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_mistake_in_the_form_is_no_barrier(chromium: Browser, base: str, theme: Theme) -> None:
    context = chromium.new_context(base_url=base, color_scheme=theme)  # 422 is an error on the browser's console
    try:
        page = context.new_page()
        page.goto("/alerts")
        page.get_by_role("button", name="Get alerts").click()
        expect(page.locator(".problem")).to_be_focused()
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            assert (barriers(page), sideways(page)) == ([], 0)
        page.get_by_role("link", name="Write your email address").click()
        expect(page.get_by_label("Email address")).to_be_focused()
    finally:
        context.close()


def test_the_count_follows_the_form(chromium: Browser, base: str) -> None:
    with opened(chromium, base) as page:
        page.goto("/alerts")
        assert not page.get_by_role("button", name="How many messages").is_visible()
        counted = page.locator("#foretold")
        with page.expect_response("**/alerts/preview?**") as asked:
            page.get_by_label("New actions on bills").check()
        assert "email" not in asked.value.url
        assert "csrf" not in asked.value.url
        expect(counted).to_have_text(asked.value.text())
        assert not page.get_by_label("Hour").is_visible()
        with page.expect_response("**/alerts/preview?**"):
            page.get_by_label("Once a day").check()
        expect(page.get_by_label("Hour")).to_be_visible()


def test_signing_up_needs_no_script(chromium: Browser, base: str, world: World) -> None:
    context = chromium.new_context(base_url=base, viewport={"width": 390, "height": 800}, java_script_enabled=False)
    try:
        page = context.new_page()
        page.goto("/alerts")
        page.get_by_label("Email address").fill("lee at")
        page.get_by_role("button", name="How many messages").click()
        assert page.get_by_label("Email address").input_value() == "lee at"
        page.get_by_role("button", name="Get alerts").click()
        assert page.title().startswith("Error: ")
        assert page.get_by_label("Email address").input_value() == "lee at"
        assert sideways(page) <= 0
        page.goto("/issues/stops")
        page.get_by_label("Email address").fill("kim@example.org")
        page.get_by_role("button", name="Get alerts").click()
        expect(page.locator("h1")).to_have_text("Look for a message from us")
        [typed] = world.rows(SignUp, SignUp.address == "kim@example.org")
        assert typed.choice["issues"] == ["stops"]
    finally:
        context.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_desk_has_no_barrier_and_fits(chromium: Browser, base: str, world: World, theme: Theme) -> None:
    with opened(chromium, base, theme=theme) as page:
        _fits(page, "/desk/sign-in")
        page.set_viewport_size({"width": 1280, "height": 800})
        signed_in(page, world)
        for path in DESK:
            _fits(page, _desk(world, path))


@pytest.mark.parametrize("path", ["/", "/issues/stops"])
def test_the_public_pages_say_everything_without_javascript(chromium: Browser, base: str, path: str) -> None:
    with opened(chromium, base) as page:
        page.goto(path)
        with_scripts = page.inner_text("main")
    with opened(chromium, base, java_script_enabled=False) as page:
        page.goto(path)
        plain = page.inner_text("main")
    ours = {"Your", "name", "town", "Copy"}  # the letter is filled in and copied by a script
    assert set(plain.split()) >= set(with_scripts.split()) - ours


def test_a_keyboard_reaches_every_link_and_shows_where_it_is(chromium: Browser, base: str) -> None:
    with opened(chromium, base) as page:
        page.goto("/")
        links = page.locator("a:visible").count()
        seen = set()
        for _ in range(links + 5):
            page.keyboard.press("Tab")
            found = page.evaluate(_FOCUS)
            if found is None:
                break  # past the last one, in the browser's own bars
            number, html, is_in_view, is_marked = found
            assert (is_in_view, is_marked) == (True, True), html
            seen.add(number)
        assert len(seen) >= links


def test_the_letter_is_filled_in_and_copied(chromium: Browser, base: str) -> None:
    with opened(chromium, base, permissions=["clipboard-read", "clipboard-write"]) as page:
        page.goto("/issues/stops")
        page.get_by_label("Your name").fill("Sam & Ann")
        page.get_by_label("Your town").fill("Bolton")
        assert page.locator(".letter .body").inner_text() == "I live in Bolton.\n\nSam & Ann"
        address = "mailto:?subject=Stops%20in%20Bolton&body=I%20live%20in%20Bolton.%0D%0A%0D%0ASam%20%26%20Ann"
        for name in ("Email your lawmaker", "Open in your mail program"):
            assert page.get_by_role("link", name=name).get_attribute("href") == address
        page.get_by_role("button", name="Copy the letter").click()
        page.get_by_text("Copied.").wait_for()
        copied = page.evaluate("navigator.clipboard.readText()")
        assert copied == "Stops in Bolton\n\nI live in Bolton.\n\nSam & Ann"


def test_without_a_script_the_letter_opens_and_nothing_dead_is_shown(chromium: Browser, base: str) -> None:
    with opened(chromium, base, java_script_enabled=False) as page:
        page.goto("/issues/stops")
        link = page.get_by_role("link", name="Email your lawmaker")
        assert (link.get_attribute("href") or "").startswith("mailto:?subject=Stops")
        assert not page.locator(".letter button").is_visible()
        assert not page.locator(".letter .fill").is_visible()
        page.get_by_text("more bill").first.click()
        assert page.locator("details .bill").first.is_visible()


def test_every_link_and_button_is_large_enough(chromium: Browser, base: str) -> None:
    with opened(chromium, base, width=390, height=844) as page:
        page.goto("/")
        small = page.evaluate(
            """() => [...document.querySelectorAll(".glance a, .tally a, nav a, .foot li a, .btn")]
            .map((one) => [one.outerHTML.slice(0, 80), one.getBoundingClientRect()])
            .filter(([, box]) => box.width < 24 || box.height < 24).map(([text, box]) => text + " " + box.height)"""
        )
        assert small == []
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the content"


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 390)])
def test_screenshots_of_the_docs(
    chromium: Browser, base: str, world: World, theme: Theme, width: int, request: pytest.FixtureRequest
) -> None:
    """They exist for every page that the docs show; ``--accept`` takes them anew."""
    pages = {"board": "/", "issue": "/issues/stops", "proposal": f"/desk/proposals/{_proposal(world)}"}
    with opened(chromium, base, theme=theme, width=width, height=750) as page:
        signed_in(page, world)
        for name, path in pages.items():
            file = SCREENSHOTS / f"{name}-{width}-{theme}.png"
            page.goto(path)
            if request.config.getoption("--accept"):
                page.screenshot(path=file, full_page=name != "proposal" or width < 1280)
            assert file.is_file(), "run: pytest --accept tests/test_browser.py, and look at what it wrote"


def test_the_proposal_fits_a_laptop_without_scrolling(chromium: Browser, base: str, world: World) -> None:
    with opened(chromium, base, width=1280, height=750) as page:
        signed_in(page, world)
        page.goto(f"/desk/proposals/{_proposal(world)}")
        bar = page.get_by_role("button", name="Approve and publish").bounding_box()
        assert bar is not None
        for heading in ("What changed", "Evidence", "What it means", "What the public will read"):
            box = page.get_by_role("heading", name=heading).locator("xpath=..").bounding_box()
            assert box is not None
            assert box["y"] + box["height"] <= bar["y"], f"{heading} ends below the bar"


def test_from_a_day_of_the_site_to_the_public_board(chromium: Browser, tmp_path: Path) -> None:
    """The story: a signature is read, seen in the queue, amended, undone, approved, read by all."""
    with World(tmp_path, BOARD, day=date(2025, 6, 3)) as world:
        world.subscribe("ann@example.org", issues=["stops"])
        world.check()
        with served(world) as base, opened(chromium, base) as page, opened(chromium, base) as reader:
            reader.goto("/issues/stops")
            expect(reader.locator("main")).to_contain_text("Some Progress")
            world.at(date(2025, 6, 10)).check()
            reader.reload()
            expect(reader.locator("main")).to_contain_text("New in the record, status not yet reviewed")
            signed_in(page, world)
            page.goto("/desk")
            page.get_by_role("link", name="HB 7132").first.click()
            text = page.get_by_label("Text on the board")
            text.fill(text.input_value() + " A person read it.")
            page.get_by_role("button", name="Approve and publish").click()
            expect(page.locator("main")).to_contain_text("Undo")
            assert world.deliver().sent == 0  # it can still be undone
            reader.reload()  # a browser keeps a page for a minute
            expect(reader.locator(".big")).to_contain_text("Legislation Achieved")
            expect(reader.locator("main")).to_contain_text("A person read it.")
            page.get_by_role("button", name="Undo").click()
            reader.reload()
            expect(reader.locator(".big")).to_contain_text("Some Progress")
            page.goto(f"/desk/proposals/{_proposal(world)}")
            page.get_by_role("button", name="Approve and publish").click()
            world.later(minutes=2)
            assert world.deliver().sent >= 1
            reader.reload()
            expect(reader.locator(".big")).to_contain_text("Legislation Achieved")
            assert any("ann@example.org" in message for message in world.messages())
