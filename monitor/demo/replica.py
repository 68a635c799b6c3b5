"""The replica as a server on loopback. By hand: ``python -m monitor.demo.replica --day 2025-03-01``."""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Self

from monitor.demo.facts import Facts, Row
from monitor.demo.faults import FAULTS, Fault
from monitor.demo.server import Server
from monitor.demo.site import Asked, Promises, Reply, Site
from monitor.model.legislature import BillKey

if TYPE_CHECKING:
    from monitor.demo.ftp import FtpCopy

Where = str | Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came. ``at`` is on the monotonic clock, in seconds; header names are lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    at: float
    status: int


@dataclass(slots=True)
class _Misbehaviour:
    matches: Callable[[str], bool]
    fault: Fault
    left: int | None


class Replica:
    """The CGA site on a day, over real HTTP on loopback::

        with Replica(Facts.bundled(), day=date(2025, 3, 1)) as replica:
            requests.get(replica.base_url + "/robots.txt")

    ``lag`` back-dates some rows (shown one or two days after their date, by ``seed``); ``feed_lag_days`` puts
    the bulk files that many days behind the pages. ``pad_to`` fills status pages up to that many bytes.
    ``odd_pages`` gives some bills pages whose history plain lxml does not find. With ``with_ftp`` the bulk
    files are also at ``ftp_url`` (needs pyftpdlib).
    """

    def __init__(
        self,
        facts: Facts,
        *,
        day: date,
        host: str = "127.0.0.1",
        port: int = 0,
        seed: int = 0,
        noise: bool = True,
        lag: bool = False,
        feed_lag_days: int = 0,
        pad_to: int = 0,
        odd_pages: bool = True,
        with_ftp: bool = False,
    ) -> None:
        if lag or feed_lag_days:
            facts = facts.lagged(seed, feed_lag_days, most=2 if lag else 0)
        self.site = Site(facts, day, seed=seed, noise=noise, pad_to=pad_to, odd_pages=odd_pages)
        self.requests: list[Request] = []
        self._misbehaviours: list[_Misbehaviour] = []
        self._lock = threading.Lock()
        self._count = 0
        self.stopping = threading.Event()
        self._server = Server((host, port), self)
        self.base_url = self.site.base_url = f"http://{host}:{self._server.server_address[1]}"
        self._ftp = self._start_ftp(host) if with_ftp else None
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def _start_ftp(self, host: str) -> FtpCopy:
        from monitor.demo.ftp import FtpCopy

        return FtpCopy(self.site, host)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.close_all()
        if self._ftp:
            self._ftp.close()

    # --- facts -----------------------------------------------------------------------------------------------------

    @property
    def facts(self) -> Facts:
        return self.site.facts

    @property
    def day(self) -> date:
        return self.site.day

    @property
    def ftp_url(self) -> str:
        """The folder of the bulk files; ``ValueError`` without ``with_ftp``."""
        if self._ftp is None:
            raise ValueError("this replica serves no FTP: make it with with_ftp=True")
        return self._ftp.url

    def set_day(self, day: date) -> None:
        """Serve what was to be seen on ``day``."""
        self.site.day = day
        self._refresh()

    def set_feed_session(self, session: str) -> None:
        """Which session the bulk files are of."""
        self.site.feed_session = session
        self._refresh()

    def set_robots(self, text: str) -> None:
        self.site.robots = text
        self._refresh()

    def set_promises(self, promises: Promises) -> None:
        """How the server speaks of versions, everywhere."""
        self.site.promises = promises

    def edit(self, bill: BillKey | str, change: Callable[[tuple[Row, ...]], Iterable[Row]]) -> None:
        """Change a bill's rows: remove, amend or add some (``Row.of``). A bare number is of the current session."""
        self.site.edit(self._key(bill), change)
        self._refresh()

    def _refresh(self) -> None:
        self.site.forget()
        if self._ftp:
            self._ftp.refresh()

    def visible_on(self, bill: BillKey | str, index: int, *, feed: bool = False) -> date:
        """The first day a channel shows the bill's row number ``index`` (oldest is 0)."""
        row = self.facts.bills[self._key(bill)].rows[index]
        return row.on_feed if feed else row.on_page

    def _key(self, bill: BillKey | str) -> BillKey:
        return bill if isinstance(bill, BillKey) else BillKey(self.facts.session, bill)

    # --- misbehaviour ----------------------------------------------------------------------------------------------

    def misbehave(self, where: Where, fault: str | Fault, times: int | None = None) -> None:
        """Answer with ``fault`` (a name in ``FAULTS`` or one made by a function there) where the path with its
        query begins with ``where`` in any case, or ``where(path)`` holds; ``times`` times, or until ``behave``.
        The fault added last wins. ``KeyError`` for an unknown name."""
        chosen = FAULTS[fault] if isinstance(fault, str) else fault
        with self._lock:
            self._misbehaviours.insert(0, _Misbehaviour(_matcher(where), chosen, times))

    def behave(self) -> None:
        """Forget every fault."""
        with self._lock:
            self._misbehaviours.clear()

    @property
    def request_count(self) -> int:
        return len(self.requests)

    def answer(self, method: str, path: str, headers: Mapping[str, str]) -> Reply:
        """Answer one request and write it down."""
        at = time.monotonic()
        with self._lock:
            self._count += 1
            asked = Asked(method, path, headers, self._count)
            fault = self._fault_for(path)
        reply = fault.apply(asked, self.site) if fault else self.site.reply(asked)
        self.requests.append(Request(method, path, headers, at, reply.status))
        return reply

    def _fault_for(self, path: str) -> Fault | None:
        for misbehaviour in self._misbehaviours:
            if misbehaviour.matches(path) and misbehaviour.left != 0:
                if misbehaviour.left is not None:
                    misbehaviour.left -= 1
                return misbehaviour.fault
        return None

    def control(self, path: str, body: str) -> str:
        """``POST /__replica__/day`` with a date; ``POST /__replica__/fault`` with {"where", "fault", "times"}."""
        if path == "/__replica__/day":
            self.set_day(date.fromisoformat(body.strip()))
        elif path == "/__replica__/fault":
            wanted = json.loads(body)
            self.misbehave(wanted.get("where", "/"), wanted["fault"], wanted.get("times"))
        elif path == "/__replica__/behave":
            self.behave()
        else:
            raise ValueError(f"no such control: {path}")
        return f"{self.day}\n"


def _matcher(where: Where) -> Callable[[str], bool]:
    if callable(where):
        return where
    prefix = where.lower()
    return lambda path: path.lower().startswith(prefix)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m monitor.demo.replica", description="A local replica of the CGA site."
    )
    parser.add_argument("--port", type=int, default=8899)
    parser.add_argument("--day", type=date.fromisoformat, default=date(2025, 3, 1), help="YYYY-MM-DD")
    parser.add_argument("--facts", type=Path, help="a whole session, Open States' bills as .jsonl.gz")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pad-to", type=int, default=0, metavar="BYTES")
    parser.add_argument("--quiet", action="store_true", help="no noise")
    parser.add_argument("--ftp", action="store_true", help="serve the bulk files by FTP too")
    options = parser.parse_args(argv)
    facts = Facts.from_open_states(options.facts) if options.facts else Facts.bundled()
    replica = Replica(
        facts,
        day=options.day,
        port=options.port,
        seed=options.seed,
        noise=not options.quiet,
        pad_to=options.pad_to,
        with_ftp=options.ftp,
    )
    with replica, suppress(KeyboardInterrupt):
        sys.stdout.write(f"{replica.base_url} shows {replica.day}\n")
        sys.stdout.write(f"another day: curl -d 2025-06-10 {replica.base_url}/__replica__/day\n")
        if options.ftp:
            sys.stdout.write(f"{replica.ftp_url}\n")
        sys.stdout.flush()
        replica.stopping.wait()


if __name__ == "__main__":
    main()
