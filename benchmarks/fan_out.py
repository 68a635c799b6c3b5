"""One published move of an issue to 10,000 subscribers: how long its rows take, and what memory."""

from __future__ import annotations

import sys
from pathlib import Path

import world
from mail import DAY, move, subscribers
from measuring import HERE, Scale, best, child, note, peak_mb, title, within


def run(scale: Scale) -> None:
    readers = scale.mails * 10
    title(f"fan-out: one change to {readers} subscribers")
    home = world.folder("fan_out")
    facts = world.session_facts(scale.bills)
    world.write_config(home, "http://127.0.0.1:9", [facts.of_session(facts.session)[0].key])
    child([HERE / "fan_out.py", "subscribe", home, str(readers)])
    cost = best(lambda: child([HERE / "fan_out.py", "publish", home]), scale.rounds)
    grown = cost.peak_mb - cost.said["before_mb"]
    note(f"approved in {cost.seconds:.2f} s, {cost.cpu:.2f} s CPU; memory grows by {grown:.0f} MB (under 1 s, flat)")


def _publish(home: Path) -> None:
    from monitor.workflow.review import approve

    with world.opened(home, lambda: world.noon(DAY)) as context:
        number = move(context)
        before = peak_mb()
        with within() as said:
            said["before_mb"] = before
            approve(context, number, "bench")


def main() -> None:
    what, home = sys.argv[1], Path(sys.argv[2])
    if what == "publish":
        _publish(home)
        return
    world.prepare(home, DAY)
    with world.opened(home, lambda: world.noon(DAY)) as context, within():
        subscribers(context, int(sys.argv[3]))


if __name__ == "__main__":
    main()
