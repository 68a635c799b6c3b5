"""A page of the live site becomes a fixture in one step."""

from __future__ import annotations

import json
import re
from pathlib import Path

from monitor.extract.base import ExtractError
from monitor.extract.records import record_to_json
from monitor.extract.registry import EXTRACTORS
from monitor.fetch.errors import FetchError
from monitor.model.tracking import Page, SourceKind
from monitor.workflow.context import Context
from monitor.workflow.fetching import fetch, open_fetcher
from monitor.workflow.review import Refusal

_ENDINGS = {SourceKind.BILL_FEED: "csv", SourceKind.FEED: "xml"}


def record_page(context: Context, kind: SourceKind, url: str, folder: Path, slug: str | None) -> list[Path]:
    """Fetch ``url`` and write body, ``.expected.json`` and ``.origin.json``. Raises Refusal with what stopped it."""
    name = slug or re.sub(r"[^a-z0-9]+", "-", url.rsplit("/", 1)[-1].lower()).strip("-")[:60]
    body_path = folder / kind / f"{name}.{_ENDINGS.get(kind, 'html')}"
    if body_path.exists():
        raise Refusal(f"{body_path} exists already; give another --slug. Nothing was written.")
    page = _fetched(context, kind, url)
    expected = _expected(kind, page)
    body_path.parent.mkdir(parents=True, exist_ok=True)
    body_path.write_bytes(page.body)
    origin = {
        "url": page.final_url,
        "content_type": page.content_type,
        "facts": f"Fetched {page.fetched_at:%Y-%m-%d} from the site.",
        "invented": "Nothing.",
    }
    written = [body_path]
    for ending, content in (("expected", expected), ("origin", origin)):
        path = body_path.with_suffix(f".{ending}.json")
        path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        written.append(path)
    return written


def _fetched(context: Context, kind: SourceKind, url: str) -> Page:
    try:
        with open_fetcher(context) as fetcher:
            page = fetch(context, fetcher, kind, url, None)
    except FetchError as error:
        raise Refusal(f"{error} Nothing was written.") from error
    assert isinstance(page, Page)
    return page


def _expected(kind: SourceKind, page: Page) -> dict[str, object]:
    """The record, or the error the page deserves: both are worth a fixture."""
    try:
        record = EXTRACTORS[kind].extract(page.body, url=page.final_url, content_type=page.content_type)
    except ExtractError as error:
        return {"kind": kind.value, "verdict": error.verdict.value, "message": str(error)}
    return {"kind": kind.value, "record": record_to_json(record)}
