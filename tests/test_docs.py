"""What the documentation says is so: commands, options, values, tables, variables, paths, links, JSON."""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import unquote

import pytest
from pipeline import ORGANIZATION, WEBHOOK_KEY, World, issue, watch
from ruamel.yaml import YAML
from typer.testing import CliRunner

from monitor.cli.app import app
from monitor.config import load
from monitor.interpret.actions import TABLE
from monitor.interpret.phrases import PHRASES, Effect, Phrase
from monitor.model.legislature import Stage
from monitor.model.messaging import AnnouncementKind, Cadence, ChannelKind, DeliveryState, OutcomeKind
from monitor.model.tracking import Milestone, ProposalKind, ProposalState, SourceKind, Status, Verdict
from monitor.store import schema_desk, schema_subscribers  # noqa: F401 - its tables are part of the schema
from monitor.store.schema import Base

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"


def _generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


generate = _generator()
PAGES = generate.pages()
COMMANDS = dict(generate.commands())


def _text(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def _each_page(test: Any) -> Any:
    return pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())(test)


def _first_cells(text: str) -> set[str]:
    """The names in the first cells of tables, where such a cell holds names in backquotes and nothing else."""
    cells = re.findall(r"^\| (`[^|`]+`(?:, `[^|`]+`)*) \|", text, re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


# ------------------------------------------------------------------ generated parts


@_each_page
def test_a_generated_part_is_what_the_code_says_now(page):
    text = page.read_text(encoding="utf-8")
    assert text.count("<!-- generated: ") == text.count("<!-- end -->") == len(generate.PART.findall(text))
    assert generate.renew(text) == text, "run .venv/bin/python docs/generate.py"


def test_every_generated_part_stands_on_some_page():
    used = {part[1] for page in PAGES for part in generate.PART.findall(page.read_text(encoding="utf-8"))}
    assert used == set(generate.PARTS)


def test_a_stale_part_is_found():
    opening = "<!-- generated: unworded-effects -->\n"
    page = f"a\n{opening}old\n<!-- end -->\nb\n{opening}<!-- end -->\n"
    renewed = generate.renew(page)
    assert renewed.count(generate.effect_list()) == 2
    assert renewed.startswith("a\n")
    assert "\nb\n" in renewed
    assert generate.renew(renewed) == renewed


# ------------------------------------------------------------------ commands

#: "monitor" where a command line begins; not in "the monitor", "monitor/cli" or "example@monitor".
_CALL = re.compile(r"(?:^|[\s(`|&])(?:\$ |(?:\S*/bin/))?monitor ((?:-{0,2}[a-z].*))")


def _code(text: str) -> Iterator[str]:
    """Lines of fenced and indented blocks, and code in backquotes; comments, output and quoted texts left out."""
    for language, block in re.findall(r"^ *```(\w*)\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL):
        lines = block.splitlines()
        if language == "console":
            lines = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
        if language in ("sh", "console", ""):
            yield from lines
    prose = re.sub(r"^ *```.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL)
    yield from (" ".join(code.split()) for code in re.findall(r"`([^`]+)`", prose))


def _calls(text: str) -> Iterator[list[str]]:
    """The words of every command line in ``text``, from the first after ``monitor`` on."""
    for line in _code(text):
        plain = re.sub(r"\s#.*|'[^']*'|\"[^\"]*\"", " X ", line)
        for part in re.split(r"[|;]|&&| · ", plain):
            words = part.split()
            starts = [at for at, word in enumerate(words[:3]) if word.rpartition("/")[2] == "monitor"]
            if starts and len(words) > starts[0] + 1:
                yield words[starts[0] + 1 :]


def _known(words: list[str]) -> str:
    """What is wrong with a command line; empty if it exists with these options."""
    shared = {"--config", "-c", "--now", "--version", "--help"}
    while words and words[0].startswith("-"):
        if words[0] not in shared:
            return f"no option {words[0]}"
        words = words[1 if words[0] in ("--version", "--help") else 2 :]
    if not words or words[0] == "COMMAND":
        return ""
    name = next((name for name in (" ".join(words[:2]), words[0]) if name in COMMANDS), None)
    if name is None:
        groups = {command.partition(" ")[0] for command in COMMANDS}
        return "" if words[0] in groups and len(words) == 1 else f"no command {' '.join(words[:2])}"
    known = generate.options(COMMANDS[name])
    unknown = [word for word in words[len(name.split()) :] if re.match(r"--?[a-z]", word) and word not in known]
    return f"{name} has no option {', '.join(unknown)}" if unknown else ""


@_each_page
def test_every_command_line_exists_with_its_options(page):
    wrong = [(words, problem) for words in _calls(page.read_text(encoding="utf-8")) if (problem := _known(words))]
    assert not wrong


@pytest.mark.parametrize(
    "text",
    [
        "`monitor chek`",
        "`monitor check --everything`",
        "```sh\nsudo .venv/bin/monitor db restore x\n```",
        "`monitor db --all`",
    ],
)
def test_a_command_line_that_does_not_exist_is_found(text):
    assert [problem for words in _calls(text) if (problem := _known(words))]


def test_the_pages_do_name_commands():
    assert len([words for page in PAGES for words in _calls(page.read_text(encoding="utf-8"))]) > 100


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_in_both_tables_and_explains_itself(name):
    assert f"## monitor {name}\n" in _text("docs/reference/commands.md")
    assert f"| `monitor {name}` |" in _text("README.md")
    helped = CliRunner().invoke(app, [*name.split(), "--help"])
    assert helped.exit_code == 0
    assert f"monitor {name}" in " ".join((COMMANDS[name].epilog or "").split()), "its --help needs an example"
    for words in _calls("\n".join(["```sh", *(COMMANDS[name].epilog or "").split(" · "), "```"])):
        assert not _known([word for word in words if word not in ("Example:", "Examples:")])


def test_every_target_that_is_named_is_in_the_makefile():
    targets = set(re.findall(r"^([a-z-]+):", _text("Makefile"), re.MULTILINE))
    for page in PAGES:
        for line in _code(page.read_text(encoding="utf-8")):
            for call in re.findall(r"(?:^|[$&;] )make((?: [a-z-]+(?![\w=]))+)", line):
                assert set(call.split()) <= targets, (page, line)
    assert {"make demo", "make test"} <= set(re.findall(r"^\$ (make \w+)$", _text("README.md"), re.MULTILINE))


def test_the_readme_is_short_and_finished():
    assert _text("README.md").count("\n") <= 220
    for page in PAGES:
        assert "@@" not in page.read_text(encoding="utf-8"), page


# ------------------------------------------------------------------ values

#: Every value of these stands in the first cell of a table's row on its page, and nothing else of its kind does.
VALUES = [
    (SourceKind, "docs/reference/sources.md"),
    (Verdict, "docs/reference/sources.md"),
    (ProposalKind, "docs/reference/proposals.md"),
    (ProposalState, "docs/reference/proposals.md"),
    (Milestone, "docs/reference/proposals.md"),
    (Status, "docs/reference/proposals.md"),
    (Stage, "docs/reference/stages.md"),
    (AnnouncementKind, "docs/reference/messages.md"),
    (Cadence, "docs/reference/messages.md"),
    (ChannelKind, "docs/reference/messages.md"),
    (OutcomeKind, "docs/reference/messages.md"),
]


@pytest.mark.parametrize(("kind", "page"), VALUES, ids=lambda value: getattr(value, "__name__", ""))
def test_every_value_is_explained(kind, page):
    assert set(kind) <= _first_cells(_text(page))


def test_nothing_is_explained_that_does_not_exist():
    for page in {page for _, page in VALUES} - {"docs/reference/sources.md"}:
        values = {str(value) for kind, other in VALUES if other == page for value in kind}
        assert _first_cells(_text(page)) <= values, page


def test_every_state_of_a_delivery_is_named():
    assert all(f"`{state}`" in _text("docs/reference/messages.md") for state in DeliveryState)


def test_every_table_of_the_database_is_explained_in_one_line():
    text = _text("docs/reference/database.md").partition("## Columns")[0]
    assert _first_cells(text) == set(Base.metadata.tables)


# ------------------------------------------------------------------ environment

_VARIABLE = re.compile(r"\b(?:MONITOR_[A-Z][A-Z_]*[A-Z]|CREDENTIALS_DIRECTORY|NOTIFY_SOCKET|WATCHDOG_[A-Z]+)\b")


def _variables(text: str) -> set[str]:
    """Variables that a module reads (``environ.get("X")``, ``environ["X"]``, ``envvar="X"``) or names."""
    found = set(_VARIABLE.findall(text))
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("get", "getenv"):
            if "environ" in ast.unparse(node.func) or node.func.attr == "getenv":
                found |= _constants(node.args[:1])
        elif isinstance(node, ast.Subscript) and "environ" in ast.unparse(node.value):
            found |= _constants([node.slice])
        elif isinstance(node, ast.keyword) and node.arg == "envvar":
            found |= _constants([node.value])
    return found


def _constants(nodes: list[Any]) -> set[str]:
    return {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def test_every_variable_that_is_read_is_documented_and_no_other():
    modules = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "monitor").rglob("*.py"))]
    read = {name for text in modules for name in _variables(text)}
    documented = _first_cells(_text("docs/reference/environment.md").partition("## Secrets")[0])
    of_tests = {"MONITOR_TEST_POSTGRES": "tests/conftest.py", "MONITOR_REPLAY_EVERY": "tests/test_replay.py"}
    assert documented - set(of_tests) == read
    assert all(name in _text(path) for name, path in of_tests.items())


def test_a_variable_is_found_however_it_is_read():
    text = 'os.environ.get("LANG"), environ["HOME"], os.getenv("TZ"), Option(envvar="PAGER")  # MONITOR_X_Y'
    assert _variables(text) == {"LANG", "HOME", "TZ", "PAGER", "MONITOR_X_Y"}


def test_every_credential_of_the_units_is_documented():
    units = "".join(path.read_text() for path in (ROOT / "deploy" / "systemd").glob("*.service"))
    named = set(re.findall(r"^LoadCredential=(\w+)", units, re.MULTILINE))
    assert named
    assert all(f"`{name}`" in _text("docs/reference/environment.md") for name in named)


# ------------------------------------------------------------------ paths and links

_PATH = re.compile(r"`((?:monitor|tests|docs|deploy|migrations|benchmarks|\.ci)/[\w./-]*|[A-Z]+\.md|config\.yaml)`")

#: What a recipe tells the reader to make.
_TO_BE_MADE = {
    "monitor/extract/hearing_list.py",
    "monitor/notify/matrix.py",
    "tests/messages/matrix/",
    "tests/pages/hearing_list/",
}


@_each_page
def test_every_path_that_is_named_exists(page):
    named = set(_PATH.findall(page.read_text(encoding="utf-8"))) - _TO_BE_MADE
    assert not [path for path in named if not (ROOT / path).exists()]


@_each_page
def test_every_name_of_the_code_that_a_recipe_names_is_there(page):
    """ "`PHRASES` in `monitor/interpret/phrases.py`" and the like."""
    text = page.read_text(encoding="utf-8")
    for name, path in re.findall(r"`(\w+)` (?:in|of)\s+`(monitor/[\w/]+\.py)`", text):
        assert re.search(rf"\b{name}\b", _text(path)), (name, path)


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-")


@cache
def _anchors(page: Path) -> set[str]:
    return {_anchor(heading) for heading in re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)}


@_each_page
def test_every_link_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / unquote(path)).resolve() if path else page
        assert there.exists(), target
        assert not anchor or anchor in _anchors(there), target


def test_every_page_can_be_reached_from_the_readme():
    seen: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page not in seen and page.suffix == ".md":
            seen.add(page)
            links = re.findall(r"\]\(([^):\s#]+)[^)\s]*\)", page.read_text(encoding="utf-8"))
            waiting += [(page.parent / link).resolve() for link in links]
    assert set(PAGES) <= seen


# ------------------------------------------------------------------ examples


def _blocks(page: str, language: str) -> list[str]:
    """Fenced blocks, their indentation removed."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```", _text(page), re.MULTILINE | re.DOTALL)
    return ["\n".join(line.removeprefix(indent) for line in block.splitlines()) for indent, block in found]


def test_the_issue_of_the_how_to_is_one(tmp_path):
    entries = YAML(typ="safe").load(_blocks("docs/how-to/add-an-issue.md", "yaml")[0])
    topic = {"id": "topic", "name": "The topic", "issues": entries}
    organization = {"name": "Example", "contact": "monitor@example.org"}
    path = tmp_path / "config.yaml"
    path.write_text(json.dumps({"organization": organization, "topics": [topic]}))
    watches = [one.id for one in load(path, {}).watches()]
    assert "consent-searches/2025-HB07132" in watches
    assert "consent-searches/2025-HB07132" in _text("docs/how-to/add-an-issue.md")


def test_the_phrase_of_the_how_to_is_one():
    code = _blocks("docs/how-to/add-a-phrase.md", "python")[0].rstrip().rstrip(",")
    example = eval(code, {"Phrase": Phrase, "_E": Effect})
    table = type(TABLE)((*PHRASES, example))
    bulk, web = table.answers(example.bulk), table.answers(example.web)
    assert [action.phrase for action in bulk + web] == [example.id, example.id]
    assert bulk[0].identity == web[0].identity


def _consoles(page: str) -> Iterator[tuple[str, str]]:
    """(command, what it printed) of a page's console blocks."""
    for block in _blocks(page, "console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, printed = part.partition("\n")
            yield command, printed.strip()


@pytest.mark.parametrize("page", ["docs/tutorial.md", "docs/reference/phrases.md"])
def test_what_looking_inside_prints_is_what_the_page_shows(page):
    shown = [(command, printed) for command, printed in _consoles(page) if command.startswith("echo ")]
    assert shown
    for command, printed in shown:
        given, arguments = re.fullmatch(r"echo '(.*)' \| monitor (.*)", command).groups()  # type: ignore[union-attr]
        assert CliRunner().invoke(app, arguments.split(), input=given).stdout.strip() == printed


# ------------------------------------------------------------------ JSON


def _shape(value: Any) -> Any:
    """Keys and structure; of a list its first element; values say nothing but their type, and null fits all."""
    if isinstance(value, dict):
        return {key: _shape(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_shape(value[0])] if value else []
    return type(value).__name__


def _same(documented: Any, real: Any) -> bool:
    if "NoneType" in (documented, real) or [] in (documented, real):
        return True
    if isinstance(documented, dict) and isinstance(real, dict):
        return documented.keys() == real.keys() and all(_same(documented[key], real[key]) for key in real)
    if isinstance(documented, list) and isinstance(real, list):
        return _same(documented[0], real[0])
    return bool(documented == real)


def _documented() -> dict[str, Any]:
    found = re.findall(
        r"^### `monitor ([\w ]+?)(?: --json)?`\n.*?```json\n(.*?)```", _text("docs/reference/json.md"), re.M | re.S
    )
    return {name: json.loads(block) for name, block in found}


def _story(world: World) -> Iterator[tuple[str, list[str], date]]:
    """Commands with ``--json`` in an order in which each has something to print, and the day each is given."""
    people = world.folder / "people.csv"
    people.write_text("address,cadence,consented_on\nbob@example.org,weekly,2025-01-02\n")
    hook = "https://hooks.slack.com/services/T0/B0/secret"
    eve, after = date(2025, 1, 7), date(2025, 6, 10)
    yield "db upgrade", [], eve
    yield "sync", [], eve
    yield "check", [], eve
    yield "subscribers add", ["ann@example.org"], eve
    yield "subscribers import", [str(people)], eve
    yield "subscribers list", [], eve
    yield "subscribers add", [hook, "--channel", "slack"], eve
    yield "subscribers test", [hook], eve
    yield "check", ["--all"], after
    yield "proposals list", [], after
    yield "proposals show", ["1"], after
    yield "proposals approve", ["1", "--by", "Alex Example"], after
    yield "proposals postpone", ["2", "--by", "Alex Example", "--until", "2035-07-01"], after
    yield "proposals undo", ["2", "--by", "Alex Example"], after
    yield "proposals reject", ["2", "--by", "Alex Example", "--reason", "No."], after
    yield "deliver", [], after
    (world.folder / "inbox" / "new").mkdir(parents=True)
    yield "bounces", ["--maildir", str(world.folder / "inbox")], after
    yield "board", [], after
    yield "publish", ["--out", str(world.folder / "board")], after
    yield "history", ["stops"], after
    yield "message preview", ["stops"], after
    yield "search", ["HB 7132"], after
    yield "proposals correct", ["stops", "--by", "Alex Example", "--reason", "It was not signed."], after
    yield "maintainers add", ["Dana", "--password-stdin"], after
    yield "maintainers reset", ["Dana", "--password-stdin"], after
    yield "maintainers list", [], after
    yield "maintainers disable", ["Dana"], after
    yield "audit list", ["--before", "2"], after
    yield "audit verify", [], after
    yield "doctor", ["--offline"], after
    yield "subscribers show", ["ann@example.org"], after
    yield "subscribers change", ["ann@example.org", "--cadence", "daily", "--hour", "7"], after
    yield "subscribers pause", ["ann@example.org", "--until", "2030-01-01"], after
    yield "subscribers resume", ["ann@example.org"], after
    yield "subscribers link", ["ann@example.org"], after
    yield "subscribers export", [str(world.folder / "everybody.csv")], after
    yield "subscribers remove", ["ann@example.org"], after
    yield "subscribers delete", ["ann@example.org"], after
    yield "subscribers suppress", ["ann@example.org"], after
    yield "subscribers suppressed", [], after
    yield "subscribers lift", ["ann@example.org"], after
    yield "db backup", [str(world.folder / "copy.sqlite3")], after
    yield "db check", [], after


def test_every_json_has_the_documented_keys(tmp_path, monkeypatch):
    documented = _documented()
    documented["proposals show"] = documented["proposals list"][0]
    issues = [issue("stops", watch("2025 HB 7132", effect="some_progress")), issue("towns", watch("2025 HB 7132"))]
    told: dict[str, Any] = {}
    organization = {**ORGANIZATION, "board_url": "https://board.example.org"}
    with World(tmp_path, issues, synced=False, settings={"organization": organization}) as world:
        monkeypatch.setenv("MONITOR_CONFIG", str(world.config_path))
        monkeypatch.setenv("MONITOR_WEBHOOK_KEY", WEBHOOK_KEY)
        for name, arguments, day in _story(world):
            world.at(day)
            command = ["--now", world.now.isoformat(), *name.split(), *arguments, "--json"]
            done = CliRunner().invoke(app, command, input="correct horse battery\n")  # for what asks for a password
            assert done.exit_code == 0 or name == "doctor", (name, done.output)
            told[name] = json.loads(done.stdout)
            assert _same(_shape(documented[name]), _shape(told[name])), (name, told[name])
    # Empty lists have no keys to compare: where keys matter there must be something.
    assert told["check"]["changes"]
    assert told["proposals list"][0]["evidence"]
    assert told["history"][0]["evidence"]
    assert told["subscribers show"]["deliveries"]
    assert told["subscribers suppressed"]
    assert all(told["search"][name] for name in ("issues", "bills", "actions"))
    with_json = {name for name, command in COMMANDS.items() if "--json" in generate.options(command)}
    assert with_json == set(told)
    assert set(documented) == with_json | {"classify", "stage", "extract"}


def test_looking_inside_has_the_documented_keys(tmp_path):
    documented = _documented()
    page = ROOT / "tests/pages/bill_page/signed-hb7132-2025.html"
    url = json.loads(page.with_suffix(".origin.json").read_text())["url"]
    runner = CliRunner()
    row = {
        "session": "2025",
        "identifier": "HB07132",
        "actions": [{"date": "2025-06-09", "description": "SIGNED BY GOVERNOR"}],
    }
    for name, arguments, given in (
        ("classify", [], "SIGNED BY GOVERNOR"),
        ("stage", ["--as-of", "2025-06-10"], json.dumps(row)),
        ("extract", ["bill_page", str(page), "--url", url], None),
    ):
        done = runner.invoke(app, [name, *arguments], input=given)
        assert _same(_shape(documented[name]), _shape(json.loads(done.stdout))), (name, done.output)


# ------------------------------------------------------------------ the repository


def _tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("needs a git checkout")
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


#: Put together, so that this file does not name them either.
REGISTRIES = [
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pypi", "python", "org"),
        ("pythonhosted", "org"),
        ("registry", "npmjs", "org"),
        ("npmjs", "com"),
        ("crates", "io"),
        ("rubygems", "org"),
        ("proxy", "golang", "org"),
        ("anaconda", "org"),
        ("deb", "debian", "org"),
    )
]


def test_no_package_registry_is_named_anywhere():
    named = [
        (path.relative_to(ROOT).as_posix(), host)
        for path in _tracked()
        for host in REGISTRIES
        if host.encode() in path.read_bytes()
    ]
    assert not named


def test_the_generator_writes_nothing_when_all_is_fresh():
    before = {page: page.stat().st_mtime_ns for page in PAGES}
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(DOCS / "generate.py")]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert {page: page.stat().st_mtime_ns for page in PAGES} == before
