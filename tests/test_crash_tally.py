"""``kill -9`` at random moments of fan-out and sending: nothing is lost, and what comes twice is the same message.

``python benchmarks/crashes.py`` does it a thousand times; MONITOR_CRASHES says how often here.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

CRASHES = Path(__file__).resolve().parent.parent / "benchmarks" / "crashes.py"


@pytest.mark.timeout(600)
def test_killed_at_random_moments_it_loses_nothing(
    database_url: str, record_property: Callable[[str, object], None]
) -> None:
    cycles = int(os.environ.get("MONITOR_CRASHES", "100")) // 2  # half on each engine
    command = [sys.executable, str(CRASHES), "--cycles", str(cycles), "--database", database_url, "--json"]
    done = subprocess.run(command, capture_output=True, text=True)
    tally = json.loads(done.stdout.splitlines()[-1]) if done.stdout else {}
    record_property("tally", tally)
    assert done.returncode == 0, (tally, done.stderr[-2000:])
    assert (tally["cycles"], tally["lost"], tally["altered"], tally["problems"]) == (cycles, 0, 0, [])
    assert tally["told"] > cycles
    assert tally["repeats"] <= tally["crashes"]
    assert tally["crashes"] > cycles // 2, "the kills came too late"
