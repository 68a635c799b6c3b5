"""What must hold between keys that stand far apart.

Checked on the file's own values, before and beside the schema: a mistake elsewhere hides none of these.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from monitor.config.errors import Problem
from monitor.config.explain import path
from monitor.config.reading import Cga, Manners
from monitor.config.text import Loc, Tree
from monitor.config.values import is_private_host, nearest
from monitor.model.tracking import SourceKind

Found = Iterator[tuple[Loc, str]]


def between(tree: Tree) -> Iterator[Problem]:
    """Every mistake between keys."""
    for check in (_distinct_ids, _known_references, _allowed_hosts, _known_robots, _polite, _mail_complete):
        yield from check(tree)


def texts(data: object, *steps: str, loc: Loc = ()) -> Found:
    """The texts at a path; the step ``*`` is every element of a list."""
    if not steps:
        if isinstance(data, str):
            yield loc, data.strip()
    elif steps[0] == "*" and isinstance(data, list):
        for index, element in enumerate(data):
            yield from texts(element, *steps[1:], loc=(*loc, index))
    elif isinstance(data, dict) and steps[0] in data:
        yield from texts(data[steps[0]], *steps[1:], loc=(*loc, steps[0]))


def _topic_ids(tree: Tree) -> Found:
    return texts(tree.data, "topics", "*", "id")


def _issue_ids(tree: Tree) -> Found:
    return texts(tree.data, "topics", "*", "issues", "*", "id")


def _distinct_ids(tree: Tree) -> Iterator[Problem]:
    seen: dict[str, Loc] = {}
    for loc, name in (*_topic_ids(tree), *_issue_ids(tree)):
        first = seen.setdefault(name, loc)
        if first != loc:
            line = tree.place(first)[0]
            message = f"{path(loc)}: the id {name!r} stands twice: on line {line} and here"
            yield Problem(*tree.place(loc), message, "give each topic and issue an id of its own")


def _known_references(tree: Tree) -> Iterator[Problem]:
    for kind, found in (("topic", _topic_ids(tree)), ("issue", _issue_ids(tree))):
        known = [name for _, name in found]
        for loc, name in texts(tree.data, "maintainers", "*", f"{kind}s", "*"):
            if name not in known:
                yield Problem(*tree.place(loc), f"{path(loc)}: there is no {kind} {name!r}", nearest(name, known))


def _text(tree: Tree, default: str, *steps: str) -> str:
    return next((text for _, text in texts(tree.data, *steps)), default)


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _known_hosts(tree: Tree) -> set[str]:
    fields = Cga.model_fields
    ours = {_host(_text(tree, fields[key].default, "sources", "cga", key)) for key in ("base_url", "ftp_url")}
    return ours | {host.lower() for _, host in texts(tree.data, "sources", "hosts", "*")}


def _allowed_hosts(tree: Tree) -> Iterator[Problem]:
    known = _known_hosts(tree)
    for key in ("documents", "feed"):
        for loc, url in texts(tree.data, "topics", "*", "issues", "*", "watches", "*", key):
            host = _host(url)
            if host and not url.startswith("/") and host not in known:
                hint = f"add `- {host}` to sources.hosts"
                yield Problem(*tree.place(loc), f"{path(loc)}: the host {host} is not allowed", hint)


def _known_robots(tree: Tree) -> Iterator[Problem]:
    known = [*SourceKind, *sorted(_known_hosts(tree))]
    for loc, name in texts(tree.data, "sources", "ignore_robots", "*"):
        if name not in known:
            message = f"{path(loc)}: {name!r} is neither a kind of source nor an allowed host"
            yield Problem(*tree.place(loc), message, nearest(name, known) or f"write one of {', '.join(known)}")


def _polite(tree: Tree) -> Iterator[Problem]:
    """Less than a second between requests is for a replica of our own only."""
    everyone = all(is_private_host(host) for host in _known_hosts(tree))
    for loc, text in texts(tree.data, "manners", "interval_seconds"):
        if not everyone and _number(text) < Manners.model_fields["interval_seconds"].default:
            message = f"{path(loc)}: less than a second between requests is not polite"
            yield Problem(*tree.place(loc), message, "only a local replica may be asked faster: write 1.0 or more")


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("inf")


def _mail_complete(tree: Tree) -> Iterator[Problem]:
    data = tree.data if isinstance(tree.data, dict) else {}
    if data.get("mail") is None:
        return
    if not _text(tree, "", "organization", "postal_address"):
        place = tree.place(("organization",), key=True)
        yield Problem(*place, "organization lacks postal_address, which every mail must carry", "add it or remove mail")
    if data.get("outbox") is not None:
        place = tree.place(("outbox",), key=True)
        yield Problem(*place, "outbox writes files instead of sending, mail sends", "keep one of the two")
