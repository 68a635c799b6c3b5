"""urlwatch 2.29 in an environment of its own: the nearest thing people use today."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from measuring import BUILD, HERE, Cost, child, note

_PACKAGES = ("urlwatch==2.29", "cssselect")
_FILTER = [{"css": "table[summary='Bill history']"}]


def python() -> Path | None:
    """Its interpreter, installed by package name on first use; None (and a word why) when that cannot be done."""
    venv = BUILD.parent / "urlwatch" / "venv"
    interpreter = venv / "bin" / "python"
    if not _works(interpreter):
        try:
            subprocess.run([sys.executable, "-m", "venv", "--clear", venv], check=True, capture_output=True)
            install = [interpreter, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *_PACKAGES]
            subprocess.run(install, check=True, capture_output=True, timeout=600)
        except (OSError, subprocess.SubprocessError) as error:
            note(f"urlwatch cannot be installed here and is left out: {error}")
            return None
    return interpreter


def _works(interpreter: Path) -> bool:
    probe = [interpreter, "-c", "import urlwatch, cssselect; assert urlwatch.__version__ == '2.29'"]
    return interpreter.exists() and subprocess.run(probe, check=False, capture_output=True).returncode == 0


def configure(home: Path) -> None:
    """One job for each address in ``urls.txt``; the report goes to a file's end, no mail."""
    jobs = [json.dumps({"url": url, "filter": _FILTER}) for url in (home / "urls.txt").read_text().split()]
    (home / "urls.yaml").write_text("\n---\n".join(jobs) + "\n")  # JSON is YAML
    (home / "urlwatch.yaml").write_text(json.dumps({"report": {"stdout": {"enabled": True, "color": False}}}))


def watch(interpreter: Path, home: Path) -> Cost:
    """One pass over all jobs."""
    return child([HERE / "rival_process.py", "watch", home], python=interpreter)


def age(interpreter: Path, home: Path, versions: int) -> None:
    """Give every job so many stored versions."""
    child([HERE / "rival_process.py", "age", home, str(versions)], python=interpreter)
