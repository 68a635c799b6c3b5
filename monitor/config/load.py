"""config.yaml and the environment into a Config, or every mistake at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from monitor.config.checks import between
from monitor.config.errors import ConfigError, Problem
from monitor.config.explain import explain
from monitor.config.mailing import KeyUnreadable, signing_key
from monitor.config.schema import Config
from monitor.config.secrets import Secret
from monitor.config.text import LARGEST, Tree, UnreadableError, decode, parse

DATABASE_VARIABLE = "MONITOR_DATABASE_URL"


def load(path: Path, environ: Mapping[str, str]) -> Config:
    """The configuration at ``path``, with ``MONITOR_DATABASE_URL`` of ``environ`` in place of ``database``.

    Raises ConfigError with every problem found.
    """
    return loads(read(path), path, environ)


def read(path: Path) -> str:
    """The text of the file. Raises ConfigError."""
    try:
        return decode(_read(path))
    except UnreadableError as error:
        raise ConfigError(path, error.problems) from None


def loads(text: str, path: Path, environ: Mapping[str, str]) -> Config:
    """The same of a text that stands, or will stand, at ``path``."""
    try:
        tree = parse(decode(text.encode("utf-8", "surrogatepass")))
    except UnreadableError as error:
        raise ConfigError(path, error.problems) from None
    if not isinstance(tree.data, dict):
        message = "the file is empty" if tree.data is None else "the file must be `key: value` lines"
        raise ConfigError(path, [Problem(1, 1, message, "start from the config.yaml that came with the service")])
    database = environ.get(DATABASE_VARIABLE)
    if database:
        tree.data["database"] = Secret(database)
    config, problems = _validate(tree, path.absolute().parent)
    problems.extend(between(tree))
    if config is not None:
        problems.extend(_unreadable_key(config, environ))
    if problems or config is None:
        raise ConfigError(path, [_blame(problem, bool(database)) for problem in problems])
    return config


def _unreadable_key(config: Config, environ: Mapping[str, str]) -> Iterator[Problem]:
    """A key that is there and cannot sign: better found now than at the first mail."""
    key = config.mail.dkim.key(environ) if config.mail is not None and config.mail.dkim is not None else None
    if key is None:
        return
    try:
        signing_key(key)
    except KeyUnreadable as error:
        hint = "make one: openssl genrsa -traditional 2048"
        yield Problem(0, 0, f"mail cannot be signed with the secret DKIM_KEY: {error}", hint)


def _validate(tree: Tree, home: Path) -> tuple[Config | None, list[Problem]]:
    problems = list(tree.problems)
    try:
        return Config.model_validate(tree.data, context={"home": home}), problems
    except ValidationError as error:
        details = [detail for detail in error.errors(include_url=False) if not _is_echo(detail)]
        return None, [*problems, *(explain(detail, tree) for detail in details)]


def _is_echo(detail: ErrorDetails) -> bool:
    """pydantic calls a list too short whose elements it has just refused one by one."""
    return detail["type"] == "too_short" and bool(detail["input"])


def _blame(problem: Problem, overridden: bool) -> Problem:
    """A mistake in a variable has no line in the file."""
    if overridden and problem.message.startswith("database: "):
        return Problem(0, 0, f"{DATABASE_VARIABLE}: {problem.message.removeprefix('database: ')}", problem.hint)
    return problem


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(LARGEST + 1)
    except FileNotFoundError:
        hint = "name another with --config PATH or MONITOR_CONFIG"
        raise UnreadableError(Problem(0, 0, "there is no such file", hint)) from None
    except OSError as error:
        raise UnreadableError(Problem(0, 0, f"the file cannot be read: {error.strerror}")) from None


def warnings(config: Config) -> Iterator[str]:
    """What is allowed and probably not meant; each a sentence that names its key."""
    if config.organization.is_example:
        yield f"organization.contact is the example's ({config.organization.contact}): sites we read cannot reach you"
    for name in ("daily_digest", "weekly_digest", "prune"):
        cron = getattr(config.schedule, name)
        if cron.in_clock_change:
            yield (
                f"schedule.{name}: `{cron}` runs between 01:00 and 03:00, "
                "an hour that comes twice or not at all on the days the clock changes"
            )
    if not config.maintainers:
        yield "maintainers: nobody is told of new proposals"
    if not config.operators:
        yield "operators: nobody is told when a source fails"
    for name in config.sources.ignore_robots:
        yield f"sources.ignore_robots: robots.txt is not obeyed for {name}"
    for issue in config.issues():
        if not issue.watches:
            yield f"{issue.id}: nothing is watched, so no reading can ever verify it"


def missing_secrets(config: Config, environ: Mapping[str, str]) -> Iterator[str]:
    """The variables of secrets that the configuration names and nobody gave."""
    if config.mail is not None and config.mail.username and config.mail.password(environ) is None:
        yield "MONITOR_SMTP_PASSWORD"
    if config.mail is not None and config.mail.dkim is not None and config.mail.dkim.key(environ) is None:
        yield "MONITOR_DKIM_KEY"
    imap = config.mail.inbox.imap if config.mail is not None and config.mail.inbox is not None else None
    if imap is not None and imap.password(environ) is None:
        yield "MONITOR_IMAP_PASSWORD"
    for contact in (*config.maintainers, *config.operators):
        if contact.target(environ) is None:
            yield f"MONITOR_{contact.address_secret}"
