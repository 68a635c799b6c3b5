"""Signed links: what a reader may do without a password, and which mail came back.

A token is a purpose, a row's number and their signature, forty small letters and digits in all: it survives a line
break, a phone's keyboard and a mail server that changes the case. Of itsdangerous' base64 four spellings are as good
as one, so that a changed token might be taken; here there is one spelling.
"""

from __future__ import annotations

import hmac
import re
import secrets
from enum import StrEnum
from hashlib import sha256

from sqlalchemy.orm import Session

from monitor.store import keys

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_NUMBER = 7
_SIGNATURE = 32
_TOKEN = re.compile(rf"[a-z][0-9a-z]{{{_NUMBER}}}[0-9a-f]{{{_SIGNATURE}}}")


class Purpose(StrEnum):
    """What a token is good for; none is good for another's."""

    MANAGE = "m"  # a subscription's own page, and leaving
    CONFIRM = "c"  # an address typed into the sign-up form
    BOUNCE = "b"  # the envelope's sender of a subscription's mail


class Links:
    """Makes tokens and reads them. ``key`` is the database's own."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def token(self, purpose: Purpose, number: int) -> str:
        """The token of a row. Raises ValueError for a number no row can have."""
        if not 0 <= number < 36**_NUMBER:
            raise ValueError(f"no row has the number {number}")
        return self._signed(f"{purpose}{_written(number)}")

    def read(self, purpose: Purpose, token: str) -> int | None:
        """The row's number; None for anything but a token of ours for this purpose. Takes as long for all of one
        length."""
        if not _TOKEN.fullmatch(token):
            return None
        head = token[: 1 + _NUMBER]
        good = hmac.compare_digest(self._signed(head), token)
        return int(head[1:], 36) if good and head[0] == purpose else None

    def fingerprint(self, address: str) -> str:
        """What stands for an address that is not to be kept: the same for the same address, and no way back.

        Capitals make no other: nobody who left is written to for having been typed differently.
        """
        return hmac.new(self._key, f"address:{address.lower()}".encode(), sha256).hexdigest()

    def _signed(self, head: str) -> str:
        return head + hmac.new(self._key, f"token:{head}".encode(), sha256).hexdigest()[:_SIGNATURE]


def without_tokens(text: str) -> str:
    """``text`` as it may stand in a log."""
    return _TOKEN.sub("[a signed link]", text)


def _written(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return digits.rjust(_NUMBER, "0")


def links(session: Session) -> Links:
    """With this database's key, made on first use: call it where something may be written."""
    return Links(keys.get(session, "links") or keys.put(session, "links", secrets.token_bytes(32)))
