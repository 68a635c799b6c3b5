"""The floor of the page benchmark: threads that ask with the validators they were given and hash what comes."""

from __future__ import annotations

import hashlib
import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests
from measuring import within

#: More threads cost it more: they wait for one another, not for the network.
_THREADS = 4


def main() -> None:
    home = Path(sys.argv[1])
    known_path = home / "floor.json"
    known: dict[str, list[str | None]] = json.loads(known_path.read_text()) if known_path.exists() else {}
    mine = threading.local()

    def look(url: str) -> bool:
        if not hasattr(mine, "session"):
            mine.session = requests.Session()
        etag, digest = known.get(url, (None, None))
        answer = mine.session.get(url, headers={"If-None-Match": etag} if etag else {}, timeout=30)
        if answer.status_code == 304:
            return False
        new = hashlib.sha256(answer.content).hexdigest()
        known[url] = [answer.headers.get("ETag"), new]
        return new != digest

    with within() as said, ThreadPoolExecutor(_THREADS) as pool:
        said["differ"] = sum(pool.map(look, (home / "urls.txt").read_text().split()))
    known_path.write_text(json.dumps(known))


if __name__ == "__main__":
    main()
