"""Secrets come from the environment or from systemd credentials, never from config.yaml."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from monitor.config.errors import ConfigError, Problem

#: The form of a secret's name; it also keeps a name from leaving the credentials directory.
NAME = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
_LARGEST = 64 * 1024


class Secret:
    """A text that shows itself as ``***`` wherever it is printed, logged or compared in a failing test."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself: only for the call that needs it."""
        return self._text

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format("***", spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a secret is not to be pickled")

    def __deepcopy__(self, memo: object) -> Secret:
        return self


def secret(name: str, environ: Mapping[str, str]) -> Secret | None:
    """The secret ``name`` ("SMTP_PASSWORD"), or None if it was not given.

    Looked for in ``MONITOR_SMTP_PASSWORD``, then in the file ``smtp_password`` of systemd's
    ``$CREDENTIALS_DIRECTORY`` (systemd.exec(5), LoadCredential=). An empty value counts as not given.
    Raises ConfigError if the credential is there but cannot be read.
    """
    if not NAME.fullmatch(name):
        raise ValueError(f"a secret is named like SMTP_PASSWORD, not {name!r}")
    text = environ.get(f"MONITOR_{name}") or _credential(name.lower(), environ.get("CREDENTIALS_DIRECTORY"))
    return Secret(text) if text else None


def _credential(name: str, directory: str | None) -> str | None:
    if not directory:
        return None
    path = Path(directory) / name
    try:
        with path.open("rb") as file:
            return file.read(_LARGEST).decode().rstrip("\r\n")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        hint = f"check LoadCredential={name}:… in the unit and the file's owner"
        raise ConfigError(path, [Problem(0, 0, f"the credential cannot be read: {reason}", hint)]) from None
