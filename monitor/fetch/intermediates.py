"""The certificates that a host forgets to send, each shown to be signed by a root we trust (see tls.py for why)."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from monitor.fetch.errors import IntermediateRefused

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_WEAK = (hashes.MD5, hashes.SHA1)


def verified_intermediates(pem: bytes, roots: bytes, now: datetime) -> list[x509.Certificate]:
    """The certificates of a PEM file, each shown to lead to one of the roots.

    Raises IntermediateRefused for the first that does not, is out of date or may not sign others.
    """
    waiting = list(_certificates(pem))
    if not waiting:
        raise IntermediateRefused("the file of intermediate certificates holds none in PEM form")
    issuers = list(_certificates(roots, {certificate.issuer for certificate in waiting}))
    trusted: list[x509.Certificate] = []
    for certificate in waiting:
        _check_ability(certificate, now)
    while waiting:
        proven = [c for c in waiting if any(_issued(c, issuer, now) for issuer in issuers)]
        if not proven:
            raise IntermediateRefused(f"{_name(waiting[0])} is not signed by any root certificate we trust")
        issuers, trusted = issuers + proven, trusted + proven
        waiting = [c for c in waiting if c not in proven]
    return trusted


def as_pem(certificates: Iterable[x509.Certificate]) -> str:
    """The text that OpenSSL loads them from."""
    return "".join(one.public_bytes(Encoding.PEM).decode() for one in certificates)


def _certificates(pem: bytes, subjects: set[x509.Name] | None = None) -> Iterable[x509.Certificate]:
    for block in _PEM.findall(pem):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # some old roots have serial numbers that newer rules disallow
            try:
                certificate = x509.load_pem_x509_certificate(block)
            except ValueError as error:
                if subjects is None:
                    raise IntermediateRefused(f"a certificate cannot be read: {error}") from error
                continue
        if subjects is None or certificate.subject in subjects:
            yield certificate


def _check_ability(certificate: x509.Certificate, now: datetime) -> None:
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        valid = f"{certificate.not_valid_before_utc:%Y-%m-%d} to {certificate.not_valid_after_utc:%Y-%m-%d}"
        raise IntermediateRefused(f"{_name(certificate)} is out of date (valid {valid})")
    if isinstance(certificate.signature_hash_algorithm, _WEAK):
        raise IntermediateRefused(f"{_name(certificate)} is signed with a broken hash")
    try:
        authority = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        signs = certificate.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    except (x509.ExtensionNotFound, ValueError):
        authority = signs = False
    if not (authority and signs):
        raise IntermediateRefused(f"{_name(certificate)} is no certificate authority: it may not sign others")


def _issued(certificate: x509.Certificate, issuer: x509.Certificate, now: datetime) -> bool:
    if certificate == issuer or not issuer.not_valid_before_utc <= now <= issuer.not_valid_after_utc:
        return False
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _name(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string()
