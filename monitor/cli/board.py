"""``monitor board`` and ``monitor history``: where every issue stands, and how it came there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.options import ConfigOption, JsonOption, NowOption, fail, opened
from monitor.cli.output import as_json, clean, table

if TYPE_CHECKING:
    from datetime import datetime

    from monitor.store.board import Standing
    from monitor.store.schema import Transition


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(epilog="Examples: monitor board · monitor board --json")(board)
    app.command(epilog="Example: monitor history qualified-immunity")(history)


def board(
    context: typer.Context, config: ConfigOption = None, now: NowOption = None, as_json_: JsonOption = False
) -> None:
    """Show the board: each issue's status, since when, and when it was last verified."""
    from monitor.model.tracking import Status
    from monitor.store.board import standings

    with opened(context, config, now) as opening, opening.database.reading() as session:
        found = standings(session, opening.now())
        if as_json_:
            as_json([_as_json(one) for one in found])
            return
        rows = [
            (
                one.issue.topic.name,
                one.issue.id,
                Status(one.issue.status).label,
                one.issue.status_since or "–",
                _verified(one),
            )
            for one in found
        ]
    table(("topic", "issue", "status", "since", "verified"), rows, "No issues are tracked yet: monitor sync")


def _verified(standing: Standing) -> str:
    if not standing.watches:
        return "nothing is watched"
    if standing.unread:
        return f"{_moment(standing.verified_at)}, cannot read {', '.join(standing.unread)}"
    if standing.late:
        return f"{_moment(standing.verified_at)}, and not read since: see monitor doctor"
    return _moment(standing.verified_at)


def _moment(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment is not None else "never"


def _as_json(standing: Standing) -> dict[str, Any]:
    issue = standing.issue
    return {
        "issue": issue.id,
        "name": issue.name,
        "topic": issue.topic_id,
        "status": issue.status,
        "status_since": issue.status_since.isoformat() if issue.status_since else None,
        "narrative": issue.narrative,
        "updated_at": issue.updated_at.isoformat(),
        "last_verified_at": standing.verified_at.isoformat() if standing.verified_at else None,
        "watches": list(standing.watches),
        "unread": list(standing.unread),
        "late": list(standing.late),
    }


def history(
    context: typer.Context,
    issue: Annotated[str, typer.Argument(metavar="ISSUE", help="The issue's id.")],
    config: ConfigOption = None,
    now: NowOption = None,
    as_json_: JsonOption = False,
) -> None:
    """Show an issue's published moves with who approved them and why."""
    from sqlalchemy import select

    from monitor.config.values import nearest
    from monitor.store import board as store
    from monitor.store.schema import Issue

    with opened(context, config, now) as opening, opening.database.reading() as session:
        if session.get(Issue, issue) is None:
            hint = nearest(issue, session.scalars(select(Issue.id))) or "see monitor board"
            fail(f"there is no issue {issue!r}; {hint}")
        moves = [_move(one) for one in store.history(session, issue)]
    if as_json_:
        as_json(moves)
        return
    rows = [(move["id"], _eastern_day(move["at"]), _labels(move), _reason(move), move["decided_by"]) for move in moves]
    table(("move", "date", "status", "reason", "approved by"), rows, "Nothing has been published for this issue yet.")


def _labels(move: dict[str, Any]) -> str:
    """As the board names the statuses."""
    from monitor.model.tracking import Status

    before, after = Status(move["from_status"]).label, Status(move["to_status"]).label
    return f"{before} → {after}" if before != after else f"stays {after}"


def _reason(move: dict[str, Any]) -> str:
    return f"Correction of move {move['corrects']}: {move['reason']}" if move["corrects"] else str(move["reason"])


def _eastern_day(moment: str) -> str:
    from datetime import datetime

    from monitor.workflow.context import EASTERN

    return datetime.fromisoformat(moment).astimezone(EASTERN).date().isoformat()


def _move(transition: Transition) -> dict[str, Any]:
    evidence = transition.proposal.evidence if transition.proposal is not None else []
    return {
        "id": transition.id,
        "corrects": transition.corrects_id,
        "at": transition.at.isoformat(),
        "from_status": transition.from_status,
        "to_status": transition.to_status,
        "reason": clean(transition.reason),
        "narrative": transition.narrative_after,
        "decided_by": transition.decided_by,
        "proposal": transition.proposal_id,
        "evidence": [{"url": one.url, "quote": one.quote, "snapshot_sha256": one.snapshot_sha256} for one in evidence],
    }
