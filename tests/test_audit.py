"""The audit log: a line for every deed, a chain that shows every tampering, on both databases."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from pipeline import World, issue, watch
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from web import PASSWORD, desk

from monitor.store.schema_desk import Deed
from monitor.workflow import accounts, audit
from monitor.workflow.audit import verify
from monitor.workflow.review import Refusal


@pytest.fixture
def world(tmp_path: Path, database_url: str) -> Iterator[World]:
    stops = issue("stops", watch("2025 HB 7132", effect="achieved"))
    with World(tmp_path, [stops], database_url=database_url) as world:
        yield world


def note(world: World, number: int) -> None:
    with world.database.transaction() as session:
        detail = {"number": number, "text": "“Straße” \u2028 </script>", "none": None, "list": [1, 2.5, True]}
        audit.append(session, "Dana", "tried", f"thing {number}", detail, world.now)


@pytest.fixture
def log(world: World) -> World:
    """Ten lines: the first is of the sync, the others are ours."""
    for number in range(2, 11):
        note(world, number)
    assert verify(world.context).is_whole
    return world


def tamper(world: World, *statements: str) -> None:
    """What somebody does who may change the database itself: first the triggers go."""
    if world.database.is_sqlite:
        rows = world.ask(lambda s: s.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).all())
        drops = [f"DROP TRIGGER {name}" for (name,) in rows]
    else:
        drops = ["ALTER TABLE deeds DISABLE TRIGGER ALL"]
    with world.database.transaction() as session:
        for statement in (*drops, *statements):
            session.execute(text(statement))


def heads(world: World) -> list[str]:
    return [row.digest for row in world.rows(Deed)]


# ------------------------------------------------------------------ the chain


def test_every_line_is_sealed_to_the_one_before(log):
    rows = log.rows(Deed)
    assert [row.id for row in rows] == list(range(1, 11))
    assert rows[0].previous == audit.NOTHING
    assert [row.previous for row in rows[1:]] == [row.digest for row in rows[:-1]]
    found = verify(log.context)
    assert (found.is_whole, found.lines, found.head) == (True, 10, rows[-1].digest)


def test_an_empty_log_is_whole(tmp_path):
    with World(tmp_path, [issue("stops", "2025 HB 7132")]) as world:
        tamper(world, "DELETE FROM deeds")
        assert verify(world.context).is_whole
        assert verify(world.context).head == audit.NOTHING


@pytest.mark.parametrize(
    ("statements", "line", "words"),
    [
        (["UPDATE deeds SET who = 'Lee' WHERE id = 5"], 5, "line 5 was changed"),
        (["UPDATE deeds SET what = 'tired' WHERE id = 1"], 1, "line 1 was changed"),
        (["UPDATE deeds SET about = 'thing 11' WHERE id = 10"], 10, "line 10 was changed"),
        (["UPDATE deeds SET detail = '{\"number\": 6}' WHERE id = 5"], 5, "line 5 was changed"),
        (["UPDATE deeds SET at = '2024-01-01 00:00:00+00:00' WHERE id = 5"], 5, "line 5 was changed"),
        (["UPDATE deeds SET digest = 'x' WHERE id = 5"], 5, "line 5 was changed"),
        (["UPDATE deeds SET previous = digest WHERE id = 5"], 5, "line 5 was changed"),
        (["DELETE FROM deeds WHERE id = 5"], 5, "line 5 is missing"),
        (["DELETE FROM deeds WHERE id = 1"], 1, "line 1 is missing"),
        (["DELETE FROM deeds WHERE id < 10"], 1, "line 1 is missing"),
        (["DELETE FROM deeds WHERE id = 5", "UPDATE deeds SET id = id - 1 WHERE id = 6"], 5, "line 5 was changed"),
        (
            [
                "UPDATE deeds SET id = 99 WHERE id = 4",
                "UPDATE deeds SET id = 4 WHERE id = 7",
                "UPDATE deeds SET id = 7 WHERE id = 99",
            ],
            4,
            "line 4 was changed",
        ),
        (
            ["INSERT INTO deeds SELECT 11, at, who, what, about, detail, previous, 'y' FROM deeds WHERE id = 10"],
            11,
            "line 11 was changed",
        ),
    ],
)
def test_tampering_is_found_and_the_first_broken_line_named(log, statements, line, words):
    tamper(log, *statements)
    found = verify(log.context)
    assert not found.is_whole
    assert (found.line, found.lines) == (line, line - 1)
    assert words in found.problem


def test_a_line_written_anew_with_a_digest_of_its_own_does_not_fit_the_next(log):
    """Whoever knows how digests are made can seal a changed line, not the one after it."""
    row = log.rows(Deed)[4]
    row.who = "Lee"
    tamper(log, f"UPDATE deeds SET who = 'Lee', digest = '{audit.digest(row)}' WHERE id = 5")
    found = verify(log.context)
    assert found.line == 6
    assert "line 6 does not follow line 5" in found.problem


def test_a_cut_tail_shows_against_a_digest_noted_elsewhere(log):
    noted = heads(log)
    tamper(log, "DELETE FROM deeds WHERE id > 8")
    assert verify(log.context).is_whole, "nothing inside the log can tell"
    assert verify(log.context, [noted[3], noted[7]]).is_whole
    found = verify(log.context, [noted[3], noted[9]])
    assert not found.is_whole
    assert f"{noted[9]}, noted earlier, is gone" in found.problem


def test_a_log_written_anew_from_some_line_on_shows_against_a_noted_digest(log):
    noted = heads(log)[-1]
    tamper(log, "DELETE FROM deeds WHERE id > 4")
    for number in range(5, 12):
        note(log, number + 100)
    assert verify(log.context).is_whole
    assert not verify(log.context, [noted]).is_whole


@pytest.mark.parametrize("rubbish", ["{", "not json"])
def test_a_line_that_is_no_line_any_more_is_named(tmp_path, rubbish):
    with World(tmp_path, [issue("stops", "2025 HB 7132")]) as world:
        for number in range(2, 1200):
            note(world, number) if number % 300 == 0 or number < 4 else None
        count = len(world.rows(Deed))
        tamper(world, f"UPDATE deeds SET detail = '{rubbish}' WHERE id = {count - 1}")
        found = verify(world.context)
        assert (found.line, found.lines) == (count - 1, count - 2)


def test_a_long_log_is_read_to_its_end(tmp_path):
    with World(tmp_path, [issue("stops", "2025 HB 7132")]) as world:
        with world.database.transaction() as session:
            for number in range(1202):
                audit.append(session, "Dana", "tried", f"thing {number}", {}, world.now)
        assert verify(world.context).lines == 1203
        tamper(world, "UPDATE deeds SET who = 'Lee' WHERE id = 1100")
        assert verify(world.context).line == 1100


def test_what_json_holds_comes_back_the_same(log):
    (row,) = log.rows(Deed, Deed.id == 5)
    assert row.detail == {"number": 5, "text": "“Straße” \u2028 </script>", "none": None, "list": [1, 2.5, True]}
    moment = datetime(2025, 6, 10, 10, 11, 12, 131415, tzinfo=UTC)
    with log.database.transaction() as session:
        audit.append(session, "Dana", "tried", "a moment", {"nested": {"b": 1, "a": 2}}, moment)
    assert verify(log.context).is_whole


def test_writers_at_once_make_one_chain(world):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: note(world, number), range(40)))
    assert verify(world.context).lines == 41


# ------------------------------------------------------------------ it only grows


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE deeds SET who = 'Lee' WHERE id = 5",
        "UPDATE deeds SET who = who",
        "DELETE FROM deeds",
        "DELETE FROM deeds WHERE id = 10",
    ],
)
def test_the_database_refuses_to_change_or_take_out_a_line(log, statement):
    before = heads(log)
    with pytest.raises(DBAPIError, match="the audit log only grows"), log.database.transaction() as session:
        session.execute(text(statement))
    assert heads(log) == before


_SAME = "(id, at, who, what, about, detail, previous, digest) SELECT id, at, 'Lee', what, about, detail, previous"


@pytest.mark.parametrize(
    "statement",
    [
        f"INSERT OR REPLACE INTO deeds {_SAME}, digest FROM deeds WHERE id = 5",
        f"REPLACE INTO deeds {_SAME}, 'other' FROM deeds WHERE id = 5",
        "UPDATE OR REPLACE deeds SET id = 6 WHERE id = 5",
    ],
)
def test_sqlite_replaces_no_line(tmp_path, statement):
    with World(tmp_path, [issue("stops", "2025 HB 7132")]) as world:
        for number in range(2, 8):
            note(world, number)
        with pytest.raises(DBAPIError, match="the audit log only grows"), world.database.transaction() as session:
            session.execute(text(statement))
        assert verify(world.context).lines == 7


@pytest.mark.needs_postgres
def test_postgresql_truncates_no_log(tmp_path, postgres_url):
    with World(tmp_path, [issue("stops", "2025 HB 7132")], database_url=postgres_url) as world:
        note(world, 2)
        with pytest.raises(DBAPIError, match="the audit log only grows"), world.database.transaction() as session:
            session.execute(text("TRUNCATE deeds"))
        assert verify(world.context).lines == 2


# ------------------------------------------------------------------ what is noted


def told(world: World) -> list[tuple[str, str, str]]:
    return [(row.who, row.what, row.about) for row in world.rows(Deed)]


def with_proposal(world: World) -> int:
    world.check()
    world.at(date(2025, 6, 10))
    world.check()
    return world.proposals(kind="status")[0].id


def test_approving_is_noted_with_what_was_published(world):
    number = with_proposal(world)
    world.approve(number, by="Dana")
    (row,) = world.rows(Deed, Deed.what == "approved proposal")
    assert (row.who, row.about) == ("Dana", f"proposal {number}")
    assert row.detail == {"issue": "stops", "status": "achieved", "narrative": world.issue("stops").narrative}


def test_amending_and_rejecting_are_noted(world):
    number = with_proposal(world)
    world.approve(number, by="Dana", narrative="Another text.")
    (row,) = world.rows(Deed, Deed.what == "amended proposal")
    assert row.detail["narrative"] == "Another text."
    world.at(date(2025, 6, 12))
    for proposal in world.proposals():
        world.reject(proposal.id, by="Lee", reason="Not for this board.")
        (row,) = world.rows(Deed, Deed.about == f"proposal {proposal.id}")
        assert (row.who, row.what, row.detail["reason"]) == ("Lee", "rejected proposal", "Not for this board.")


def test_a_decision_that_was_refused_leaves_no_line(world):
    number = with_proposal(world)
    world.approve(number, by="Dana")
    before = told(world)
    with pytest.raises(Refusal):
        world.approve(number, by="Lee")
    with pytest.raises(Refusal):
        world.reject(number, by="Lee", reason="Too late.")
    assert told(world) == before


def test_the_command_line_is_noted_as_the_desk_is(world):
    number = with_proposal(world)
    world.monitor("proposals", "reject", str(number), "--reason", "Not for this board.", "--by", "Lee")
    assert ("Lee", "rejected proposal", f"proposal {number}") in told(world)


def test_a_change_of_config_is_noted_once(world):
    assert told(world) == [("config.yaml", "changed what is tracked", "config.yaml")]
    assert world.rows(Deed)[0].detail == {"added": ["issue stops", "watch stops/2025-HB07132"]}
    world.sync()
    assert len(told(world)) == 1, "nothing is new"
    world.configure([issue("stops", watch("2025 HB 7132", effect="none")), issue("records", "2025 SB 1")])
    world.sync()
    world.configure([issue("stops", watch("2025 HB 7132", effect="none"))])
    world.sync()
    details = [row.detail for row in world.rows(Deed)[1:]]
    assert details[0]["added"] == ["issue records", "watch records/2025-SB00001"]
    assert details[0]["changed"] == ["watch stops/2025-HB07132: stops advances achieved → stops advances none"]
    assert details[1] == {"retired": ["issue records", "watch records/2025-SB00001"]}


# ------------------------------------------------------------------ on the command line


def test_the_command_line_verifies(log):
    head = heads(log)[-1]
    assert head in log.monitor("audit", "verify").stdout
    assert json.loads(log.monitor("audit", "verify", "--head", head, "--json").stdout) == {
        "is_whole": True,
        "lines": 10,
        "head": head,
        "line": None,
        "problem": "",
    }
    tamper(log, "UPDATE deeds SET who = 'Lee' WHERE id = 5")
    assert "line 5 was changed" in log.monitor("audit", "verify", code=1).stderr
    found = json.loads(log.monitor("audit", "verify", "--json", code=1).stdout)
    assert (found["is_whole"], found["line"], found["lines"]) == (False, 5, 4)


def test_the_command_line_lists(log):
    shown: list[dict[str, Any]] = json.loads(log.monitor("audit", "list", "--limit", "3", "--json").stdout)
    assert [row["id"] for row in shown] == [10, 9, 8]
    assert [row["id"] for row in json.loads(log.monitor("audit", "list", "--before", "3", "--json").stdout)] == [2, 1]
    assert "thing 10" in log.monitor("audit", "list").stdout


# ------------------------------------------------------------------ at the desk


def test_the_page_shows_the_log_newest_first_and_pages_by_line(world):
    accounts.add(world.context, "Vera", PASSWORD, "viewer", "the test")
    for number in range(120):
        note(world, number)
    client = desk(world, "viewer")
    pages = [client.get("/desk/audit").text]
    while 'rel="next"' in pages[-1]:
        older = pages[-1].split('href="/desk/audit?before=')[1].split('"')[0]
        pages.append(client.get(f"/desk/audit?before={older}").text)
    assert len(pages) == 3
    numbers = [int(part.split('"')[0]) for page in pages for part in page.split('id="line-')[1:]]
    assert numbers == list(range(len(told(world)), 0, -1))
    assert "\u2028 </script>" not in pages[0]
    assert "\u2028 &lt;/script&gt;" in pages[0]
    assert heads(world)[-1] in pages[0]


def test_an_odd_place_to_go_on_breaks_nothing(tmp_path):
    with World(tmp_path, [issue("stops", "2025 HB 7132")]) as world:
        client = desk(world)
        for before in ("0", "-1", "x", "99999999999999999999", "1;drop table deeds", ""):
            assert client.get("/desk/audit", query_string={"before": before}).status_code == 200, before
