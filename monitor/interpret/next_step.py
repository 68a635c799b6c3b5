"""What is to be expected of a bill: the next step its stage leaves it, and no guess whether it comes."""

from __future__ import annotations

from collections.abc import Mapping

from monitor.model.committees import committee_label
from monitor.model.legislature import Stage

_OVER = "Nothing more at the Capitol for this bill. The act itself says when each part starts."

#: ``{where}`` is the committee that holds it, ``{Where}`` the same at the head of a sentence.
STEPS: Mapping[Stage, str] = {
    Stage.INTRODUCED: "A committee may take it up.",
    Stage.IN_COMMITTEE: "{Where} may hold a public hearing and vote on it.",
    Stage.HEARING: "After the hearing {where} may vote on it.",
    Stage.REPORTED: "It may go to further committees, or to the floor for a vote.",
    Stage.ON_CALENDAR: "It waits for a vote on the floor.",
    Stage.PASSED_ONE_CHAMBER: "The other chamber has to pass it too, in the same words.",
    Stage.PASSED_BOTH: "It goes to the governor.",
    Stage.TO_GOVERNOR: "The governor may sign it, veto it, or let it become law without a signature.",
    Stage.SIGNED: _OVER,
    Stage.LAW_WITHOUT_SIGNATURE: _OVER,
    Stage.LAW_IN_PART: "The legislature may override the veto of those parts with two thirds of each chamber.",
    Stage.VETOED: "The legislature may override the veto with two thirds of each chamber.",
    Stage.VETO_OVERRIDDEN: _OVER,
    Stage.ADOPTED: "A resolution needs no signature: nothing more is to come.",
    Stage.DISAGREEING: "The chambers have to agree on the same words.",
    Stage.RECONSIDERED: "The vote may be taken again.",
    Stage.FAILED: "Unless the vote is reconsidered, nothing more is to come in this session.",
    Stage.MERGED: "It goes on in the bill that took its text.",
    Stage.DIED: "It would have to be introduced anew in the next session.",
}


def next_step(stage: Stage, committee: str = "") -> str:
    """One sentence. ``committee`` is the code or name of the committee that holds the bill, "" if it is not known."""
    where = committee_label(committee) if committee else "the committee"
    return STEPS[stage].format(where=where, Where=f"T{where[1:]}")
