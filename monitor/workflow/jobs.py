"""The service's own jobs in trouble: a person hears of it, once, and again when it is over."""

from __future__ import annotations

from monitor.model.messaging import Item
from monitor.workflow.context import Context
from monitor.workflow.notices import tell_operators


def job_failing(context: Context, job: str, times: int, error: Exception) -> None:
    """A job has failed ``times`` times in a row; tell the operators."""
    sentence = (
        f"The job “{job}” has failed {times} times in a row, last with {type(error).__name__}. "
        "It is tried again on time. The log says more: journalctl -u legislative-monitor. Then run: monitor doctor"
    )
    _tell(context, Item(f"The job {job} keeps failing", sentence))


def job_recovered(context: Context, job: str) -> None:
    """A job that had kept failing works again."""
    _tell(context, Item(f"The job {job} works again", "Nothing needs doing."))


def _tell(context: Context, item: Item) -> None:
    with context.database.transaction() as session:
        tell_operators(session, context.config, item, context.now())
