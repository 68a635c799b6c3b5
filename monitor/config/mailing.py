"""The keys of config.yaml about mail's papers: its signature, and the mailbox that what comes back is read from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import BeforeValidator, Field, model_validator

from monitor.config.board import Strict
from monitor.config.secrets import Secret, secret
from monitor.config.values import HomePath, Line, wrong

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

_LABEL = "[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?"
_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_SMALLEST_KEY = 1024


def is_aligned(one: str, other: str) -> bool:
    """Whether DMARC takes the two domains for one owner's: the same, or one below the other."""
    one, other = one.lower(), other.lower()
    return one == other or one.endswith(f".{other}") or other.endswith(f".{one}")


def _dns_name(value: object) -> str:
    text = str(value).strip().lower().removesuffix(".")
    if not _NAME.fullmatch(text) or len(text) > 200:
        raise wrong(f"{str(value)[:80]!r} is not a name in DNS", "letters, digits, hyphens and full stops")
    return text


def _domain(value: object) -> str:
    name = _dns_name(value)
    if "." not in name:
        raise wrong(f"{name!r} is not a domain", "write it like example.org")
    return name


class Dkim(Strict):
    """A signature on every mail. Its key is the secret DKIM_KEY, an RSA key as PEM: `MONITOR_DKIM_KEY` or the systemd
    credential `dkim_key`."""

    selector: Annotated[str, BeforeValidator(_dns_name)] = Field(
        description="The name of the key in DNS: its public half stands at `SELECTOR._domainkey.DOMAIN`."
    )
    domain: Annotated[str, BeforeValidator(_domain)] | None = Field(
        default=None, description="Whose signature it is. Default: the domain of `mail.from`."
    )

    def key(self, environ: Mapping[str, str]) -> Secret | None:
        return secret("DKIM_KEY", environ)


class Imap(Strict):
    """A mailbox on another machine, over TLS. Its password is the secret IMAP_PASSWORD: `MONITOR_IMAP_PASSWORD` or the
    systemd credential `imap_password`."""

    host: Line = Field(description="The server's name.")
    port: int = Field(default=993, ge=1, le=65535, description="TLS from the first byte.")
    username: Line = Field(description="The login.")
    folder: Line = Field(default="INBOX", description="The folder; what is read in it is marked as seen.")

    def password(self, environ: Mapping[str, str]) -> Secret | None:
        return secret("IMAP_PASSWORD", environ)


class Inbox(Strict):
    """The mailbox that mail comes back to: one of the three."""

    maildir: HomePath | None = Field(default=None, description="A folder of this machine with `new` and `cur` in it.")
    mbox: HomePath | None = Field(default=None, description="A file of this machine, as in `/var/mail`.")
    imap: Imap | None = Field(default=None, description="A mailbox on another machine.")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(one is not None for one in (self.maildir, self.mbox, self.imap)) != 1:
            raise wrong("inbox is one of maildir, mbox and imap", "keep one")
        return self


class KeyUnreadable(ValueError):
    """What DKIM_KEY holds is no key to sign with; says why, without quoting it."""


@lru_cache(maxsize=4)
def signing_key(pem: Secret) -> RSAPrivateKey:
    """The key to sign mail with. Raises KeyUnreadable."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(pem.reveal().encode(), password=None)
    except TypeError:
        raise KeyUnreadable("it is locked with a password") from None
    except (ValueError, UnsupportedAlgorithm):
        raise KeyUnreadable("it is not a private key in PEM form, whole from BEGIN to END") from None
    if not isinstance(key, RSAPrivateKey) or key.key_size < _SMALLEST_KEY:
        raise KeyUnreadable(f"it is not an RSA key of {_SMALLEST_KEY} bits or more")
    return key
