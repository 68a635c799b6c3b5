"""docs/reference/config.md from the schema: `python -m monitor.config.reference > docs/reference/config.md`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import timedelta

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from monitor.config.explain import alias, block_of
from monitor.config.reading import Retention, Rhythm
from monitor.config.schema import Config
from monitor.config.values import UNITS

PREAMBLE = """\
# config.yaml

Written from the schema by `python -m monitor.config.reference`; a test keeps the two together.

The file is YAML 1.2 in UTF-8: no tabs, no anchors (`&`, `*`), no tags (`!`), one document, at most 1 MB.
`12:30` and `no` are read as the text they are, unless the key wants a number or a yes-or-no. Every mistake is
reported at once with file, line, column and a suggestion, the exit code is 2, and nothing is changed.

Secrets never stand in the file. The secret `SMTP_PASSWORD` is read from `MONITOR_SMTP_PASSWORD`, then from the file
`smtp_password` in systemd's `$CREDENTIALS_DIRECTORY`; every other secret goes by the name that `address_secret` gives
it. `MONITOR_DATABASE_URL` overrides `database`, `MONITOR_CONFIG` names the file.

Lengths of time are a number and a unit: `30s`, `15m`, `6h`, `1d`, `2w`. Sizes: `500 kB`, `5 MB`. A cron line has five
fields (minute, hour, day of the month, month, weekday), read by the clock of `schedule.timezone`: `0 8 * * mon` runs
on Mondays at 08:00, next on March 3, 10, 17, 24 and 31, 2025, say. Weekdays count as in cron, where 1 is Monday. A day
of the month and a weekday cannot both be given, and a day that never comes (February 30) is refused. A time between
01:00 and 03:00 is allowed with a warning: on the day the clock goes forward it runs an hour later, on the day it goes
back the first time only.

A watch's id is derived and never changes: `quotas/2020-HB06004`, `minor-offenses/documents-<page>`,
`cost-of-misconduct/feed-<site>`. Its own `id:` replaces the part after the slash. `effect` says which status the issue
would deserve if the bill became law: a bill that `advances` can have `achieved`, `some_progress` or `none`, one that
`reverses` `some_progress`, `no_progress` or `none`.
"""


def reference() -> str:
    """The whole page."""
    return "\n".join([PREAMBLE, *_block("config.yaml", Config, ())])


def _block(title: str, block: type[BaseModel], trail: tuple[str, ...]) -> Iterator[str]:
    yield f"## {title}\n"
    yield f"{' '.join((block.__doc__ or '').split())}\n"
    yield "| key | default | meaning |\n| --- | --- | --- |"
    inner: list[tuple[str, type[BaseModel], tuple[str, ...]]] = []
    for name, field in block.model_fields.items():
        key = alias(field, name)
        yield f"| `{key}` | {_default(block, field)} | {(field.description or '').replace('|', chr(92) + '|')} |"
        if (nested := block_of(field.annotation)) is not None:
            inner.append((key, nested, (*trail, key)))
    yield ""
    for key, nested, path in _named_once(inner):
        yield from _block(key, nested, path)


def _named_once(
    inner: list[tuple[str, type[BaseModel], tuple[str, ...]]],
) -> Iterator[tuple[str, type[BaseModel], tuple[str, ...]]]:
    """Blocks of one shape share a section: every kind of source in ``cadence`` has the same keys."""
    for block in dict.fromkeys(nested for _, nested, _ in inner):
        alike = [path for _, nested, path in inner if nested is block]
        yield ", ".join(f"`{'.'.join(path)}`" for path in alike), block, alike[0]


def _default(block: type[BaseModel], field: FieldInfo) -> str:
    if field.is_required():
        return "see `cadence`" if block is Rhythm else "required"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, Rhythm):
        return ", ".join(_plain(length) for length in (value.in_session, value.out_of_session, value.settled))
    if value is None:
        return "`forever`" if block is Retention else "none"
    return "" if isinstance(value, BaseModel) else _plain(value)


def _plain(value: object) -> str:
    if isinstance(value, timedelta):
        return f"`{_length(value)}`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return "none" if value == "" else f"`{'[]' if value == () else value}`"


def _length(length: timedelta) -> str:
    """Days stay days: "7d" reads better than "1w" beside "30d"."""
    for unit in ("d", "h", "m", "s"):
        if length % timedelta(**{UNITS[unit]: 1}) == timedelta():
            return f"{length // timedelta(**{UNITS[unit]: 1})}{unit}"
    raise AssertionError(length)


if __name__ == "__main__":
    sys.stdout.write(reference())
