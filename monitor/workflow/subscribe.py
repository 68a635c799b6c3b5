"""Who is told: adding, importing and removing subscriptions."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path

from monitor.config import Config
from monitor.model.messaging import Cadence, ChannelKind
from monitor.notify.channels import mask_address, validate_address
from monitor.store import subscriptions
from monitor.workflow.channels import slack_allowed
from monitor.workflow.context import Context

COLUMNS = ("address", "channel", "topics", "issues", "cadence")


class Unsuitable(Exception):
    """A subscription that cannot be; says why and what to write. Nothing was changed."""


class Wish(subscriptions.Entry):
    """A subscription as somebody asked for it, checked."""

    __slots__ = ()

    @property
    def masked(self) -> str:
        """The address as it may be shown."""
        return mask_address(self.channel, self.address)


def wish(
    config: Config, address: str, channel: str, topics: Sequence[str], issues: Sequence[str], cadence: str
) -> Wish:
    """Check what was asked for. Raises Unsuitable."""
    kind = ChannelKind(_one_of(channel or "email", list(ChannelKind), "channel"))
    pace = Cadence(_one_of(cadence or "immediate", list(Cadence), "cadence"))
    known_topics = [topic.id for topic in config.topics]
    known_issues = [issue.id for issue in config.issues()]
    try:
        good = validate_address(kind, address, slack_allowed(config))
    except ValueError as error:
        raise Unsuitable(str(error)) from error
    return Wish(
        kind,
        good,
        tuple(_one_of(topic, known_topics, "topic") for topic in topics),
        tuple(_one_of(issue, known_issues, "issue") for issue in issues),
        pace,
    )


def _one_of(value: str, allowed: Sequence[str], what: str) -> str:
    if value in allowed:
        return value
    near = get_close_matches(value, allowed, n=1)
    hint = f"did you mean {near[0]}?" if near else f"it is one of {', '.join(allowed)}"
    raise Unsuitable(f"there is no {what} {value!r}; {hint}")


def subscribe(context: Context, wishes: Iterable[Wish], *, back: bool = True) -> subscriptions.Put:
    """Add or change subscriptions, all or none. ``back`` brings back who has left; else they are left out and named."""
    with context.database.transaction() as session:
        return subscriptions.put(session, list(wishes), context.now(), back=back)


def unsubscribe(context: Context, channel: ChannelKind, address: str) -> bool:
    """Stop telling this address. False if it was never told anything."""
    with context.database.transaction() as session:
        row = subscriptions.find(session, channel, address)
        if row is None:
            return False
        subscriptions.leave(session, row, context.now())
        return True


def read_csv(config: Config, path: Path, progress: Callable[[int], None] = lambda done: None) -> list[Wish]:
    """The wishes of a CSV file: ``address`` and, if wanted, channel, topics, issues (by blanks) and cadence.

    Raises Unsuitable with every bad line named; then nothing of the file is taken.
    """
    wishes: list[Wish] = []
    problems: list[str] = []
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file, strict=True)
        try:
            _check_columns(path, rows.fieldnames or ())
            for row in rows:
                try:
                    wishes.append(_from_row(config, row))
                except Unsuitable as error:
                    problems.append(f"{path}:{rows.line_num}: {error}")
                progress(len(wishes))
        except csv.Error as error:
            problems.append(f"{path}:{rows.line_num}: {error}; is a quotation mark missing?")
        except UnicodeDecodeError:
            raise Unsuitable(f"{path} is not UTF-8 text; save it as CSV in UTF-8. Nothing was imported.") from None
    if problems:
        shown = "\n".join(problems[:20]) + (f"\n… and {len(problems) - 20} more" if len(problems) > 20 else "")
        raise Unsuitable(f"{shown}\nNothing was imported.")
    return wishes


def _check_columns(path: Path, found: Sequence[str]) -> None:
    unknown = [name for name in found if name not in COLUMNS]
    if "address" not in found or unknown:
        extra = f"; it does not know {', '.join(unknown)}" if unknown else ""
        raise Unsuitable(f"{path}: the first line names the columns {', '.join(COLUMNS)} (address is needed){extra}")


def _from_row(config: Config, row: dict[str, str]) -> Wish:
    # csv puts what is too much under None, which the types do not know of.
    if None in row:
        raise Unsuitable("this line has more fields than columns")

    def words(name: str) -> list[str]:
        return (row.get(name) or "").split()

    return wish(
        config,
        (row.get("address") or "").strip(),
        (row.get("channel") or "").strip(),
        words("topics"),
        words("issues"),
        (row.get("cadence") or "").strip(),
    )
