"""The real service as a real process: ready when it can work, and gone when asked, whatever it is doing."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from monitor.demo.faults import slow
from monitor.store import migrations
from monitor.store.schema import Issue, Source
from tests.pipeline import World, issue, watch
from tests.smtp_sink import HANG, SmtpSink

ROOT = Path(__file__).resolve().parent.parent

#: Seconds a step may take on a loaded machine. Longer than any stop, much shorter than a hang.
PATIENCE = 60.0


class Service:
    """``monitor run`` with a NOTIFY_SOCKET of ours."""

    def __init__(self, world: World, folder: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        address = str(folder / "notify")
        self._socket.bind(address)
        self._socket.settimeout(PATIENCE)
        environ = {**world.command_environ, "NOTIFY_SOCKET": address, "WATCHDOG_USEC": "3000000"}
        self._log = (folder / "service.log").open("w+")
        command = [sys.executable, "-m", "monitor", "run"]
        self.process = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=self._log, stderr=self._log)

    def hear(self, wanted: str) -> list[str]:
        """Everything it says up to the wanted words."""
        said: list[str] = []
        while not said or not said[-1].startswith(wanted):
            said.append(self._socket.recv(4096).decode())
        return said

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout=PATIENCE)

    def log(self) -> str:
        self._log.flush()
        return Path(self._log.name).read_text()

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._log.close()
        self._socket.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    bills = [watch("2025 HB 7132", effect="achieved"), watch("2025 HB 7073")]
    manners = {"deadline_seconds": 50}
    settings = {"schedule": {"tick_seconds": 1}}
    with World(tmp_path / "world", [issue("stops", *bills)], manners=manners, settings=settings) as made:
        yield made


@pytest.fixture
def service(world: World, tmp_path: Path) -> Iterator[Callable[[], Service]]:
    started: list[Service] = []

    def start() -> Service:
        started.append(Service(world, tmp_path))
        return started[-1]

    yield start
    for one in started:
        one.close()


def until(holds: Callable[[], bool]) -> None:
    """Wait for something another process does."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.05)


def test_it_is_ready_once_the_database_is_and_feeds_the_watchdog(world, service):
    world.at(date(2025, 6, 10))
    running = service()
    said = running.hear("READY=1")
    assert not any(words.startswith("WATCHDOG") for words in said)
    running.hear("WATCHDOG=1")
    until(lambda: world.feed().last_good_at is not None)
    assert running.stop() == 0


def test_a_database_of_the_wrong_version_ends_it_with_words(tmp_path):
    with World(tmp_path / "world", [issue("stops", "2025 HB 7132")], synced=False) as world:
        done = subprocess.run(
            [sys.executable, "-m", "monitor", "run"],
            cwd=ROOT,
            env=world.command_environ,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
    assert done.returncode == 3
    assert "monitor db upgrade" in done.stderr


@pytest.mark.parametrize("path", ["/ftp/", "/asp/"])
def test_sigterm_in_the_middle_of_a_fetch(world, service, path):
    world.at(date(2025, 6, 10))
    world.replica.misbehave(path, slow(40))
    running = service()
    running.hear("READY=1")
    until(lambda: any(request.path.startswith(path) for request in world.replica.requests) or _asked(world))
    time.sleep(0.5)
    assert running.stop() == 0
    assert not [source for source in _sources(world) if source.claimed_by], "a claim outlived the service"
    world.replica.behave()
    world.now = datetime.now(UTC)  # the service has lived by the real clock
    report = world.check()
    assert report.failed == report.blocked == 0
    assert world.bill("HB07132").stage == "signed"


def _asked(world: World) -> bool:
    """A slow answer is logged only once it is given: the claim says that the request is under way."""
    return any(source.claimed_by for source in _sources(world))


def _sources(world: World) -> list[Source]:
    return world.rows(Source)


def test_a_second_sigterm_does_not_hurt(world, service):
    world.replica.misbehave("/ftp/", slow(40))
    running = service()
    running.hear("READY=1")
    until(lambda: _asked(world))
    running.process.send_signal(signal.SIGTERM)
    assert running.stop() in (0, 128 + signal.SIGTERM, -signal.SIGTERM)
    assert not world.database.problems()


def test_sigterm_in_the_middle_of_a_message(tmp_path, service, world):
    """A server that takes the message and never answers: the message is sent again, with the same Message-ID."""
    with SmtpSink() as sink:
        sink.script("DATA", HANG, times=1)
        mail = {"host": "127.0.0.1", "port": sink.port, "security": "none", "from": "monitor@example.org"}
        world._settings.pop("outbox", None)
        world.configure([issue("stops", watch("2025 HB 7132", effect="achieved"))], mail=mail)
        world.sync()
        world.check()
        world.subscribe("ann@example.org")
        world.at(date(2025, 6, 10)).check()
        world.approve(world.proposals(kind="status")[0].id)
        running = service()
        running.hear("READY=1")
        until(lambda: bool(sink.unanswered))
        running.process.send_signal(signal.SIGTERM)
        time.sleep(1)
        assert running.process.poll() is None, "what the server may have taken is waited for"
        assert [one.state for one in world.deliveries()] == ["sending"]
        sink.hang_up()
        assert running.process.wait(timeout=PATIENCE) == 0
        assert [one.state for one in world.deliveries()] == ["pending"]
        world.now = datetime.now(UTC)
        world.later(hours=3)
        world.deliver()
        assert [one.state for one in world.deliveries()] == ["sent"]
        (again,) = sink.mails
        assert again.data == sink.unanswered[0].data


def test_sighup_takes_a_good_configuration_and_keeps_the_old_one_otherwise(world, service):
    running = service()
    running.hear("READY=1")
    good = world.config_path.read_text()
    world.config_path.write_text(good.replace('"stops"', '"stps": 1, "stops"', 1) + "\nnonsense: [")
    running.process.send_signal(signal.SIGHUP)
    until(lambda: "reload_refused" in running.log())
    world.configure([issue("stops", "2025 HB 7132"), issue("further", "2025 SB 1171")])
    running.process.send_signal(signal.SIGHUP)
    until(lambda: "service_reloaded" in running.log())
    until(lambda: _has_issue(world, "further"))
    assert running.stop() == 0
    assert migrations.current(world.database) == migrations.head()


def _has_issue(world: World, slug: str) -> bool:
    return any(one.id == slug for one in world.rows(Issue))


def test_the_environment_of_a_test_is_not_systemd():
    assert "NOTIFY_SOCKET" not in os.environ
