"""Costs of child processes, and how they are printed.

Every measured thing is a process of its own, so that its CPU and its peak memory are nobody else's. A child prints
one JSON object; ``within`` puts into it what the interesting part cost, imports left out.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
BUILD = ROOT / "build" / "bench"

#: Nothing of the caller's environment reaches urlwatch or us but what a shell needs.
ENVIRON = {
    name: os.environ[name] for name in ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH") if name in os.environ
}


@dataclass(frozen=True)
class Scale:
    """How much is measured. ``versions`` are stored of each page to see what history costs (1: not asked).

    The pages are asked ``requests`` times each, over so many ``issues``, ``watched`` bills, ``snapshots`` and
    ``decided`` proposals.
    """

    bills: int = 4076
    pages: int = 1000
    page_bytes: int = 50_000
    versions: int = 20
    mails: int = 1000
    people: int = 100_000
    starts: int = 15
    issues: int = 200
    watched: int = 5000
    snapshots: int = 100_000
    decided: int = 50_000
    requests: int = 60
    rounds: int = 3
    every_case: bool = True
    rivals: bool = True


#: Shows that everything runs; the ratios mean nothing then.
SMALL = Scale(
    bills=60,
    pages=8,
    page_bytes=12_000,
    versions=1,
    mails=12,
    people=120,
    starts=1,
    issues=4,
    watched=40,
    snapshots=100,
    decided=60,
    requests=3,
    rounds=1,
    every_case=False,
    rivals=False,
)


@dataclass(frozen=True)
class Cost:
    """CPU seconds (user and system) and wall-clock seconds of the measured part; peak memory and CPU of the process."""

    cpu: float
    seconds: float
    process_cpu: float
    peak_mb: float
    said: dict[str, Any] = field(default_factory=dict)


class Stopwatch:
    """CPU and wall clock of this process since it was made."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def read(self) -> dict[str, float]:
        return {"cpu": time.process_time() - self._cpu, "seconds": time.perf_counter() - self._wall}


@contextmanager
def within() -> Iterator[dict[str, Any]]:
    """Measure a block of a child process and say so on stdout, with whatever was put into the dictionary."""
    said: dict[str, Any] = {}
    watch = Stopwatch()
    yield said
    sys.stdout.write(json.dumps({**watch.read(), "peak_mb": peak_mb(), **said}) + "\n")


def peak_mb() -> float:
    """This process's own peak memory: rusage would count the parent's, which a child begins as a copy of."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    kilobytes = [int(line.split()[1]) for line in lines if line.startswith("VmHWM:")]
    return (kilobytes or [resource.getrusage(resource.RUSAGE_SELF).ru_maxrss])[0] / 1024


def finish(command: Sequence[str | Path]) -> tuple[str, float]:
    """Run a command to its end: what it printed, and its CPU seconds, user and system.

    Raises RuntimeError with its last words when it fails.
    """
    with tempfile.TemporaryFile("w+") as complaint:
        process = subprocess.Popen(
            [str(part) for part in command], stdout=subprocess.PIPE, stderr=complaint, env=ENVIRON, text=True, cwd=HERE
        )
        assert process.stdout is not None
        with process.stdout:
            said = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            complaint.seek(0)
            raise RuntimeError(f"{' '.join(map(str, command))} failed:\n{complaint.read()[-3000:]}")
    return said, usage.ru_utime + usage.ru_stime


def child(command: Sequence[str | Path], *, python: str | Path = sys.executable) -> Cost:
    """Run ``python command``, which measures its own part by ``within``."""
    said, process_cpu = finish([python, *command])
    told = json.loads(said.splitlines()[-1])
    return Cost(told.pop("cpu"), told.pop("seconds"), process_cpu, told.pop("peak_mb"), told)


def best(measure: Callable[[], Cost], rounds: int) -> Cost:
    """The cheapest of several runs: noise on a shared machine only ever adds."""
    return min((measure() for _ in range(rounds)), key=lambda cost: cost.cpu)


@contextmanager
def server(*command: str | Path) -> Iterator[Server]:
    """A helper process that prints one JSON object when it is ready and answers each line it is told with one."""
    process = subprocess.Popen(
        [sys.executable, *map(str, command)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=ENVIRON,
        text=True,
        cwd=HERE,
    )
    try:
        yield Server(process)
    finally:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.close()
        process.wait(timeout=20)
        process.stdout.close()


class Server:
    """A running helper: ``ready`` is what it said first."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.ready = self._hear()

    def tell(self, **order: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return self._hear()

    def _hear(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the helper process died; its complaint stands above")
        heard: dict[str, Any] = json.loads(line)
        return heard


def title(text: str) -> None:
    print(f"\n{text}\n{'-' * len(text)}", flush=True)


def note(text: str) -> None:
    print(f"  {text}", flush=True)


def ratio(what: str, ours: float, theirs: float, unit: str, other: str, aim: str = "") -> None:
    """One line: our figure, the other's, and how many times theirs ours is."""
    times = ours / theirs if theirs else float("inf")
    hint = f"   ({aim})" if aim else ""
    print(f"  {what:<44} {ours:9.3f} {unit}  {other} {theirs:9.3f} {unit}  ratio {times:6.2f}{hint}", flush=True)
