"""Runs inside urlwatch's own environment: one pass by its own entry point, or older versions into its own cache."""

from __future__ import annotations

import io
import json
import os
import sys
import time
from contextlib import redirect_stdout
from pathlib import Path

from measuring import peak_mb

home = Path(sys.argv[2])
os.environ["HOME"] = str(home)  # it writes into the home folder on import


def watch() -> None:
    from urlwatch import cli

    sys.argv = ["urlwatch", "--urls", str(home / "urls.yaml"), "--config", str(home / "urlwatch.yaml")]
    sys.argv += ["--cache", str(home / "cache.db"), "--hooks", str(home / "no-hooks.py")]
    report = io.StringIO()
    wall, cpu = time.perf_counter(), time.process_time()
    with redirect_stdout(report):
        try:
            cli.main()
        except SystemExit:
            pass
    cost = {"cpu": time.process_time() - cpu, "seconds": time.perf_counter() - wall, "peak_mb": peak_mb()}
    text = report.getvalue()
    print(json.dumps({**cost, "changed": text.count("\nCHANGED: ") // 2, "errors": text.count("\nERROR: ") // 2}))


def age(versions: int) -> None:
    from urlwatch.storage import CacheMiniDBStorage

    storage = CacheMiniDBStorage(str(home / "cache.db"))
    for guid in list(storage.get_guids()):
        data, timestamp, _tries, etag = storage.load(None, guid)
        for version in range(1, versions):
            storage.save(None, guid, f"{data}\n{version}", timestamp - 3600 * version, 0, etag)
    storage.close()
    print(json.dumps({"cpu": 0.0, "seconds": 0.0, "peak_mb": peak_mb()}))


if __name__ == "__main__":
    age(int(sys.argv[3])) if sys.argv[1] == "age" else watch()
