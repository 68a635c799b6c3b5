"""Trust: certifi's roots, and for named hosts the intermediate they forget to send.

www.cga.ct.gov sends its certificate without the intermediate (Go Daddy Secure Certificate Authority - G2).
Browsers fill the gap, Python does not, and turning verification off is never the answer. The missing
certificate is public; it is bundled (``certificates/godaddy-g2.pem``, valid to 2031-05-03) and config may
name another file. Because a file can be swapped, every certificate in it must first be shown to be signed
by one of the root store's own certificates, be in date and be allowed to sign; only then may it help to
build a chain. It never becomes an anchor: partial chains are switched off, so OpenSSL still goes up to a
root, and the server's own certificate is checked for its name and dates as always.

The address of the missing certificate also stands in the server's own (AIA), and browsers fetch it from
there. We do not: it is another host, over plain http, at an address an attacker could choose.
"""

from __future__ import annotations

import re
import ssl
import warnings
from collections.abc import Iterable
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import certifi
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

#: The intermediate that www.cga.ct.gov leaves out (July 2026, and before that in 2021 and 2023).
CGA_INTERMEDIATE = str(files("monitor.fetch") / "certificates" / "godaddy-g2.pem")

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_WEAK = (hashes.MD5, hashes.SHA1)


class IntermediateRefused(ValueError):
    """A configured intermediate certificate cannot be trusted; the message says which and why."""


class HostContext(ssl.SSLContext):
    """One host's TLS settings; ``budget`` is the deadline its sockets keep."""

    budget: Any = None


def host_context(intermediates: str, *, ca_bundle: str, now: datetime) -> HostContext:
    """TLS settings that verify chain, name and dates, with the missing intermediates if a file is given.

    Raises IntermediateRefused, or OSError if a file cannot be read.
    """
    roots = ca_bundle or certifi.where()
    context = HostContext(ssl.PROTOCOL_TLS_CLIENT)  # verifies and checks the host's name by itself
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_flags &= ~ssl.VERIFY_X509_PARTIAL_CHAIN  # Python 3.13 switches it on: it would make anchors
    context.load_verify_locations(cafile=roots)
    if intermediates:
        extra = verified_intermediates(Path(intermediates).read_bytes(), Path(roots).read_bytes(), now)
        context.load_verify_locations(cadata="".join(c.public_bytes(Encoding.PEM).decode() for c in extra))
    return context


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
