"""A local mail server in a process of its own: takes everything. Told anything, it says what it has."""

from __future__ import annotations

import json
import sys

from measuring import ROOT

sys.path.insert(0, str(ROOT / "tests"))
from smtp_sink import SmtpSink


def main() -> None:
    with SmtpSink() as sink:
        _say({"host": sink.host, "port": sink.port})
        for _ in sys.stdin:
            last = sink.mails[-1].data.decode("latin-1")
            _say({"mails": len(sink.mails), "connections": sink.connections, "last": last})


def _say(what: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
