"""Polite conditional requests: an address in, a page or "not modified" out.

Here are the steps of one fetch: the guard, robots.txt, the redirects. A host's Line sends each request.
"""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Self

import structlog

from monitor.fetch import robots
from monitor.fetch.errors import FetchError, FetchStopped
from monitor.fetch.exchange import REDIRECTS, Answer
from monitor.fetch.ftp import fetch_ftp
from monitor.fetch.guard import Target, check_redirect, check_url
from monitor.fetch.hosts import HostState
from monitor.fetch.line import Line, is_private_host
from monitor.fetch.manners import Manners
from monitor.fetch.wire import Stop
from monitor.model.tracking import NotModified, Page, Validators, Verdict

log = structlog.get_logger(__name__)

#: A validator that could not have come in a header is not echoed in one.
_HEADER_VALUE = re.compile(r"[\x21-\x7e][\x20-\x7e\x80-\xff]*")


class Fetcher:
    """Fetches pages, one request at a time per host, hosts side by side. Safe to share between threads.

    ``hosts`` is what the last run left behind; read it back from the property of that name and store it,
    so that pauses and open breakers survive a restart. ``sleep`` waits between two requests to one host;
    left out, it is a sleep that stop() ends.
    """

    def __init__(
        self,
        manners: Manners,
        hosts: Mapping[str, HostState] | None = None,
        *,
        now: Callable[[], datetime],
        sleep: Callable[[float], None] | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self._manners = manners
        self._stop = Stop()
        self._now, self._sleep = now, sleep or self._stop.sleep
        self._rng = rng or random.Random()  # jitter, not a secret
        self._lock = threading.Lock()
        self._lines = {host: self._line(state) for host, state in (hosts or {}).items()}
        self._overrides: set[str] = set()
        self._headers = {"User-Agent": manners.user_agent, "Accept": "*/*", "Accept-Encoding": "gzip"}

    @property
    def hosts(self) -> dict[str, HostState]:
        """Every known host's state now."""
        return {host: line.state for host, line in list(self._lines.items())}

    @property
    def requests(self) -> int:
        """Requests sent so far: pages, redirects and robots.txt."""
        return sum(line.requests for line in list(self._lines.values()))

    @property
    def page_requests(self) -> int:
        """Requests sent so far without those for robots.txt."""
        return sum(line.requests - line.robots_requests for line in list(self._lines.values()))

    def stop(self) -> None:
        """End the requests in flight at once and refuse all further ones. Safe in a signal handler."""
        self._stop.give()
        for line in list(self._lines.values()):
            line.budget.abort()

    def close(self) -> None:
        """Stop and close every connection."""
        self.stop()
        for line in list(self._lines.values()):
            line.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def fetch(
        self,
        url: str,
        *,
        validators: Validators | None = None,
        max_bytes: int | None = None,
        check_robots: bool = True,
    ) -> Page | NotModified:
        """The page at ``url``, redirects followed; NotModified if the server says so to our validators.

        An ``ftp://`` address is read over FTP. Raises FetchError; HostPaused if no request was made because
        the host wants a pause; FetchStopped after stop().
        """
        limit = self._manners.max_bytes if max_bytes is None else max_bytes
        target = check_url(url, self._manners, schemes=("http", "https", "ftp"))
        if target.scheme == "ftp":
            return self._fetch_ftp(target, validators, limit)
        conditions = _conditions(validators)
        answer, target = self._follow(target, conditions, limit, check_robots=check_robots)
        now = self._now()
        if answer.status != 304:
            return answer.page(url, target, now)
        if conditions:
            return NotModified(url, now)
        raise FetchError(
            Verdict.SOFT_ERROR,
            f"{target.url} says 304 (not modified) although we named no version. It is tried again later.",
            status=304,
        )

    def _follow(
        self, target: Target, conditions: Mapping[str, str], limit: int, *, check_robots: bool
    ) -> tuple[Answer, Target]:
        """The answer at the end of the redirects, and where that is. The deadline is one for all hops."""
        left, seen = self._manners.deadline_seconds, {target.url}
        for _ in range(self._manners.max_redirects + 1):
            if check_robots:
                self._obey_robots(target)
            answer, spent = self._line_to(target).get(
                target, {**self._headers, **conditions}, seconds=left, limit=limit
            )
            if answer.status not in REDIRECTS:
                return answer, target
            left -= spent
            target = _next_hop(target, answer, self._manners)
            if target.url in seen:
                raise _astray(target, "redirects in a circle")
            seen.add(target.url)
        raise _astray(target, f"comes after more than {self._manners.max_redirects} redirects")

    def _obey_robots(self, target: Target) -> None:
        entry = robots.override(target, self._manners.ignore_robots)
        if entry is not None:
            self._log_override(target, entry)
            return
        line = self._line_to(target)
        with line.rules_lock:
            if not robots.is_fresh(line.state, self._manners, self._now()):
                line.note_robots(*self._read_robots(target))
            text = line.state.robots or ""
            if line.rules is None or line.rules.text != text:
                line.rules = robots.Rules(text, self._manners.product)
            rules = line.rules
        if not rules.allows(target):
            raise robots.forbidden(target)

    def _read_robots(self, origin: Target) -> tuple[str, int]:
        """The text and status of a host's robots.txt. Raises FetchError for "not now"."""
        target = Target(origin.scheme, origin.host, origin.port, "/robots.txt", origin.key)
        left = self._manners.deadline_seconds
        try:
            for _ in range(self._manners.max_redirects + 1):
                answer, spent = self._line_to(target).get(
                    target, self._headers, seconds=left, limit=robots.LIMIT, robots=True
                )
                if answer.status not in REDIRECTS:
                    return answer.body.decode("utf-8-sig", errors="replace"), answer.status
                left -= spent
                target = check_url(_next_hop(target, answer, self._manners).url, self._manners)
        except FetchStopped:
            raise
        except FetchError as error:
            if robots.means_none(error):
                return "", error.status or 404
            self._line_to(origin).robots_unreadable(error)
            raise
        return "", 404  # RFC 9309 2.3.1.2: more than five redirects count as "no rules"

    def _log_override(self, target: Target, entry: str) -> None:
        if entry not in self._overrides:
            self._overrides.add(entry)
            log.warning("robots.txt is overridden by config", entry=entry, url=target.url)

    def _fetch_ftp(self, target: Target, validators: Validators | None, limit: int) -> Page | NotModified:
        line = self._line_to(target)
        with line.turn(self._manners.deadline_seconds):
            line.requests += 1
            known = validators.last_modified if validators else None
            result = fetch_ftp(
                target,
                line.budget,
                contact=self._manners.contact,
                max_bytes=limit,
                private=is_private_host(target, self._manners),
                patience=self._manners.connect_timeout,
                known=known,
                now=self._now,
            )
            line.recovered()
            return result

    def _line_to(self, target: Target) -> Line:
        line = self._lines.get(target.key)
        if line is None:
            with self._lock:
                line = self._lines.setdefault(target.key, self._line(HostState(target.key)))
        return line

    def _line(self, state: HostState) -> Line:
        return Line(state, self._manners, self._stop, now=self._now, sleep=self._sleep, rng=self._rng)


def _conditions(validators: Validators | None) -> dict[str, str]:
    """The server's own validators as request headers."""
    if validators is None:
        return {}
    wanted = {"If-None-Match": validators.etag, "If-Modified-Since": validators.last_modified}
    return {name: value for name, value in wanted.items() if value and _HEADER_VALUE.fullmatch(value)}


def _next_hop(target: Target, answer: Answer, manners: Manners) -> Target:
    location = answer.headers.get("location")
    if not location:
        raise _astray(target, "redirects without saying where")
    return check_redirect(target, location, manners)


def _astray(target: Target, what: str) -> FetchError:
    return FetchError(
        Verdict.SOFT_ERROR,
        f"{target.url} {what}. It is tried again later; if it stays so, look for the page's new address.",
    )
