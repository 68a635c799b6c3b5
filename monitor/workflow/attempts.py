"""How often a password may be guessed. Nobody can lock another out.

A browser that was in before is counted alone, and any other waits for the tries of its own address alone.
"""

from __future__ import annotations

import ipaddress
import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from monitor.store import attempts
from monitor.store.schema_desk import SignInFailure
from monitor.workflow.context import Context
from monitor.workflow.review import Refusal

#: What marks a counted browser, where else an address stands.
_DEVICE = "device:"


@dataclass(frozen=True, slots=True)
class Caller:
    """Where a sign-in comes from: its address, and its browser's number if that was signed in by this name before."""

    address: str
    device: str | None = None

    @property
    def origin(self) -> str:
        return f"{_DEVICE}{self.device}" if self.device else _network(self.address)


@dataclass(frozen=True, slots=True)
class Limit:
    """So many tries within so long."""

    most: int
    within: timedelta

    def wait(self, moments: list[datetime], now: datetime) -> timedelta | None:
        """How long until the oldest of ``moments`` that counts is forgotten; None while there are few."""
        if len(moments) < self.most:
            return None
        return moments[-self.most] + self.within - now


BY_DEVICE = Limit(10, timedelta(minutes=15))
#: Colleagues may share one address.
BY_ADDRESS = Limit(20, timedelta(minutes=15))
#: From everywhere, browsers that were in before left out. Past it each address is slowed down by its own tries alone: a
#: rate that all shared would be used up by whoever asks most often, and that is the attacker.
BY_NAME = Limit(50, timedelta(hours=1))

#: How long an address leaves it after its first wrong password for such a name; each further one doubles that.
FIRST_WAIT = timedelta(seconds=5)
LONGEST_WAIT = BY_ADDRESS.within

#: Nothing is counted for longer.
FORGOTTEN_AFTER = timedelta(days=1)


class Later(Refusal):
    """Not now; ``wait`` says how long to leave it."""

    def __init__(self, why: str, wait: timedelta) -> None:
        super().__init__(f"{why} Wait {_in_words(wait)}, then try again.")
        self.wait = wait


class TooMany(Later):
    """Too many wrong passwords."""

    def __init__(self, wait: timedelta) -> None:
        super().__init__("There were too many wrong passwords.", wait)


def begin(context: Context, name: str, caller: Caller) -> None:
    """Count a try before its password is looked at, so that a hundred at once are a hundred. Raises TooMany."""
    now = context.now()
    with context.database.transaction() as session:
        wait = _wait(session, name, caller, now)
        if wait is not None:
            raise TooMany(wait)
        session.add(SignInFailure(name=name, address=caller.origin, at=now))


def forgive(session: Session, name: str, caller: Caller) -> None:
    """The password was right: what was mistyped from here before it counts no more."""
    attempts.forget(session, name, caller.origin)


def _wait(session: Session, name: str, caller: Caller, now: datetime) -> timedelta | None:
    if caller.device:
        return BY_DEVICE.wait(attempts.of_origin(session, caller.origin, now - BY_DEVICE.within), now)
    of_address = attempts.of_origin(session, caller.origin, now - BY_ADDRESS.within)
    return BY_ADDRESS.wait(of_address, now) or _slowed(session, name, caller, now)


def _slowed(session: Session, name: str, caller: Caller, now: datetime) -> timedelta | None:
    """How long this address leaves a name that is guessed at from everywhere; None when it need not."""
    since = now - BY_NAME.within
    if len(attempts.of_name(session, name, since, _DEVICE)) < BY_NAME.most:
        return None
    mine = attempts.of_name_from(session, name, caller.origin, since)
    if not mine:
        return None
    wait = mine[-1] + min(FIRST_WAIT * 2 ** (len(mine) - 1), LONGEST_WAIT) - now
    return wait if wait > timedelta(0) else None


def _in_words(wait: timedelta) -> str:
    """Never less than it is, so that whoever waits so long is let in."""
    seconds = math.ceil(wait.total_seconds())
    if seconds > 90:
        return f"{math.ceil(seconds / 60)} minutes"
    return "1 second" if seconds == 1 else f"{seconds} seconds"


def _network(address: str) -> str:
    """Whoever has one IPv6 address has its whole network of 64 bits."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if known.version == 4:
        return str(known)
    return str(ipaddress.ip_network((known, 64), strict=False))
