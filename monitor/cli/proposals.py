"""``monitor proposals``: what waits for a decision, and deciding."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.options import ConfigOption, JsonOption, NowOption, fail, opened
from monitor.cli.output import as_json, clean, table

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from monitor.store.schema import Proposal

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
            _tell(session, proposal)


def _tell(session: Session, proposal: Proposal) -> None:
    from monitor.workflow.review import with_sentence

    issue = proposal.issue
    lines = [
        f"Proposal {proposal.id} ({proposal.kind}, {proposal.state}), version {proposal.version}",
        f"Issue:     {issue.name if issue else 'none'}",
        f"Status:    {_move(proposal)}",
        f"Why:       {clean(proposal.reason)}",
    ]
    if issue is not None and proposal.narrative:
        lines.append(f"Text then: {clean(with_sentence(issue.narrative, proposal.narrative))}")
    for one in proposal.evidence:
        lines += [
            f"Evidence:  {one.action_date or ''} {clean(one.quote)}",
            f"           {clean(one.url)}",
            f"           first seen {one.first_seen_at:%Y-%m-%d %H:%M} UTC, saved page {one.snapshot_sha256 or 'none'}",
        ]
        if one.before or one.after:
            lines.append(f"           {clean(one.before) or '–'} → {clean(one.after) or '–'}")
    if proposal.state == "pending":
        lines.append(
            f"Next: monitor proposals approve {proposal.id} · monitor proposals reject {proposal.id} --reason …"
        )
    elif proposal.decided_at is not None:
        lines.append(f"{proposal.state} by {proposal.decided_by or 'the service'}: {clean(proposal.decision_reason)}")
    typer.echo("\n".join(lines))


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

    if status is not None and status not in set(Status):
        fail(f"--status {status!r}: write one of {', '.join(Status)}", 2)
    with opened(context, config, now) as opening:
        wished = Status(status) if status is not None else None
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
