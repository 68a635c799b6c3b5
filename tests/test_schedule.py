"""The service as systemd sees it: ready, alive, stopping; and its clock."""

from __future__ import annotations

import os
import queue
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from apscheduler.events import EVENT_JOB_EXECUTED, EVENT_JOB_MISSED

from monitor.config.cron import parse_cron
from monitor.schedule import FAILING_AFTER, Job, Progress, Service, run
from monitor.systemd import Notifier, watchdog_seconds

ROOT = Path(__file__).resolve().parent.parent
NEW_YORK = ZoneInfo("America/New_York")
PATIENCE = 60  # seconds until a test that would hang fails; nothing is asserted about speed


class Systemd:
    """The other end of NOTIFY_SOCKET."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self.socket.settimeout(PATIENCE)

    def hear(self) -> str:
        return self.socket.recv(4096).decode()

    def hear_until(self, wanted: str | Callable[[str], bool]) -> list[str]:
        """Everything said up to and including the wanted words."""
        heard: list[str] = []
        while not heard or not (wanted(heard[-1]) if callable(wanted) else heard[-1] == wanted):
            heard.append(self.hear())
        return heard


@pytest.fixture(params=["path", "abstract"])
def systemd(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Systemd]:
    address = str(tmp_path / "notify") if request.param == "path" else f"@monitor-test-{uuid.uuid4().hex}"
    listener = Systemd(address)
    yield listener
    listener.socket.close()


class Running:
    """A service in a thread of this process, stopped at the end of the test."""

    def __init__(self, jobs: list[Job], systemd: Systemd | None = None, **settings) -> None:
        self.stop = threading.Event()
        self.code: list[int] = []
        notifier = Notifier(systemd.address if systemd else None)
        defaults: dict[str, Any] = {"watchdog_seconds": 0.3, "healthy": lambda: True, "stop_seconds": PATIENCE}
        arguments = defaults | settings
        self.thread = threading.Thread(
            target=lambda: self.code.append(run(jobs, notify=notifier, stop=self.stop, **arguments))
        )

    def __enter__(self) -> Running:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.thread.join(PATIENCE)
        assert self.code == [0]


# ------------------------------------------------------------------ systemd


def test_the_words_reach_systemd(systemd):
    notifier = Notifier.from_environ({"NOTIFY_SOCKET": systemd.address})
    notifier.ready()
    notifier.status("two\nlines READY=0")
    notifier.watchdog()
    notifier.reloading()
    notifier.stopping()
    said = [systemd.hear() for _ in range(5)]
    assert said[:3] == ["READY=1", "STATUS=two lines READY=0", "WATCHDOG=1"]
    assert said[3].startswith("RELOADING=1\nMONOTONIC_USEC=")
    assert said[4] == "STOPPING=1"


@pytest.mark.parametrize("address", [None, "", "/nowhere/at/all", "@nobody-listens-here"])
def test_without_systemd_nothing_happens(address):
    Notifier(address).ready()


def test_the_watchdog_is_read_from_the_environment():
    assert watchdog_seconds({"WATCHDOG_USEC": "120000000"}) == 120.0
    assert watchdog_seconds({"WATCHDOG_USEC": "120000000", "WATCHDOG_PID": str(os.getpid())}) == 120.0
    assert watchdog_seconds({"WATCHDOG_USEC": "120000000", "WATCHDOG_PID": "1"}, pid=2) is None
    assert watchdog_seconds({"WATCHDOG_USEC": "0"}) is None
    assert watchdog_seconds({}) is None


# ------------------------------------------------------------------ life


def test_ready_is_said_only_when_the_database_answers(systemd):
    answers: Iterator[bool | Exception] = iter([False, OSError("connection refused"), True])
    ran = threading.Event()

    def healthy() -> bool:
        answer = next(answers, True)
        if isinstance(answer, bool):
            return answer
        raise answer

    with Running([Job("check", lambda _: ran.set(), every_seconds=3600)], systemd, healthy=healthy):
        before = systemd.hear_until("READY=1")[:-1]
        assert before == [
            "STATUS=starting: the database does not answer",
            "STATUS=starting: the database does not answer: connection refused",
        ]
        assert ran.wait(PATIENCE)


def test_nothing_runs_before_the_database_answers(systemd):
    ran = threading.Event()
    service = Running([Job("check", lambda _: ran.set(), every_seconds=3600)], systemd, healthy=lambda: False)
    with service:
        systemd.hear_until("STATUS=starting: the database does not answer")
    assert not ran.is_set()
    assert "READY=1" not in systemd.hear_until("STOPPING=1")


def test_preparing_comes_after_the_database_and_before_ready(systemd):
    order: list[str] = []
    ran = threading.Event()

    def healthy() -> bool:
        order.append("asked")
        return len(order) > 1

    def prepare() -> None:
        order.append("prepared")
        Notifier(systemd.address).status("preparing")

    with Running([Job("check", lambda _: ran.set(), every_seconds=3600)], systemd, healthy=healthy, prepare=prepare):
        assert systemd.hear_until("READY=1")[-2] == "STATUS=preparing"
        assert ran.wait(PATIENCE)
    assert order[:3] == ["asked", "asked", "prepared"]


def test_what_preparing_raises_ends_the_service_before_anything_ran():
    ran = threading.Event()

    def prepare() -> None:
        raise ValueError("the database is from a newer program")

    jobs = [Job("check", lambda _: ran.set(), every_seconds=3600)]
    with pytest.raises(ValueError, match="newer program"):
        run(
            jobs,
            notify=Notifier(None),
            stop=threading.Event(),
            watchdog_seconds=None,
            healthy=lambda: True,
            prepare=prepare,
        )
    assert not ran.is_set()


def test_the_watchdog_starves_while_a_job_hangs_and_is_fed_again_when_it_moves(systemd):
    hang = threading.Event()
    moved = threading.Event()

    def action(progress: Progress) -> None:
        hang.wait(PATIENCE)
        progress.touch()
        moved.wait(PATIENCE)

    with Running([Job("check", action, every_seconds=3600, stall_seconds=0.5)], systemd):
        assert "WATCHDOG=1" in systemd.hear_until("STATUS=no progress: check")
        hungry = [systemd.hear() for _ in range(5)]
        assert hungry == ["STATUS=no progress: check"] * 5
        hang.set()
        assert systemd.hear_until("WATCHDOG=1")[-2] == "STATUS=check running"
        moved.set()


def test_an_idle_job_is_not_a_hung_one(systemd):
    done = threading.Event()
    with Running([Job("check", lambda _: done.set(), every_seconds=3600, stall_seconds=0.0)], systemd):
        assert done.wait(PATIENCE)
        systemd.hear_until(lambda said: said.startswith("STATUS=check ok"))
        assert "STATUS=no progress: check" not in [systemd.hear() for _ in range(6)]


def test_the_watchdog_starves_while_the_database_is_gone(systemd):
    database = threading.Event()
    database.set()
    with Running([], systemd, healthy=database.is_set):
        systemd.hear_until("WATCHDOG=1")
        database.clear()
        systemd.hear_until("STATUS=the database does not answer")
        assert [systemd.hear() for _ in range(3)] == ["STATUS=the database does not answer"] * 3
        database.set()
        systemd.hear_until("WATCHDOG=1")


def test_a_failing_job_is_told_once_and_the_others_go_on(systemd):
    broken = threading.Event()
    broken.set()
    told: queue.SimpleQueue[tuple[str, int, str]] = queue.SimpleQueue()
    recovered: queue.SimpleQueue[str] = queue.SimpleQueue()
    others = threading.Semaphore(0)

    def action(_: Progress) -> None:
        if broken.is_set():
            raise ValueError("the page is not what it was")

    def on_failing(name: str, times: int, error: Exception) -> None:
        told.put((name, times, str(error)))
        raise OSError("the mail server is down too")

    jobs = [
        Job("check", action, every_seconds=0.05),
        Job("deliver", lambda _: others.release(), every_seconds=0.05),
    ]
    with Running(jobs, systemd, on_failing=on_failing, on_recovered=recovered.put):
        assert told.get(timeout=PATIENCE) == ("check", FAILING_AFTER, "the page is not what it was")
        systemd.hear_until(lambda said: said.startswith("STATUS=check failed, "))
        for _ in range(FAILING_AFTER):
            assert others.acquire(timeout=PATIENCE)
        broken.clear()
        assert recovered.get(timeout=PATIENCE) == "check"
        systemd.hear_until(lambda said: said.startswith(("STATUS=check ok", "STATUS=check running")))
    assert told.empty()
    assert recovered.empty()


def test_stopping_waits_for_the_unit_at_hand(systemd):
    started, finished = threading.Event(), threading.Event()

    def action(progress: Progress) -> None:
        started.set()
        assert progress.wait(PATIENCE)
        systemd_heard.append(systemd.hear_until("STATUS=stopping: waiting for check"))
        finished.set()

    systemd_heard: list[list[str]] = []
    service = Running([Job("check", action, every_seconds=3600)], systemd)
    with service:
        assert started.wait(PATIENCE)
    assert finished.is_set()
    assert "STOPPING=1" in systemd_heard[0]


def test_a_job_due_after_the_stop_does_not_begin():
    ran = []
    stop = threading.Event()
    service = Service(Notifier(None), stop, lambda: True)
    service.set_jobs([Job("check", lambda _: ran.append(1), every_seconds=1)])
    stop.set()
    service.works["check"]()
    assert ran == []
    assert service.works["check"].idle.is_set()


# ------------------------------------------------------------------ the clock


def _overdue(service: Service, by: timedelta) -> None:
    service.scheduler.modify_job("check", next_run_time=datetime.now(UTC) - by)


def test_a_machine_that_slept_catches_up_once():
    runs: list[int] = []
    done = threading.Event()
    service = Service(Notifier(None), threading.Event(), lambda: True)
    service.set_jobs([Job("check", lambda _: runs.append(1), every_seconds=60)])
    service.scheduler.add_listener(lambda event: done.set() if event.job_id == "check" else None, EVENT_JOB_EXECUTED)
    service.scheduler.start(paused=True)
    _overdue(service, timedelta(minutes=30, seconds=5))
    service.scheduler.resume()
    assert done.wait(PATIENCE)
    service.scheduler.pause()
    assert runs == [1]


def test_a_daily_job_missed_by_hours_waits_for_its_next_day():
    runs: list[int] = []
    missed = threading.Event()
    service = Service(Notifier(None), threading.Event(), lambda: True)
    hour = (datetime.now(NEW_YORK) + timedelta(hours=12)).hour
    service.set_jobs([Job("check", lambda _: runs.append(1), cron=parse_cron(f"0 {hour} * * *"))])
    service.scheduler.add_listener(lambda _: missed.set(), EVENT_JOB_MISSED)
    service.scheduler.start(paused=True)
    _overdue(service, timedelta(hours=2))
    service.scheduler.resume()
    assert missed.wait(PATIENCE)
    service.scheduler.pause()
    assert runs == []


def test_a_slow_job_is_never_run_twice_at_once(systemd):
    together: list[int] = []
    inside = threading.Semaphore(0)
    release = threading.Event()
    active = 0

    def action(_: Progress) -> None:
        nonlocal active
        active += 1
        together.append(active)
        inside.release()
        release.wait(PATIENCE)
        active -= 1

    with Running([Job("check", action, every_seconds=0.02)], systemd):
        assert inside.acquire(timeout=PATIENCE)
        for _ in range(5):  # beats of 0.1 s: many due times pass
            systemd.hear_until("STATUS=check running")
        release.set()
        assert inside.acquire(timeout=PATIENCE)  # and it goes on afterwards
    assert set(together) == {1}


@pytest.mark.parametrize(
    ("text", "after", "times"),
    [
        ("0 0 * * mon", "2025-03-08T12:00", ["Mon 03-10 00:00 EDT", "Mon 03-17 00:00 EDT"]),
        ("0 0 * * 1", "2025-03-10T00:00", ["Mon 03-17 00:00 EDT", "Mon 03-24 00:00 EDT"]),
        ("30 2 * * *", "2025-03-08T12:00", ["Sun 03-09 03:30 EDT", "Mon 03-10 02:30 EDT"]),  # no 02:30 that day
        ("30 1 * * *", "2025-11-01T12:00", ["Sun 11-02 01:30 EDT", "Mon 11-03 01:30 EST"]),  # 01:30 came twice
    ],
)
def test_cron_jobs_follow_new_yorks_clock_through_its_changes(text, after, times):
    service = Service(Notifier(None), threading.Event(), lambda: True)
    service.set_jobs([Job("check", lambda _: None, cron=parse_cron(text))])
    trigger = service.scheduler.get_job("check").trigger
    first = trigger.get_next_fire_time(None, datetime.fromisoformat(after).replace(tzinfo=NEW_YORK))
    second = trigger.get_next_fire_time(first, first)
    assert [moment.astimezone(NEW_YORK).strftime("%a %m-%d %H:%M %Z") for moment in (first, second)] == times


def test_a_cron_job_follows_the_clock_of_its_own_zone():
    service = Service(Notifier(None), threading.Event(), lambda: True)
    service.set_jobs([Job("prune", lambda _: None, cron=parse_cron("30 4 * * *"), zone=ZoneInfo("Asia/Tokyo"))])
    first = service.scheduler.get_job("prune").trigger.get_next_fire_time(None, datetime(2025, 3, 8, tzinfo=UTC))
    assert first.astimezone(UTC).strftime("%H:%M") == "19:30"


def test_a_job_has_one_clock():
    with pytest.raises(ValueError, match="either every_seconds or cron"):
        Job("check", lambda _: None)
    with pytest.raises(ValueError, match="either every_seconds or cron"):
        Job("check", lambda _: None, every_seconds=1, cron=parse_cron("0 4 * * *"))


def test_replacing_jobs_keeps_their_record():
    service = Service(Notifier(None), threading.Event(), lambda: True)
    prune = Job("prune", lambda _: None, cron=parse_cron("0 4 * * *"))
    service.set_jobs([Job("check", lambda _: None, every_seconds=60), prune])
    service.works["check"].failures = 2
    service.set_jobs([Job("check", lambda _: None, every_seconds=5)])
    assert service.works["check"].failures == 2
    assert sorted(job.name for job in service.scheduler.get_jobs()) == ["Service._beat", "Work"]


# ------------------------------------------------------------------ signals, in a process of its own


class Process:
    """A service as systemd would start it; its jobs talk on standard output."""

    def __init__(self, body: str, systemd: Systemd, folder: Path) -> None:
        script = folder / "service.py"
        script.write_text(PREAMBLE + textwrap.dedent(body))
        environment = {**os.environ, "NOTIFY_SOCKET": systemd.address, "PYTHONPATH": str(ROOT)}
        self.popen = subprocess.Popen(
            [sys.executable, "-u", str(script)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self.popen.kill()
        self.popen.communicate()

    def read_until(self, wanted: str) -> None:
        assert self.popen.stdout is not None
        seen = []
        for line in self.popen.stdout:
            seen.append(line)
            if wanted in line:
                return
        raise AssertionError(f"the process ended without {wanted!r}:\n{''.join(seen)}")

    def end(self) -> tuple[int, str]:
        output, _ = self.popen.communicate(timeout=PATIENCE)
        return self.popen.returncode, output


PREAMBLE = """
import os, sys, threading, time
from monitor.schedule import Job, run
from monitor.systemd import Notifier

def serve(*jobs, **settings):
    sys.exit(run(jobs, notify=Notifier.from_environ(os.environ), stop=threading.Event(), watchdog_seconds=None,
                 healthy=lambda: True, **settings))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_sigterm_in_the_middle_of_a_job_lets_it_finish(systemd, tmp_path, number):
    body = """
    def check(progress):
        print("unit begun")
        while not progress.wait(0.01):
            progress.touch()
        print("unit finished")

    serve(Job("check", check, every_seconds=3600))
    """
    with Process(body, systemd, tmp_path) as process:
        process.read_until("unit begun")
        process.popen.send_signal(number)
        code, output = process.end()
    assert code == 0
    assert "unit finished" in output
    assert "STOPPING=1" in systemd.hear_until("STOPPING=1")


def test_a_job_that_does_not_stop_is_left_behind(systemd, tmp_path):
    body = """
    def check(progress):
        print("unit begun")
        while True:
            time.sleep(60)

    serve(Job("check", check, every_seconds=3600), stop_seconds=0.2)
    """
    with Process(body, systemd, tmp_path) as process:
        process.read_until("unit begun")
        process.popen.send_signal(signal.SIGTERM)
        code, output = process.end()
    assert code == 0
    assert "job_abandoned" in output


def test_a_second_sigterm_ends_it_at_once(systemd, tmp_path):
    body = """
    def check(progress):
        print("unit begun")
        while True:
            time.sleep(60)

    serve(Job("check", check, every_seconds=3600), stop_seconds=3600)
    """
    with Process(body, systemd, tmp_path) as process:
        process.read_until("unit begun")
        process.popen.send_signal(signal.SIGTERM)
        systemd.hear_until("STATUS=stopping: waiting for check")
        process.popen.send_signal(signal.SIGTERM)
        code, output = process.end()
    assert code == -signal.SIGTERM
    assert "Traceback" not in output


def test_sigterm_while_the_database_is_away_stops_too(systemd, tmp_path):
    body = """
    sys.exit(run([], notify=Notifier.from_environ(os.environ), stop=threading.Event(), watchdog_seconds=None,
                 healthy=lambda: False))
    """
    with Process(body, systemd, tmp_path) as process:
        systemd.hear_until("STATUS=starting: the database does not answer")
        process.popen.send_signal(signal.SIGTERM)
        code, _ = process.end()
    assert code == 0


def test_sighup_takes_a_good_configuration_and_keeps_the_old_one_on_a_bad(systemd, tmp_path):
    body = """
    configs = ["broken", "good"]

    def job(name):
        return Job(name, lambda progress: print(f"ran {name}"), every_seconds=3600)

    def reload():
        if configs.pop(0) == "broken":
            raise ValueError("config.yaml, line 3: unknown key 'isues'; did you mean 'issues'?")
        return [job("new")]

    serve(job("old"), reload=reload)
    """
    with Process(body, systemd, tmp_path) as process:
        process.read_until("ran old")
        systemd.hear_until("READY=1")
        process.popen.send_signal(signal.SIGHUP)
        process.read_until("did you mean 'issues'?")
        process.popen.send_signal(signal.SIGHUP)
        process.read_until("ran new")
        process.popen.send_signal(signal.SIGTERM)
        code, _ = process.end()
    assert code == 0
    said = [words.split("\n")[0] for words in systemd.hear_until("STOPPING=1") if not words.startswith("STATUS=")]
    assert [word for word in said if word != "WATCHDOG=1"] == ["RELOADING=1", "READY=1"] * 2 + ["STOPPING=1"]
