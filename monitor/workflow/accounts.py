"""Maintainers: making and disabling them, their passwords, and signing in."""

from __future__ import annotations

import hashlib
import secrets
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy.orm import Session

from monitor.store import accounts
from monitor.store.schema_desk import Maintainer, SignIn
from monitor.workflow import attempts, audit
from monitor.workflow.attempts import Caller, Later
from monitor.workflow.context import Context
from monitor.workflow.review import Refusal

ROLES = ("maintainer", "viewer")
SHORTEST_PASSWORD = 12
LONGEST_NAME = 80

#: However busy a browser is, after so long it is asked again.
LASTS = timedelta(days=7)

#: How exactly it is known when something was last done in a browser.
NOTED_EVERY = timedelta(minutes=10)

#: OWASP's profile for argon2id. Each hash takes its 19 MiB while it runs.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)

#: Passwords that are looked at together: their memory and the pages' own must fit into the unit of the pages.
_PLACES = threading.BoundedSemaphore(2)
_PATIENCE = timedelta(seconds=2)
_WRONG = "The name or the password is wrong."


class Busy(Later):
    """So many sign in at this moment that this one was not looked at."""

    def __init__(self) -> None:
        super().__init__("Many people are signing in.", timedelta(seconds=5))


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A sign-in that has begun: by whom, and the token that the browser alone knows."""

    name: str
    token: str


@dataclass(frozen=True, slots=True)
class _Proven:
    """Whose password was right, and the hash to keep of it from now on."""

    row: Maintainer
    hash: str


def add(context: Context, name: str, password: str, role: str, by: str) -> Maintainer:
    """Make somebody who can sign in. Raises Refusal when the name is taken or name or password do not do."""
    name = _good_name(name)
    hashed = _hash(name, password)
    now = context.now()
    with context.database.transaction() as session:
        known = accounts.find(session, name)
        if known is not None:
            raise Refusal(
                f"there is a maintainer {known.name} already; for a new password: monitor maintainers reset. "
                "Nothing was changed."
            )
        row = Maintainer(name=name, role=role, password_hash=hashed, created_at=now, password_at=now)
        session.add(row)
        audit.append(session, by, "added maintainer", name, {"role": role}, now)
    return row


def disable(context: Context, name: str, by: str) -> Maintainer:
    """Nobody signs in by this name any more; every browser of theirs is signed out. Raises Refusal if unknown."""
    now = context.now()
    with context.database.transaction() as session:
        row = _known(session, name)
        row.disabled_at = row.disabled_at or now
        accounts.forget_sign_ins(session, row)
        audit.append(session, by, "disabled maintainer", row.name, {}, now)
    return row


def reset(context: Context, name: str, password: str, by: str) -> Maintainer:
    """A new password; who was disabled may sign in again. Every browser of theirs is signed out. Raises Refusal."""
    now = context.now()
    with context.database.reading() as session:
        known = _known(session, name).name
    hashed = _hash(known, password)
    with context.database.transaction() as session:
        row = _known(session, known)
        row.password_hash, row.password_at, row.disabled_at = hashed, now, None
        accounts.forget_sign_ins(session, row)
        audit.append(session, by, "reset password", row.name, {}, now)
    return row


def sign_in(context: Context, name: str, password: str, caller: Caller, *, former: str | None = None) -> SignedIn:
    """A new sign-in. ``former`` is the token that the browser had: that sign-in ends.

    Raises Refusal with the same words, after the same work, whether the name or the password is wrong; TooMany
    when this was tried too often; Busy when too many sign in at once.
    """
    tried = fold(name)
    attempts.begin(context, tried, caller)
    with context.database.reading() as session:
        row = accounts.find(session, tried)
    proven = _proven(row, password)
    now = context.now()
    with context.database.transaction() as session:
        current = session.get_one(Maintainer, proven.row.id)
        if current.disabled_at is not None or current.password_hash != proven.row.password_hash:
            raise Refusal(_WRONG)
        current.password_hash = proven.hash
        if former is not None:
            accounts.forget_sign_in(session, _id(former))
        attempts.forgive(session, tried, caller)
        return SignedIn(current.name, _begin(session, current, now))


def _begin(session: Session, row: Maintainer, now: datetime) -> str:
    token = secrets.token_urlsafe(32)
    session.add(SignIn(id=_id(token), maintainer_id=row.id, created_at=now, seen_at=now, expires_at=now + LASTS))
    audit.append(session, row.name, "signed in", "the desk", {}, now)
    return token


def sign_out(context: Context, token: str) -> None:
    """End the sign-in of this token, if there is one."""
    with context.database.transaction() as session:
        accounts.forget_sign_in(session, _id(token))


def signed_in(context: Context, token: str) -> Maintainer | None:
    """Who is signed in with this token."""
    with context.database.reading() as session:
        found = accounts.open_sign_in(session, _id(token), context.now())
        return found.maintainer if found is not None else None


def seen(context: Context, token: str) -> None:
    """Something was done in this browser: it stays signed in. Written down now and then, not each time."""
    now = context.now()
    with context.database.reading() as session:
        found = accounts.open_sign_in(session, _id(token), now)
    if found is None or now - found.seen_at < NOTED_EVERY:
        return
    with context.database.transaction() as session:
        found = accounts.open_sign_in(session, _id(token), now)
        if found is not None:
            found.seen_at = now


def _id(token: str) -> str:
    """What is kept of a token: whoever reads the database cannot sign in with it."""
    return hashlib.sha256(token.encode()).hexdigest()


@contextmanager
def _place() -> Iterator[None]:
    """One of the places for a password that is looked at. Raises Busy when none is free for long."""
    if not _PLACES.acquire(timeout=_PATIENCE.total_seconds()):
        raise Busy
    try:
        yield
    finally:
        _PLACES.release()


def _proven(row: Maintainer | None, password: str) -> _Proven:
    """Raises Refusal if it is not theirs."""
    with _place():
        if row is None:
            _HASHER.hash(_normal(password))  # as much work as for a known name: time tells nothing
        if row is None or not _fits(row, password):
            raise Refusal(_WRONG)
        is_old = _HASHER.check_needs_rehash(row.password_hash)
        return _Proven(row, _HASHER.hash(_normal(password)) if is_old else row.password_hash)


def _fits(row: Maintainer, password: str) -> bool:
    try:
        _HASHER.verify(row.password_hash, _normal(password))
    except (VerificationError, InvalidHashError):
        return False
    return row.disabled_at is None


def fold(name: str) -> str:
    """A name as it is compared and counted: without regard to capitals and blanks."""
    return _squeezed(name).casefold()[:LONGEST_NAME]


def _known(session: Session, name: str) -> Maintainer:
    row = accounts.find(session, _squeezed(name))
    if row is None:
        raise Refusal(f"there is no maintainer {name}; `monitor maintainers list` shows all. Nothing was changed.")
    return row


def _good_name(text: str) -> str:
    name = _squeezed(text)
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise Refusal(f"a name has 1 to {LONGEST_NAME} characters that can be seen. Nothing was changed.")
    return name


def _hash(name: str, password: str) -> str:
    """Raises Refusal for a password that is guessed first."""
    if len(password) < SHORTEST_PASSWORD:
        raise Refusal(f"a password has at least {SHORTEST_PASSWORD} characters. Nothing was changed.")
    if password.strip().casefold() == name.casefold():
        raise Refusal("the password is the name. Nothing was changed.")
    with _place():
        return _HASHER.hash(_normal(password))


def _squeezed(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


def _normal(password: str) -> str:
    """Two keyboards may write one letter in two ways."""
    return unicodedata.normalize("NFC", password)
