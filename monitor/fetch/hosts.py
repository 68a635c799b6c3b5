"""What we remember of a host between runs: a value, loaded and stored by the workflow."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from monitor.fetch.manners import Manners, backoff


@dataclass(frozen=True, slots=True)
class HostState:
    """One host's health and its robots.txt.

    ``not_before`` is the end of a pause; ``failures`` counts host faults in a row. ``outage_since`` is set
    when the breaker opens (or the host asks for a longer pause than we grant) and cleared by the next good
    answer: its two transitions are the one notice of an outage and the one of recovery. ``robots`` is the
    text, empty where the host has none; ``robots_at`` is when we asked, ``None`` for never.
    """

    host: str
    not_before: datetime | None = None
    failures: int = 0
    robots: str | None = None
    robots_status: int | None = None
    robots_at: datetime | None = None
    outage_since: datetime | None = None
    last_error: str = ""


def paused_until(state: HostState, manners: Manners, now: datetime) -> datetime | None:
    """When the host may be asked again; None for now.

    A pause longer than any we set can only come from a clock that was wrong: it is not honoured.
    """
    until = state.not_before
    if until is None or until <= now or until - now > manners.longest_pause:
        return None
    return until


def after_success(state: HostState) -> HostState:
    """The breaker closes and an outage ends."""
    if not (state.failures or state.not_before or state.outage_since or state.last_error):
        return state
    return replace(state, failures=0, not_before=None, outage_since=None, last_error="")


def after_fault(
    state: HostState,
    manners: Manners,
    now: datetime,
    rng: random.Random,
    error: str,
    *,
    asked: timedelta | None = None,
    at_once: bool = False,
) -> tuple[HostState, datetime]:
    """The host's state after one more fault, and when this request is worth repeating.

    The host itself is paused when it asked for it, when ``at_once`` says that nothing on it can be read,
    and from the ``breaker_after``-th fault in a row on. When the pause is over, the next request is the
    trial: a good answer closes the breaker, another fault opens it for longer.
    """
    failures = state.failures + 1
    pause = min(asked, manners.retry_after_cap) if asked else backoff(manners, failures, rng)
    broken = failures >= manners.breaker_after
    again = now + pause
    began = now if broken or (asked is not None and asked > manners.retry_after_cap) else None
    after = replace(
        state,
        failures=failures,
        not_before=again if broken or asked or at_once else state.not_before,
        outage_since=state.outage_since or began,
        last_error=error,
    )
    return after, again
