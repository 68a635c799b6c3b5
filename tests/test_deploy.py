"""What is handed to a server: the locks, the wheel, the units."""

from __future__ import annotations

import inspect
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from monitor.workflow import sealing

ROOT = Path(__file__).resolve().parent.parent
SYSTEMD = ROOT / "deploy" / "systemd"
UNITS = sorted(path.name for path in SYSTEMD.glob("*.service"))
PROGRAM = "/opt/legislative-monitor/bin/monitor"
MOST_EXPOSED = 1.5
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
LOCKS = ["requirements.lock", "requirements-build.lock", "requirements-dev.lock"]


@pytest.fixture
def systemd_analyze() -> str:
    found = shutil.which("systemd-analyze")
    if found is None:
        pytest.skip("needs systemd-analyze (Debian: apt install systemd)")
    return found


# ------------------------------------------------------------------ units


def _settings(unit: str) -> list[str]:
    lines = (SYSTEMD / unit).read_text().splitlines()
    return [line for line in lines if line and not line.startswith(("#", "["))]


def _setting(unit: str, name: str) -> list[str]:
    return [line.partition("=")[2] for line in _settings(unit) if line.startswith(f"{name}=")]


def _seconds(text: str) -> int:
    number, unit = re.fullmatch(r"(\d+)(s|min)", text).groups()  # type: ignore[union-attr]
    return int(number) * {"s": 1, "min": 60}[unit]


@pytest.mark.needs_systemd
@pytest.mark.parametrize("unit", UNITS)
def test_a_unit_exposes_little(systemd_analyze, unit):
    command = [systemd_analyze, "security", "--offline=true", f"--threshold={MOST_EXPOSED * 10:.0f}", SYSTEMD / unit]
    done = subprocess.run(command, capture_output=True, text=True)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    exposure = re.search(r"Overall exposure level .*: ([\d.]+)", done.stdout)
    assert exposure is not None
    assert float(exposure[1]) <= MOST_EXPOSED


@pytest.fixture
def installed_units(tmp_path: Path) -> list[Path]:
    """The units as on a server: the program they start exists."""
    program = tmp_path / "monitor"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    copies = []
    for unit in UNITS:
        copy = tmp_path / unit
        copy.write_text((SYSTEMD / unit).read_text().replace(PROGRAM, str(program)))
        copies.append(copy)
    return copies


def _verify(systemd_analyze: str, units: list[Path]) -> subprocess.CompletedProcess[str]:
    command = [systemd_analyze, "verify", "--recursive-errors=yes", *map(str, units)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.needs_systemd
def test_systemd_reads_the_units_without_a_word(systemd_analyze, installed_units):
    done = _verify(systemd_analyze, installed_units)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.needs_systemd
def test_systemd_would_object_to_a_mistake(systemd_analyze, installed_units):
    service = next(path for path in installed_units if path.name == "legislative-monitor.service")
    service.write_text(service.read_text().replace("WatchdogSec=", "WatchdogSeconds="))
    assert "WatchdogSeconds" in _verify(systemd_analyze, installed_units).stderr


def test_every_unit_is_hardened_alike():
    def hardening(unit: str) -> str:
        text = (SYSTEMD / unit).read_text()
        return text[text.index("# --- What the process may be") :].partition("\n[Install]")[0].strip()

    assert {hardening(unit) for unit in UNITS} == {hardening("legislative-monitor.service")}


def test_stopping_fits_into_systemds_patience():
    from monitor.schedule import run

    own = inspect.signature(run).parameters["stop_seconds"].default
    assert own < _seconds(_setting("legislative-monitor.service", "TimeoutStopSec")[0])


def test_the_pages_fall_and_stand_without_the_service():
    unit = "legislative-monitor-web.service"
    assert _setting(unit, "ExecStart") == [f"{PROGRAM} serve"]
    for name in ("Requires", "BindsTo", "PartOf"):
        assert _setting(unit, name) == _setting("legislative-monitor.service", name) == []
    one_try = _seconds(_setting(unit, "TimeoutStartSec")[0]) + _seconds(_setting(unit, "RestartSec")[0])
    tries = _seconds(_setting(unit, "StartLimitIntervalSec")[0]) / one_try
    assert tries < int(_setting(unit, "StartLimitBurst")[0])


def test_a_database_that_is_away_never_exhausts_the_starts():
    unit = "legislative-monitor.service"
    one_try = _seconds(_setting(unit, "TimeoutStartSec")[0]) + _seconds(_setting(unit, "RestartSec")[0])
    tries = _seconds(_setting(unit, "StartLimitIntervalSec")[0]) / one_try
    assert tries < int(_setting(unit, "StartLimitBurst")[0])


def test_the_service_and_who_looks_why_it_failed_are_handed_every_secret_with_a_name_of_ours():
    sources = "".join(path.read_text() for path in sorted((ROOT / "monitor").rglob("*.py")))
    names = {name.lower() for name in re.findall(r'\bsecret\("([A-Z_]+)"', sources)} | {sealing.KEY.lower()}
    assert names == {"smtp_password", "dkim_key", "imap_password", "webhook_key"}
    given = _setting("legislative-monitor.service", "LoadCredential")
    assert set(given) == names | {"slack_webhook"}
    assert _setting("legislative-monitor-failed@.service", "LoadCredential") == given
    assert _setting("legislative-monitor-web.service", "LoadCredential") == ["webhook_key"]


def test_no_unit_holds_a_secret():
    text = "".join(path.read_text() for path in SYSTEMD.iterdir())
    assert not re.search(r"(?i)(password|token|secret)\s*=\s*[^\s#]|hooks\.slack|://[^/\s]*:[^/\s]*@", text)


def test_every_command_of_a_unit_is_the_installed_program():
    commands = [command.lstrip("-") for unit in UNITS for command in _setting(unit, "ExecStart")]
    assert len(commands) == len(UNITS)
    assert {command.split()[0] for command in commands} == {PROGRAM}


@pytest.mark.needs_systemd
def test_the_user_can_be_made(systemd_analyze):
    sysusers = shutil.which("systemd-sysusers")
    if sysusers is None:
        pytest.skip("needs systemd-sysusers (Debian: apt install systemd)")
    conf = SYSTEMD / "legislative-monitor.sysusers.conf"
    done = subprocess.run([sysusers, "--dry-run", str(conf)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    users = {setting for unit in UNITS for setting in _setting(unit, "User")}
    assert users == {conf.read_text().splitlines()[-1].split()[1]}


# ------------------------------------------------------------------ locks


def _pins(lock: str) -> dict[str, list[Requirement]]:
    pins: dict[str, list[Requirement]] = {}
    for line in (ROOT / lock).read_text().splitlines():
        if line and not line.startswith((" ", "#")):
            pin = Requirement(line.removesuffix("\\"))
            pins.setdefault(canonicalize_name(pin.name), []).append(pin)
    return pins


def _version(pin: Requirement) -> str:
    return next(iter(pin.specifier)).version


@pytest.mark.parametrize(
    ("lock", "wanted"),
    [
        ("requirements.lock", PROJECT["dependencies"]),
        ("requirements-build.lock", PYPROJECT["dependency-groups"]["build"]),
        ("requirements-dev.lock", PROJECT["dependencies"] + PROJECT["optional-dependencies"]["dev"]),
    ],
)
def test_a_lock_answers_pyproject(lock, wanted):
    pins = _pins(lock)
    for text in wanted:
        wish = Requirement(text)
        found = pins.get(canonicalize_name(wish.name), [])
        assert found, f"{wish.name} is missing in {lock}: make lock"
        for pin in found:
            assert wish.specifier.contains(_version(pin)), f"{pin} in {lock} is not {wish}: make lock"


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_is_hashed_and_none_says_where_from(lock):
    text = (ROOT / lock).read_text()
    blocks = re.split(r"\n(?=[\w-]+(?:\[[\w,]+\])?==)", text)[1:]
    assert len(blocks) == sum(map(len, _pins(lock).values()))
    assert all("--hash=sha256:" in block for block in blocks)
    assert "://" not in text
    assert "--index" not in text
    assert "--find-links" not in text


@pytest.mark.parametrize("lock", LOCKS[:2])
def test_the_server_runs_what_was_tested(lock):
    tested = _pins("requirements-dev.lock")
    for name, pins in _pins(lock).items():
        assert {str(pin.specifier) for pin in pins} == {str(pin.specifier) for pin in tested[name]}, name


# ------------------------------------------------------------------ wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet", "--no-index"]
    command += ["--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return next(folder.glob("*.whl"))


def test_the_wheel_has_everything_the_service_reads(wheel):
    packed = set(zipfile.ZipFile(wheel).namelist())
    for top, inside in (("monitor", "monitor"), ("migrations", "monitor/migrations")):
        files = [path for path in (ROOT / top).rglob("*") if path.is_file() and "__pycache__" not in path.parts]
        assert files
        for path in files:
            assert f"{inside}/{path.relative_to(ROOT / top).as_posix()}" in packed
    assert "monitor/config.example.yaml" in packed
    assert not [name for name in packed if name.startswith(("tests/", "migrations/", "deploy/"))]


@pytest.fixture(scope="module")
def server(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the wheel; the dependencies are borrowed from the one the tests run in."""
    home = tmp_path_factory.mktemp("server") / "venv"
    venv.create(home, symlinks=True)
    site = Path(sysconfig.get_path("purelib", "venv", {"base": str(home), "platbase": str(home)}))
    python = str(home / "bin" / "python")
    command = [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check", "install", "--quiet"]
    done = subprocess.run([*command, "--no-index", "--no-deps", str(wheel)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib"))
    return home / "bin"


def test_the_installed_program_brings_a_database_up_to_date(server, tmp_path):
    shutil.copy(ROOT / "config.yaml", tmp_path / "config.yaml")
    environment = {
        "PATH": "/usr/bin:/bin",
        "MONITOR_CONFIG": str(tmp_path / "config.yaml"),
        "MONITOR_DATABASE_URL": f"sqlite:///{tmp_path / 'monitor.sqlite3'}",
    }
    where = [str(server / "python"), "-P", "-c", "import monitor; print(monitor.__file__)"]
    assert str(server.parent) in subprocess.run(where, cwd=tmp_path, capture_output=True, text=True).stdout
    for command in (["db", "upgrade"], ["db", "check"]):
        arguments = [str(server / "monitor"), *command]
        done = subprocess.run(arguments, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "monitor.sqlite3").stat().st_size > 0


# ------------------------------------------------------------------ make


def test_make_names_its_targets():
    if shutil.which("make") is None:
        pytest.skip("needs make")
    listed = subprocess.run(["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True).stdout
    for target in ("demo", "test", "lint", "bench", "lock", "install", "clean", "help"):
        assert f"make {target} " in listed


def test_make_says_what_to_install_when_python_is_too_old(tmp_path):
    if shutil.which("make") is None:
        pytest.skip("needs make")
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    command = ["make", "--no-print-directory", "check-python", f"PYTHON={old}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode != 0
    assert "Python 3.11 or newer" in done.stderr
    assert "apt install python3-venv" in done.stderr or "apt install python3 python3-venv" in done.stderr
