"""The service: one process that does its standing work on time, tells systemd the truth, and stops when asked.

APScheduler is only the clock; what is due is written in the database, so nothing is lost with the process.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from types import FrameType
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from apscheduler.executors.base import BaseExecutor, run_job
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.interval import IntervalTrigger

from monitor.config.cron import Cron
from monitor.systemd import Notifier

#: The clock cron lines are read by, unless a job brings its own.
NEW_YORK = ZoneInfo("America/New_York")

#: Fixed jobs, each alone; a machine that slept an hour catches up once, not sixty times.
JOB_DEFAULTS: Mapping[str, object] = {"coalesce": True, "max_instances": 1, "misfire_grace_time": 3600}

#: Seconds between two looks at ourselves, if the watchdog does not ask for more.
BEAT = 10.0

#: A job that fails so often in a row is worth a person's attention.
FAILING_AFTER = 3

#: How soon, in seconds, an event set by another thread is noticed; signals are noticed at once.
TICK = 0.5

log = structlog.get_logger(__name__)


class Progress:
    """What a job is handed: it says that it moves, and hears that it should stop."""

    def __init__(self, stop: threading.Event, clock: Callable[[], float] = time.monotonic) -> None:
        self._stop = stop
        self._clock = clock
        self._moved_at = clock()

    def touch(self) -> None:
        """One unit of work is done. Call it between units: a job that does not is taken for hung."""
        self._moved_at = self._clock()

    def wait(self, seconds: float) -> bool:
        """Pause, and return early with True when asked to stop."""
        return self._stop.wait(seconds)

    def still_for(self) -> float:
        """Seconds since the last ``touch``."""
        return self._clock() - self._moved_at


@dataclass(frozen=True, slots=True)
class Job:
    """A piece of standing work, on an interval in seconds (the first run is at once) or by a cron line in ``zone``.

    ``stall_seconds`` is how long it may go without ``Progress.touch`` before the watchdog is no longer fed.
    """

    name: str
    action: Callable[[Progress], None]
    every_seconds: float | None = None
    cron: Cron | None = None
    zone: ZoneInfo = NEW_YORK
    stall_seconds: float = 900.0

    def __post_init__(self) -> None:
        if (self.every_seconds is None) == (self.cron is None):
            raise ValueError(f"job {self.name!r}: give either every_seconds or cron")


def run(
    jobs: Sequence[Job],
    *,
    notify: Notifier,
    stop: threading.Event,
    watchdog_seconds: float | None,
    healthy: Callable[[], bool],
    prepare: Callable[[], None] | None = None,
    reload: Callable[[], Sequence[Job]] | None = None,
    on_failing: Callable[[str, int, Exception], None] | None = None,
    on_recovered: Callable[[str], None] | None = None,
    stop_seconds: float = 40.0,
) -> int:
    """Do the jobs until SIGTERM, SIGINT or ``stop``; returns the exit code, 0.

    ``healthy`` says whether the database answers: READY waits for it, and so does the watchdog.
    ``prepare`` is called once it answers, before READY; what it raises ends the service.
    ``reload`` answers SIGHUP with new jobs, or raises and everything stays as it was.
    ``on_failing(job, times, error)`` is called once when a job failed FAILING_AFTER times in a row, ``on_recovered``
    at its next success.
    ``stop_seconds`` bounds the wait for the units at hand; keep it below systemd's TimeoutStopSec.
    """
    service = Service(notify, stop, healthy, watchdog_seconds, stop_seconds)
    service.prepare = prepare
    service.reload = reload
    service.on_failing = on_failing
    service.on_recovered = on_recovered
    service.set_jobs(jobs)
    return service.run()


class Work:
    """One job's life: runs it, counts its failures, knows when it last moved."""

    def __init__(self, job: Job, service: Service) -> None:
        self.job = job
        self.failures = 0
        self.idle = threading.Event()
        self.idle.set()
        self._service = service
        self._progress = Progress(service.stop)
        self._ended_at: float | None = None

    def __call__(self) -> None:
        self._progress.touch()
        self.idle.clear()  # before the look at stop: whoever set it then waits for us, or we see it
        try:
            if not self._service.stop.is_set():
                self._act()
        finally:
            self.idle.set()

    def _act(self) -> None:
        try:
            self.job.action(self._progress)
        except Exception as error:  # noqa: BLE001 - no failure of one job may end the service
            self._failed(error)
        else:
            self._succeeded()
        finally:
            self._ended_at = time.monotonic()

    def _failed(self, error: Exception) -> None:
        self.failures += 1
        log.error("job_failed", job=self.job.name, in_a_row=self.failures, exc_info=error)
        if self.failures == FAILING_AFTER and self._service.on_failing:
            _tell(self._service.on_failing, self.job.name, self.failures, error)

    def _succeeded(self) -> None:
        recovered = self.failures >= FAILING_AFTER
        self.failures = 0
        if recovered and self._service.on_recovered:
            _tell(self._service.on_recovered, self.job.name)

    def stalled(self) -> bool:
        return not self.idle.is_set() and self._progress.still_for() > self.job.stall_seconds

    def describe(self) -> str:
        """For ``systemctl status``. Errors stay in the journal: their text may be long."""
        if self.failures:
            return f"{self.job.name} failed, {self.failures} in a row"
        if not self.idle.is_set():
            return f"{self.job.name} running"
        if self._ended_at is None:
            return f"{self.job.name} waiting"
        return f"{self.job.name} ok {time.monotonic() - self._ended_at:.0f} s ago"


class Service:
    """The process: a scheduler thread, a thread a running job, and the main thread that waits for signals."""

    def __init__(
        self,
        notify: Notifier,
        stop: threading.Event,
        healthy: Callable[[], bool],
        watchdog_seconds: float | None = None,
        stop_seconds: float = 40.0,
    ) -> None:
        self.stop = stop
        self.prepare: Callable[[], None] | None = None
        self.reload: Callable[[], Sequence[Job]] | None = None
        self.on_failing: Callable[[str, int, Exception], None] | None = None
        self.on_recovered: Callable[[str], None] | None = None
        self.works: dict[str, Work] = {}
        self.scheduler = _new_scheduler()
        self._notify = notify
        self._healthy = healthy
        self._stop_seconds = stop_seconds
        self._signals: SimpleQueue[int] = SimpleQueue()
        self._asked = False
        self._problem = ""
        beat = min(BEAT, watchdog_seconds / 3) if watchdog_seconds else BEAT
        # Without an id of ours: those are the names of jobs, and "heartbeat" is one.
        self.scheduler.add_job(self._beat, IntervalTrigger(seconds=beat, timezone=UTC))

    def set_jobs(self, jobs: Sequence[Job]) -> None:
        """Replace the jobs; one that stays keeps its count of failures and is never run twice at once."""
        for name in self.works:
            self.scheduler.remove_job(name)
        self.works = {job.name: self._work(job) for job in jobs}
        for job in jobs:
            first = {"next_run_time": datetime.now(UTC)} if job.cron is None else {}
            self.scheduler.add_job(self.works[job.name], _trigger(job), id=job.name, **first)

    def _work(self, job: Job) -> Work:
        work = self.works.get(job.name) or Work(job, self)
        work.job = job
        return work

    def run(self) -> int:
        with self._listening():
            if self._became_healthy():
                self._begin()
                self._serve()
            return self._finish()

    def _became_healthy(self) -> bool:
        """Wait for the database; False when asked to stop before it answered."""
        while not self.stop.is_set():
            if not self._look():
                return True
            self._notify.status(f"starting: {self._problem}")
            self._heed(self._next_signal())
        return False

    def _begin(self) -> None:
        if self.prepare is not None:
            self.prepare()
        self.scheduler.start()
        self._notify.ready()
        log.info("service_ready", jobs=sorted(self.works))

    def _serve(self) -> None:
        while not self.stop.is_set():
            self._heed(self._next_signal())

    def _next_signal(self) -> int | None:
        try:
            return self._signals.get(timeout=TICK)
        except Empty:
            return None

    def _heed(self, number: int | None) -> None:
        if number == signal.SIGHUP:
            self._reload()
        elif number is not None:
            log.info("service_stopping", signal=signal.Signals(number).name)
            self.stop.set()

    def _reload(self) -> None:
        if self.reload is None:
            return
        self._notify.reloading()
        try:
            self.set_jobs(self.reload())
            log.info("service_reloaded", jobs=sorted(self.works))
        except Exception as error:  # noqa: BLE001 - whatever is wrong with the new config, the old one is good
            log.error("reload_refused", error=str(error), do="correct the configuration and reload again")
        self._notify.ready()

    def _finish(self) -> int:
        """Wait, not for ever, for the units at hand. What is cut off is taken up again when its lease has expired."""
        self._notify.stopping()
        if self.scheduler.running:
            self.scheduler.pause()  # shutdown() may wait for ever for a thread that waits for us
        deadline = time.monotonic() + self._stop_seconds
        for work in self.works.values():
            if not work.idle.is_set():
                self._notify.status(f"stopping: waiting for {work.job.name}")
            if not work.idle.wait(max(0.0, deadline - time.monotonic())):
                log.warning("job_abandoned", job=work.job.name, waited_seconds=self._stop_seconds)
        log.info("service_stopped")
        return 0

    def _beat(self) -> None:
        """Runs in the scheduler, so that a dead scheduler is a missing heartbeat."""
        problem = self._look()
        self._notify.status(problem or "; ".join(work.describe() for work in self.works.values()))
        if not problem:
            self._notify.watchdog()

    def _look(self) -> str:
        """What is wrong with us, or nothing; the journal hears of it when it changes."""
        problem = self._what_is_wrong()
        if problem != self._problem:
            log.log(logging.ERROR if problem else logging.INFO, "service_health", problem=problem or "none any more")
        self._problem = problem
        return problem

    def _what_is_wrong(self) -> str:
        stalled = [work.job.name for work in list(self.works.values()) if work.stalled()]
        if stalled:
            return f"no progress: {', '.join(stalled)}"
        try:
            return "" if self._healthy() else "the database does not answer"
        except Exception as error:  # noqa: BLE001 - whatever the driver raises, it means the same
            return f"the database does not answer: {error}"

    @contextmanager
    def _listening(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield  # only the main thread may ask for signals
            return
        numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        before = {number: signal.signal(number, self._hear) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _hear(self, number: int, _frame: FrameType | None) -> None:
        """May interrupt any line of the main thread, so it takes no lock: Event.set would, SimpleQueue.put does not."""
        if number != signal.SIGHUP and self._asked:
            # Asked twice: go at once. Every write is one transaction and every claim a lease, so this loses nothing.
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        self._asked = self._asked or number != signal.SIGHUP
        self._signals.put(number)


def _tell(callback: Callable[..., None], *args: object) -> None:
    """Telling people may fail like anything else, and must not stop the work."""
    try:
        callback(*args)
    except Exception as error:
        log.warning("callback_failed", exc_info=error)


# ------------------------------------------------------------------ the clock


class _DaemonThreads(BaseExecutor):  # type: ignore[misc] # APScheduler has no types
    """A thread a running job, which the interpreter does not wait for at its end, as it would for a pool's."""

    def _do_submit_job(self, job: Any, run_times: list[datetime]) -> None:
        threading.Thread(target=self._work, args=(job, run_times), name=f"job-{job.id}", daemon=True).start()

    def _work(self, job: Any, run_times: list[datetime]) -> None:
        # Catches even BaseException; only so may the next run of this job begin.
        self._run_job_success(job.id, run_job(job, job._jobstore_alias, run_times, self._logger.name))


def _new_scheduler() -> BackgroundScheduler:
    # At each tick it would say that a long job is still running: that is what max_instances=1 is for.
    logging.getLogger("apscheduler.scheduler").setLevel(logging.ERROR)
    logging.getLogger("apscheduler.executors").setLevel(logging.WARNING)
    return BackgroundScheduler(timezone=UTC, executors={"default": _DaemonThreads()}, job_defaults=JOB_DEFAULTS)


class _CronTrigger(BaseTrigger):  # type: ignore[misc]
    """Asks our own reading of cron. APScheduler's numbers weekdays from Monday, doubles times when autumn turns the
    clock back, and skips a Monday's first hour after spring ("0 0 * * mon" on March 10, 2025, with 3.11.3)."""

    def __init__(self, cron: Cron, zone: ZoneInfo) -> None:
        self._cron, self._zone = cron, zone

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        return self._cron.next_after(previous_fire_time or now, self._zone)


def _trigger(job: Job) -> BaseTrigger:
    if job.cron is not None:
        return _CronTrigger(job.cron, job.zone)
    return IntervalTrigger(seconds=job.every_seconds, timezone=UTC)
