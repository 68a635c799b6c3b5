"""One bill, several channels, one list of actions: which rows of a read are really new."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from monitor.diff import ActionDiff
from monitor.interpret.actions import classify
from monitor.model.legislature import ActionRow
from monitor.store.schema import Action, Snapshot, Source

Channel = Literal["in_feed", "in_page"]
Identity = tuple[object, ...]


def identity(row: ActionRow | Action) -> Identity:
    """Equal for one action in either wording: its date and what it says.

    Computed from the stored wording by today's phrase table, so a new phrase changes no history.
    """
    return (row.date, *meaning(row))


def meaning(row: ActionRow | Action) -> Identity:
    """What a row says, whatever its date: a row whose date was corrected means the same."""
    return classify(row.description).identity


@dataclass(slots=True)
class Reconciled:
    """What one read of a bill changed in the ledger."""

    added: list[Action] = field(default_factory=list)
    quiet: list[Action] = field(default_factory=list)  # entered without being news: a baseline
    amended: list[tuple[Action, str]] = field(default_factory=list)  # with the wording before
    order: list[Action] = field(default_factory=list)


def reconcile(
    known: Sequence[Action],
    record: Sequence[ActionRow],
    diff: ActionDiff,
    channel: Channel,
    *,
    source: Source,
    snapshot: Snapshot | None,
    bill_id: int,
    now: datetime,
) -> Reconciled:
    """Enter a good read into the ledger.

    A row is news only when this channel did not show it before (``diff``) and no other channel
    has shown it either (``known``). A row that no channel shows any more is dated, not yet gone.
    """
    result = Reconciled()
    matched = _match(known, record, channel)
    _amend(result, matched, record, known, diff, channel, now)
    news = Counter(identity(row) for row in [*diff.added, *(after for _, after in diff.amended)])
    for index, row in enumerate(record):
        if matched[index] is None:
            action = _enter(row, source, snapshot, bill_id, now)
            matched[index] = action
            is_news = news[identity(row)] > 0
            news[identity(row)] -= is_news
            (result.added if is_news else result.quiet).append(action)
    shown = [action for action in matched if action is not None]
    result.added.extend(action for action in shown if action.gone)  # people were told it had gone
    _mark(known, shown, channel, now)
    result.order = _order(shown, [action for action in known if not action.gone])
    return result


def _match(known: Sequence[Action], record: Sequence[ActionRow], channel: Channel) -> list[Action | None]:
    # Rows that stand come before removed ones, so a restored row revives only what is gone.
    pool: defaultdict[Identity, list[Action]] = defaultdict(list)
    for action in sorted(known, key=lambda one: one.removed_at is not None):
        pool[identity(action)].append(action)
    matched = [pool[identity(row)].pop(0) if pool[identity(row)] else None for row in record]
    # An unknown phrase reads differently in the other channel: pair it by its day.
    spare = [one for rest in pool.values() for one in rest if _is_unknown(one) and not getattr(one, channel)]
    for index, row in enumerate(record):
        if matched[index] is None and _is_unknown(row):
            twin = next((one for one in spare if one.date == row.date and one.removed_at is None), None)
            if twin is not None:
                spare.remove(twin)
                matched[index] = twin
    return matched


def _is_unknown(row: ActionRow | Action) -> bool:
    return classify(row.description).phrase == "unclassified"


def _amend(
    result: Reconciled,
    matched: list[Action | None],
    record: Sequence[ActionRow],
    known: Sequence[Action],
    diff: ActionDiff,
    channel: Channel,
    now: datetime,
) -> None:
    """An edited row keeps its place in the ledger, unless the other channel showed the edit first."""
    taken = {id(action) for action in matched}
    for before, after in diff.amended:
        index = next((i for i, row in enumerate(record) if matched[i] is None and row == after), None)
        was = identity(before)
        old = next((one for one in known if id(one) not in taken and identity(one) == was), None)
        if index is not None and old is not None:
            result.amended.append((old, old.description))
            old.date, old.description = after.date, after.description
            matched[index] = old
            taken.add(id(old))
        elif old is not None and not (old.in_page if channel == "in_feed" else old.in_feed):
            # The edit is known: that its former wording ends here too is nothing to tell.
            old.removed_at, old.gone = now, True


def _enter(row: ActionRow, source: Source, snapshot: Snapshot | None, bill_id: int, now: datetime) -> Action:
    return Action(
        bill_id=bill_id,
        position=0,
        date=row.date,
        description=row.description,
        in_feed=False,
        in_page=False,
        first_seen_at=now,
        source_id=source.id,
        snapshot_id=snapshot.id if snapshot else None,
    )


def _mark(known: Sequence[Action], shown: Iterable[Action], channel: Channel, now: datetime) -> None:
    seen = {id(action) for action in shown}
    for action in shown:
        setattr(action, channel, True)
        action.removed_at, action.gone = None, False
    for action in known:
        if id(action) not in seen and getattr(action, channel):
            setattr(action, channel, False)
            if not (action.in_feed or action.in_page) and action.removed_at is None:
                action.removed_at = now


def _order(shown: Sequence[Action], standing: Sequence[Action]) -> list[Action]:
    """This read's own order; rows only the other channel shows follow the last row of their day."""
    seen = {id(action) for action in shown}
    order = list(shown)
    for action in standing:
        if id(action) not in seen:
            at = max((i + 1 for i, one in enumerate(order) if one.date <= action.date), default=0)
            order.insert(at, action)
    for position, action in enumerate(order):
        if action.position != position:
            action.position = position
    return order
