"""The machine: Python, its libraries, and the faults of theirs that we work around."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.errors import MessageError
from email.message import EmailMessage
from email.policy import SMTP
from importlib.metadata import PackageNotFoundError, version
from zoneinfo import ZoneInfo

from monitor.store.database import has_wal_bug, sqlite_version
from monitor.workflow.checkup.finding import Finding, bad, good, warn

#: The oldest versions without a known hole that our input could reach (urllib3 CVE-2025-66418 and -66471: endless
#: decompression; lxml CVE-2026-41066: external entities).
FLOORS = {"urllib3": (2, 7, 0), "lxml": (6, 1, 0)}

#: Moments that are easy to get wrong: winter, summer, and both sides of 2025's changes (2:00 on March 9, November 2).
_OFFSETS = (
    (datetime(2025, 1, 15, 12, tzinfo=UTC), -5),
    (datetime(2025, 3, 9, 6, 59, tzinfo=UTC), -5),
    (datetime(2025, 3, 9, 7, 0, tzinfo=UTC), -4),
    (datetime(2025, 7, 15, 12, tzinfo=UTC), -4),
    (datetime(2025, 11, 2, 5, 59, tzinfo=UTC), -4),
    (datetime(2025, 11, 2, 6, 0, tzinfo=UTC), -5),
)


def python_version() -> Iterator[Finding]:
    """Which Python this is."""
    yield good("python", f"Python {platform.python_version()}")


def email_headers() -> Iterator[Finding]:
    """Whether Python writes line breaks hidden in an encoded word to the wire (affected: 3.9 to 3.11.9 and 3.12.0 to
    3.12.4, where distributions have not mended it). Tried out, since a version number does not tell."""
    if _injects():
        yield warn(
            "email headers",
            f"Python {platform.python_version()} lets a hostile title add headers to a mail; "
            "we take such words apart before it sees them, so no mail of ours is affected",
            "Upgrade Python to 3.11.10, 3.12.5 or later when you can.",
        )
    else:
        yield good("email headers", "Python refuses hidden line breaks in headers")


def _injects() -> bool:
    mail = EmailMessage(SMTP)
    try:
        mail["Subject"] = "=?utf-8?q?AN_ACT=0D=0ABcc=3A_victim=40example.org?="
        return b"\nbcc:" in mail.as_bytes().lower()
    except (ValueError, MessageError):
        return False


def time_zones() -> Iterator[Finding]:
    """Whether Connecticut's clock is known here and right."""
    try:
        zone = ZoneInfo("America/New_York")
    except (KeyError, ValueError, OSError):
        yield bad("time zones", "there is no time zone data for America/New_York", "Install the package tzdata.")
        return
    wrong = [moment for moment, hours in _OFFSETS if moment.astimezone(zone).utcoffset() != timedelta(hours=hours)]
    if wrong:
        said = f"America/New_York is wrong on {', '.join(f'{moment:%Y-%m-%d %H:%M} UTC' for moment in wrong)}"
        yield bad("time zones", said, "Upgrade the package tzdata: deadlines and digests depend on it.")
    else:
        yield good("time zones", "America/New_York is known, with its changes of clock")


def libraries() -> Iterator[Finding]:
    """Whether the libraries that meet foreign input are new enough."""
    for name, floor in FLOORS.items():
        wanted = ".".join(map(str, floor))
        try:
            found = version(name)
        except PackageNotFoundError:
            yield bad(name, "is not installed", f"Install the locked requirements; {name} must be {wanted} or later.")
            continue
        if _numbers(found) < floor:
            said = f"version {found} has known holes that a hostile page can reach"
            yield bad(name, said, f"Upgrade {name} to {wanted} or later: install the locked requirements.")
        else:
            yield good(name, f"version {found}")


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", text)[:3])


def sqlite_library() -> Iterator[Finding]:
    """Whether SQLite can lose a commit in WAL mode."""
    number = ".".join(map(str, sqlite_version()))
    if has_wal_bug(sqlite_version()):
        yield warn(
            "sqlite",
            f"SQLite {number} can lose a commit when its write-ahead log starts anew, "
            "so journal_mode=TRUNCATE is used, which is safe and a little slower",
            "Nothing needs doing; from SQLite 3.51.3 on (or 3.50.7, 3.44.6) writing is faster.",
        )
    else:
        yield good("sqlite", f"SQLite {number}, with a write-ahead log")
