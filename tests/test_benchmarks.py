"""The benchmarks run and print ratios; what the ratios are is measured by ``make bench``, never asserted here."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).resolve().parent.parent / "benchmarks" / "run.py"


@pytest.mark.parametrize(
    ("name", "compared_with"),
    [("feed", "csv"), ("pages", "floor"), ("mail", "smtplib"), ("start", "import typer"), ("web", "target")],
)
def test_a_benchmark_runs_and_prints_its_ratios(name: str, compared_with: str) -> None:
    done = subprocess.run([sys.executable, RUN, name, "--small"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert re.search(rf"{compared_with} +[\d.]+ .* ratio +[\d.]+", done.stdout), done.stdout


def test_the_size_benchmark_prints_what_a_changed_and_an_unchanged_page_cost() -> None:
    done = subprocess.run([sys.executable, RUN, "size", "--small"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "unchanged but for noise: 0 more stored" in done.stdout
    assert re.search(r"changed: [\d.]+% of the page's bytes", done.stdout), done.stdout


def test_the_fan_out_benchmark_prints_what_a_thousand_rows_cost() -> None:
    done = subprocess.run([sys.executable, RUN, "fan_out", "--small"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert re.search(r"approved in [\d.]+ s", done.stdout), done.stdout


def test_the_benchmark_of_imports_says_what_one_costs() -> None:
    done = subprocess.run([sys.executable, RUN, "people", "--small"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert re.search(r"import: [\d.]+ s .*; 120 new, 0 changed", done.stdout), done.stdout
    assert re.search(r"the same again: .*; 0 new, 120 changed", done.stdout), done.stdout
    assert re.search(r"export: .*; 120 written", done.stdout), done.stdout


def test_an_unknown_benchmark_is_refused_with_the_known_ones() -> None:
    done = subprocess.run([sys.executable, RUN, "speed"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "there are feed, pages, size, mail, fan_out, people, start, web" in done.stderr
