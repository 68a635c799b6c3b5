"""A domain's signature on a mail (DKIM, RFC 6376), for when no mail server on the way puts one on."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

#: What nobody on the way may change or add: once more than it stands there, so that a second one breaks the signature.
#: RFC 8058 wants the ways to leave among them.
_SIGNED = ("from", "to", "subject", "date", "message-id", "reply-to")
_SIGNED_IF_THERE = (
    *("in-reply-to", "references", "mime-version", "content-type", "content-transfer-encoding"),
    *("list-id", "list-unsubscribe", "list-unsubscribe-post", "auto-submitted"),
)


@dataclass(frozen=True)
class Signature:
    """Signs as ``domain``; the public half of ``key`` stands in DNS under ``selector``."""

    selector: str
    domain: str
    key: RSAPrivateKey = field(repr=False)

    def on(self, mail: bytes) -> bytes:
        """The same mail with its signature in front."""
        from monitor.notify.signer import Signer

        signer = Signer(mail, self.key)
        there = [name.lower() for name, _ in signer.headers]
        names = [name for name in (*_SIGNED, *_SIGNED_IF_THERE) if name.encode() in there]
        line: bytes = signer.sign(
            self.selector.encode(),
            self.domain.encode(),
            self._pem,
            canonicalize=(b"relaxed", b"simple"),
            include_headers=[name.encode() for name in (*names, *_SIGNED)],
        )
        return line + mail

    @cached_property
    def _pem(self) -> bytes:
        """As the library wants it: PKCS #1, as traditional OpenSSL."""
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

        return self.key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())

    @cached_property
    def public(self) -> str:
        """The public half, as DNS has it."""
        from base64 import b64encode

        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        der = self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return b64encode(der).decode("ascii")
