"""One TLS handshake with a host, to say how far its certificate can be trusted. Nothing is asked of it."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from monitor.fetch.errors import FetchError
from monitor.fetch.guard import Target
from monitor.fetch.line import is_private_host
from monitor.fetch.manners import Manners
from monitor.fetch.tls import HostContext, host_context
from monitor.fetch.wire import Budget, Stop, dial, timed

#: OpenSSL: "unable to get local issuer certificate", "unable to verify the first certificate".
_NO_ISSUER = (20, 21)


class Trust(StrEnum):
    WHOLE = "whole"  # the host sends all that is needed
    MENDED = "mended"  # only with the intermediates that we add
    UNFINISHED = "unfinished"  # an intermediate is missing, and ours do not fill the gap
    REFUSED = "refused"  # wrong name, out of date, signed by nobody known
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class Handshake:
    """``why`` is OpenSSL's or the network's word where there is no trust."""

    trust: Trust
    why: str = ""


def shake_hands(target: Target, manners: Manners, now: datetime) -> Handshake:
    """Try without our intermediates, then with them. Raises IntermediateRefused or OSError for a file of no use."""
    file = manners.intermediates.get(target.host, "")
    alone = _try(target, manners, host_context("", ca_bundle=manners.ca_bundle, now=now), Trust.WHOLE)
    if alone.trust is not Trust.UNFINISHED or not file:
        return alone
    return _try(target, manners, host_context(file, ca_bundle=manners.ca_bundle, now=now), Trust.MENDED)


def _try(target: Target, manners: Manners, context: HostContext, success: Trust) -> Handshake:
    budget = Budget(Stop())
    budget.start(manners.connect_timeout)
    private = is_private_host(target, manners)
    try:
        plain = dial(target.host, target.port, budget, private=private, patience=manners.connect_timeout)
        with plain, timed(context, budget).wrap_socket(plain, server_hostname=target.host):
            return Handshake(success)
    except ssl.SSLCertVerificationError as error:
        trust = Trust.UNFINISHED if error.verify_code in _NO_ISSUER else Trust.REFUSED
        return Handshake(trust, error.verify_message)
    except (OSError, FetchError) as error:
        return Handshake(Trust.UNREACHABLE, str(error))
