"""Our line to one host: its requests session, one request at a time, a pause between two, and its health."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import requests
from urllib3 import HTTPConnectionPool

from monitor.fetch import hosts, tls
from monitor.fetch.errors import FetchError, FetchStopped, HostPaused, IntermediateRefused
from monitor.fetch.exchange import WIRE_ERRORS, Answer, cause, explain, receive, refusal
from monitor.fetch.guard import Target
from monitor.fetch.hosts import HostState
from monitor.fetch.manners import Manners, retry_after
from monitor.fetch.robots import Rules
from monitor.fetch.session import HostAdapter, HostSession, PlainPool, TLSPool, prepared
from monitor.fetch.wire import Budget, Stop, dial, timed
from monitor.model.tracking import Verdict

#: A slow answer means a busy server: the next request waits this many times as long as the answer took
#: to begin (Heritrix's delay factor), up to a limit in seconds.
_SLOWNESS, _LONGEST_REST = 5.0, 30.0


class Line:
    """Everything about one host that must not be done by two threads at once."""

    def __init__(
        self,
        state: HostState,
        manners: Manners,
        stop: Stop,
        *,
        now: Callable[[], datetime],
        sleep: Callable[[float], None],
        rng: random.Random,
    ) -> None:
        self.state = state
        self.rules: Rules | None = None
        self.rules_lock = threading.Lock()
        self.requests = 0
        self.robots_requests = 0
        self.budget = Budget(stop)
        self._manners, self._stop = manners, stop
        self._now, self._sleep, self._rng = now, sleep, rng
        self._lock = threading.Lock()
        self._session = HostSession()
        self._last_done: datetime | None = None
        self._slowness = 0.0

    def get(
        self,
        target: Target,
        headers: Mapping[str, str],
        *,
        seconds: float,
        limit: int,
        robots: bool = False,
    ) -> tuple[Answer, float]:
        """One GET when it is our turn, and the seconds it took on the network.

        Raises HostPaused when it is not to be asked now, FetchError for anything that is neither a page,
        nor a redirect, nor a 304. For robots.txt, a body too long is cut and an empty one is good.
        """
        with self.turn(seconds, robots=robots):
            answer = self._exchange(target, headers, limit, robots=robots)
            page = answer.page(target.url, target, self._now())
            error = refusal(answer, target, page)
            if error is not None and not (robots and error.status == 200):
                raise error
            if answer.status in (200, 304) and not robots:
                self.recovered()
            return answer, seconds - self.budget.remaining

    @contextmanager
    def turn(self, seconds: float, *, robots: bool = False) -> Iterator[None]:
        """Wait for our turn; a fault inside is put on the host's record."""
        with self._lock:
            self._stop.check()
            self._refuse_if_paused()
            self._await_turn()
            self.budget.start(seconds)
            try:
                yield
            except FetchStopped:
                raise
            except FetchError as error:
                self._stop.check()  # a socket shut by stop() looks like a server that hung up
                self._record(error, robots=robots)
                raise
            finally:
                self._last_done = self._now()

    def close(self) -> None:
        with self._lock:
            self._session.close()

    def _refuse_if_paused(self) -> None:
        until = hosts.paused_until(self.state, self._manners, self._now())
        if until is not None:
            raise HostPaused(
                Verdict.UNREACHABLE,
                f"{self.state.host} is not asked before {until:%Y-%m-%d %H:%M:%S} UTC: {self.state.last_error}",
                retry_at=until,
            )

    def _pace(self) -> float:
        """Seconds between two requests. Only a replica of our own may be asked faster than once a second."""
        host = self.state.host.rsplit(":", 1)[0].strip("[]")
        ours = bool({self.state.host, host} & self._manners.private_hosts)
        return self._manners.interval_seconds if ours else max(1.0, self._manners.interval_seconds)

    def _await_turn(self) -> None:
        interval = self._pace()
        if not interval or self._last_done is None:
            return
        delay = self.rules.crawl_delay if self.rules else 0.0
        rest = max(interval, delay, min(_SLOWNESS * self._slowness, _LONGEST_REST))
        wait = rest - (self._now() - self._last_done).total_seconds()
        if wait > 0:
            self._sleep(min(wait, rest))  # a clock set back must not make us wait for it
            self._stop.check()

    def _exchange(self, target: Target, headers: Mapping[str, str], limit: int, *, robots: bool) -> Answer:
        self._open(target)
        try:
            return receive(self._send(target, headers, robots=robots), limit, truncate=robots)
        except WIRE_ERRORS as error:
            raise explain(error, target, self.budget) from error

    def _send(self, target: Target, headers: Mapping[str, str], *, robots: bool) -> requests.Response:
        """Ask, and once more on a new connection if the server had closed the kept one meanwhile."""
        try:
            return self._ask(target, headers, robots=robots)
        except requests.ConnectionError as error:
            if self.budget.dialed or self._stop.given or not isinstance(cause(error), ConnectionError):
                raise
        return self._ask(target, headers, robots=robots)

    def _ask(self, target: Target, headers: Mapping[str, str], *, robots: bool) -> requests.Response:
        self.requests += 1
        self.robots_requests += robots
        before = self.budget.remaining
        response = self._session.send(prepared(target, headers), stream=True, allow_redirects=False)
        self._slowness = before - self.budget.remaining
        return response

    def _open(self, target: Target) -> None:
        """Make the session able to speak the address's scheme with the host; nothing is sent yet."""
        if f"{target.scheme}://" not in self._session.adapters:
            self._session.mount(f"{target.scheme}://", HostAdapter(self._pool(target)))

    def _pool(self, target: Target) -> HTTPConnectionPool:
        private, patience = is_private_host(target, self._manners), self._manners.connect_timeout
        dialer = partial(dial, target.host, target.port, self.budget, private=private, patience=patience)
        if target.scheme == "http":
            return PlainPool(target.host, target.port, dialer=dialer)
        return TLSPool(target.host, target.port, dialer=dialer, ssl_context=timed(self._context(target), self.budget))

    def _context(self, target: Target) -> tls.HostContext:
        intermediates = self._manners.intermediates.get(target.host, "")
        try:
            return tls.host_context(intermediates, ca_bundle=self._manners.ca_bundle, now=self._now())
        except (OSError, IntermediateRefused) as error:
            raise FetchError(
                Verdict.UNREACHABLE,
                f"No secure connection to {target.host}: {error}. Nothing was sent. Check the file "
                f"{intermediates or 'of root certificates'} that config names.",
            ) from error

    def _record(self, error: FetchError, *, robots: bool) -> None:
        if error.verdict is Verdict.ABSENT and not robots:
            self.recovered()  # the host is well, the page is gone
        if not error.host_fault or (robots and error.verdict is Verdict.BLOCKED and error.status != 429):
            return
        self._fault(error, at_once=robots or error.status == 429)

    def _fault(self, error: FetchError, *, at_once: bool) -> None:
        now = self._now()
        asked = self._asked_pause(error, now)
        self.state, error.retry_at = hosts.after_fault(
            self.state, self._manners, now, self._rng, str(error), asked=asked, at_once=at_once
        )

    def _asked_pause(self, error: FetchError, now: datetime) -> timedelta | None:
        if error.page is None or not (error.status == 429 or (error.status or 0) >= 500):
            return None
        return retry_after(error.page.headers.get("retry-after"), now)

    def recovered(self) -> None:
        self.state = hosts.after_success(self.state)

    def note_robots(self, text: str, status: int) -> None:
        with self._lock:
            self.state = replace(self.state, robots=text, robots_status=status, robots_at=self._now())

    def robots_unreadable(self, error: FetchError) -> None:
        """Nothing may be asked of the host until its robots.txt can be read: pause it, if it is not yet paused."""
        with self._lock:
            if hosts.paused_until(self.state, self._manners, self._now()) is None:
                self._fault(error, at_once=True)


def is_private_host(target: Target, manners: Manners) -> bool:
    return bool({target.key, target.host} & manners.private_hosts)
