"""Facts of the record in a reader's terms: one item a bill for what happened to it, one for each hearing to come."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date

from sqlalchemy.orm import Session

from monitor.config import Config
from monitor.interpret.actions import classify, hearing_day
from monitor.interpret.next_step import next_step
from monitor.interpret.sentences import plain_day, plain_title
from monitor.interpret.way import walked
from monitor.model.committees import COMMITTEES, committee_label
from monitor.model.legislature import ActionRow, Stage
from monitor.model.messaging import AnnouncementKind, Attachment, Item, Quote, follows
from monitor.notify.calendar import MEDIA_TYPE, calendar
from monitor.store import bills, changes, watched
from monitor.store.schema import Bill, ChangeRow, Issue, Notice, Subscription
from monitor.workflow import hearings
from monitor.workflow.activity import heard_before, heard_on
from monitor.workflow.addresses import issue_url
from monitor.workflow.sync import bill_page_url

UNREVIEWED = "Fact from the record. Our status has not been reviewed."
_DAY_ONLY = "The record gives the day only. The committee's agenda has the hour and the place."
_TESTIFY = "The agenda says how to sign up to speak and where to send written testimony."


@dataclass(frozen=True, slots=True)
class Facts:
    """What a message tells of the record, hearings first; the hearings as a calendar; the issues it is all about."""

    items: tuple[Item, ...]
    attachments: tuple[Attachment, ...]
    issues: frozenset[str]


def facts_of(
    config: Config,
    session: Session,
    notices: Sequence[Notice],
    reader: Subscription | None,
    told: Collection[int] = (),
    today: date | None = None,
) -> Facts:
    """Items for ``reader``; of changes that were ``told`` as evidence already no action is told again.

    A hearing that is over ``today`` or was moved meanwhile, as after a pause, is an action like others: nobody is told
    how to testify there.
    """
    ids = {kind: _ids(notices, kind) for kind in (AnnouncementKind.HEARING, AnnouncementKind.ACTIVITY)}
    soon = changes.of_ids(session, ids[AnnouncementKind.HEARING])
    days = {one.id: day for one in soon if (day := heard_on(one)) is not None}
    moved = {(one.bill_id, one.before) for one in soon if one.before}
    over = [one.id for one in soon if (one.bill_id, one.quote) in moved or _is_past(days.get(one.id), today)]
    told_apart = [*ids[AnnouncementKind.ACTIVITY], *over]
    acted = changes.of_ids(session, [one for one in told_apart if one not in told])
    teller = _Teller(config, session, [*soon, *acted], reader)
    heard = [one for one in soon if one.id in days and one.id not in over]
    items = [*(teller.hearing(one) for one in heard), *teller.activity(acted)]
    return Facts(tuple(items), tuple(_attachments(config, session, heard)), frozenset(teller.issues))


def _is_past(day: date | None, today: date | None) -> bool:
    return day is not None and today is not None and day < today


def _ids(notices: Sequence[Notice], kind: AnnouncementKind) -> list[int]:
    return list(dict.fromkeys(number for one in notices if one.kind == kind for number in one.items))


class _Teller:
    def __init__(
        self, config: Config, session: Session, rows: Sequence[ChangeRow], reader: Subscription | None
    ) -> None:
        self._config, self._reader = config, reader
        self.issues: set[str] = set()
        self._bills = bills.of_ids(session, {one.bill_id for one in rows if one.bill_id is not None})
        self._issues = changes.issues_of_bills(session, self._bills)
        self._histories = bills.histories(session, self._bills)

    def activity(self, rows: Sequence[ChangeRow]) -> Iterator[Item]:
        """One item a bill, in the board's order of their issues."""
        by_bill: dict[int, list[ChangeRow]] = {}
        for row in rows:
            by_bill.setdefault(row.bill_id or 0, []).append(row)
        for bill_id in sorted(by_bill, key=self._place):
            bill, ours = self._bills[bill_id], self._followed(bill_id)
            item = Item(
                heading=f"{bill.key.label} has {_counted(len(by_bill[bill_id]))}",
                sentence=f"{bill.key.label} ({bill.session}), {plain_title(bill.title)}." if bill.title else "",
                kind=AnnouncementKind.ACTIVITY,
                quotes=tuple(self._quote(bill, row) for row in by_bill[bill_id]),
                comes_next=self._comes_next(bill),
                notes=(("", UNREVIEWED),),
            )
            yield self._of_issues(item, bill, ours)

    def hearing(self, row: ChangeRow) -> Item:
        """One item a hearing."""
        bill, day = self._bills[row.bill_id or 0], heard_on(row)
        assert day is not None
        committee = self._committee(bill, row)
        page = self._page(committee)
        was = heard_before(row)
        moved = (("Moved.", f"It was announced for {plain_day(was)} before."),) if was and was != day else ()
        item = Item(
            heading=f"Hearing {'moved to ' if moved else ''}{day:%B} {day.day}: {bill.key.label}",
            sentence=f"Public hearing on {bill.key.label}, {day:%A}, {plain_day(day)}.",
            kind=AnnouncementKind.HEARING,
            quotes=(self._quote(bill, row),),
            notes=(
                *moved,
                *((("The bill.", f"{plain_title(bill.title)}."),) if bill.title else ()),
                ("When and where.", _DAY_ONLY),
                ("How to testify.", _TESTIFY),
                ("", UNREVIEWED),
            ),
            links=((f"{_capital(committee_label(committee))}'s page", page),) if page else (),
            comes_next=next_step(Stage.HEARING, committee),
        )
        return self._of_issues(item, bill, self._followed(bill.id))

    def _place(self, bill_id: int) -> tuple[int, str, str]:
        known = self._followed(bill_id)
        first = min((issue.position + 1000 * issue.topic.position for issue in known), default=1_000_000)
        return first, self._bills[bill_id].session, self._bills[bill_id].identifier

    def _followed(self, bill_id: int) -> list[Issue]:
        """The issues this reader follows that watch the bill; all, if they followed one only when this was queued."""
        known = self._issues.get(bill_id, [])
        return [one for one in known if _follows(self._reader, one)] or known

    def _of_issues(self, item: Item, bill: Bill, ours: Sequence[Issue]) -> Item:
        if not ours:
            return item
        self.issues.update(one.id for one in ours)
        return replace(
            item,
            issue=ours[0].name,
            url=issue_url(self._config, ours[0]),
            action_url=ours[0].action_url,
            because=because(self._reader, ours, bill.key.label),
        )

    def _quote(self, bill: Bill, row: ChangeRow) -> Quote:
        return Quote(row.quote, row.on, self._official(bill))

    def _official(self, bill: Bill) -> str:
        return bill_page_url(self._config.sources.cga.base_url, bill.key)

    def _comes_next(self, bill: Bill) -> str:
        return comes_next(bill, self._histories.get(bill.id, []))

    def _committee(self, bill: Bill, row: ChangeRow) -> str:
        """The row's own column names it on the bill's page; else the committee that holds the bill."""
        named = classify(row.quote).arguments.get("committee", "")
        return named or walked(self._histories.get(bill.id, [])).committee

    def _page(self, committee: str) -> str:
        """Every committee of the legislature has a page under its code."""
        base = self._config.sources.cga.base_url
        return f"{base}/{committee.lower()}/" if committee in COMMITTEES else ""


def _counted(actions: int) -> str:
    return "a new action" if actions == 1 else f"{actions:,} new actions"


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def comes_next(bill: Bill, history: Sequence[ActionRow]) -> str:
    """What is to be expected of a bill as it stands; nothing before its first read."""
    return next_step(Stage(bill.stage), walked(history).committee) if bill.stage else ""


def _follows(reader: Subscription | None, issue: Issue) -> bool:
    """Whether this reader follows it now; what was queued before a change of mind is told too."""
    return reader is None or follows(reader, issue.id, issue.topic_id)


def because(reader: Subscription | None, told: Sequence[Issue], bill: str = "") -> str:
    """Why this reader is told of these issues."""
    names = " and ".join(one.name for one in told)
    if reader is not None and (reader.topics or reader.issues):
        if not any(_follows(reader, one) for one in told):
            return f"Because you followed {names} before you changed what you follow."
        return f"Because you follow {names}."
    return f"Because you follow the whole board; {bill} is watched for {names}." if bill else ""


def _attachments(config: Config, session: Session, rows: Sequence[ChangeRow]) -> Iterator[Attachment]:
    if not rows:
        return
    found = {(one.bill_id, heard_on(one)) for one in rows}
    entries = []
    for one in watched.hearing_notices(session, {bill_id for bill_id, _ in found if bill_id is not None}):
        day = hearing_day(ActionRow(one.on, one.description))
        if day is not None and (one.bill_id, day) in found and not one.is_gone:
            entries.append(hearings.entry_of(config, day, one))
            found.discard((one.bill_id, day))
    if entries:
        yield Attachment(_file_name(entries[0].day, len(entries)), MEDIA_TYPE, calendar(entries))


def _file_name(day: date, count: int) -> str:
    return f"hearing-{day.isoformat()}.ics" if count == 1 else "hearings.ics"
