"""Addresses that are not written to: kept as keyed fingerprints, so that who was deleted does not stand here."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Protocol

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from monitor.store.database import chunks
from monitor.store.schema_subscribers import Suppression

#: What a reader said of us themselves: only `lift` takes it back, and nothing weaker replaces it.
FIRM = ("complained", "deleted")


class Fingerprints(Protocol):
    """What makes fingerprints: `workflow.links.Links`."""

    def fingerprint(self, address: str) -> str:
        """The same for the same address, and no way back."""
        ...


def suppress(
    session: Session, links: Fingerprints, address: str, shown: str, why: str, detail: str, now: datetime
) -> None:
    """From now on nobody writes to ``address``; the newest reason counts, a firm one above others. ``shown`` is the
    address masked, or empty.

    ``why`` is bounced, complained, left or deleted.
    """
    if why not in FIRM and is_firm(session, links, address):
        return
    row = Suppression(fingerprint=links.fingerprint(address), shown=shown, why=why, detail=detail[:500], at=now)
    session.merge(row)


def lift(session: Session, links: Fingerprints, address: str) -> bool:
    """Write to ``address`` again, as its reader or a maintainer asked. False if it was not suppressed."""
    gone = delete(Suppression).where(Suppression.fingerprint == links.fingerprint(address))
    return bool(session.execute(gone.returning(Suppression.fingerprint)).all())


def find(session: Session, links: Fingerprints, address: str) -> Suppression | None:
    return session.get(Suppression, links.fingerprint(address))


def is_firm(session: Session, links: Fingerprints, address: str) -> bool:
    """Whether it is not written to for a reason that only `lift` takes back."""
    kept = find(session, links, address)
    return kept is not None and kept.why in FIRM


def suppressed(session: Session, fingerprints: Collection[str]) -> set[str]:
    """Those of ``fingerprints`` that are not written to."""
    found = set[str]()
    for some in chunks(fingerprints):
        found |= set(session.scalars(select(Suppression.fingerprint).where(Suppression.fingerprint.in_(some))))
    return found
