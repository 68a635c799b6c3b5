"""Big or odd pages are read in a child process with limits: hostile markup must not stop the service.

200,000 attributes keep lxml busy for a minute, and a 50 MB table takes bs4 half a minute and 1.5 GB.
"""

from __future__ import annotations

import json
import re
import resource
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from monitor.extract.base import ExtractError, Extractor
from monitor.extract.records import record_from_json, record_to_json
from monitor.model.legislature import Record
from monitor.model.tracking import SourceKind, Verdict

LARGE = 1_000_000  # bytes
MANY_TAGS = 20_000
DEEP = 200  # the site nests some twenty
MANY_ATTRIBUTES = 4_000  # bytes of one tag; the site's longest are some 300

#: Tags that close by themselves or stay empty say nothing about depth.
_NESTING = re.compile(
    rb"<(/?)(?:div|span|font|b|i|u|em|strong|a|table|tbody|ul|ol|center|form|section|blockquote|big|small|nobr|svg)\b",
    re.IGNORECASE,
)
_LONG_TAG = re.compile(rb"<[^<>]{%d}" % MANY_ATTRIBUTES)


@dataclass(frozen=True, slots=True)
class Guarded:
    """An extractor that reads what is big or odd in a child, and everything else here."""

    reader: Extractor

    @property
    def kind(self) -> SourceKind:
        return self.reader.kind

    @property
    def version(self) -> int:
        return self.reader.version

    def extract(self, body: bytes, *, url: str, content_type: str | None = None) -> Record:
        if is_odd(body):
            return extract_in_child(self.kind, body, url, content_type)
        return self.reader.extract(body, url=url, content_type=content_type)

    def fingerprint(self, body: bytes) -> str | None:
        return self.reader.fingerprint(body)


def is_odd(body: bytes) -> bool:
    """Whether ``body`` is larger, fuller or deeper than any page of the site."""
    if len(body) > LARGE or body.count(b"<") > MANY_TAGS or _LONG_TAG.search(body):
        return True
    depth = deepest = 0
    for closing in _NESTING.findall(body):
        depth += -1 if closing else 1
        deepest = max(deepest, depth)
    return deepest > DEEP


def extract_in_child(
    kind: SourceKind, body: bytes, url: str, content_type: str | None, *, seconds: int = 20, megabytes: int = 512
) -> Record:
    """The record, read within ``seconds`` of CPU and of clock and ``megabytes`` of memory.

    Raises ExtractError: the child's own, or too large when the child died or ran out of time.
    """
    request = {"kind": kind, "url": url, "content_type": content_type, "seconds": seconds, "megabytes": megabytes}
    command = [sys.executable, "-m", "monitor.extract"]
    # Only the import path: the service's environment holds secrets.
    environment = {"PYTHONPATH": ":".join(filter(None, sys.path))}
    try:
        child = subprocess.run(  # noqa: S603 - our own interpreter and module, no shell, nothing of the page in argv
            command,
            input=json.dumps(request).encode() + b"\n" + body,
            capture_output=True,
            timeout=seconds + 5,
            env=environment,
            check=False,
        )
        answer = json.loads(child.stdout)
    except (subprocess.TimeoutExpired, ValueError):
        raise ExtractError(
            Verdict.TOO_LARGE, f"reading the page took more than {seconds} s or {megabytes} MB: {url}"
        ) from None
    return _record(answer)


def _record(answer: Mapping[str, Any]) -> Record:
    if "verdict" in answer:
        raise ExtractError(Verdict(answer["verdict"]), answer["message"])
    return record_from_json(answer["type"], answer["record"])


def serve(readers: Mapping[SourceKind, Extractor], source: BinaryIO, sink: BinaryIO) -> None:
    """The child's side: one request line, the body, one answer. Limits are set before the body is read."""
    request = json.loads(source.readline())
    _limit(request["seconds"], request["megabytes"])
    try:
        reader = readers[SourceKind(request["kind"])]
        record = reader.extract(source.read(), url=request["url"], content_type=request["content_type"])
        answer: dict[str, Any] = {"type": type(record).__name__, "record": record_to_json(record)}
    except ExtractError as error:
        answer = {"verdict": error.verdict, "message": error.message}
    sink.write(json.dumps(answer).encode())


def _limit(seconds: int, megabytes: int) -> None:
    size = megabytes * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
