"""The doctor: looks the installation over and says what to do about each trouble. Changes nothing, sends nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

import structlog

from monitor.config import Config, ConfigError, load
from monitor.store.database import Database
from monitor.workflow.checkup import data, machine, mail_dns, reading, settings, site, telling
from monitor.workflow.checkup.finding import Finding, Look, Patient, bad

__all__ = ["Finding", "examine"]

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Check:
    """A row of the doctor's list. ``tables`` says that it reads the database, ``network`` that it calls somebody."""

    look: Look
    tables: bool = False
    network: bool = False


#: Needs nothing but this machine.
MACHINE: tuple[Callable[[], Iterator[Finding]], ...] = (
    machine.python_version,
    machine.email_headers,
    machine.time_zones,
    machine.libraries,
    machine.sqlite_library,
)

#: Needs a configuration that could be read.
CHECKS: tuple[Check, ...] = (
    Check(settings.configuration),
    Check(settings.sending),
    Check(settings.secrets),
    Check(mail_dns.bounces),
    Check(data.disk),
    Check(data.permissions, tables=True),
    Check(data.soundness, tables=True),
    Check(reading.last_pass, tables=True),
    Check(reading.failing, tables=True),
    Check(reading.quiet, tables=True),
    Check(telling.channels, tables=True),
    Check(telling.webhooks, tables=True),
    Check(telling.outbox, tables=True),
    Check(telling.dead_letters, tables=True),
    Check(telling.held, tables=True),
    Check(site.certificate, network=True),
    Check(site.robots_txt, network=True),
    Check(telling.mail_login, network=True),
    Check(mail_dns.records, network=True),
)


def examine(path: Path, environ: Mapping[str, str], now: datetime, *, offline: bool) -> list[Finding]:
    """Everything there is to say about the installation behind the configuration at ``path``. Never raises.

    ``offline`` leaves out what calls another machine (a database server is always called).
    """
    findings = [finding for look in MACHINE for finding in _safely(look.__name__, look)]
    try:
        config = load(path, environ)
    except ConfigError as error:
        return [*findings, *settings.unreadable(error)]
    return [*findings, *_safely("database", lambda: _of_config(path, environ, now, config, offline=offline))]


def _of_config(
    path: Path, environ: Mapping[str, str], now: datetime, config: Config, *, offline: bool
) -> Iterator[Finding]:
    database = Database(config.database_url)
    patient = Patient(path, environ, now, config, database)
    try:
        opened = list(_safely("database", lambda: data.schema(database)))
        yield from opened
        is_usable = all(finding.verdict == "good" for finding in opened)
        for check in CHECKS:
            if (is_usable or not check.tables) and not (offline and check.network):
                yield from _safely(check.look.__name__, partial(check.look, patient))
    finally:
        database.close()


def _safely(name: str, look: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """A check that fails is a finding too, and the others go on."""
    try:
        yield from look()
    except Exception as error:  # the doctor is there for when things are broken
        log.debug("checkup_failed", check=name, exc_info=True)
        said = f"this check could not be made ({type(error).__name__})"
        yield bad(name.replace("_", " "), said, "Look at the other findings first; if they are good, report this.")
