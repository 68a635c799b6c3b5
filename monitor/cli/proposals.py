"""``monitor proposals``: what waits for a decision, and deciding."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.options import ConfigOption, JsonOption, NowOption, day, fail, opened
from monitor.cli.output import as_json, clean, table

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session

    from monitor.config import Config
    from monitor.model.tracking import Status
    from monitor.store.schema import Proposal
    from monitor.workflow.context import Context

app = typer.Typer(help="What waits for a decision, and deciding.", no_args_is_help=True, rich_markup_mode=None)

ByOption = Annotated[
    str | None, typer.Option("--by", help="Who decides; goes into the history.", show_default="your login")
]
VersionOption = Annotated[int | None, typer.Option("--version", help="Decide only if it is still this version.")]
IdArgument = Annotated[int, typer.Argument(metavar="ID")]


@app.command("list", epilog="Examples: monitor proposals list · monitor proposals list --state all --json")
def list_(
    context: typer.Context,
    state: Annotated[str, typer.Option(help="pending, approved, amended, rejected, superseded, or all.")] = "pending",
    postponed: Annotated[bool, typer.Option("--postponed", help="The pending ones that are put off, too.")] = False,
    config: ConfigOption = None,
    now: NowOption = None,
    as_json_: JsonOption = False,
) -> None:
    """List proposals: a new status first, then what a person must look at, then texts."""
    from monitor.model.tracking import ProposalState
    from monitor.store import proposals

    if state != "all" and state not in set(ProposalState):
        fail(f"--state {state!r}: write one of {', '.join(ProposalState)} or all", 2)
    with opened(context, config, now) as opening, opening.database.reading() as session:
        found = proposals.listing(session, None if state == "all" else [state])
        if state == "pending" and not postponed:
            found = [one for one in found if not proposals.is_postponed(one, opening.today())]
        if as_json_:
            as_json([_as_json(proposal) for proposal in found])
        else:
            columns = ("id", "kind", "issue", "from → to", "reason")
            empty = "Nothing waits." if state == "pending" else "There are none."
            table(columns, [_row(proposal) for proposal in sorted(found, key=_weight)], empty)


def _as_json(proposal: Proposal) -> dict[str, Any]:
    plain = ("id", "version", "state", "kind", "from_status", "to_status", "reason", "narrative")
    return {
        **{name: getattr(proposal, name) for name in plain},
        "issue": proposal.issue_id,
        "created_at": proposal.created_at.isoformat(),
        "decided_at": proposal.decided_at.isoformat() if proposal.decided_at else None,
        "decided_by": proposal.decided_by,
        "decision_reason": proposal.decision_reason,
        "superseded_by": proposal.superseded_by,
        "postponed_until": proposal.postponed_until.isoformat() if proposal.postponed_until else None,
        "evidence": [
            {
                "url": one.url,
                "quote": one.quote,
                "action_date": one.action_date.isoformat() if one.action_date else None,
                "first_seen_at": one.first_seen_at.isoformat(),
                "snapshot_sha256": one.snapshot_sha256,
                "before": one.before,
                "after": one.after,
            }
            for one in proposal.evidence
        ],
    }


def _weight(proposal: Proposal) -> tuple[int, int]:
    """A status first, then what a person must look at, then texts; the oldest first."""
    return ("status", "review", "narrative").index(proposal.kind), proposal.id


def _row(proposal: Proposal) -> tuple[object, ...]:
    return proposal.id, proposal.kind, proposal.issue_id or "–", _move(proposal), proposal.reason


def _move(proposal: Proposal) -> str:
    from monitor.model.tracking import Status

    if proposal.from_status is None or proposal.from_status == proposal.to_status:
        return "stays"
    return f"{Status(proposal.from_status).label} → {Status(str(proposal.to_status)).label}"


@app.command(epilog="Example: monitor proposals show 12")
def show(
    context: typer.Context,
    proposal_id: IdArgument,
    config: ConfigOption = None,
    now: NowOption = None,
    as_json_: JsonOption = False,
) -> None:
    """Show one proposal with its evidence: what changed, what it means, what the public would read."""
    from monitor.store.schema import Proposal

    with opened(context, config, now) as opening, opening.database.reading() as session:
        proposal = session.get(Proposal, proposal_id)
        if proposal is None:
            fail(f"there is no proposal {proposal_id}; `monitor proposals list` shows what waits")
        if as_json_:
            as_json(_as_json(proposal))
        else:
            _tell(session, proposal, opening.config)


def _tell(session: Session, proposal: Proposal, config: Config) -> None:
    from monitor.workflow.review import with_sentence

    issue = proposal.issue
    is_pending = proposal.state == "pending"
    lines = [
        f"Proposal {proposal.id} ({proposal.kind}, {proposal.state}), version {proposal.version}",
        f"Issue:     {issue.name if issue else 'none'}",
        *_bill(session, proposal, config),
        f"Status:    {_move(proposal)}",
        f"Why:       {clean(proposal.reason)}",
    ]
    if issue is not None and proposal.narrative and is_pending:
        lines.append(f"Text then: {clean(with_sentence(issue.narrative, proposal.narrative))}")
    for one in proposal.evidence:
        lines += [
            f"Evidence:  {one.action_date or ''} {clean(one.quote)}",
            f"           {clean(one.url)}",
            f"           first seen {_eastern(one.first_seen_at)}, saved page {one.snapshot_sha256 or 'none'}",
        ]
        if one.before != one.after:
            lines.append(f"           {clean(one.before) or '–'} → {clean(one.after) or '–'}")
    if is_pending and proposal.postponed_until is not None:
        lines.append(f"Put off until {proposal.postponed_until}")
    if is_pending:
        lines.append(
            f"Next: monitor proposals approve {proposal.id} · monitor proposals reject {proposal.id} --reason …"
        )
    elif proposal.decided_at is not None:
        why = f": {clean(proposal.decision_reason)}" if proposal.decision_reason else ""
        who = proposal.decided_by or "the service"
        lines.append(f"{proposal.state.capitalize()} by {who} on {_eastern(proposal.decided_at)}{why}")
    typer.echo("\n".join(lines))


def _bill(session: Session, proposal: Proposal, config: Config) -> list[str]:
    """The bill's title and own page: evidence often stands in the bulk files, which are no page to read."""
    from monitor.store.schema import Bill
    from monitor.workflow.sync import bill_page_url

    bill = session.get(Bill, proposal.bill_id) if proposal.bill_id else None
    if bill is None:
        return []
    url = bill_page_url(config.sources.cga.base_url, bill.key)
    title = f", {clean(bill.title)}" if bill.title else ""
    return [f"Bill:      {bill.key.label} ({bill.session}){title}", f"           {clean(url)}"]


def _eastern(moment: datetime) -> str:
    from monitor.workflow.context import EASTERN

    return f"{moment.astimezone(EASTERN):%Y-%m-%d %H:%M} Eastern"


def _wished(status: str | None) -> Status | None:
    """The status that ``--status`` names; ends the command if there is none of that name."""
    from monitor.model.tracking import Status

    if status is not None and status not in set(Status):
        fail(f"--status {status!r}: write one of {', '.join(Status)}", 2)
    return Status(status) if status is not None else None


@app.command(epilog="Examples: monitor proposals approve 12 · monitor proposals approve 12 --status some_progress")
def approve(
    context: typer.Context,
    proposal_id: IdArgument,
    status: Annotated[str | None, typer.Option(help="Another status: no_progress, some_progress or achieved.")] = None,
    narrative: Annotated[str | None, typer.Option(help="Another text for the whole narrative.")] = None,
    by: ByOption = None,
    version: VersionOption = None,
    config: ConfigOption = None,
    now: NowOption = None,
    as_json_: JsonOption = False,
) -> None:
    """Publish a proposal, as it stands or amended. Subscribers are told."""
    from monitor.model.tracking import Status
    from monitor.workflow.review import approve as run

    wished = _wished(status)
    with opened(context, config, now) as opening:
        moved = run(opening, proposal_id, by or getpass.getuser(), status=wished, narrative=narrative, version=version)
        said: dict[str, Any] = {"proposal": proposal_id, "issue": None, "from_status": None, "to_status": None}
        if moved is not None:
            said |= {"issue": moved.issue_id, "from_status": moved.from_status, "to_status": moved.to_status}
    if as_json_:
        as_json(said)
    elif moved is None:
        typer.echo(f"Proposal {proposal_id} is settled; it published nothing.")
    else:
        typer.echo(f"Published: {moved.issue_id} is {Status(moved.to_status).label}. Next: monitor deliver")


@app.command(epilog='Example: monitor proposals reject 12 --reason "The bill only studies the question."')
def reject(
    context: typer.Context,
    proposal_id: IdArgument,
    reason: Annotated[str, typer.Option(help="Why; required, and kept.")] = "",
    by: ByOption = None,
    version: VersionOption = None,
    config: ConfigOption = None,
    now: NowOption = None,
    as_json_: JsonOption = False,
) -> None:
    """Close a proposal without publishing anything."""
    from monitor.workflow.review import reject as run

    with opened(context, config, now) as opening:
        run(opening, proposal_id, by or getpass.getuser(), reason, version=version)
    if as_json_:
        as_json({"proposal": proposal_id, "state": "rejected"})
    else:
        typer.echo(f"Proposal {proposal_id} is rejected.")


@app.command(epilog="Example: monitor proposals postpone 12 --until 2025-07-01")
def postpone(
    context: typer.Context,
    proposal_id: IdArgument,
    until: Annotated[str, typer.Option(metavar="DATE", help="The day it comes back, such as 2025-07-01.")],
    by: ByOption = None,
    version: VersionOption = None,
    config: ConfigOption = None,
    now: NowOption = None,
    as_json_: JsonOption = False,
) -> None:
    """Put a proposal off until a day. It stays pending; a newer change replaces it all the same."""
    from monitor.workflow.review import postpone as run

    on = day(until, "--until")
    with opened(context, config, now) as opening:
        run(opening, proposal_id, by or getpass.getuser(), on, version=version)
    if as_json_:
        as_json({"proposal": proposal_id, "postponed_until": on.isoformat()})
    else:
        typer.echo(f"Proposal {proposal_id} is put off until {on}. Sooner: monitor proposals undo {proposal_id}")


@app.command(epilog="Example: monitor proposals undo 12")
def undo(
    context: typer.Context,
    proposal_id: IdArgument,
    by: ByOption = None,
    config: ConfigOption = None,
    now: NowOption = None,
    as_json_: JsonOption = False,
) -> None:
    """Take back a decision of the last minute that nobody was told of, or end a postponement."""
    from monitor.workflow.undo import undo as run

    with opened(context, config, now) as opening:
        run(opening, proposal_id, by or getpass.getuser())
    if as_json_:
        as_json({"proposal": proposal_id, "state": "pending"})
    else:
        typer.echo(f"Proposal {proposal_id} waits again.")


@app.command(
    epilog='Example: monitor proposals correct qualified-immunity --reason "The bill was not signed; we misread a row."'
)
def correct(
    context: typer.Context,
    issue: Annotated[str, typer.Argument(metavar="ISSUE", help="The issue's id.")],
    reason: Annotated[str, typer.Option(help="What is right, in a sentence; required, and published.")] = "",
    move: Annotated[
        int | None, typer.Option("--move", help="Which published move is wrong, by its number in monitor history.")
    ] = None,
    status: Annotated[str | None, typer.Option(help="The right status; otherwise what it was before.")] = None,
    narrative: Annotated[str | None, typer.Option(help="The right text, whole; otherwise what it was before.")] = None,
    by: ByOption = None,
    config: ConfigOption = None,
    now: NowOption = None,
    as_json_: JsonOption = False,
) -> None:
    """Publish a correction of an issue's last move, or of another one. Subscribers are told."""
    from monitor.model.tracking import Status
    from monitor.workflow.correct import correct as run

    wished = _wished(status)
    with opened(context, config, now) as opening:
        number = move if move is not None else _last_move(opening, issue)
        right = run(opening, number, by or getpass.getuser(), reason, status=wished, narrative=narrative)
    if as_json_:
        as_json({"issue": right.issue_id, "move": right.id, "corrects": number, "to_status": right.to_status})
    else:
        typer.echo(f"Corrected: {right.issue_id} is {Status(right.to_status).label}. Next: monitor deliver")


def _last_move(context: Context, issue: str) -> int:
    from monitor.store.board import last_move

    with context.database.reading() as session:
        found = last_move(session, issue)
    if found is None:
        fail(f"nothing has been published for {issue!r}; monitor board lists the issues")
    return found.id
