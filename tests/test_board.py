"""The public board and its issues, as a reader meets them in every state."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from datetime import date, timedelta
from importlib import resources
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from pipeline import World, issue, watch
from readers import Elements, reader, row_of, seen

from monitor.store.board import state
from monitor.store.schema import Bill, Issue, Snapshot, Source, Transition

TASK_FORCE = "/jud/taskforce.asp?TF=20200116_Police%20Transparency%20and%20Accountability%20Task%20Force"
SIGNED = date(2025, 6, 10)

ISSUES = [
    issue(
        "stops",
        watch("2025 HB 7132", effect="achieved"),
        watch("2025 SB 213", direction="reverses"),
        status="some_progress",
        narrative="HB 7132 is on its way. HB 6004 of the July 2020 Special Session (Public Act 20-1) began.",
    ),
    issue("warrants", watch(TASK_FORCE), narrative="The task force studies it. SB 213 is not of this issue."),
    issue("swat", narrative="No law requires it. SB 7146 (2025) cannot be."),
]


def told(folder: Path, **settings) -> World:
    """A world in which HB 7132 was first seen in committee and then signed, and its proposals wait."""
    world = World(folder, ISSUES, settings=settings)
    world.__enter__()
    world.at(date(2025, 3, 3)).check()
    world.at(SIGNED, 6, 10).check()
    return world


@pytest.fixture(scope="module")
def waiting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Nobody has decided on anything yet. Not to be changed."""
    world = told(tmp_path_factory.mktemp("waiting"))
    yield world
    world.__exit__()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """The same, to be changed."""
    world = told(tmp_path)
    yield world
    world.__exit__()


def approve_the_law(world: World) -> Transition:
    proposal = next(one for one in world.proposals(kind="status"))
    done = world.approve(proposal.id)
    assert done is not None
    return done


def change(world: World, row: type, **values) -> None:
    with world.database.transaction() as session:
        for one in session.query(row):
            for name, value in values.items():
                setattr(one, name, value)


def get(client: FlaskClient, path: str, code: int = 200) -> str:
    answer = client.get(path)
    assert answer.status_code == code, answer.text
    return answer.text


# ------------------------------------------------------------------ the board


def test_the_board_says_where_every_issue_stands_and_how_fresh_that_is(waiting):
    page = get(reader(waiting), "/")
    words = seen(page)
    assert "3 issues in one topic." in words
    assert "0 Legislation Achieved" in words
    assert "1 Some Progress" in words
    assert "2 No Progress" in words
    assert "Verified June 10, 2025, 6:10 a.m." in words
    assert re.search(r"(\d+) of \1 sources read well", words)
    assert "Legislature session ended June 4; the governor is still acting" not in words  # HB 7132 is signed
    assert "session ended June 4; the next one begins February 4, 2026" in words
    assert "Verified today" in row_of(page, "stops")


def test_a_status_is_mark_and_words(waiting):
    page = get(reader(waiting), "/")
    assert 'href="#some_progress"' in page.partition('id="stops"')[2]
    assert row_of(page, "stops").startswith("Some Progress")


def test_what_nobody_has_reviewed_stands_in_a_box_of_its_own(waiting):
    words = row_of(get(reader(waiting), "/"), "stops")
    assert "New in the record, status not yet reviewed: The governor signed HB 7132 on June 9, 2025." in words
    assert "First seen today, 6:10 a.m." in words
    assert words.startswith("Some Progress"), "the status itself waits for a person"


def test_an_approved_move_leaves_the_box_and_changes_the_mark(world):
    approve_the_law(world)
    page = get(reader(world), "/")
    words = row_of(page, "stops")
    assert words.startswith("Legislation Achieved")
    assert "The governor signed HB 7132 on June 9, 2025." in words
    assert "not yet reviewed: The governor signed" not in words
    assert "Status since 2025" in words
    assert "Updated June 10, 2025" in seen(page)


def test_an_issue_nothing_watches_says_so(waiting):
    words = row_of(get(reader(waiting), "/"), "swat")
    assert "No source is watched for this issue" in words
    assert "Verified never" in words


def test_a_source_that_cannot_be_read_makes_its_issue_doubtful(world):
    with world.database.transaction() as session:
        force = session.query(Source).filter(Source.kind == "document_list").one()
        force.failures, force.last_good_at = 3, world.now - timedelta(days=3)
    page = get(reader(world), "/")
    words = row_of(page, "warrants")
    assert "This status may be out of date." in words
    assert (
        "The page of the Police Transparency and Accountability Task Force has not been readable since June 7." in words
    )
    assert "Last verified June 7, 2025, 3 days ago" in words
    assert 'href="#no_progress-old"' in page
    assert "1 cannot be read" in seen(page)
    assert link(page, "1 cannot be read") == "#warrants"
    only = get(reader(world), "/?status=achieved")
    assert 'id="warrants"' not in only
    assert link(only, "1 cannot be read") == "/#warrants", "the row is on the whole board"
    assert 'href="#warrants">1 cannot be read' in page
    assert "may be out of date" not in row_of(page, "stops")


def test_a_service_that_stopped_reading_makes_everything_doubtful(world):
    world.now += timedelta(days=9)
    page = get(reader(world), "/")
    assert "This board may be out of date." in seen(page)
    assert "has been read well since June 10." in seen(page)
    assert "has not been read since June 10." in row_of(page, "stops")
    assert "Verified not possible now" in seen(page)


def test_a_board_that_never_read_anything_says_so(tmp_path):
    with World(tmp_path, ISSUES) as world:
        assert "None of the sources has been read yet." in seen(get(reader(world), "/"))


def test_the_legislature_is_told_in_words(tmp_path):
    with World(tmp_path, ISSUES) as world:
        client = reader(world)
        world.at(date(2025, 2, 1))
        assert "2025 regular session in session until June 4" in seen(get(client, "/"))
        change(world, Bill, stage="to_governor")
        world.at(date(2025, 6, 7))
        assert "session ended June 4; the governor is still acting on bills" in seen(get(client, "/"))


def test_the_filter_shows_one_status_and_the_way_back(waiting):
    client = reader(waiting)
    page = get(client, "/?status=some_progress")
    assert 'id="stops"' in page
    assert 'id="swat"' not in page
    assert "Only Some Progress. Show all." in seen(page)
    empty = get(client, "/?status=achieved")
    assert "No issue has this status. Show all." in seen(empty)
    assert 'class="row"' not in empty


@pytest.mark.parametrize("made_up", ["victory", "<script>", "achieved'"])
def test_a_status_that_is_none_shows_the_whole_board_and_is_not_repeated(waiting, made_up):
    page = get(reader(waiting), f"/?status={made_up}")
    assert 'id="stops"' in page
    assert made_up not in page.partition("</head>")[2]


# ------------------------------------------------------------------ links of a narrative


def link(page: str, text: str) -> str:
    found = re.search(rf'<a href="([^"]*)">{re.escape(text)}</a>', page)
    assert found is not None, f"{text} is no link"
    return found[1].replace("&amp;", "&")


def test_bills_acts_and_task_forces_link_to_their_record(waiting):
    page = get(reader(waiting), "/")
    assert link(page, "HB 7132").endswith("bill_num=HB07132&which_year=2025")
    assert link(page, "HB 6004 of the July 2020 Special Session").endswith("bill_num=HB06004&which_year=2020")
    assert link(page, "Public Act 20-1").endswith("bill_num=HB06004&which_year=2020")
    assert link(page, "task force").endswith(TASK_FORCE)
    assert link(page, "SB 213").endswith("bill_num=SB00213&which_year=2025")  # of the board, though of another issue


def test_a_special_act_links_to_its_own_bill(world):
    with world.database.transaction() as session:
        for identifier, act in (("HB07132", "25-12"), ("SB00213", "SA 25-12")):
            session.query(Bill).filter_by(identifier=identifier).one().act = act
        session.get_one(Issue, "swat").narrative = "Special Act 25-12 studies what Public Act 25-12 ends."
    page = get(reader(world), "/")
    assert link(page, "Special Act 25-12").endswith("bill_num=SB00213&which_year=2025")
    assert link(page, "Public Act 25-12").endswith("bill_num=HB07132&which_year=2025")


def test_a_bill_that_cannot_be_is_no_link(waiting):
    assert ">SB 7146" not in get(reader(waiting), "/")


def test_on_its_own_page_a_watched_bill_links_to_its_place(waiting):
    page = get(reader(waiting), "/issues/stops")
    assert link(page.partition("story")[2], "HB 7132") == "#bill-2025-hb07132"
    assert 'id="bill-2025-hb07132"' in page


# ------------------------------------------------------------------ an issue


def test_an_issue_shows_its_bills_with_track_and_direction(waiting):
    words = seen(get(reader(waiting), "/issues/stops"))
    assert "HB 7132 2025 Advances this issue" in words
    assert "Introduced February 28, 2025" in words
    assert "signed June 9, 2025" in words
    assert "SB 213 2025 Would undo this" in words
    assert "Judiciary had not approved it when the session ended June 4, 2025" in words


def test_a_track_tells_its_outcome_to_those_who_do_not_see_it(waiting):
    tracks = [one for one in Elements(get(reader(waiting), "/issues/stops")).of("ol") if "track" in one["class"]]
    assert [one["aria-label"] for one in tracks] == [
        "HB 7132: The governor signed HB 7132 on June 9, 2025. It is now Public Act 25-19.",
        "SB 213: SB 213 died in the Judiciary Committee when the session ended on June 4, 2025.",
    ]


def test_dead_bills_past_three_are_folded_away(tmp_path):
    dead = ["2025 SB 213", "2025 HB 6667", "2025 HB 5179", "2025 HB 5203", "2025 HB 5301"]
    with World(tmp_path, [issue("immunity", *dead)]) as world:
        world.at(date(2025, 6, 10)).check()
        page = get(reader(world), "/issues/immunity")
    before, _, folded = page.partition("<details>")
    assert "2 more bills that came to nothing" in folded
    assert before.count('class="bill"') == 3
    assert page.count('class="bill"') == 5


def test_the_history_quotes_the_row_and_shows_the_saved_page(world):
    done = approve_the_law(world)
    client = reader(world)
    page = get(client, "/issues/stops")
    words = seen(page)
    assert "June 9, 2025" in words
    assert "Some Progress → changed to Legislation Achieved" in words
    assert "6/9/2025\N{NO-BREAK SPACE} SIGNED BY GOVERNOR".replace("\N{NO-BREAK SPACE} ", " ") in words.replace(
        "\xa0", ""
    )
    assert f'id="move-{done.id}"' in page
    assert link(page, "Official page").endswith("bill_num=HB07132&which_year=2025")
    saved = client.get(link(page, "Archived page as we read it (plain text)"))
    assert saved.status_code == 200
    assert "SIGNED BY GOVERNOR" in saved.text
    assert (
        "Status over time: Some Progress before June 9, 2025; Legislation Achieved from June 9, 2025 to today." in page
    )


def test_a_correction_stays_in_the_history_with_what_it_corrects(world):
    done = approve_the_law(world)
    with world.database.transaction() as session:
        session.add(
            Transition(
                issue_id="stops",
                corrects_id=done.id,
                from_status="achieved",
                to_status="some_progress",
                narrative_before="a",
                narrative_after="b",
                reason="This page said that HB 7132 settles the issue. It does not.",
                decided_by="Alex",
                at=world.now + timedelta(hours=1),
            )
        )
    client = reader(world)
    for path in ("/issues/stops", "/changes"):
        words = seen(get(client, path))
        assert "Correction: Legislation Achieved → changed to Some Progress" in words
        assert "This page said that HB 7132 settles the issue. It does not." in words
        assert "Corrected on June 10, 2025: This page said that HB 7132 settles the issue. It does not." in words
        assert "The entry stays as it was published: The governor signed HB 7132" in words
        assert "Some Progress → changed to Legislation Achieved" in words
    assert "Corrections (1)" in seen(get(client, "/changes"))
    assert "Last corrected June 10, 2025" in seen(get(client, "/issues/stops"))


def test_documents_of_its_task_force_stand_on_the_issue(waiting):
    page = get(reader(waiting), "/issues/warrants")
    assert '<h2 id="documents"' in page
    assert "No bill is watched for this issue." in seen(page)


def test_hearings_to_come_are_announced(tmp_path):
    with World(tmp_path, ISSUES) as world:
        world.at(date(2025, 3, 3)).check()
        client = reader(world)
        assert "Public hearing on HB 7132, Friday, March 7, 2025" in seen(get(client, "/issues/stops"))
        assert "March 7, 2025 HB 7132 (2025) Friday" in seen(get(client, "/hearings"))
        world.at(date(2025, 3, 8))
        assert "None is announced. The 2025 regular session in session" in seen(get(client, "/hearings"))


def test_a_letter_is_offered_with_placeholders_and_without_a_script(tmp_path):
    letter = {"subject": "Stops in {town}", "body": "Dear lawmaker,\n\nI live in {town}.\n\n{name} & family"}
    with World(tmp_path, [{**ISSUES[0], "letter": letter}]) as world:
        page = get(reader(world), "/issues/stops")
    mailto = next(one["href"] for one in Elements(page).of("a") if one["href"].startswith("mailto:?subject="))
    assert mailto == (
        "mailto:?subject=Stops%20in%20%5Byour%20town%5D&body=Dear%20lawmaker%2C%0D%0A%0D%0AI%20live%20in%20"
        "%5Byour%20town%5D.%0D%0A%0D%0A%5Byour%20name%5D%20%26%20family"
    )
    assert "Find your legislators" in page
    assert "letter.js" in page


def test_a_page_without_a_letter_has_no_script(waiting):
    assert "<script" not in get(reader(waiting), "/issues/stops")


# ------------------------------------------------------------------ the other pages


def test_pages_that_say_how_and_where(waiting):
    client = reader(waiting)
    assert "A person approves every status" in seen(get(client, "/how-we-decide"))
    assert "Nothing has been published yet." in seen(get(client, "/changes"))
    assert "<iframe src=" in seen(get(client, "/share"))
    assert "Put Stops on your site" in seen(get(client, "/issues/stops/share"))


def test_every_page_is_answered_on_both_databases(tmp_path, database_url):
    with World(tmp_path, ISSUES, database_url=database_url) as world:
        world.at(date(2025, 3, 3)).check()
        world.at(SIGNED, 6, 10).check()
        approve_the_law(world)
        client = reader(world)
        for path in [*PAGES, "/embed", "/board.json", "/feed.atom", "/issues/stops/feed.atom", "/hearings.ics"]:
            assert client.get(path).status_code == 200, path
        page = get(client, "/issues/stops")
        assert "signed June 9, 2025" in seen(page)
        assert client.get(link(page, "Archived page as we read it (plain text)")).status_code == 200


def test_what_is_not_there_is_404_with_the_way_to_the_board(waiting):
    client = reader(waiting)
    for path in ("/issues/none", "/issues/none/share", "/embed/none", "/issues/none/feed.atom", "/nothing"):
        assert "There is no such page" in seen(get(client, path, 404))
    assert client.get("/archive/" + "0" * 64).status_code == 404
    assert client.get("/archive/..%2f..%2fetc%2fpasswd").status_code == 404


def test_a_damaged_saved_page_is_gone_and_the_page_that_cites_it_is_not(world):
    approve_the_law(world)
    client = reader(world)
    cited = link(get(client, "/issues/stops"), "Archived page as we read it (plain text)")
    change(world, Snapshot, body=b"broken")
    assert "This is gone" in seen(get(client, cited, 410))
    assert get(client, "/issues/stops")


def test_a_retired_issue_is_gone(world):
    with world.database.transaction() as session:
        session.get_one(Issue, "swat").active = False
    client = reader(world)
    assert client.get("/issues/swat").status_code == 404
    assert 'id="swat"' not in get(client, "/")


PAGES = ["/", "/issues/stops", "/changes", "/hearings", "/how-we-decide", "/share", "/issues/stops/share"]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_has_one_heading_a_title_and_says_what_it_is_to_others(waiting, path):
    found = Elements(get(reader(waiting), path))
    assert len(found.of("h1")) == len(found.of("main")) == len(found.of("title")) == 1
    assert found.of("html") == [{"lang": "en"}]
    facts = {one.get("property", one.get("name", "")): one.get("content", "") for one in found.of("meta")}
    assert facts["og:title"]
    assert facts["og:description"]
    assert facts["og:url"] == f"http://localhost{'/share' if path.endswith('share') else path}"
    ids = [attributes["id"] for _, attributes in found.found if "id" in attributes]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("path", [*PAGES, "/embed", "/embed/stops"])
def test_a_page_asks_nobody_else_and_runs_nothing_inline(waiting, path):
    found = Elements(get(reader(waiting), path))
    loaded = [one["href"] for one in found.of("link") if one["rel"] in ("stylesheet", "icon")]
    loaded += [one.get("src", "") for tag in ("script", "img", "iframe") for one in found.of(tag)]
    assert loaded
    assert all(address.startswith("/static/") for address in loaded)
    assert not found.of("style")
    assert not [
        name for _, attributes in found.found for name in attributes if name.startswith("on") or name == "style"
    ]


# ------------------------------------------------------------------ caches and weight


def test_asking_again_costs_a_304_until_something_changes(world):
    client = reader(world)
    for path in [*PAGES, "/board.json", "/feed.atom", "/hearings.ics", "/embed", "/issues/stops/feed.atom"]:
        first = client.get(path)
        assert first.headers["Cache-Control"] == "public, max-age=60"
        assert "Set-Cookie" not in first.headers
        assert "Cookie" not in first.headers.get("Vary", "")
        again = client.get(path, headers={"If-None-Match": first.headers["ETag"]})
        assert (again.status_code, again.data) == (304, b"")
    before = client.get("/").headers["ETag"]
    approve_the_law(world)
    after = client.get("/", headers={"If-None-Match": before})
    assert after.status_code == 200
    assert after.headers["ETag"] != before


def test_a_kept_answer_does_not_outlive_its_day(world):
    client = reader(world)
    assert "Verified today" in row_of(get(client, "/"), "stops")
    world.now += timedelta(days=1)
    assert "Verified yesterday" in row_of(get(client, "/"), "stops")


def test_a_kept_answer_does_not_hide_that_nothing_is_read_any_more(world):
    client = reader(world)
    world.at(SIGNED, 0, 30)
    assert "may be out of date" not in get(client, "/")
    change(world, Source, next_check_at=world.now + timedelta(minutes=5))
    assert "may be out of date" not in get(client, "/")
    world.at(SIGNED, 23, 30)
    assert "This board may be out of date." in seen(get(client, "/"))


def test_no_page_changes_anything(world):
    client = reader(world)

    def everything() -> list[str]:
        with world.database.reading() as session:
            return list(session.connection().connection.driver_connection.iterdump())  # type: ignore[union-attr]

    before = everything()
    for path in [*PAGES, "/board.json", "/feed.atom", "/hearings.ics", "/embed", "/embed/stops", "/nothing"]:
        client.get(path)
    assert everything() == before


def test_the_board_weighs_less_than_100_kb_with_everything(tmp_path):
    """As the group's board is: fifteen issues with their text, a box each, on a first visit."""
    text = "HB 6004 (2020) had departments report their military equipment, and SB 1171 (2025) died in committee. " * 3
    issues = [issue(f"issue-{number}", "2025 HB 7132", "2025 SB 1171", narrative=text) for number in range(15)]
    with World(tmp_path, issues) as world:
        world.at(date(2025, 3, 3)).check()
        world.at(SIGNED).check()
        page = reader(world).get("/").data
    assert page.count(b"not yet reviewed") == 15
    static = resources.files("monitor.web") / "static"
    files = [(static / name).read_bytes() for name in ("site.css", "board.css", "icon.svg")]
    plain = len(page) + sum(map(len, files))
    packed = sum(len(gzip.compress(one)) for one in [page, *files])
    print(f"{plain} bytes, {packed} compressed")
    assert plain < 100_000
    assert packed < 25_000


# ------------------------------------------------------------------ kept answers


def test_a_kept_page_follows_a_name_changed_in_config_at_once(world):
    client = reader(world)
    assert "Stops" in seen(get(client, "/"))
    world.configure([{**one, "name": "Traffic stops"} if one["id"] == "stops" else one for one in ISSUES])
    world.sync()
    assert "Traffic stops" in seen(get(client, "/"))


def test_a_pass_that_finds_nothing_keeps_the_pages(world):
    """Every pass would otherwise make every page anew, though all it shows is the same."""
    before = world.ask(lambda session: state(session, world.now))
    assert world.check(everything=False).checked == 0
    assert world.ask(lambda session: state(session, world.now)) == before
