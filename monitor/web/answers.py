"""Answers to readers: kept while nothing changed, and conditional, so that asking again costs next to nothing."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cached_property, wraps
from threading import Lock
from typing import cast

from flask import Response, current_app, request

from monitor.store import board
from monitor.web.context import monitor

#: So many answers are kept; the oldest goes first.
_MOST = 256
#: A reader's browser asks again after so many seconds, and hears 304 while nothing changed.
_MAX_AGE = 60


@dataclass(frozen=True)
class Answer:
    """A body with its kind, as any reader gets it. ``policy`` replaces the page's Content-Security-Policy."""

    body: bytes
    mimetype: str = "text/html"
    policy: str = ""

    @cached_property
    def etag(self) -> str:
        return hashlib.sha256(self.body).hexdigest()[:32]


class Shelf:
    """The answers of one app."""

    def __init__(self) -> None:
        self._kept: OrderedDict[object, Answer] = OrderedDict()
        self._lock = Lock()

    def get(self, key: object) -> Answer | None:
        with self._lock:
            return self._kept.get(key)

    def put(self, key: object, answer: Answer) -> Answer:
        with self._lock:
            self._kept[key] = answer
            while len(self._kept) > _MOST:
                self._kept.popitem(last=False)
        return answer


def page(text: str) -> Answer:
    """An HTML page."""
    return Answer(text.encode())


def answered(**asked: Collection[str]) -> Callable[[Callable[..., Answer]], Callable[..., Response]]:
    """A view that only reads: it is called with a session when nothing kept is still true.

    ``asked`` are the query's names that the view looks at with the values it knows; others make no other answer.
    """

    def declare(view: Callable[..., Answer]) -> Callable[..., Response]:
        @wraps(view)
        def answer(**arguments: str) -> Response:
            context = monitor()
            with context.database.reading() as session:
                query = tuple(value for name, known in asked.items() if (value := request.args.get(name)) in known)
                # "Today" changes with the day alone; that a source becomes late is part of the state.
                changing = context.today(), board.state(session, context.now())
                key = (request.host_url, request.path, query, *changing)
                kept = _shelf().get(key) or _shelf().put(key, view(session, **arguments))
            return respond(kept)

        return answer

    return declare


def respond(answer: Answer) -> Response:
    """The answer with what lets a cache keep it; 304 when the reader has it already."""
    response = Response(answer.body, mimetype=answer.mimetype)
    if answer.policy:
        response.headers["Content-Security-Policy"] = answer.policy
    response.cache_control.public = True
    response.cache_control.max_age = _MAX_AGE
    response.set_etag(answer.etag)
    return cast("Response", response.make_conditional(request))


def _shelf() -> Shelf:
    return cast("Shelf", current_app.extensions.setdefault("answers", Shelf()))
