"""dkimpy's signer with another RSA: its own is Python, takes twenty times as long, and nothing else runs meanwhile.

A module of its own, so that a machine whose relay signs need not wait for the import.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import dkim
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256

_PADDING, _DIGESTED = PKCS1v15(), Prehashed(SHA256())


class Signer(dkim.DKIM):  # type: ignore[misc]  # dkimpy has no types
    """Signs one mail with ``key``, whatever key ``sign`` is given."""

    def __init__(self, mail: bytes, key: RSAPrivateKey) -> None:
        super().__init__(mail, linesep=b"\r\n")
        self._key = _Key(key)

    def gen_header(self, fields: Any, names: Any, policy: Any, name: bytes, pk: Any, standardize: bool = False) -> Any:
        """``fields`` name the algorithm already, and only who is asked for the signature still depends on it: of an
        Ed25519 key that is the key itself."""
        self.signature_algorithm = b"ed25519-sha256"
        return super().gen_header(fields, names, policy, name, self._key, standardize)


@dataclass(frozen=True, slots=True)
class _Key:
    key: RSAPrivateKey

    def sign(self, digest: bytes) -> _Signed:
        return _Signed(self.key.sign(digest, _PADDING, _DIGESTED))


@dataclass(frozen=True, slots=True)
class _Signed:
    signature: bytes
