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

import ssl
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import certifi

#: The intermediate that www.cga.ct.gov leaves out (July 2026, and before that in 2021 and 2023).
CGA_INTERMEDIATE = str(files("monitor.fetch") / "certificates" / "godaddy-g2.pem")


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
        # Imported for the host that needs it: cryptography takes 8 MB.
        from monitor.fetch.intermediates import as_pem, verified_intermediates

        extra = verified_intermediates(Path(intermediates).read_bytes(), Path(roots).read_bytes(), now)
        context.load_verify_locations(cadata=as_pem(extra))
    return context
