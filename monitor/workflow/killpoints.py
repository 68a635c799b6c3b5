"""Named points of the flow where a crash test can kill the process, like pulling the plug.

``MONITOR_KILL_AT=name:n`` makes the n-th pass through the point a SIGKILL. Nothing else reads
the variable, and without it a point costs one dictionary look-up.
"""

from __future__ import annotations

import os
import signal

#: Every point, in the order of the flow; a test enumerates them, so a new one is covered at once.
POINTS = (
    "before_sync_commit",
    "after_sync_commit",
    "check_start",
    "before_begin_commit",
    "after_begin_commit",
    "before_claim_commit",
    "after_claim",
    "after_fetch",
    "before_record_commit",
    "after_record_commit",
    "before_notice_commit",
    "after_notice_commit",
    "before_review_commit",
    "after_review_commit",
    "before_recover_commit",
    "after_recover_commit",
    "before_hold_commit",
    "after_hold_commit",
    "before_claim_delivery_commit",
    "after_claim_delivery_commit",
    "before_send",
    "before_taken",
    "after_send_before_mark",
    "after_note",
    "before_mark_commit",
    "after_mark_commit",
    "before_give_back_commit",
    "after_give_back_commit",
)

#: Of the weekly note, which no command runs: these have a test of their own.
WEEKLY_POINTS = ("before_heartbeat_commit", "after_heartbeat_commit")

_passes: dict[str, int] = {}


def killpoint(name: str) -> None:
    """Die here if a crash test asked for it."""
    wanted = os.environ.get("MONITOR_KILL_AT")
    if wanted is None:
        return
    point, _, count = wanted.partition(":")
    if point != name:
        return
    _passes[name] = _passes.get(name, 0) + 1
    if _passes[name] >= int(count or 1):
        os.kill(os.getpid(), signal.SIGKILL)
