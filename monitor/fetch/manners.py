"""How we behave towards every host, and how long a pause is."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Manners:
    """Who we are, whom we may ask, how often and how much. Built from config.

    ``hosts`` are exact lower-case names; a port other than the scheme's own is part of the name
    ("127.0.0.1:8080"). ``private_hosts`` are those among them that may stand at a loopback or private
    address, because config's own base URL is one. ``ignore_robots`` holds hosts ("www.cga.ct.gov"), path
    prefixes ("/asp/cgabillstatus/") or both in one ("www.cga.ct.gov/asp/"), overridden by an operator.
    ``intermediates`` maps a host to a PEM file with the intermediate certificates it forgets to send.
    ``ca_bundle`` replaces certifi's roots when it is not empty. ``contact`` is the FTP password.
    Durations are seconds unless they are timedeltas; ``max_bytes`` counts decoded bytes.
    """

    user_agent: str
    hosts: frozenset[str]
    private_hosts: frozenset[str] = frozenset()
    contact: str = ""
    interval_seconds: float = 1.0
    deadline_seconds: float = 30.0
    connect_timeout: float = 10.0
    max_bytes: int = 5 * 2**20
    max_redirects: int = 5
    breaker_after: int = 3
    backoff_base: timedelta = timedelta(seconds=60)
    backoff_cap: timedelta = timedelta(hours=6)
    retry_after_cap: timedelta = timedelta(hours=6)
    robots_ttl: timedelta = timedelta(hours=24)
    ignore_robots: frozenset[str] = frozenset()
    intermediates: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    ca_bundle: str = ""

    @property
    def product(self) -> str:
        """The token by which robots.txt addresses us."""
        return self.user_agent.split("/", 1)[0]

    @property
    def longest_pause(self) -> timedelta:
        return max(self.backoff_cap, self.retry_after_cap)


def identity(product: str, version: str, organization: str, contact: str) -> str:
    """The User-Agent: one polite identity with an address to complain to."""
    comment = "; ".join(part for part in (organization, contact) if part)
    return re.sub(r"[^ -~]", "?", f"{product}/{version} ({re.sub(r'[()]', '', comment)})")


def backoff(manners: Manners, failures: int, rng: random.Random) -> timedelta:
    """A pause with full jitter above the base, doubling with every failure up to the cap."""
    base, cap = manners.backoff_base.total_seconds(), manners.backoff_cap.total_seconds()
    ceiling = min(cap, base * 2.0 ** min(failures, 32))
    return timedelta(seconds=rng.uniform(min(base, ceiling), ceiling))


def retry_after(value: str | None, now: datetime) -> timedelta | None:
    """The pause a Retry-After header asks for; None if it is absent, junk or in the past.

    Not yet capped: whoever obeys it caps it, and may want to say that it did.
    """
    text = (value or "").strip()
    if re.fullmatch(r"\d+", text, re.ASCII):
        seconds = int(text[:10]) if len(text) <= 10 else 10**10
        return timedelta(seconds=seconds) if seconds else None
    try:
        until = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    pause = (until if until.tzinfo else until.replace(tzinfo=UTC)) - now
    return pause if pause > timedelta(0) else None
