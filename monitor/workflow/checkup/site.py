"""The CGA's site as it treats us: its certificate and its robots.txt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import certifi

from monitor.config import Config
from monitor.fetch import robots
from monitor.fetch.client import Fetcher
from monitor.fetch.errors import FetchError, IntermediateRefused
from monitor.fetch.guard import check_url
from monitor.fetch.intermediates import verified_intermediates
from monitor.fetch.manners import Manners
from monitor.fetch.probe import Trust, shake_hands
from monitor.model.legislature import BillKey
from monitor.model.tracking import NotModified, SourceKind
from monitor.workflow.bulk import HISTORY
from monitor.workflow.checkup.finding import Finding, Patient, Verdict, bad, good, warn
from monitor.workflow.fetching import manners
from monitor.workflow.sync import ACTS_PAGE, bill_page_url

#: Time enough to find another certificate.
_SOON = timedelta(days=60)

_HOW_TO_MEND = (
    "Open the site in a browser, export the certificate that issued the site's own as PEM, and name that file "
    "in sources.cga.intermediates; it is checked against the root store before it is used."
)

_TRUST: Mapping[Trust, tuple[Verdict, str, str]] = {
    Trust.WHOLE: ("good", "{host} sends a complete chain of certificates", ""),
    Trust.MENDED: ("good", "{host} does not send its intermediate certificate; {file} fills the gap", ""),
    Trust.UNFINISHED: (
        "bad",
        "{host} does not send the certificate that issued its own, and {file} is not the one ({why})",
        _HOW_TO_MEND,
    ),
    Trust.REFUSED: (
        "bad",
        "the certificate of {host} is not good: {why}",
        "Open the site in a browser on another network: if that complains too, wait; if not, somebody stands between.",
    ),
    Trust.UNREACHABLE: ("bad", "{host} cannot be reached: {why}", "Check this machine's network and name service."),
}


def certificate(patient: Patient) -> Iterator[Finding]:
    """Whether the site's certificate can be trusted, and whether it needs our help for that."""
    behaviour = manners(patient.config)
    target = check_url(patient.config.sources.cga.base_url, behaviour)
    if target.scheme != "https":
        yield good("tls", f"{target.key} is a replica of ours, over plain http")
        return
    file = Path(behaviour.intermediates.get(target.host, ""))
    try:
        found = shake_hands(target, behaviour, patient.now)
    except (IntermediateRefused, OSError) as error:
        yield bad("tls", f"{file} cannot be used: {error}", _HOW_TO_MEND)
        return
    verdict, said, advice = _TRUST[found.trust]
    yield Finding("tls", verdict, said.format(host=target.key, file=file.name, why=found.why), advice)
    if found.trust is Trust.MENDED and (ends := _end_of(file, behaviour, patient.now)) - patient.now < _SOON:
        yield warn("tls", f"{file.name} is good until {ends:%Y-%m-%d} only", _HOW_TO_MEND)


def _end_of(file: Path, behaviour: Manners, now: datetime) -> datetime:
    roots = Path(behaviour.ca_bundle or certifi.where()).read_bytes()
    return min(one.not_valid_after_utc for one in verified_intermediates(file.read_bytes(), roots, now))


#: What we do without when robots.txt forbids a channel.
_WITHOUT: Mapping[SourceKind, str] = {
    SourceKind.BILL_FEED: "the bulk files are read over FTP only",
    SourceKind.BILL_PAGE: "bills are followed by the bulk files and the list of acts; their documents are not seen",
    SourceKind.ACTS_PAGE: "act numbers are known from the bulk files only",
    SourceKind.DOCUMENT_LIST: "new documents there are not seen, and their issues are not verified",
}


def robots_txt(patient: Patient) -> Iterator[Finding]:
    """Which of our pages the site asks robots not to read, and what that means."""
    behaviour = manners(patient.config)
    base = patient.config.sources.cga.base_url
    try:
        text = _read(patient, behaviour, f"{base}/robots.txt")
    except FetchError as error:
        yield warn("robots.txt", f"it cannot be read, so nothing is read for now: {error}", "Wait; it is asked again.")
        return
    rules = robots.Rules(text, behaviour.product)
    forbidden = []
    for kind, url in _addresses(patient.config):
        target = check_url(url, behaviour)
        if not rules.allows(target):
            forbidden.append(kind)
            yield _forbidden(kind, target.bare_path, overridden=robots.override(target, behaviour.ignore_robots))
    if not forbidden:
        yield good(
            "robots.txt", "all that we read may be read" if text.strip() else "the site has none: all may be read"
        )
    if rules.crawl_delay > patient.config.manners.interval_seconds:
        yield good("robots.txt", f"it asks for {rules.crawl_delay:g} seconds between two requests, which we keep")


def _read(patient: Patient, behaviour: Manners, url: str) -> str:
    with Fetcher(behaviour, now=lambda: patient.now) as fetcher:
        try:
            page = fetcher.fetch(url, check_robots=False, max_bytes=robots.LIMIT)
        except FetchError as error:
            if robots.means_none(error):
                return ""
            raise
    return "" if isinstance(page, NotModified) else page.body.decode("utf-8-sig", errors="replace")


def _addresses(config: Config) -> Iterator[tuple[SourceKind, str]]:
    """One address of every channel that is switched on, and every page of documents on the site."""
    sources, cga = config.sources, config.sources.cga
    bills = [watch.bill for watch in config.watches() if watch.bill is not None]
    if sources.bill_feed:
        yield SourceKind.BILL_FEED, f"{cga.base_url}{cga.bulk_path}/{HISTORY}"
    if sources.bill_page:
        yield SourceKind.BILL_PAGE, bill_page_url(cga.base_url, bills[0] if bills else BillKey("2025", "SB1"))
    if sources.acts_page:
        yield SourceKind.ACTS_PAGE, cga.base_url + ACTS_PAGE
    here = urlsplit(cga.base_url).netloc
    pages = {watch.url for watch in config.watches() if watch.kind is SourceKind.DOCUMENT_LIST}
    yield from ((SourceKind.DOCUMENT_LIST, url) for url in sorted(pages) if urlsplit(url).netloc == here)


def _forbidden(kind: SourceKind, path: str, *, overridden: str | None) -> Finding:
    if overridden is not None:
        said = f"{path} is forbidden to robots, and config reads it all the same ({overridden})"
        return warn(
            "robots.txt", said, "Be sure that the site's owner agrees; else remove it from sources.ignore_robots."
        )
    advice = "Ask the site's owner; if they agree, name it in sources.ignore_robots."
    return warn("robots.txt", f"{path} is forbidden to robots: {_WITHOUT[kind]}", advice)
