"""``monitor serve --demo``: from nothing to a signed-in maintainer and a new reader, with what the command says."""

from __future__ import annotations

import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
import requests

from monitor.demo import board
from monitor.demo import serving as serving_demo
from monitor.demo.run import DEFAULT, _tell_next
from monitor.demo.serving import Ready, prepare

ROOT = Path(__file__).resolve().parent.parent
TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demonstration, made once by the command itself."""
    return tmp_path_factory.mktemp("demo") / "data"


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def serving(folder: Path, *more: str) -> Iterator[tuple[str, str]]:
    """The command until it says where it answers: its address, and what it said."""
    address = f"127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "monitor", "serve", "--demo", "--dir", str(folder), "--listen", address, *more]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("MONITOR_")}
    process = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        yield f"http://{address}/", _heard(process)
    finally:
        process.send_signal(signal.SIGTERM)
        _, rest = process.communicate(timeout=20)
    assert process.returncode == 0, rest.decode()


def _heard(process: subprocess.Popen[bytes]) -> str:
    assert process.stderr is not None
    said, until = b"", time.monotonic() + 240  # a replay, on a busy machine
    while b"Ctrl-C" not in said and time.monotonic() < until and process.poll() is None:
        if select.select([process.stderr], [], [], 1)[0]:
            said += os.read(process.stderr.fileno(), 65536)
    assert b"Ctrl-C" in said, said.decode()
    return said.decode()


def sign_in(address: str, said: str) -> requests.Session:
    """With the name and password that were printed."""
    found = re.search(r"sign in as (\w+) with the password (\S+)", said)
    assert found is not None, said
    browser = requests.Session()
    page = browser.get(f"{address}desk/sign-in", timeout=10)
    token = TOKEN.search(page.text)
    assert token is not None
    data = {"name": found[1], "password": found[2], "csrf_token": token[1]}
    headers = {"Origin": address.rstrip("/")}
    answer = browser.post(f"{address}desk/sign-in", data=data, headers=headers, allow_redirects=False, timeout=10)
    assert answer.status_code == 303, answer.text
    return browser


def sign_up(address: str, outbox: Path) -> None:
    """As a reader: the form, the mail that is a file here, its link, the button; then the page that is their own."""
    browser, own = requests.Session(), {"Origin": address.rstrip("/")}
    form = {"email": "newcomer@example.net", "about": "all", "interests": "status", "cadence": "immediate"}
    page = browser.get(f"{address}alerts", timeout=10)
    form["csrf_token"] = TOKEN.findall(page.text)[0]
    answer = browser.post(f"{address}alerts", data=form, headers=own, timeout=10)
    assert "Look for a message from us" in answer.text
    mail = written_to("newcomer@example.net", outbox)
    (path,) = set(re.findall(rf"{re.escape(board.SERVED_AT)}(alerts/confirm/\w+)", mail))
    page = browser.get(f"{address}{path}", timeout=10)
    assert "Confirm your sign-up" in page.text
    data = {"csrf_token": TOKEN.findall(page.text)[0]}
    answer = browser.post(f"{address}{path}", data=data, headers=own, timeout=10)
    assert (answer.status_code, "done=confirmed" in answer.url) == (200, True)
    assert browser.get(f"{address}{path}", timeout=10).status_code == 410, "a link is good once"


def written_to(recipient: str, outbox: Path) -> str:
    """The text of the first mail, once it is there; each is put there in one go."""
    until = time.monotonic() + 20
    while time.monotonic() < until and not mails_to(recipient, outbox):
        time.sleep(0.2)
    body = mails_to(recipient, outbox)[0].get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def mails_to(recipient: str, outbox: Path) -> list[EmailMessage]:
    found = (message_from_bytes(path.read_bytes(), policy=default) for path in outbox.glob("*.eml"))
    return [mail for mail in found if isinstance(mail, EmailMessage) and mail["To"] == recipient]


@pytest.mark.timeout(360)
def test_from_nothing_to_a_signed_in_maintainer(folder: Path) -> None:
    with serving(folder) as (address, said):
        assert f"The board is at {address}" in said
        assert f"The desk is at {address}desk" in said
        assert "Qualified immunity" in requests.get(address, timeout=10).text
        browser = sign_in(address, said)
        for path, expected in (
            ("desk", "Queue"),
            ("desk/sources", "Sources"),
            ("desk/today?day=2025-06-09", "SIGNED BY GOVERNOR"),
            ("desk/search?q=HB+7132", "HB 7132 (2025)"),
            ("desk/board", "Issues and watches"),
        ):
            page = browser.get(f"{address}{path}", timeout=10)
            assert page.status_code == 200, (path, page.text)
            assert expected in page.text
    # Looked at again: nothing is replayed, the old password is gone, the new one works.
    made = (folder / board.NAME).stat().st_mtime_ns
    with serving(folder) as (address, again):
        assert (folder / board.NAME).stat().st_mtime_ns == made
        assert re.findall(r"password (\S+)", again) != re.findall(r"password (\S+)", said)
        sign_in(address, again)
        sign_up(address, folder / board.OUTBOX)
    subjects = " ".join(str(mail["Subject"]) for mail in mails_to("bob@example.org", folder / board.OUTBOX))
    assert "2 bills have new actions today" in subjects, "a digest"
    assert "Hearing March 4" in subjects
    kept = [path for path in folder.rglob("*") if path.is_file()]
    secret = re.findall(r"with the password (\S+)", again)[0].encode()
    assert not [path for path in kept if secret in path.read_bytes()]


def test_a_replay_that_broke_off_is_begun_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as once:
        once.setattr("monitor.demo.run.check", interrupted)
        with pytest.raises(KeyboardInterrupt):
            prepare(tmp_path)
    begun: list[Path] = []
    monkeypatch.setattr("monitor.demo.serving.run", begun.append)
    assert prepare(tmp_path) == tmp_path / board.NAME
    assert begun == [tmp_path]


def test_one_failure_does_not_end_what_is_sent_beside_the_pages(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    context: Any = None

    class EndError(BaseException):
        pass

    answers: list[BaseException | None] = [OSError("no room"), None, EndError()]

    def deliver(_: object) -> None:
        answer = answers.pop(0)
        if answer is not None:
            raise answer

    monkeypatch.setattr(serving_demo, "deliver", deliver)
    monkeypatch.setattr(serving_demo, "sleep", lambda _: None)
    with pytest.raises(EndError):
        Ready(context, "Demo", "")._deliver_on()
    assert answers == []
    assert "no room" in capsys.readouterr().out


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(SystemExit, match="holds something else"):
        prepare(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize(
    ("folder", "command"),
    [(DEFAULT, "monitor serve --demo"), (Path("/tmp/x"), "monitor serve --demo --dir /tmp/x")],
)
def test_the_demonstration_ends_by_naming_address_and_command(folder: Path, command: str) -> None:
    said: list[str] = []
    _tell_next(lambda text="": said.append(text), folder, 1, "127.0.0.1:8080")
    assert said[-1] == f"Look at it at http://127.0.0.1:8080/ once this runs: .venv/bin/{command}"
