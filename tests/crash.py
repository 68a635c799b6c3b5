"""Commands as processes that may die at any moment, cheaply: a child of a process that has imported everything.

    with Launcher() as launcher:
        child = launcher.start(["check", "--all"], environ={..., "MONITOR_KILL_AT": "after_fetch:2"}, folder=tmp_path)
        child.wait()          # exit code, or minus the signal's number
        child.passes          # how often it came by each kill point, if it ended by itself

Each child is a process of its own with its own connections, owner and random numbers; only the second that Python
needs for imports is saved. ``python tests/crash.py`` is the launcher's other half.
"""

from __future__ import annotations

import gc
import json
import os
import random
import signal
import subprocess
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import Any, NoReturn, Self

ROOT = Path(__file__).resolve().parent.parent


class Child:
    """One running or ended command."""

    def __init__(self, launcher: Launcher, pid: int, base: Path) -> None:
        self.pid = pid
        self.code: int | None = None
        self._launcher = launcher
        self._base = base

    def wait(self) -> int:
        """The exit code; minus the signal's number for a process that a signal ended."""
        if self.code is None:
            self.code = int(self._launcher.ask({"wait": self.pid})["code"])
        return self.code

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal; the process is not reaped before ``wait``, so its number is its own until then."""
        os.kill(self.pid, number)

    @property
    def said(self) -> str:
        return self._base.with_suffix(".out").read_text(encoding="utf-8")

    @property
    def errors(self) -> str:
        return self._base.with_suffix(".err").read_text(encoding="utf-8")

    @property
    def passes(self) -> Counter[str]:
        """Kill points passed, by name; empty for a process that was killed."""
        path = self._base.with_suffix(".passes")
        return Counter(json.loads(path.read_text())) if path.exists() else Counter()


class Launcher:
    """Starts ``monitor`` commands; one for a test session or module."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        self._count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()

    def start(
        self,
        arguments: Sequence[str],
        *,
        environ: Mapping[str, str],
        folder: Path,
        constants: Mapping[str, float] | None = None,
    ) -> Child:
        """Begin ``monitor *arguments``; its output goes to files in ``folder``.

        ``constants`` are other values for it alone: {"monitor.workflow.deliver:_BATCH_SECONDS": 0.5}.
        """
        return self._begin({"arguments": list(arguments), "constants": dict(constants or {})}, environ, folder)

    def call(self, function: str, now: datetime, *, environ: Mapping[str, str], folder: Path) -> Child:
        """Begin a workflow ("monitor.workflow.heartbeat:heartbeat"), which says what came of it."""
        return self._begin({"call": function, "now": now.isoformat()}, environ, folder)

    def _begin(self, request: Mapping[str, Any], environ: Mapping[str, str], folder: Path) -> Child:
        self._count += 1
        base = folder / f"command-{self._count:04}"
        answer = self.ask({**request, "environ": dict(environ), "base": str(base)})
        return Child(self, int(answer["pid"]), base)

    def run(self, arguments: Sequence[str], *, environ: Mapping[str, str], folder: Path) -> Child:
        """The same, and wait."""
        child = self.start(arguments, environ=environ, folder=folder)
        child.wait()
        return child

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "the launcher has ended"
        found: dict[str, Any] = json.loads(answer)
        return found


# ------------------------------------------------------------------ the other half


def _count_passes() -> Counter[str]:
    """Before anything else imports the kill points: count them on the way."""
    from monitor.workflow import killpoints

    passes: Counter[str] = Counter()
    real = killpoints.killpoint

    def counting(name: str) -> None:
        passes[name] += 1
        real(name)

    killpoints.killpoint = counting
    return passes


def _import_everything() -> None:
    import monitor

    for module in walk_packages(monitor.__path__, "monitor."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
    for name in (
        "apprise",
        "psycopg",
        "rich.progress",
        "sqlalchemy.dialects.postgresql.psycopg",
        "sqlalchemy.dialects.sqlite.pysqlite",
    ):
        import_module(name)
    import_module("sqlalchemy.orm").configure_mappers()
    import_module("soupsieve").compile("p > a")  # its patterns
    import_module("monitor.store.migrations").head()  # the versions


def _become(request: dict[str, Any], passes: Counter[str]) -> NoReturn:
    base = Path(request["base"])
    for number, suffix in ((1, ".out"), (2, ".err")):
        target = os.open(base.with_suffix(suffix), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(target, number)
        os.close(target)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.environ.clear()
    os.environ.update(request["environ"])
    random.seed()
    for name, value in request.get("constants", {}).items():
        module, _, constant = name.partition(":")
        assert hasattr(sys.modules[module], constant), name
        setattr(sys.modules[module], constant, value)
    code = _ended(partial(_call, request) if "call" in request else partial(_command, request["arguments"]))
    base.with_suffix(".passes").write_text(json.dumps(passes))
    sys.stdout.flush()
    os._exit(code)  # taking the interpreter down costs more than most commands


def _command(arguments: list[str]) -> None:
    from monitor.__main__ import main

    sys.argv = ["monitor", *arguments]
    main()


def _call(request: dict[str, Any]) -> None:
    from monitor.config import load
    from monitor.store.database import Database
    from monitor.workflow.context import Context

    config = load(Path(os.environ["MONITOR_CONFIG"]), {})
    moment = datetime.fromisoformat(request["now"])
    module, _, function = request["call"].partition(":")
    print(getattr(sys.modules[module], function)(Context(config, Database(config.database_url), lambda: moment)))


def _ended(run: Callable[[], None]) -> int:
    try:
        run()
    except SystemExit as end:
        return int(end.code or 0)
    except BaseException:  # noqa: BLE001 - as the interpreter does at the top
        traceback.print_exc()
        return 1
    return 0


def _serve() -> None:
    passes = _count_passes()
    _import_everything()
    gc.freeze()
    # Not `for line in sys.stdin`: nothing read ahead may be left to a child.
    with os.fdopen(os.dup(0), "rb", buffering=0) as lines:
        while line := lines.readline():
            request = json.loads(line)
            if "wait" in request:
                _, status = os.waitpid(request["wait"], 0)
                answer = {"code": os.waitstatus_to_exitcode(status)}
            else:
                pid = os.fork()
                if pid == 0:
                    lines.close()
                    _become(request, passes)
                answer = {"pid": pid}
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    _serve()
