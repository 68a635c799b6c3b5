"""Search: what it finds on both databases, that it follows every write, and that nothing typed is a query."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pipeline import World, issue, watch
from sqlalchemy import text
from web import desk

from monitor.store import search as store
from monitor.store.schema import Action, Bill, Issue
from monitor.store.search import pieces, words_of
from monitor.workflow.search import Found, search, understand
from tests.conftest import postgres_schema

STOPS = issue(
    "stops",
    watch("2025 HB 7132", effect="some_progress"),
    narrative="House Bill No. 7132 would end stops for a tinted window. See also Public Act 20-1.",
)
IMMUNITY = issue("immunity", watch("2025 HB 5203"), narrative="Officers are immune: warrants and quotas are not.")


@pytest.fixture
def world(tmp_path: Path, database_url: str) -> Iterator[World]:
    with World(tmp_path, [STOPS, IMMUNITY], database_url=database_url) as one:
        one.check()
        one.at(date(2025, 6, 10)).check()
        yield one


def found(world: World, typed: str) -> Found:
    return search(world.context, typed)


def hits(found: Found) -> tuple[list[str], list[str], int]:
    return [one.id for one in found.issues], [one.key.label for one in found.bills], len(found.actions)


SPELLINGS = (
    "HB 7132",
    "hb7132",
    "HB-7132",
    "H.B. No. 7132",
    "house bill 7132",
    "7132",
    "sHB 7132",
    "2025HB-07132",
    "HB07132",
)


def test_a_bill_is_found_by_its_number_in_every_spelling(world: World) -> None:
    for typed in SPELLINGS:
        issues, bills, actions = hits(found(world, typed))
        assert (issues, bills) == (["stops"], ["HB 7132"]), typed
        assert actions > 5, typed


def test_a_number_of_another_session_is_another_bill(world: World) -> None:
    assert hits(found(world, "2017 HB 7132")) == (["stops"], [], 0)  # the text names no year: it may be meant


def test_an_act_is_found_by_its_number(world: World) -> None:
    with world.database.transaction() as session:
        bill = session.query(Bill).filter_by(identifier="HB07132").one()
        bill.act = "25-19"
    for typed in ("PA 25-19", "public act 25-19", "Public Act No. 25-19"):
        assert hits(found(world, typed))[1] == ["HB 7132"], typed
    assert hits(found(world, "PA 20-1"))[0] == ["stops"]


def test_a_special_act_is_not_the_public_act_of_its_number(world: World) -> None:
    with world.database.transaction() as session:
        for identifier, act in (("HB07132", "25-12"), ("HB05203", "SA 25-12")):
            session.query(Bill).filter_by(identifier=identifier).one().act = act
    for typed, label in (("PA 25-12", "HB 7132"), ("Special Act 25-12", "HB 5203"), ("sa 25-12", "HB 5203")):
        assert hits(found(world, typed))[1] == [label], typed
    client = desk(world)
    for label, act in (("HB 7132", "Public Act 25-12"), ("HB 5203", "Special Act 25-12")):
        page = client.get(f"/desk/search?q={label}").text
        assert f"· {act}</p>" in page


def test_an_impossible_number_is_explained(world: World) -> None:
    one = found(world, "SB 7146")
    assert hits(one) == ([], [], 0)
    assert "HB 7146 may be meant" in one.wanted.notes[0]


def test_words_are_found_in_other_forms_and_cases(world: World) -> None:
    assert hits(found(world, "WARRANT"))[0] == ["immunity"]
    assert hits(found(world, "stop window"))[0] == ["stops"]
    assert hits(found(world, "stop warrant"))[0] == []
    assert "HB 5203" in hits(found(world, "restoring qualified immunity"))[1]


def test_words_beside_a_number_choose_among_its_actions(world: World) -> None:
    signed = found(world, "HB 7132 signed").actions
    assert ["".join(piece.text for piece in one.text) for one in signed] == ["SIGNED BY GOVERNOR"]
    assert [piece.text for piece in signed[0].text if piece.hit] == ["SIGNED"]


def test_the_index_follows_every_write(world: World) -> None:
    with world.database.transaction() as session:
        session.get_one(Issue, "immunity").narrative = "Now about zebras."
        action = session.query(Action).first()
        assert action is not None
        action.description = "REFERRED TO ZEBRAS"
        bill = session.query(Bill).filter_by(identifier="HB05203").one()
        bill.title = "AN ACT CONCERNING A ZEBRA."
    assert hits(found(world, "zebra")) == (["immunity"], ["HB 5203"], 1)
    assert hits(found(world, "warrants"))[0] == []
    with world.database.transaction() as session:
        session.execute(text("DELETE FROM actions WHERE description = 'REFERRED TO ZEBRAS'"))
    assert hits(found(world, "zebra")) == (["immunity"], ["HB 5203"], 0)


def test_postgres_searches_though_nothing_asked_for_it_before_the_schema_was_made() -> None:
    """As in the service: another test of this process may have loaded the dialect long before."""
    code = (
        "from sqlalchemy import create_engine, select\n"
        "from monitor.store.schema_search import ISSUE_VECTOR\n"
        "print(select(ISSUE_VECTOR).compile(create_engine('postgresql+psycopg://')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.startswith("SELECT to_tsvector('english'"), done.stderr


def test_sqlite_finds_its_index_sound(tmp_path: Path) -> None:
    """FTS5 compares its index with the tables it indexes, and fails when they differ."""
    with World(tmp_path, [STOPS]) as world:
        world.check()
        world.at(date(2025, 6, 10)).check()
        with world.database.transaction() as session:
            for index in ("bill_words", "action_words"):
                session.execute(text(f"INSERT INTO {index} ({index}, rank) VALUES ('integrity-check', 1)"))
        assert world.database.problems() == []


def test_an_issue_that_is_no_longer_tracked_is_not_found(world: World) -> None:
    world.configure([STOPS])
    world.sync()
    assert hits(found(world, "warrants"))[0] == []


def test_more_than_is_shown_is_said(world: World) -> None:
    with world.database.transaction() as session:
        session.add_all(
            Bill(session="2024", identifier=f"HB{5001 + number:05d}", title="A yak.") for number in range(25)
        )
    one = found(world, "yak")
    assert (len(one.bills), one.more) == (20, ("bills",))


def test_nothing_typed_finds_nothing(world: World) -> None:
    for typed in ("", "   ", '"', "***", "\x00", "\ud800"):
        assert hits(found(world, typed)) == ([], [], 0), repr(typed)


# ------------------------------------------------------------------ what is typed is never a query


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.needs_postgres)])
def kept(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("search")
    if request.param == "sqlite":
        with World(folder, [STOPS, IMMUNITY]) as world:
            yield world
    else:
        with postgres_schema() as url, World(folder, [STOPS, IMMUNITY], database_url=url) as world:
            yield world


OPERATORS = (
    *("AND", "OR", "NOT", "NEAR(", ")", '"', "'", "*", "^", "narrative:", "-", "+", ":", "{a b}", "\\", "%", "&", "|"),
    *("!", "<->", ":*", "--", ";", "/*", "HB", "7132", "PA 25-19", "stops", "\x00", "\ue000", "é"),
)
HOSTILE = st.one_of(
    st.text(max_size=80),
    st.lists(st.sampled_from(OPERATORS), max_size=12).map(" ".join),
)


@given(HOSTILE)
@example('" OR narrative:*')
@example("a" * 5000)
@example("'); DROP TABLE issues; --")
@settings(max_examples=150, deadline=None)
def test_nothing_typed_breaks_or_widens_a_search(kept: World, typed: str) -> None:
    json.dumps(search(kept.context, typed).as_json())
    # No text has a zebra, and no operator may take the word back.
    one = search(kept.context, f"zebra {typed}")
    assert (one.issues, one.actions) == ((), ())
    assert one.wanted.cited or not one.bills
    with kept.database.reading() as session:
        assert len(store.issues(session, (), None)) == 2


@given(st.text(max_size=300))
@settings(max_examples=200, deadline=None)
def test_words_are_letters_and_digits(typed: str) -> None:
    words = words_of(typed)
    assert len(words) <= store.MOST_WORDS
    assert all(word.isalnum() for word in words)
    understand(typed)


@given(st.text(alphabet="ab\ue000\ue001<&", max_size=30))
def test_a_marked_text_taken_apart_loses_nothing(marked: str) -> None:
    assert "".join(piece.text for piece in pieces(marked)) == marked.replace("\ue000", "").replace("\ue001", "")


# ------------------------------------------------------------------ the command


def test_the_command_answers_people_and_programs(tmp_path: Path) -> None:
    with World(tmp_path, [STOPS, IMMUNITY]) as world:
        world.check()
        world.at(date(2025, 6, 10)).check()
        said = json.loads(world.monitor("search", "HB", "7132", "signed", "--json").stdout)
        assert [one["issue"] for one in said["issues"]] == []  # the text does not say "signed"
        assert said["actions"][0] | {"text": ""} == {
            "session": "2025",
            "bill": "HB07132",
            "date": "2025-06-09",
            "text": "",
            "gone": False,
        }
        assert "SIGNED BY GOVERNOR" in world.monitor("search", "hb 7132").stdout
        assert "Nothing has all of these words." in world.monitor("search", "zebra").stdout
        assert "HB 7146 may be meant" in world.monitor("search", "SB 7146").stderr


# ------------------------------------------------------------------ the page


def test_the_page_marks_what_was_found_and_escapes_the_rest(world: World) -> None:
    with world.database.transaction() as session:
        row = session.get_one(Issue, "immunity")
        row.name, row.narrative = "<b>Immunity", "<script>alert(1)</script> warrants & <mark>"
    client = desk(world)
    text = client.get("/desk/search?q=warrant").text
    assert "<mark>warrants</mark>" in text
    assert "<script>alert" not in text  # PostgreSQL leaves tags out of a headline
    assert "alert(1)" in text
    assert " &amp; " in text
    assert "&lt;b&gt;Immunity" in text
    assert "<mark>SIGNED</mark> BY GOVERNOR" in client.get("/desk/search?q=HB+7132+signed").text
    assert "Nothing has all of these words." in client.get("/desk/search?q=%22%3E%3Csvg%3E").text
    assert client.get("/desk/search").status_code == 200
