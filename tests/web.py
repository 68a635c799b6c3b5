"""The pages over a World: a client of the app, signed in at the desk through its own form.

    client = desk(world)                     # a maintainer; desk(world, "viewer") may only look
    client.get("/desk/queue")
    client.post("/desk/proposals/1/approve", data={"csrf_token": csrf(client), ...})

``public(world)`` is signed in nowhere. One app per world: ``app(world)``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from types import CodeType
from typing import Any

from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from pipeline import World

from monitor.web.app import create_app
from monitor.workflow import accounts

PASSWORD = "correct horse battery"

_CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
_TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')


class Browser(FlaskClient):
    """Reads every answer to its end, as browsers do: a file that is sent stays open otherwise."""

    def open(self, *args: Any, buffered: bool = True, **kwargs: Any) -> Any:
        return super().open(*args, buffered=buffered, **kwargs)


class _Templates(BytecodeCache):
    """Every app compiles its templates anew, and there is an app for every world: once for all of them."""

    def __init__(self) -> None:
        self._compiled: dict[tuple[str, str], CodeType | None] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._compiled.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._compiled[bucket.key, bucket.checksum] = bucket.code


_TEMPLATES = _Templates()


def app(world: World) -> Flask:
    """The app over the world's database, with the world's clock, even after it is moved."""
    if world.app is None:  # kept with the world, and gone with it
        world.app = create_app(world.context)
        world.app.test_client_class = Browser
        world.app.jinja_env.bytecode_cache = _TEMPLATES
    made: Flask = world.app
    return made


def public(world: World) -> FlaskClient:
    return app(world).test_client()


def desk(world: World, role: str = "maintainer", name: str | None = None) -> FlaskClient:
    """Signed in as ``name``, who is made when unknown: Dana the maintainer, or Vera the viewer."""
    who = name or {"maintainer": "Dana", "viewer": "Vera"}[role]
    known = {one["name"] for one in maintainers(world)}
    client = public(world)
    with _cheap_passwords():
        if who not in known:
            accounts.add(world.context, who, PASSWORD, role, "the test")
        answer = sign_in(client, who)
    assert answer.status_code == 303, answer.text
    return client


@contextmanager
def _cheap_passwords() -> Iterator[None]:
    """Most tests only want to be in; what a password costs is test_accounts's own business."""
    real, accounts._HASHER = accounts._HASHER, _CHEAP
    try:
        yield
    finally:
        accounts._HASHER = real


def sign_in(client: FlaskClient, name: str, password: str = PASSWORD, **fields: str) -> Any:
    """Fill in the form as a browser does."""
    data = {"name": name, "password": password, "csrf_token": csrf(client, "/desk/sign-in"), **fields}
    return client.post("/desk/sign-in", data=data)


def csrf(client: FlaskClient, path: str = "/desk/sign-in") -> str:
    """The token that a form of this browser carries: read from the page at ``path``."""
    found = _TOKEN.search(client.get(path, follow_redirects=True).text)
    assert found is not None, f"no form stands on {path}"
    return found[1]


def maintainers(world: World) -> list[dict[str, Any]]:
    from monitor.store.schema_desk import Maintainer

    return [{"name": one.name, "role": one.role} for one in world.rows(Maintainer)]
