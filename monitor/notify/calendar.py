"""Hearings as iCalendar: on the board as a feed, in a mail as an attachment, the same event in both. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from icalendar import Calendar, Event, vDate, vDatetime

#: What an attachment with ``calendar`` in it is; with the method mail programs offer to put it in.
MEDIA_TYPE = "text/calendar; charset=utf-8; method=PUBLISH"


@dataclass(frozen=True, slots=True)
class Hearing:
    """A public hearing. ``uid`` stays when its day moves, ``sequence`` grows."""

    uid: str
    bill: str
    title: str
    day: date
    url: str
    sequence: int
    changed_at: datetime
    is_cancelled: bool = False


def calendar(hearings: Iterable[Hearing], name: str = "") -> bytes:
    """The hearings in their order; ``name`` is what a reader's program calls the whole."""
    made = Calendar()
    made.add("prodid", "-//legislative-monitor//hearings//EN")
    made.add("version", "2.0")
    made.add("method", "PUBLISH")
    if name:
        made.add("x-wr-calname", name)
    for one in hearings:
        made.add_component(_event(one))
    return bytes(made.to_ical())


def _event(one: Hearing) -> Event:
    event = Event()
    event.add("uid", one.uid)
    event.add("sequence", one.sequence)
    event["dtstamp"] = vDatetime(one.changed_at)
    event["last-modified"] = vDatetime(one.changed_at)
    event["dtstart"] = _day(one.day)
    event["dtend"] = _day(one.day + timedelta(days=1))
    event.add("summary", f"Public hearing on {one.bill}")
    event.add("description", f"{one.title}\nThe record gives the day only; the committee's agenda has the hour.")
    event.add("url", one.url)
    event.add("status", "CANCELLED" if one.is_cancelled else "CONFIRMED")
    event.add("transp", "TRANSPARENT")
    return event


def _day(day: date) -> vDate:
    value = vDate(day)
    value.params["VALUE"] = "DATE"
    return value
