"""The rules of the house that no linter knows: each gate reads the syntax tree, and is shown a case it must find."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from grimp import build_graph

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "monitor"
LONGEST_FUNCTION = 50
LONGEST_MODULE = 400


@dataclass(frozen=True)
class Module:
    """A file by its path inside monitor/, as text and as a tree."""

    name: str
    text: str

    @property
    def tree(self) -> ast.Module:
        return _parse(self.text)


@cache
def _parse(text: str) -> ast.Module:
    return ast.parse(text)


def _read(folder: Path) -> list[Module]:
    files = sorted(folder.rglob("*.py"))
    return [Module(path.relative_to(folder).as_posix(), path.read_text()) for path in files]


MODULES = _read(PACKAGE)
Gate = Callable[[Module], Iterator[str]]


def _nodes(module: Module) -> Iterator[Any]:
    return ast.walk(module.tree)


def _called(node: ast.AST) -> str:
    """The dotted name of what is called: "datetime.now", "connection().commit" as ".commit"."""
    if not isinstance(node, ast.Call):
        return ""
    return _dotted(node.func)


def _dotted(node: ast.AST) -> str:
    if isinstance(node, ast.Name):
        return node.id
    return f"{_dotted(node.value)}.{node.attr}" if isinstance(node, ast.Attribute) else ""


def _keyword(node: ast.AST, name: str) -> ast.expr | None:
    if not isinstance(node, ast.Call):
        return None
    return next((keyword.value for keyword in node.keywords if keyword.arg == name), None)


def _is(node: ast.expr | None, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


# ------------------------------------------------------------------ the gates

#: Where the clock is read, and why there. Everywhere else it is passed in.
CLOCK = {
    "cli": "an entry point: --now replaces it",
    "schedule.py": "an entry point: the service",
    "demo": "an entry point: the replica sets its own day",
    "__main__.py": "an entry point",
}
CLOCK_READS = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "time.time_ns"}


def commits(module: Module) -> Iterator[str]:
    """Only store/database.py commits: a transaction has one owner."""
    if module.name == "store/database.py":
        return
    for node in _nodes(module):
        if _called(node).endswith(".commit"):
            yield f"{module.name}:{node.lineno} commits"


def clocks(module: Module) -> Iterator[str]:
    """The clock is read at entry points and passed in, so that a replay of a session is a replay."""
    if module.name.partition("/")[0] in CLOCK:
        return
    for node in _nodes(module):
        name = _dotted(node) if isinstance(node, ast.Attribute) else ""
        if any(name == read or name.endswith(f".{read}") for read in CLOCK_READS):
            yield f"{module.name}:{node.lineno} reads the clock ({name})"


def shells(module: Module) -> Iterator[str]:
    """No shell stands between us and a program."""
    for node in _nodes(module):
        shell = _keyword(node, "shell")
        if (shell is not None and not _is(shell, False)) or _called(node) in {"os.system", "os.popen"}:
            yield f"{module.name}:{node.lineno} starts a shell"


def loaders(module: Module) -> Iterator[str]:
    """Nothing is read by a loader that can make objects of a text's choosing."""
    for node in _nodes(module):
        typ = _keyword(node, "typ")
        unsafe = isinstance(typ, ast.Constant) and typ.value == "unsafe"
        if unsafe or _called(node) in {"eval", "exec", "marshal.loads"}:
            yield f"{module.name}:{node.lineno} calls {_called(node)}"
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        for name in {"pickle", "yaml", "shelve"} & set(names):
            yield f"{module.name}:{node.lineno} imports {name}"


def unverified(module: Module) -> Iterator[str]:
    """TLS is verified everywhere."""
    for node in _nodes(module):
        if _is(_keyword(node, "verify"), False) or _is(_keyword(node, "check_hostname"), False):
            yield f"{module.name}:{node.lineno} does not verify TLS"
        if isinstance(node, ast.Assign) and _is(node.value, False):
            for target in node.targets:
                if isinstance(target, ast.Attribute) and target.attr in {"verify", "check_hostname"}:
                    yield f"{module.name}:{node.lineno} does not verify TLS"
        if isinstance(node, ast.Attribute) and node.attr in {"CERT_NONE", "_create_unverified_context"}:
            yield f"{module.name}:{node.lineno} does not verify TLS"


#: Where SQL is composed, and why it must be.
COMPOSED = {"store/database.py": "PRAGMA takes no bound values; the words are constants of the module"}


def composed_sql(module: Module) -> Iterator[str]:
    """SQL has bound values: no text is composed into it."""
    if module.name in COMPOSED:
        return
    for node in _nodes(module):
        if _called(node).rpartition(".")[2] in {"text", "execute", "exec_driver_sql", "executescript"}:
            for argument in node.args[:1]:
                formatted = isinstance(argument, ast.Call) and _called(argument).endswith(".format")
                if isinstance(argument, (ast.JoinedStr, ast.BinOp)) or formatted:
                    yield f"{module.name}:{node.lineno} composes SQL"


def undocumented(module: Module) -> Iterator[str]:
    """Every module says what it is for; so does what a room offers."""
    if module.text.strip() and ast.get_docstring(module.tree) is None:
        yield f"{module.name} has no docstring"


def foreign(module: Module) -> Iterator[str]:
    """The vocabulary needs nothing but the standard library."""
    if not module.name.startswith("model/"):
        return
    for node in _nodes(module):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        for name in names:
            if name.partition(".")[0] not in sys.stdlib_module_names and not name.startswith("monitor.model"):
                yield f"{module.name} imports {name}"


#: Longer than the rule, and why that reads better than a split.
LONG_FUNCTIONS: dict[str, str] = {}
LONG_MODULES = {"interpret/phrases.py": "a table: one row a phrase, with the wordings that prove it"}


def _functions(tree: ast.AST, path: str = "") -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for node in ast.iter_child_nodes(tree):
        inside = path
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            inside = f"{path}.{node.name}".lstrip(".")
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield inside, node
        yield from _functions(node, inside)


def _length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its docstring."""
    first = node.body[0]
    is_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    docstring = (first.end_lineno or first.lineno) - first.lineno + 1 if is_docstring else 0
    return (node.end_lineno or node.lineno) - node.lineno + 1 - docstring


def long_functions(module: Module) -> Iterator[str]:
    """A function fits on a screen."""
    for name, node in _functions(module.tree):
        if _length(node) > LONGEST_FUNCTION and f"{module.name}:{name}" not in LONG_FUNCTIONS:
            yield f"{module.name}:{name} has {_length(node)} lines"


def long_modules(module: Module) -> Iterator[str]:
    """A module is read in one sitting."""
    lines = module.text.count("\n")
    if lines > LONGEST_MODULE and module.name not in LONG_MODULES:
        yield f"{module.name} has {lines} lines"


#: Each gate with a text it must object to.
GATES: dict[Gate, str] = {
    commits: "session.commit()",
    clocks: "from datetime import datetime\nnow = datetime.now(UTC)",
    shells: "subprocess.run('ls', shell=True)",
    loaders: "import yaml\nyaml.load(text)",
    unverified: "requests.get(url, verify=False)",
    composed_sql: "session.execute(text(f'SELECT {name}'))",
    undocumented: "x = 1",
    foreign: "import requests",
    long_functions: "def long():\n" + "    x = 1\n" * (LONGEST_FUNCTION + 1),
    long_modules: "x = 1\n" * (LONGEST_MODULE + 1),
}


@pytest.mark.parametrize("gate", GATES, ids=lambda gate: gate.__name__)
def test_the_house_keeps_its_rules(gate):
    found = [objection for module in MODULES for objection in gate(module)]
    assert not found, f"{gate.__doc__}\n" + "\n".join(found)


@pytest.mark.parametrize("gate", GATES, ids=lambda gate: gate.__name__)
def test_a_gate_finds_what_it_is_there_for(gate):
    assert list(gate(Module("model/example.py", GATES[gate])))


@pytest.mark.parametrize(
    ("gate", "text"),
    [
        (clocks, "import time\nmoment = time.time()"),
        (clocks, "import datetime\nnow = datetime.datetime.now()"),
        (clocks, "from datetime import date\nfield(default_factory=date.today)"),
        (shells, "import os\nos.system('ls')"),
        (shells, "Popen(command, shell=wanted)"),
        (loaders, "from pickle import loads"),
        (loaders, "YAML(typ='unsafe').load(text)"),
        (unverified, "session.verify = False"),
        (unverified, "context.verify_mode = ssl.CERT_NONE"),
        (composed_sql, "connection.execute('SELECT ' + name)"),
        (composed_sql, "connection.exec_driver_sql('SELECT {}'.format(name))"),
        (commits, "with engine.connect() as connection:\n    connection.commit()"),
    ],
)
def test_a_gate_sees_other_spellings(gate, text):
    assert list(gate(Module("store/example.py", text)))


def test_the_exceptions_are_still_needed():
    functions = {f"{module.name}:{name}": _length(node) for module in MODULES for name, node in _functions(module.tree)}
    assert not [name for name in LONG_FUNCTIONS if functions.get(name, 0) <= LONGEST_FUNCTION]
    lines = {module.name: module.text.count("\n") for module in MODULES}
    assert not [name for name in LONG_MODULES if lines.get(name, 0) <= LONGEST_MODULE]


def test_functions_are_short_as_a_rule():
    lengths = sorted(_length(node) for module in MODULES for _, node in _functions(module.tree))
    median, most = lengths[len(lengths) // 2], lengths[len(lengths) * 95 // 100]
    print(f"{len(lengths)} functions: median {median}, 95th percentile {most}, longest {lengths[-1]} lines")
    assert median <= 9
    assert most <= 40


def test_no_module_imports_itself_through_others():
    graph = build_graph("monitor", cache_dir=None, exclude_type_checking_imports=True)
    done: set[str] = set()
    cycles: list[list[str]] = []

    def follow(module: str, path: list[str]) -> None:
        if module in path:
            cycles.append([*path[path.index(module) :], module])
        elif module not in done:
            for imported in sorted(graph.find_modules_directly_imported_by(module)):
                follow(imported, [*path, module])
            done.add(module)

    for module in sorted(graph.modules):
        follow(module, [])
    assert not cycles
