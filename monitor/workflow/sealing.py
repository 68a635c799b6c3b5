"""Secret addresses at rest: a webhook stands in the database sealed, and the key to it stands elsewhere.

Whoever has a copy of the database can neither read a webhook nor post with it.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import select
from sqlalchemy.orm import Session

from monitor.config.secrets import secret
from monitor.model.messaging import ChannelKind, Item
from monitor.notify.channels import is_masked, mask_address
from monitor.store import hosts
from monitor.store.outbox import recipient_of
from monitor.store.schema import Subscription
from monitor.workflow.context import Context
from monitor.workflow.notices import tell_operators
from monitor.workflow.review import Refusal

KEY = "WEBHOOK_KEY"
MISSING = f"MONITOR_{KEY} is not set"
#: `openssl rand -base64 32` makes 44; what is shorter was thought up by somebody.
_SHORTEST = 32
_MAKE = (
    "Make one with `openssl rand -base64 32` and give it to the service and the pages as the credential "
    f"{KEY.lower()} or the variable MONITOR_{KEY}"
)
#: How the trouble is called among the channels' troubles.
_TROUBLE = "sealed webhooks"


class NoKey(Refusal):
    """A secret address cannot be kept here; says how to make a key. Nothing was changed."""


class Sealer:
    """Seals with the first key and opens with any: to change the key, put a new one in front."""

    def __init__(self, keys: Sequence[str]) -> None:
        fernets = [Fernet(_derived(key)) for key in keys]
        self._first = fernets[0]
        self._any = MultiFernet(fernets)

    def seal(self, address: str) -> bytes:
        return self._first.encrypt(address.encode())

    def open(self, row: Subscription) -> str | None:
        """The row's address; None if it was sealed with another key, or for another row."""
        if row.sealed is None:
            return row.address
        try:
            address = self._any.decrypt(row.sealed).decode()
        except InvalidToken:
            return None
        return address if mask_address(ChannelKind(row.channel), address) == row.address else None

    def is_current(self, sealed: bytes) -> bool:
        """Whether the first key sealed it."""
        try:
            self._first.decrypt(sealed)
        except InvalidToken:
            return False
        return True


def _derived(key: str) -> bytes:
    raw = HKDF(SHA256(), 32, salt=None, info=b"legislative-monitor webhooks").derive(key.encode())
    return base64.urlsafe_b64encode(raw)


def sealer(environ: Mapping[str, str]) -> Sealer | None:
    """With the keys that were given, by blanks or line ends; None without one. Raises NoKey for one too short."""
    given = secret(KEY, environ)
    keys = given.reveal().split() if given is not None else []
    if any(len(key) < _SHORTEST for key in keys):
        raise NoKey(f"a key in MONITOR_{KEY} is shorter than {_SHORTEST} characters. {_MAKE}. Nothing was changed.")
    return Sealer(keys) if keys else None


def needed(environ: Mapping[str, str]) -> Sealer:
    """The same where a secret address is to be kept. Raises NoKey without a key."""
    found = sealer(environ)
    if found is None:
        raise NoKey(f"a webhook is kept encrypted, and {MISSING}. {_MAKE}. Nothing was changed.")
    return found


def stored(kind: ChannelKind, address: str) -> str:
    """What stands in the table for an address: of a secret one only how it may be shown."""
    return address if kind is ChannelKind.EMAIL or is_masked(address) else mask_address(kind, address)


def renew(session: Session, current: Sealer) -> int:
    """Seal what stands there unsealed or under an older key. Returns how many rows that were."""
    rows = [row for row in _secret_rows(session) if not _is_renewed(row, current)]
    bind = session.connection()
    if rows and bind.dialect.name == "sqlite":
        # What is overwritten would otherwise stay readable in the file until its page is used again.
        bind.exec_driver_sql("PRAGMA secure_delete=ON")
    for row in rows:
        address = current.open(row)
        if address is not None:
            row.address, row.sealed = stored(ChannelKind(row.channel), address), current.seal(address)
    session.flush()
    return len(rows)


def _is_renewed(row: Subscription, current: Sealer) -> bool:
    return row.sealed is not None and (current.is_current(row.sealed) or current.open(row) is None)


def _secret_rows(session: Session) -> list[Subscription]:
    return list(session.scalars(select(Subscription).where(Subscription.channel != ChannelKind.EMAIL)))


def settle(context: Context) -> int:
    """At the service's start: what stands unsealed, or under an older key, is sealed with the newest."""
    current, _ = _of(context)
    if current is None:
        return 0
    with context.database.transaction() as session:
        return renew(session, current)


class Opened:
    """The secret addresses of everybody who is told, opened for one pass.

    In a trial nothing is opened: its files need no address.
    """

    def __init__(self, context: Context, session: Session) -> None:
        self._trial = context.config.outbox is not None
        self._sealer, self.why = _of(context)
        rows = [row for row in _secret_rows(session) if row.live]
        sealed = [row for row in rows if row.sealed is not None]
        self.count, self.unsealed = len(sealed), len(rows) - len(sealed)
        self.closed = [recipient_of(row.id) for row in sealed if self.address(row) is None]

    def address(self, row: Subscription) -> str | None:
        """Where to send; None if that cannot be read here and now."""
        if row.sealed is None or self._trial:
            return row.address
        return self._sealer.open(row) if self._sealer is not None else None


def _of(context: Context) -> tuple[Sealer | None, str]:
    """The sealer, and why what cannot be opened cannot."""
    try:
        found = sealer(context.environ)
    except NoKey:
        return None, f"what MONITOR_{KEY} holds is too short for a key"
    return found, f"MONITOR_{KEY} is not the key they were sealed with" if found is not None else MISSING


def watch(context: Context) -> None:
    """The service's look at the webhooks: when some cannot be opened the operators are told, once, and when they can
    again."""
    now = context.now()
    with context.database.reading() as session:
        opened = Opened(context, session)
        known = hosts.channels(session).get(_TROUBLE)
    if bool(opened.closed) == (known is not None):
        return
    with context.database.transaction() as session:
        if opened.closed:
            row = hosts.channel_down(session, _TROUBLE, opened.why, now)
            row.outage_told_at = now
            tell_operators(session, context.config, _closed(len(opened.closed), opened.why), now)
        else:
            session.delete(hosts.channels(session)[_TROUBLE])
            sentence = "Nothing needs doing: what waited for them is being sent."
            tell_operators(session, context.config, Item("The webhooks can be opened again", sentence), now)


def _closed(count: int, why: str) -> Item:
    heading = f"{count} webhook{' cannot' if count == 1 else 's cannot'} be opened"
    narrative = (
        f"Give the service the key again that it had (MONITOR_{KEY} or the credential {KEY.lower()}). "
        "Is it lost, remove these subscribers and add their webhooks anew: monitor subscribers list"
    )
    return Item(heading, f"What is for them is kept: {why}.", narrative=narrative)
