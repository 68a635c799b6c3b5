"""Reading one answer, and what a failure means."""

from __future__ import annotations

import http.client
import ssl
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import requests
from urllib3.exceptions import HTTPError

from monitor.fetch.body import Wire, decoder, read_body, too_large
from monitor.fetch.errors import FetchError, FetchStopped
from monitor.fetch.guard import Target
from monitor.fetch.wire import Budget
from monitor.model.tracking import Page, Verdict

REDIRECTS = frozenset({301, 302, 303, 307, 308})
#: How much of an error page is kept as evidence.
_EVIDENCE = 65536

#: Everything a connection can raise that is a fact about the other side (requests' own errors are OSErrors).
#: zlib.error: a damaged body.
WIRE_ERRORS = (OSError, http.client.HTTPException, HTTPError, zlib.error)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: header names in lower case, the body decoded (empty for redirects and 304)."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def page(self, asked: str, target: Target, now: datetime) -> Page:
        return Page(asked, target.url, self.status, self.headers, self.body, now)


def receive(response: requests.Response, limit: int, *, truncate: bool) -> Answer:
    """Read an answer. The connection stays open only if the answer was read to its end."""
    whole, status, raw = False, response.status_code, response.raw
    try:
        headers = _headers(response)
        if status in REDIRECTS or status == 304:
            body, whole = b"", raw.length_remaining == 0 and not raw.read()  # a longer one may be a bomb: never read
        elif status >= 400:
            body, whole = _evidence(raw, headers)
        else:
            if not truncate and (raw.length_remaining or 0) > limit:
                raise too_large(limit)
            body = read_body(raw, decoder(headers.get("content-encoding")), limit, truncate=truncate)
            whole = not (truncate and len(body) == limit)
        return Answer(status, headers, body)
    finally:
        if not whole:
            response.close()


def _headers(response: requests.Response) -> dict[str, str]:
    """Repeated headers joined, cookies left out: we keep none."""
    return {name: value for name, value in response.headers.lower_items() if name != "set-cookie"}


def _evidence(response: Wire, headers: Mapping[str, str]) -> tuple[bytes, bool]:
    """What an error page says, as far as it can be had: its status matters more than its body."""
    try:
        body = read_body(response, decoder(headers.get("content-encoding")), _EVIDENCE, truncate=True)
    except FetchStopped:
        raise
    except (FetchError, *WIRE_ERRORS):
        return b"", False
    return body, len(body) < _EVIDENCE


#: status: (verdict, the host's fault, what it means, what to do)
_REFUSALS: Mapping[int, tuple[Verdict, bool, str, str]] = {
    401: (Verdict.BLOCKED, True, "asks for a login", "Look whether the page is still public."),
    403: (Verdict.BLOCKED, True, "refuses us", "Open the page in a browser; if people may read it, write to the site."),
    404: (Verdict.ABSENT, False, "has no such page", "Look for its new address if this lasts."),
    408: (Verdict.UNREACHABLE, True, "gave up waiting for us", "It is tried again later."),
    410: (Verdict.ABSENT, False, "says the page is gone for good", "Take the source out of config."),
    429: (Verdict.BLOCKED, True, "says that we ask too often", "It is left in peace for a while."),
    451: (Verdict.BLOCKED, False, "withholds the page for legal reasons", "Take the source out of config."),
}
_OUT_OF_ORDER = (Verdict.UNREACHABLE, True, "is out of order", "It is tried again later.")
_UNEXPECTED = (Verdict.SOFT_ERROR, False, "gave an answer we have no use for", "Open the page in a browser.")


def refusal(answer: Answer, target: Target, page: Page) -> FetchError | None:
    """Why an answer is no page; None if it is one (or a redirect, or a 304)."""
    if answer.status == 200:
        return None if answer.body.strip() else _empty(target, page)
    if answer.status in REDIRECTS or answer.status == 304:
        return None
    default = _OUT_OF_ORDER if 500 <= answer.status <= 599 else _UNEXPECTED
    verdict, host_fault, what, advice = _REFUSALS.get(answer.status, default)
    message = f"{target.key} {what} (HTTP {answer.status} for {target.url}). {advice}"
    return FetchError(verdict, message, status=answer.status, host_fault=host_fault, page=page)


def _empty(target: Target, page: Page) -> FetchError:
    message = f"{target.url} answered 200 with nothing in it. It is tried again later."
    return FetchError(Verdict.SOFT_ERROR, message, status=200, page=page)


def cause(error: BaseException) -> BaseException:
    """The fault itself, out of what urllib3 and requests wrap around it."""
    while isinstance(error, (requests.RequestException, HTTPError)) and error.__context__ is not None:
        error = error.__context__
    return error


def explain(error: Exception, target: Target, budget: Budget) -> FetchError:
    """A failure of the connection in plain words."""
    fault = cause(error)
    if isinstance(fault, ssl.SSLError):
        what, advice = _tls_cause(fault)
    else:
        what, advice = _cause(fault, budget), "It is tried again later."
    return FetchError(Verdict.UNREACHABLE, f"{target.url}: {what}. {advice}", host_fault=True)


def _tls_cause(error: ssl.SSLError) -> tuple[str, str]:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted: {error.verify_message}", _certificate_advice(error)
    return f"no secure connection: {error.reason or error}", "Encryption is never lowered; tell the site."


def _cause(error: BaseException, budget: Budget) -> str:
    if isinstance(error, TimeoutError):
        return "no complete answer before the deadline" if budget.remaining <= 0 else "no connection in time"
    if isinstance(error, zlib.error):
        return f"its compressed body is damaged ({error})"
    if isinstance(error, http.client.IncompleteRead):
        return "the answer was cut off before its announced length"
    if isinstance(error, http.client.HTTPException) and not isinstance(error, ConnectionError):
        return f"the answer is not HTTP as we know it ({type(error).__name__})"
    return f"the connection failed ({error})"


def _certificate_advice(error: ssl.SSLCertVerificationError) -> str:
    if error.verify_code in (20, 21):  # no issuer to be found: the chain is incomplete
        return (
            "If a browser accepts it, the server forgets to send its intermediate certificate: save that "
            "certificate as PEM and name the file in config for this host. Verification stays on."
        )
    return "Verification stays on: tell the site, and check this machine's clock."
