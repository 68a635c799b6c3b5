"""The demonstration's configuration: the shipped board, pointed at the replica."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from monitor.demo.facts import BillFacts, Facts

#: Where `monitor serve --demo` answers, unless told otherwise: links in messages lead there.
SERVED_AT = "http://127.0.0.1:8080/"

#: ``MARK`` says that the folder is ours, and ``MADE`` that the replay in it came to its end.
NAME, OUTBOX, MARK, MADE = "config.yaml", "outbox", ".legislative-monitor-demo", ".legislative-monitor-demo-made"

#: Words in a bill's subjects or title, and the issue of the board it is watched for in the demonstration.
#: Bills of the bundle that fit nowhere get an issue of their own; none of these has an effect on a status.
_PLACES: Mapping[str, str] = {
    "warrant": "no-knock-warrants",
    "forfeit": "civil-asset-forfeiture",
    "traffic": "objective-justification-for-stops",
    "immunity": "qualified-immunity",
    "mental": "mental-health-response",
    "recording": "reporting-stop-details",
    "training": "military-style-training",
}
_ELSEWHERE: Mapping[str, Any] = {
    "id": "other-policing-bills",
    "name": "Other policing bills",
    "initial_status": "no_progress",
    "initial_narrative": "The board has no place for these; the demonstration reads them all the same.",
    "watches": [],
}

#: They only sound alike, as the shipped board says.
_FALSE_FRIENDS = frozenset({"HB 6387", "HB 6907", "HB 6177"})


def shipped() -> Path:
    """The config.yaml of a checkout, or the example that travels in the wheel."""
    package = Path(__file__).resolve().parent.parent
    beside = package.parent / "config.yaml"
    return beside if beside.is_file() else package / "config.example.yaml"


#: What the demonstration takes for granted, so that there is a status to decide on: that this bill settles its issue.
ASSUMED = ("2025 HB 7132", "objective-justification-for-stops", "achieved")


def write(folder: Path, facts: Facts, base_url: str) -> Path:
    """Write the demonstration's config.yaml and return its path."""
    yaml = YAML()
    data = yaml.load(shipped().read_text(encoding="utf-8"))
    _point_at(data, base_url)
    _watch_the_rest(data, facts)
    _assume(data)
    text = StringIO()
    yaml.dump(data, text)
    path = folder / NAME
    (folder / MARK).touch()
    path.write_text(text.getvalue(), encoding="utf-8")
    return path


def _point_at(data: Any, base_url: str) -> None:
    data["organization"]["name"] = "The demonstration"
    data["organization"]["board_url"] = SERVED_AT
    data["database"] = "sqlite:///monitor.sqlite3"
    data["outbox"] = {"dir": OUTBOX}
    data["sources"]["hosts"] = []
    data["sources"]["cga"] = {"base_url": base_url, "ftp_url": f"ftp://{base_url.partition('://')[2]}/pub/data"}
    data["manners"] = {"interval_seconds": 0}
    twice_a_day = {"in_session": "12h", "out_of_session": "12h"}  # one pass a day must find everything due
    data["cadence"] = {kind: dict(twice_a_day) for kind in ("bill_feed", "acts_page", "document_list", "feed")}
    data["maintainers"] = [{"name": "Demo Maintainer", "channel": "email", "address": "maintainer@example.org"}]
    data["operators"] = [{"name": "Demo Operator", "channel": "email", "address": "operator@example.org"}]
    for issue in _issues(data):
        for watch in issue["watches"]:
            if "feed" in watch:
                watch["feed"] = "/aclu/reports/feed.xml"


def _issues(data: Any) -> list[Any]:
    return [issue for topic in data["topics"] for issue in topic["issues"]]


def _watch_the_rest(data: Any, facts: Facts) -> None:
    """Every policing bill of the bundle is watched; the others in it are there for the tests."""
    data["topics"].append({"id": "demonstration", "name": "Demonstration", "issues": [deepcopy(_ELSEWHERE)]})
    issues = {issue["id"]: issue for issue in _issues(data)}
    watched = {watch["bill"] for issue in issues.values() for watch in issue["watches"] if "bill" in watch}
    for bill in facts.of_session("2025"):
        name = f"{bill.key.session} {bill.key.label}"
        if name not in watched and not bill.trap and bill.key.label not in _FALSE_FRIENDS:
            issues[_place(bill)]["watches"].append({"bill": name})


def _assume(data: Any) -> None:
    bill, issue_id, effect = ASSUMED
    for issue in _issues(data):
        for watch in issue["watches"]:
            if issue["id"] == issue_id and watch.get("bill") == bill:
                watch["effect"] = effect


def _place(bill: BillFacts) -> str:
    words = " ".join((bill.title, *bill.subjects)).lower()
    return next((issue for word, issue in _PLACES.items() if word in words), str(_ELSEWHERE["id"]))
