"""Every command: its help, its JSON, its exit codes, and what it says when something is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import typer
from sqlalchemy import text as sql
from typer.testing import CliRunner

from monitor.cli.app import app
from monitor.cli.output import clean
from monitor.store.schema import Issue, Proposal
from tests.pipeline import ORGANIZATION, WEBHOOK_KEY, World, issue, watch
from tests.telling import propose, publish, told_world
from tests.web import PASSWORD

ROOT = Path(__file__).resolve().parent.parent
BOARD = [issue("stops", watch("2025 HB 7132", effect="some_progress")), issue("quotas")]
NOW = "2025-06-10T16:00:00+00:00"

HOOK = "https://hooks.slack.com/services/T0123456/B0123456/s3cr3tHook"

#: One row for each command: the least it needs, and whether it knows --json.
COMMANDS: dict[str, tuple[str, bool]] = {
    "sync": ("", True),
    "check": ("", True),
    "run": ("", False),
    "deliver": ("", True),
    "bounces": ("--maildir inbox", True),
    "doctor": ("--offline", True),
    "board": ("", True),
    "history": ("stops", True),
    "serve": ("", False),
    "publish": ("--out copy", True),
    "proposals list": ("", True),
    "proposals show": ("1", True),
    "proposals approve": ("1", True),
    "proposals reject": ("1 --reason no", True),
    "proposals postpone": ("1 --until 2030-01-01", True),
    "proposals undo": ("1", True),
    "proposals correct": ("quotas --reason no --narrative Right.", True),
    "maintainers add": ("Dana --password-stdin", True),
    "maintainers list": ("", True),
    "maintainers disable": ("Dana", True),
    "maintainers reset": ("Dana --password-stdin", True),
    "audit list": ("", True),
    "audit verify": ("", True),
    "search": ("traffic", True),
    "message preview": ("stops", True),
    "subscribers add": ("ann@example.org", True),
    "subscribers list": ("", True),
    "subscribers test": (HOOK, True),
    "subscribers show": ("ann@example.org", True),
    "subscribers link": ("ann@example.org", True),
    "subscribers change": ("ann@example.org", True),
    "subscribers pause": ("ann@example.org --until 2030-01-01", True),
    "subscribers resume": ("ann@example.org", True),
    "subscribers remove": ("ann@example.org", True),
    "subscribers delete": ("ann@example.org", True),
    "subscribers suppress": ("bob@example.org", True),
    "subscribers lift": ("bob@example.org", True),
    "subscribers suppressed": ("", True),
    "subscribers import": ("people.csv --consented-on 2025-03-01", True),
    "subscribers export": ("everybody.csv", True),
    "db upgrade": ("", True),
    "db backup": ("copy.sqlite3", True),
    "db check": ("", True),
    "record": ("bill_page http://127.0.0.1/x", False),
    "demo": ("", False),
    "classify": ("", False),
    "stage": ("", False),
    "extract": ("bill_page page.html --url http://x", False),
}
#: Those that open a configuration and a database.
OPENING = [name for name in COMMANDS if name not in ("run", "record", "demo", "classify", "stage", "extract", "doctor")]


@pytest.fixture(autouse=True)
def nothing_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith("MONITOR_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("MONITOR_WEBHOOK_KEY", WEBHOOK_KEY)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with told_world(tmp_path, None, issues=BOARD, day=date(2025, 6, 10)) as world:
        (tmp_path / "inbox" / "new").mkdir(parents=True)
        (tmp_path / "people.csv").write_text("address\nbob@example.org\n")
        yield world


class Done:
    """What a command did."""

    def __init__(self, result: Any) -> None:
        self.code: int = result.exit_code
        self.out: str = result.stdout
        self.err: str = result.stderr
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def monitor(*arguments: str, given: str | None = None, env: dict[str, str] | None = None) -> Done:
    return Done(CliRunner().invoke(app, arguments, input=given, env=env))


def at(world: World, *arguments: str, given: str | None = None) -> Done:
    """A command on this world, at its moment."""
    return monitor("--config", str(world.config_path), "--now", world.now.isoformat(), *arguments, given=given)


def words(name: str) -> list[str]:
    return [*name.split(), *COMMANDS[name][0].split()]


# --- help -------------------------------------------------------------------------------------------------------------


def registered(group: Any = None, prefix: str = "") -> Iterator[str]:
    """Every command there is, asked of the program itself."""
    for name, command in (group or typer.main.get_command(app)).commands.items():
        if hasattr(command, "commands"):
            yield from registered(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}"


def test_the_commands_are_those_that_other_tools_know() -> None:
    assert set(registered()) == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_explains_and_shows_an_example(name: str) -> None:
    done = monitor(*name.split(), "--help")
    assert done.code == 0
    examples = " ".join(done.out.partition("Example")[2].split())
    assert f"monitor {name}" in examples
    assert ("--json" in done.out) == COMMANDS[name][1]
    assert len(done.out.partition("\n\n")[2].strip()) > 40, "it says what the command does"


def test_the_exit_codes_stand_in_the_help() -> None:
    said = " ".join(monitor("--help").out.split())
    assert "0 done, 1 refused or failed, 2 wrong usage or configuration, 3 the database cannot be used" in said


@pytest.mark.parametrize("arguments", [(), ("proposals",), ("subscribers",), ("db",)])
def test_a_group_alone_shows_its_help(arguments: tuple[str, ...]) -> None:
    done = monitor(*arguments)
    assert "Usage" in done.out + done.err


def test_the_version() -> None:
    from monitor import __version__

    done = monitor("--version")
    assert (done.code, done.out) == (0, f"legislative-monitor {__version__}\n")


@pytest.mark.parametrize(
    "arguments", [("chekc",), ("check", "--al"), ("proposals", "show"), ("proposals", "show", "x")]
)
def test_wrong_usage_is_exit_code_2(arguments: tuple[str, ...]) -> None:
    done = monitor(*arguments)
    assert (done.code, done.out) == (2, "")
    assert done.err


# --- JSON -------------------------------------------------------------------------------------------------------------

CHECK_KEYS = ["checked", "unchanged", "changed", "failed", "blocked", "requests", "changes", "proposals"]
CHANGE_KEYS = ["watch", "source", "kind", "session", "bill", "date", "description", "phrase", "classification"]
PROPOSAL_KEYS = {"id", "version", "state", "kind", "issue", "from_status", "to_status", "reason", "evidence"}
EVIDENCE_KEYS = {"url", "quote", "action_date", "first_seen_at", "snapshot_sha256"}


def test_check_says_what_changed_in_the_promised_shape(world: World) -> None:
    world.at(date(2025, 3, 1))
    first = at(world, "check", "--all", "--json").json
    assert list(first) == CHECK_KEYS
    assert (first["changes"], first["proposals"]) == ([], []), "a first read is a baseline"
    world.at(date(2025, 7, 31))
    report = at(world, "check", "--all", "--json").json
    assert report["checked"] == report["unchanged"] + report["changed"] + report["failed"] + report["blocked"]
    assert report["requests"] >= 1
    assert all(list(change) == CHANGE_KEYS for change in report["changes"])
    signed = [change for change in report["changes"] if change["phrase"] == "signed"]
    assert [(one["watch"], one["bill"], one["session"]) for one in signed] == [
        ("stops/2025-HB07132", "HB07132", "2025")
    ]
    date.fromisoformat(signed[0]["date"])
    assert report["proposals"]
    assert all(isinstance(number, int) for number in report["proposals"])


def test_proposals_are_listed_in_the_promised_shape(world: World) -> None:
    first, second = propose(world, "stops"), propose(world, None)
    listed = at(world, "proposals", "list", "--json").json
    assert [one["id"] for one in listed] == [second, first], "newest first"
    for one in listed:
        assert set(one) >= PROPOSAL_KEYS
        assert set(one["evidence"][0]) >= EVIDENCE_KEYS
    assert listed[1]["issue"] == "stops"
    assert (listed[1]["from_status"], listed[1]["to_status"]) == ("no_progress", "some_progress")
    assert listed[1]["evidence"][0]["action_date"] == "2019-07-01"
    assert listed[0]["issue"] is None
    assert at(world, "proposals", "show", str(first), "--json").json == listed[1]
    world.reject(first)
    assert [one["id"] for one in at(world, "proposals", "list", "--json").json] == [second]
    assert len(at(world, "proposals", "list", "--state", "all", "--json").json) == 2
    assert at(world, "proposals", "list", "--state", "rejected", "--json").json[0]["decision_reason"]


@pytest.mark.parametrize("name", [name for name, (_, has_json) in COMMANDS.items() if has_json])
def test_json_is_the_only_thing_on_stdout_and_parses(world: World, name: str) -> None:
    propose(world)
    if name == "deliver" or (name.startswith("subscribers ") and name != "subscribers add"):
        world.subscribe("ann@example.org")
        world.subscribe(HOOK, "slack")
        publish(world, "quotas")
    if name == "subscribers lift":
        assert at(world, *words("subscribers suppress")).code == 0
    if name == "subscribers link":
        world.configure(BOARD, organization={**ORGANIZATION, "board_url": "https://board.example.org"})
    if name == "proposals correct":
        publish(world, "quotas")
    if name == "proposals undo":
        assert at(world, *words("proposals postpone")).code == 0
    if name in ("maintainers disable", "maintainers reset"):
        assert at(world, *words("maintainers add"), given=f"{PASSWORD}\n").code == 0
    done = at(world, *words(name), "--json", given=f"{PASSWORD}\n" if "--password-stdin" in words(name) else None)
    value = done.json
    assert isinstance(value, dict | list)
    if name != "doctor":
        assert (done.code, done.err) == (0, "")


@pytest.mark.parametrize("name", ["board", "history", "proposals list", "subscribers list", "doctor"])
def test_a_listing_is_a_list(world: World, name: str) -> None:
    assert isinstance(at(world, *words(name), "--json").json, list)


def test_the_doctors_json_and_exit_code(world: World) -> None:
    done = at(world, "doctor", "--offline", "--json")
    assert {frozenset(one) for one in done.json} == {frozenset({"what", "verdict", "said", "advice"})}
    bad = [one for one in done.json if one["verdict"] == "bad"]
    assert done.code == (1 if bad else 0)
    (world.folder / "gone.yaml").write_text("topics: []\n")
    assert monitor("--config", str(world.folder / "gone.yaml"), "doctor", "--offline").code == 1


# --- looking inside, without a database -------------------------------------------------------------------------------


def lines(done: Done) -> list[Any]:
    return [json.loads(line) for line in done.out.splitlines()]


def test_classify_answers_every_line() -> None:
    done = monitor("classify", given="SIGNED BY GOVERNOR\r\n\n  \nSigned by the Governor\nDANCED ON BY THE SENATE\n")
    assert done.code == 0
    bulk, web, unknown = lines(done)
    assert list(bulk) == ["description", "phrase", "classification", "arguments"]
    assert (bulk["description"], bulk["phrase"], bulk["classification"]) == (
        "SIGNED BY GOVERNOR",
        "signed",
        ["executive-signature"],
    )
    assert web["phrase"] == "signed"
    assert unknown["phrase"] == "unclassified"


def test_stage_reads_good_lines_and_names_bad_ones() -> None:
    row = {"date": "2025-06-09", "description": "SIGNED BY GOVERNOR"}
    good = {"session": "2025", "identifier": "HB07132", "actions": [row]}
    bad = [
        "{not json",
        "[]",
        "7",
        '"text"',
        "null",
        json.dumps({**good, "session": "25"}),
        json.dumps({**good, "identifier": "XX00001"}),
        json.dumps({**good, "actions": [{"date": "June 9"}]}),
        json.dumps({**good, "actions": [{**row, "date": 20250609}]}),
        json.dumps({**good, "actions": [{**row, "description": 5}]}),
        json.dumps({**good, "actions": [{**row, "description": None}]}),
        json.dumps({**good, "actions": "none"}),
        json.dumps({**good, "actions": 3}),
        json.dumps({"session": "2025"}),
    ]
    given = "\n".join([json.dumps(good), *bad, json.dumps({**good, "identifier": "HB 7132"})])
    done = monitor("stage", "--as-of", "2025-06-10", given=given)
    assert done.code == 1
    assert [(one["identifier"], one["stage"]) for one in lines(done)] == [("HB07132", "signed"), ("HB 7132", "signed")]
    assert list(lines(done)[0]) == ["session", "identifier", "stage", "is_law", "since", "reason"]
    told = done.err.splitlines()
    assert len(told) == len(bad)
    for number, said in enumerate(told, start=2):
        assert said.startswith(f"line {number}: ")
    assert "Traceback" not in done.err


def test_stage_reads_for_the_day_it_is_asked_for() -> None:
    row = {"date": "2025-06-09", "description": "SIGNED BY GOVERNOR"}
    given = json.dumps({"session": "2025", "identifier": "HB07132", "actions": [row]})
    assert lines(monitor("stage", "--as-of", "2025-06-08", given=given))[0]["is_law"] is False
    assert lines(monitor("stage", "--as-of", "2025-06-09", given=given))[0]["is_law"] is True
    wrong = monitor("stage", "--as-of", "yesterday", given=given)
    assert (wrong.code, wrong.out) == (2, "")
    assert "write it as 2025-06-10" in wrong.err


def fixture_page() -> tuple[Path, str]:
    body = sorted((ROOT / "tests" / "pages" / "bill_page").glob("signed-*.html"))[0]
    return body, json.loads(body.with_suffix(".origin.json").read_text())["url"]


def test_extract_prints_the_record() -> None:
    page, url = fixture_page()
    done = monitor("extract", "bill_page", str(page), "--url", url)
    assert done.code == 0, done.err
    assert list(done.json) == ["kind", "record"]
    assert done.json["kind"] == "bill_page"
    assert done.json["record"]["actions"]


def test_extract_says_on_stderr_why_not(tmp_path: Path) -> None:
    empty = tmp_path / "page.html"
    empty.write_bytes(b"<html><body>We are sorry.</body></html>")
    _, url = fixture_page()
    done = monitor("extract", "bill_page", str(empty), "--url", url)
    assert (done.code, done.out) == (1, "")
    assert done.err.strip()
    assert monitor("extract", "bill_pages", str(empty), "--url", url).code == 2
    assert monitor("extract", "bill_page", str(tmp_path / "none"), "--url", url).code == 2


@pytest.mark.parametrize("kind", ["bill_page", "bill_feed", "acts_page", "document_list", "feed"])
@pytest.mark.parametrize("body", [b"", b"\x00" * 100, b"\xff\xfe<", b"<table>" * 500, b"a,b\r\n1\r\n"])
def test_extract_never_shows_a_traceback(tmp_path: Path, kind: str, body: bytes) -> None:
    file = tmp_path / "page"
    file.write_bytes(body)
    done = monitor("extract", kind, str(file), "--url", "https://www.cga.ct.gov/ftp/pub/data/bill_history.csv")
    assert done.code in (0, 1)
    assert bool(done.err) == (done.code == 1)


# --- what can be wrong ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OPENING)
def test_a_mistake_in_the_configuration_is_told_with_its_place_and_nothing_happens(tmp_path: Path, name: str) -> None:
    (tmp_path / "people.csv").write_text("address\nbob@example.org\n")
    path = tmp_path / "config.yaml"
    path.write_text("organization: {name: A, contact: a@example.net}\nmaners: {}\ntopics: []\n")
    done = monitor("--config", str(path), *words(name))
    assert (done.code, done.out) == (2, "")
    assert f"{path}:2:1: " in done.err
    assert "did you mean manners?" in done.err
    assert sorted(one.name for one in tmp_path.iterdir()) == ["config.yaml", "people.csv"], "no database was made"


@pytest.mark.parametrize("name", OPENING)
def test_no_configuration(tmp_path: Path, name: str) -> None:
    (tmp_path / "people.csv").write_text("address\nbob@example.org\n")
    done = monitor(*words(name))
    assert (done.code, done.out) == (2, "")
    assert "config.yaml: there is no such file" in done.err
    assert "--config PATH or MONITOR_CONFIG" in done.err


@pytest.mark.parametrize("name", [name for name in OPENING if not name.startswith("db upgrade")])
def test_a_time_that_is_none(world: World, name: str) -> None:
    done = monitor("--config", str(world.config_path), *words(name), "--now", "tomorrow")
    assert (done.code, done.out) == (2, "")
    assert "--now 'tomorrow' is not a time; write it as 2025-06-09T12:00:00Z" in done.err


def test_a_time_that_is_none_for_the_doctor(world: World) -> None:
    assert monitor("--config", str(world.config_path), "doctor", "--offline", "--now", "tomorrow").code == 2


READING = [
    "board",
    "history",
    "proposals list",
    "proposals show",
    "subscribers list",
    "subscribers show",
    "subscribers suppressed",
    "deliver",
    "db backup",
    "db check",
]


@pytest.mark.parametrize("name", READING)
def test_an_empty_database_says_what_to_run(tmp_path: Path, name: str) -> None:
    with told_world(tmp_path, None, issues=BOARD, synced=False) as world:
        done = at(world, *words(name))
    assert (done.code, done.out) == (3, "")
    assert "the database is empty; run `monitor db upgrade` first" in done.err


@pytest.mark.parametrize("name", [name for name in OPENING if name != "db upgrade"])
def test_a_database_newer_than_the_program_is_left_alone(world: World, name: str) -> None:
    with world.database.transaction() as session:
        session.execute(sql("UPDATE alembic_version SET version_num = '9999'"))
    before = (world.folder / "monitor.sqlite3").read_bytes()
    done = at(world, *words(name))
    assert (done.code, done.out) == (3, "")
    assert "which this program does not know: a newer program has written it" in done.err
    assert (world.folder / "monitor.sqlite3").read_bytes() == before


@pytest.mark.parametrize("name", ["board", "check", "sync", "db upgrade", "db check"])
def test_a_file_that_is_no_database(world: World, name: str) -> None:
    world.database.close()
    (world.folder / "monitor.sqlite3").write_bytes(b"Dear diary, " * 500)
    done = at(world, *words(name))
    assert (done.code, done.out) == (3, "")
    assert "the database cannot be used: file is not a database" in done.err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("check", "--watch", "stops/2025-HB07133"), 2, "did you mean stops/2025-HB07132?"),
        (("history", "stosp"), 1, "there is no issue 'stosp'; did you mean stops?"),
        (("history", "zzz"), 1, "there is no issue 'zzz'; see monitor board"),
        (("proposals", "show", "99"), 1, "there is no proposal 99; `monitor proposals list` shows what waits"),
        (("proposals", "approve", "99"), 1, "there is no proposal 99"),
        (("proposals", "reject", "99", "--reason", "x"), 1, "there is no proposal 99"),
        (("proposals", "reject", "1"), 1, "a rejection needs a reason"),
        (("proposals", "approve", "1", "--status", "done"), 2, "--status 'done': write one of no_progress"),
        (("proposals", "list", "--state", "open"), 2, "--state 'open': write one of pending"),
        (("proposals", "approve", "1", "--version", "7"), 1, "has changed since you read it; look at it again"),
        (("subscribers", "add", "ann@example"), 1, "is not an email address"),
        (("subscribers", "add", "ann@example.org", "--issue", "stosp"), 1, "did you mean stops?"),
        (("subscribers", "add", "ann@example.org", "--cadence", "hourly"), 1, "there is no cadence 'hourly'"),
        (("subscribers", "remove", "ann@example.org"), 1, "a***@example.org is not subscribed"),
        (("subscribers", "import", "none.csv"), 2, "none.csv"),
        (("db", "backup", "monitor.sqlite3"), 1, "monitor.sqlite3 exists already"),
        (("record", "bill_pag", "http://x"), 2, "there is no kind 'bill_pag'"),
    ],
)  # fmt: skip
def test_errors_are_for_people(world: World, arguments: tuple[str, ...], code: int, said: str) -> None:
    assert propose(world) == 1
    done = at(world, *arguments)
    assert (done.code, done.out) == (code, "")
    assert said in " ".join(done.err.split())
    assert "Traceback" not in done.err


def test_a_decision_that_came_too_late_says_who_was_faster(world: World) -> None:
    number = propose(world)
    assert at(world, "proposals", "approve", str(number), "--by", "Alex").code == 0
    done = at(world, "proposals", "reject", str(number), "--reason", "no")
    assert done.code == 1
    assert "Alex approved proposal 1 on June 10, 2025" in done.err


# --- where the configuration comes from -------------------------------------------------------------------------------


def test_config_before_the_command_after_it_and_from_the_environment(world: World, tmp_path: Path) -> None:
    path = str(world.config_path)
    (tmp_path / "wrong.yaml").write_text("topics: []\n")
    wrong = str(tmp_path / "wrong.yaml")
    assert monitor("--config", path, "board", "--json").code == 0
    assert monitor("board", "--json", "--config", path).code == 0
    assert monitor("board", "--json", "-c", path).code == 0
    assert monitor("board", "--json", env={"MONITOR_CONFIG": path}).code == 0
    assert monitor("board", "--json").code == 0, "config.yaml of the folder"
    assert monitor("--config", wrong, "board", "--config", path).code == 0, "the nearer one wins"
    assert monitor("--config", path, "board", env={"MONITOR_CONFIG": wrong}).code == 0, "what is written wins"
    assert monitor("board", "--config", path, env={"MONITOR_CONFIG": wrong}).code == 0
    assert monitor("board", env={"MONITOR_CONFIG": wrong}).code == 2


def test_now_before_the_command_and_after_it(world: World) -> None:
    path = str(world.config_path)
    number = propose(world)
    assert monitor("--config", path, "--now", "2025-06-11T08:00", "proposals", "approve", str(number)).code == 0
    other = propose(world, "quotas")
    early = ("--config", path, "--now", "2025-01-01")
    assert monitor(*early, "proposals", "approve", str(other), "--now", "2025-06-12T09:00:00-04:00").code == 0
    moments = [one["at"] for slug in ("stops", "quotas") for one in monitor("history", slug, "--json").json]
    assert moments == ["2025-06-11T08:00:00+00:00", "2025-06-12T13:00:00+00:00"], "without a zone it is UTC"


# --- on a terminal, in a pipe, into nothing ---------------------------------------------------------------------------

HOSTILE = "AN ACT\x1b[2J\x1b]0;owned\x07\r\nFORGED: line\u202egnp\x9b31m\u2028more\x00\tend"


def poison(world: World) -> None:
    """Whatever the site's titles may bring."""
    stored = HOSTILE.replace("\x00", "")
    number = propose(world, reason=stored, row=stored)
    with world.database.transaction() as session:
        session.get_one(Issue, "stops").narrative = stored
        session.get_one(Proposal, number).narrative = stored
    world.reject(propose(world, "quotas", reason=stored), reason=stored)


@pytest.mark.parametrize(
    "arguments",
    [
        ("proposals", "list"),
        ("proposals", "list", "--state", "all"),
        ("proposals", "show", "1"),
        ("proposals", "show", "2"),
        ("board",),
        ("history", "stops"),
        ("proposals", "approve", "1"),
        ("proposals", "list", "--json"),
        ("history", "stops", "--json"),
    ],
)
def test_no_title_can_act_on_a_terminal_or_forge_a_line(world: World, arguments: tuple[str, ...]) -> None:
    poison(world)
    if arguments[0] == "history":
        world.approve(1)
    done = at(world, *arguments)
    assert done.code == 0, done.err
    shown = done.out + done.err
    assert not any(character in shown for character in "\x1b\x07\x9b\u202e\r"), repr(shown)
    assert not any(line.startswith("FORGED") for line in shown.splitlines())


def test_clean_keeps_words_and_drops_what_a_terminal_would_obey() -> None:
    assert clean(HOSTILE) == "AN ACT[2J]0;owned FORGED: linegnp31m more end"
    assert clean(None) == ""
    assert clean("Señor O’Neill – 5 %") == "Señor O’Neill – 5 %"


def test_in_a_pipe_a_listing_is_plain_lines(world: World) -> None:
    first = propose(world)
    done = at(world, "proposals", "list")
    assert done.out.splitlines() == [
        "id\tkind\tissue\tfrom → to\treason",
        f"{first}\tstatus\tstops\tNo Progress → Some Progress\tSB 380 was signed by the Governor on July 1, 2019.",
    ]
    assert at(world, "subscribers", "list").out.startswith("Nobody is subscribed")
    assert at(world, "proposals", "list", "--state", "rejected").out == "There are none.\n"


def shell(world: World, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "monitor", "--config", str(world.config_path), *arguments]
    return subprocess.run(command, cwd=ROOT, text=True, timeout=60, check=False, **options)


def test_a_real_process_prints_plain_utf8_and_ends_with_its_code(world: World) -> None:
    propose(world, reason="Señor O’Neill’s bill – signed.")
    done = shell(world, "proposals", "list", capture_output=True, encoding="utf-8", env={**os.environ, "LC_ALL": "C"})
    assert (done.returncode, done.stderr) == (0, "")
    assert "Señor O’Neill’s bill – signed." in done.stdout
    assert "\x1b" not in done.stdout
    assert shell(world, "proposals", "show", "99", capture_output=True).returncode == 1
    assert shell(world, "--nonsense", capture_output=True).returncode == 2


@pytest.mark.parametrize("arguments", [("proposals", "list", "--json"), ("board",), ("doctor", "--offline")])
def test_a_reader_who_goes_away_gets_no_traceback(world: World, arguments: tuple[str, ...]) -> None:
    for _ in range(200):  # more than a pipe holds
        propose(world, reason="SB 380 was signed. " * 50)
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = shell(world, *arguments, stdout=writing, stderr=subprocess.PIPE)
    finally:
        os.close(writing)
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


def test_a_closed_stdout_is_no_crash(world: World) -> None:
    propose(world)
    command = f'"{sys.executable}" -m monitor --config "{world.config_path}" proposals list >&-'
    done = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert "Traceback" not in done.stderr


def test_help_does_not_wait_for_the_rooms() -> None:
    """Starting takes no longer because of what only some commands need."""
    script = (
        "import sys; from typer.testing import CliRunner; from monitor.cli.app import app;"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0;"
        "print([name for name in ('sqlalchemy', 'requests', 'apprise', 'lxml', 'pydantic', 'apscheduler', 'rich')"
        " if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"
