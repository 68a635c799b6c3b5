"""One source is asked and what came is read, with no transaction open."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.fetch import Fetcher, FetchError
from monitor.model.legislature import Record
from monitor.model.tracking import NotModified, Page, SourceKind, Validators, Verdict
from monitor.store.schema import Snapshot, Source
from monitor.workflow.context import Context
from monitor.workflow.fetching import fetch
from monitor.workflow.killpoints import killpoint
from monitor.workflow.reading import Baseline, Reading, again, doubt, read, same_at_a_glance, stored


@dataclass(slots=True)
class Capture:
    """One claimed source and what reading it came to; nothing here needs a transaction.

    ``page`` is set when it may have to be kept: of one that says what we knew only its ``size`` and ``validators``
    are of use, and a batch of bodies weighs megabytes.
    """

    source: Source
    page: Page | None = None
    reading: Reading | None = None
    before: Record | None = None
    error: FetchError | None = None
    size: int = 0
    validators: Validators | None = None


def validators_of(context: Context, source: Source) -> Validators | None:
    """The server's own validators, except on every n-th pass: servers lie (S34)."""
    if source.snapshot_id is None or source.conditional_passes >= context.config.manners.full_read_every:
        return None
    return Validators(source.etag, source.last_modified)


def capture(context: Context, fetcher: Fetcher, source: Source) -> Capture:
    """Ask politely and read what comes. Never raises for what the site sends."""
    kind = SourceKind(source.kind)
    try:
        answer = fetch(context, fetcher, kind, source.url, validators_of(context, source))
    except FetchError as error:
        return Capture(source, error=error, page=error.page)
    killpoint("after_fetch")
    if isinstance(answer, NotModified):
        return Capture(source, reading=Reading(Verdict.NOT_MODIFIED))
    return _judge(context, source, kind, answer)


def baseline_of(source: Source) -> Baseline:
    """What the last good read of this source left behind."""
    return Baseline(source.sha256, source.fingerprint, source.extractor_version, source.accepted_fingerprint)


def _judge(context: Context, source: Source, kind: SourceKind, page: Page) -> Capture:
    glance = same_at_a_glance(kind, page, baseline_of(source))
    if glance is not None:
        return Capture(source, reading=glance, size=len(page.body), validators=page.validators)
    reading = read(kind, page, _asked_for(source, page), source.bill)
    before = _before(context, source, kind) if reading.changed else None
    reading = doubt(reading, before, source.accepted_fingerprint)
    return Capture(source, page, reading, before, size=len(page.body), validators=page.validators)


def _asked_for(source: Source, page: Page) -> str:
    """The address the extractor holds the page against: what we asked for, unless a redirect led elsewhere."""
    return source.url if page.final_url == page.url else page.final_url


def _before(context: Context, source: Source, kind: SourceKind) -> Record | None:
    if source.snapshot_id is None:
        return None
    with context.database.reading() as session:
        body = stored(session, source.snapshot_id)
        content_type = session.get_one(Snapshot, source.snapshot_id).content_type
    return again(kind, body, source.url, content_type) if body is not None else None
