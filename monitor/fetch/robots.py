"""robots.txt as RFC 9309 has it, read by protego (the standard library's reader ignores wildcards)."""

from __future__ import annotations

from datetime import datetime

from protego import Protego

from monitor.fetch.errors import FetchError
from monitor.fetch.guard import Target
from monitor.fetch.hosts import HostState
from monitor.fetch.manners import Manners
from monitor.model.tracking import Verdict

#: RFC 9309 2.5: at least 500 KiB must be read; we read no more.
LIMIT = 500 * 1024
#: A Crawl-delay is honoured up to this many seconds.
LONGEST_DELAY = 30.0


class Rules:
    """One robots.txt, read for our product."""

    def __init__(self, text: str, product: str) -> None:
        self.text = text
        self._product = product
        self._parsed = Protego.parse(text)
        delay = self._parsed.crawl_delay(product)
        self.crawl_delay = min(delay, LONGEST_DELAY) if delay and delay > 0 else 0.0

    def allows(self, target: Target) -> bool:
        return not self.text or bool(self._parsed.can_fetch(target.url, self._product))


def is_fresh(state: HostState, manners: Manners, now: datetime) -> bool:
    """Whether the copy at hand is still good; one from the future was stored under a wrong clock."""
    at = state.robots_at
    return at is not None and at <= now < at + manners.robots_ttl


def means_none(error: FetchError) -> bool:
    """RFC 9309 2.3.1.3: a 4xx means that there are no rules, a login page and a 403 included.

    So does a redirect to the site's root or error page. 429 is read as "not now", as the server asked,
    and so is everything else that failed.
    """
    if error.verdict is Verdict.SOFT_ERROR:
        return True
    return error.status is not None and 400 <= error.status <= 499 and error.status not in (408, 429)


def override(target: Target, ignored: frozenset[str]) -> str | None:
    """The operator's entry that lifts robots.txt for this address, if there is one."""
    for entry in ignored:
        host, slash, prefix = entry.partition("/")
        if host in ("", target.key) and target.bare_path.lower().startswith(f"{slash}{prefix}".lower()):
            return entry
    return None


def forbidden(target: Target) -> FetchError:
    return FetchError(
        Verdict.BLOCKED,
        f"robots.txt of {target.key} asks robots not to read {target.bare_path}, so it was not read. Other sources "
        f"of the same bill go on. If the site's owner agrees, an operator may override it in config, which is logged.",
    )
