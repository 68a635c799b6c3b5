"""What a fetch can end in, other than a page."""

from __future__ import annotations

from datetime import datetime

from monitor.model.tracking import Page, Verdict


class FetchError(Exception):
    """No usable page. The message says what happened, where, and what to do about it.

    ``verdict`` is the capture's verdict; ``host_fault`` says that the host, not this one page, was at
    fault (it counts towards the host's breaker); ``retry_at`` is the earliest time worth another try,
    if one is known; ``status`` the HTTP status, if one came; ``page`` what came with it, as evidence.
    """

    def __init__(
        self,
        verdict: Verdict,
        message: str,
        *,
        status: int | None = None,
        retry_at: datetime | None = None,
        host_fault: bool = False,
        page: Page | None = None,
    ) -> None:
        super().__init__(message)
        self.verdict = verdict
        self.status = status
        self.retry_at = retry_at
        self.host_fault = host_fault
        self.page = page


class HostPaused(FetchError):
    """The host asked for a pause or its breaker is open: no request was made. See ``retry_at``."""


class FetchStopped(FetchError):
    """The fetcher was stopped: nothing is wrong with the source."""

    def __init__(self) -> None:
        super().__init__(Verdict.UNREACHABLE, "Stopped before the page was read: the service is shutting down.")


class IntermediateRefused(ValueError):
    """A configured intermediate certificate cannot be trusted; the message says which and why."""
