"""The replica of the site in a process of its own, so that serving costs the measured processes nothing.

Told by lines of JSON on standard input: {"promises"}, {"day"}, {"edit": [identifiers], "rows": [descriptions]}.
"""

from __future__ import annotations

import json
import sys
from datetime import date
from typing import Any

from world import session_facts

from monitor.demo.facts import Row
from monitor.demo.replica import Replica
from monitor.demo.site import Promises


def main() -> None:
    options = json.loads(sys.argv[1])
    facts = session_facts(options["bills"])
    day = date.fromisoformat(options["day"])
    replica = Replica(
        facts, day=day, pad_to=options.get("pad_to", 0), odd_pages=False, noise=options.get("noise", True)
    )
    with replica:
        _say({"base_url": replica.base_url})
        for line in sys.stdin:
            _obey(replica, json.loads(line))
            _say({"requests": replica.request_count})


def _obey(replica: Replica, order: dict[str, Any]) -> None:
    if "promises" in order:
        replica.set_promises(Promises(order["promises"]))
    if "day" in order:
        replica.set_day(date.fromisoformat(order["day"]))
    for identifier in order.get("edit", ()):
        rows = [Row.of(replica.day, text) for text in order["rows"]]
        replica.site.edit(replica._key(identifier), lambda old, new=rows: (*old, *new))


def _say(what: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
