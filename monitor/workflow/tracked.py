"""Edits of config.yaml from the desk: read it, and, if the maintainer says so, put the new one in its place."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from monitor.config.edit import File
from monitor.config.errors import ConfigError
from monitor.config.load import read
from monitor.workflow import audit
from monitor.workflow.context import Context
from monitor.workflow.review import Refusal
from monitor.workflow.sync import sync_within


def file_of(context: Context) -> File:
    """config.yaml as it is now. Raises Refusal when it cannot be read."""
    if context.config_path is None:
        raise Refusal("the service was not started from a config.yaml, so there is none to show")
    try:
        file = File(read(context.config_path), context.config_path, context.environ)
        file.config  # noqa: B018 - what cannot be loaded cannot be edited
    except ConfigError as error:
        raise _unreadable(error) from error
    return file


def _text(path: Path) -> str:
    try:
        return read(path)
    except ConfigError as error:
        raise _unreadable(error) from error


def _unreadable(error: ConfigError) -> Refusal:
    return Refusal(f"config.yaml cannot be read as it is now:\n{error}")


def mark(text: str) -> str:
    """What tells one text of config.yaml from another."""
    return hashlib.sha256(text.encode()).hexdigest()


def is_writable(path: Path) -> bool:
    """Whether a new file may take its place."""
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)


class Changed(Refusal):
    """config.yaml is not the one the maintainer saw."""


def write(
    context: Context, base: File, text: str, seen: str, by: str, about: str, detail: Mapping[str, Any]
) -> Context:
    """Put ``text``, made from ``base``, in place of the config.yaml whose mark was ``seen``; track what it names.

    A line of the audit log says so. Returns the context with the new config. The file is replaced last and at once:
    there is the old one or the new one, and a database that missed the new one is brought up to it by the next sync.
    Raises Changed or Refusal.
    """
    now, config = context.now(), replace(base, text=text).config
    with context.database.transaction() as session:  # one writer at a time, of the file as well
        if not seen == mark(base.text) == mark(_text(base.path)):
            file_of(context)  # one that cannot be read is told so
            raise Changed("config.yaml has changed since you looked. Nothing was written; this is the change to it.")
        if not is_writable(base.path):
            raise Refusal(f"{base.path} may not be written by this service. Nothing was changed.")
        sync_within(session, config, now)
        audit.append(session, by, "changed config.yaml", about, detail, now)
        _put_in_place(base.path, text)
    return replace(context, config=config)


def _put_in_place(path: Path, text: str) -> None:
    """Whole or not at all, with the same permissions; through a link, what it points to."""
    target = path.resolve()
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(target.stat().st_mode & 0o7777)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
