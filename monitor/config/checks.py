"""What must hold between keys that stand far apart.

Checked on the file's own values, before and beside the schema: a mistake elsewhere hides none of these.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import ValidationError

from monitor.config.board import WatchEntry
from monitor.config.errors import Problem
from monitor.config.explain import path
from monitor.config.reading import Cga, channel_prefixes
from monitor.config.text import Loc, Tree
from monitor.config.values import host_key, nearest

Texts = Iterator[tuple[Loc, str]]


def between(tree: Tree) -> Iterator[Problem]:
    """Every mistake between keys."""
    for check in CHECKS:
        yield from check(tree)


def found(data: object, *steps: str, loc: Loc = ()) -> Iterator[tuple[Loc, object]]:
    """What stands at a path; the step ``*`` is every element of a list."""
    if not steps:
        yield loc, data
    elif steps[0] == "*" and isinstance(data, list):
        for index, element in enumerate(data):
            yield from found(element, *steps[1:], loc=(*loc, index))
    elif isinstance(data, dict) and steps[0] in data:
        yield from found(data[steps[0]], *steps[1:], loc=(*loc, steps[0]))


def texts(data: object, *steps: str) -> Texts:
    """The texts at a path."""
    return ((loc, value.strip()) for loc, value in found(data, *steps) if isinstance(value, str))


def _topic_ids(tree: Tree) -> Texts:
    return texts(tree.data, "topics", "*", "id")


def _issue_ids(tree: Tree) -> Texts:
    return texts(tree.data, "topics", "*", "issues", "*", "id")


def _distinct_ids(tree: Tree) -> Iterator[Problem]:
    seen: dict[str, Loc] = {}
    for loc, name in sorted((*_topic_ids(tree), *_issue_ids(tree)), key=lambda one: tree.place(one[0])):
        first = seen.setdefault(name, loc)
        if first != loc:
            line = tree.place(first)[0]
            message = f"{path(loc)}: the id {name!r} stands twice: on line {line} and here"
            yield Problem(*tree.place(loc), message, "give each topic and issue an id of its own")


def _distinct_watches(tree: Tree) -> Iterator[Problem]:
    """No issue watches one source twice: a watch's id is its source's."""
    seen: dict[Loc, Loc] = {}
    for loc, watch in found(tree.data, "topics", "*", "issues", "*", "watches", "*"):
        name = _watch_id(watch)
        first = seen.setdefault((*loc[:-1], name), loc) if name else loc
        if first != loc:
            message = f"{path(loc)}: this issue watches {name} twice: on line {tree.place(first)[0]} and here"
            yield Problem(*tree.place(loc), message, "remove one, or give one an `id:` of its own")


def _watch_id(watch: object) -> str:
    try:
        return WatchEntry.model_validate(watch).local_id
    except ValidationError:
        return ""


def _distinct_names(tree: Tree) -> Iterator[Problem]:
    for block in ("maintainers", "operators"):
        seen: dict[str, Loc] = {}
        for loc, name in texts(tree.data, block, "*", "name"):
            first = seen.setdefault(name, loc)
            if first != loc:
                message = f"{path(loc)}: {name!r} stands twice: on line {tree.place(first)[0]} and here"
                yield Problem(*tree.place(loc), message, "give each a name of its own: decisions are signed with it")


def _known_references(tree: Tree) -> Iterator[Problem]:
    for kind, ids in (("topic", _topic_ids(tree)), ("issue", _issue_ids(tree))):
        known = [name for _, name in ids]
        for loc, name in texts(tree.data, "maintainers", "*", f"{kind}s", "*"):
            if name not in known:
                yield Problem(*tree.place(loc), f"{path(loc)}: there is no {kind} {name!r}", nearest(name, known))


def _text(tree: Tree, default: str, *steps: str) -> str:
    return next((text for _, text in texts(tree.data, *steps)), default)


def _host(url: str) -> str:
    try:
        return host_key(url)
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
    known = [*channel_prefixes(), *sorted(_known_hosts(tree))]
    for loc, name in texts(tree.data, "sources", "ignore_robots", "*"):
        if name not in known:
            message = f"{path(loc)}: {name!r} is neither a channel nor an allowed host"
            yield Problem(*tree.place(loc), message, nearest(name, known) or f"write one of {', '.join(known)}")


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


CHECKS = (
    _distinct_ids,
    _distinct_watches,
    _distinct_names,
    _known_references,
    _allowed_hosts,
    _known_robots,
    _mail_complete,
)
