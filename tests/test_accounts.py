"""Maintainers, their passwords and their sign-ins, on both databases."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pipeline import World, issue
from web import PASSWORD, app, csrf, desk, public, sign_in

from monitor.store.schema_desk import Deed, Maintainer, SignIn, SignInFailure
from monitor.web.signin import own_path
from monitor.workflow import accounts, attempts
from monitor.workflow.attempts import BY_ADDRESS, BY_DEVICE, BY_NAME, FIRST_WAIT, Caller
from monitor.workflow.prune import prune
from monitor.workflow.review import Refusal

WRONG = "The name or the password is wrong."


@pytest.fixture(autouse=True)
def real_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Elsewhere desk() signs in with cheap ones."""
    monkeypatch.setattr("web._CHEAP", accounts._HASHER)


@pytest.fixture
def world(tmp_path: Path, database_url: str) -> Iterator[World]:
    with World(tmp_path, [issue("stops", "2025 HB 7132")], database_url=database_url) as world:
        yield world


@pytest.fixture
def one(tmp_path: Path) -> Iterator[World]:
    """A world where the engine makes no difference."""
    with World(tmp_path, [issue("stops", "2025 HB 7132")]) as world:
        yield world


def add(world: World, name: str = "Dana", password: str = PASSWORD, role: str = "maintainer") -> Maintainer:
    return accounts.add(world.context, name, password, role, "the test")


def is_in(client: Any) -> bool:
    return bool(client.get("/desk/audit").status_code == 200)


# ------------------------------------------------------------------ in and out


def test_a_maintainer_signs_in_and_out(world):
    client = desk(world)
    (row,) = world.rows(SignIn)
    cookie = client.get_cookie("desk", path="/desk")
    assert cookie.value not in row.id
    assert len(row.id) == 64
    assert is_in(client)
    answer = client.post("/desk/sign-out", data={"csrf_token": csrf(client)})
    assert answer.location == "/desk/sign-in"
    assert client.get_cookie("desk", path="/desk") is None
    assert world.rows(SignIn) == []
    client.set_cookie("desk", cookie.value, path="/desk")
    assert not is_in(client), "the token is worth nothing after signing out"


@pytest.mark.parametrize(("name", "password"), [("Dana", "wrong horse battery"), ("Nobody", PASSWORD), ("", "")])
def test_wrong_name_and_wrong_password_are_told_in_the_same_words(one, name, password):
    add(one)
    answer = sign_in(public(one), name, password)
    assert answer.status_code == 422
    assert WRONG in answer.text
    assert "<title>Error: " in answer.text
    assert not password or password not in answer.text, "a password is never shown again"
    assert one.rows(SignIn) == []


def test_an_unknown_name_costs_the_same_work(one, monkeypatch):
    """argon2 runs exactly once for every try, whoever is tried."""
    add(one)
    done = []

    class Counting:
        def hash(self, password):
            done.append("hash")
            return real.hash(password)

        def verify(self, hashed, password):
            done.append("verify")
            return real.verify(hashed, password)

        def check_needs_rehash(self, hashed):
            return real.check_needs_rehash(hashed)

    real = accounts._HASHER
    monkeypatch.setattr(accounts, "_HASHER", Counting())
    for name in ("Dana", "Nobody"):
        with pytest.raises(Refusal, match=WRONG):
            accounts.sign_in(one.context, name, "wrong horse battery", Caller("192.0.2.1"))
    assert done == ["verify", "hash"]


@pytest.mark.parametrize("spelled", ["dana", " DANA ", "Dana"])
def test_capitals_and_blanks_of_a_name_do_not_matter(one, spelled):
    add(one)
    assert accounts.sign_in(one.context, spelled, PASSWORD, Caller("192.0.2.1")).name == "Dana"
    with pytest.raises(Refusal, match="there is a maintainer Dana already"):
        add(one, spelled)


def test_a_sign_in_ends_after_twelve_idle_hours_and_after_a_week_at_most(world):
    client = desk(world)
    world.later(hours=11, minutes=59)
    assert is_in(client)
    world.later(minutes=2)
    assert not is_in(client), "looking alone does not keep it"
    client = desk(world)
    for _ in range(7 * 3):
        assert is_in(client)
        world.later(hours=8)
        accounts.seen(world.context, client.get_cookie("desk", path="/desk").value)
    assert not is_in(client), "seven days are over, however busy it was"


def test_something_done_keeps_a_sign_in(world):
    app(world)
    client = desk(world)
    world.later(hours=8)
    token = client.get_cookie("desk", path="/desk").value
    accounts.seen(world.context, token)
    world.later(hours=8)
    assert is_in(client)


def test_reset_and_disable_end_every_sign_in(world):
    clients = [desk(world), desk(world)]
    accounts.reset(world.context, "Dana", "another horse battery", "the test")
    assert not any(is_in(client) for client in clients)
    assert world.rows(SignIn) == []
    assert sign_in(clients[0], "Dana", PASSWORD).status_code == 422
    assert sign_in(clients[0], "Dana", "another horse battery").status_code == 303
    accounts.disable(world.context, "Dana", "the test")
    assert not is_in(clients[0])
    assert sign_in(clients[0], "Dana", "another horse battery").status_code == 422
    accounts.reset(world.context, "Dana", "a third horse battery", "the test")
    assert sign_in(clients[0], "Dana", "a third horse battery").status_code == 303


def test_a_reset_between_looking_and_signing_in_wins(one, monkeypatch):
    """The password was right when it was looked at, and is not any more when the sign-in begins."""
    add(one)
    real = accounts._fits

    def slow(row, password):
        fits = real(row, password)
        monkeypatch.setattr(accounts, "_fits", real)
        accounts.reset(one.context, "Dana", "another horse battery", "the test")
        return fits

    monkeypatch.setattr(accounts, "_fits", slow)
    with pytest.raises(Refusal, match=WRONG):
        accounts.sign_in(one.context, "Dana", PASSWORD, Caller("192.0.2.1"))
    assert one.rows(SignIn) == []


def test_the_database_holds_neither_password_nor_token(world):
    client = desk(world)
    token = client.get_cookie("desk", path="/desk").value
    kept = str([vars(row) for table in (Maintainer, SignIn, SignInFailure, Deed) for row in world.rows(table)])
    assert PASSWORD not in kept
    assert token not in kept
    assert "$argon2id$" in kept


def test_a_hash_of_old_settings_is_made_anew_at_the_next_sign_in(one):
    from argon2 import PasswordHasher

    add(one)
    with one.database.transaction() as session:
        row = session.get_one(Maintainer, 1)
        row.password_hash = weak = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    desk(one)
    assert one.rows(Maintainer)[0].password_hash != weak


class Slow:
    """A hasher that takes its time and counts how many run at once."""

    def __init__(self) -> None:
        self.now = self.most = 0
        self.lock = threading.Lock()

    def verify(self, hashed: str, password: str) -> bool:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(0.05)
        with self.lock:
            self.now -= 1
        return True

    def check_needs_rehash(self, hashed: str) -> bool:
        return False


def test_eight_who_sign_in_at_once_are_looked_at_two_at_a_time(one, monkeypatch):
    """Each takes the memory of a hash, and the unit of the pages has so much and no more."""
    add(one)
    slow = Slow()
    monkeypatch.setattr(accounts, "_HASHER", slow)
    together = threading.Barrier(8)

    def begin(number: int) -> str:
        together.wait()
        return accounts.sign_in(one.context, "Dana", PASSWORD, Caller(f"192.0.2.{number}")).name

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(begin, range(8))) == ["Dana"] * 8
    assert slow.most == 2


def test_a_hash_takes_the_memory_that_was_meant(one):
    add(one)
    assert "$m=19456,t=2,p=1$" in one.rows(Maintainer)[0].password_hash


def test_who_finds_no_place_is_told_to_come_back_and_does(one, monkeypatch):
    add(one)
    client = public(one)
    monkeypatch.setattr(accounts, "_PATIENCE", timedelta(milliseconds=50))
    with accounts._place(), accounts._place():
        answer = sign_in(client, "Dana")
    assert answer.status_code == 503
    assert "Wait 5 seconds, then try again." in answer.text
    assert answer.headers["Retry-After"] == "5"
    assert sign_in(client, "Dana").status_code == 303


# ------------------------------------------------------------------ guessing


def guess(
    world: World, times: int, *, name: str = "Dana", address: str = "192.0.2.1", device: str | None = None
) -> int:
    """How many of these wrong tries were looked at; the rest were refused unseen."""
    looked = 0
    for _ in range(times):
        try:
            attempts.begin(world.context, accounts.fold(name), Caller(address))
        except attempts.TooMany:
            continue
        looked += 1
    return looked


def test_guesses_from_one_address_end(world):
    add(world)
    client = public(world)
    assert guess(world, BY_ADDRESS.most + 5, name="Nobody", address="127.0.0.1") == BY_ADDRESS.most
    answer = sign_in(client, "Dana")
    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= BY_ADDRESS.within.total_seconds()
    assert "Wait 15 minutes" in answer.text
    world.later(minutes=15, seconds=1)
    assert sign_in(client, "Dana").status_code == 303


def attack(world: World, name: str = "Dana") -> None:
    """As many guesses at one name as make it guessed at, from three networks."""
    assert sum(guess(world, 20, name=name, address=f"192.0.2.{number}") for number in (1, 2, 3)) >= BY_NAME.most


def test_a_victim_gets_in_from_any_browser_whoever_guesses_at_the_name(world):
    """An attacker who goes on guessing from elsewhere makes nobody wait but himself."""
    client = desk(world)
    client.delete_cookie("desk", path="/desk")
    attack(world)
    for _ in range(20):
        world.later(minutes=6)
        guess(world, 30, address="192.0.2.1")
        guess(world, 30, address="192.0.2.2")
        assert sign_in(public(world), "Dana").status_code == 303, "a strange browser is let in"
    assert sign_in(client, "Dana").status_code == 303, "and the victim's own is"


def test_a_victim_gets_in_from_her_own_browser_though_guesses_come_from_her_address(world):
    client = desk(world)
    attack(world)
    assert guess(world, 30, name="Nobody", address="127.0.0.1") == BY_ADDRESS.most
    assert sign_in(public(world), "Dana").status_code == 429
    assert sign_in(client, "Dana").status_code == 303


def test_a_name_that_is_guessed_at_is_slowed_down_for_each_address_by_its_own_wrong_passwords(world):
    add(world)
    attack(world)
    client = public(world)
    waits = []
    for _ in range(4):
        assert sign_in(client, "Dana", "wrong horse battery").status_code == 422
        answer = sign_in(client, "Dana")
        assert answer.status_code == 429, "the right password waits too, or it would tell itself"
        waits.append(int(answer.headers["Retry-After"]))
        assert f"Wait {waits[-1]} seconds, then try again." in answer.text
        world.later(seconds=waits[-1])
    assert waits == [5, 10, 20, 40]
    assert sign_in(client, "Dana").status_code == 303


def test_nobody_waits_longer_for_a_guessed_name_than_for_an_address(world):
    attack(world)
    waits = []
    for _ in range(10):
        attempts.begin(world.context, "dana", Caller("192.0.2.9"))
        with pytest.raises(attempts.TooMany) as refused:
            attempts.begin(world.context, "dana", Caller("192.0.2.9"))
        waits.append(refused.value.wait)
        world.later(seconds=waits[-1].total_seconds())
    assert waits[-3:] == [timedelta(seconds=640), BY_ADDRESS.within, BY_ADDRESS.within]


def test_a_known_browser_is_no_way_to_guess_on(world):
    client = desk(world)
    answers = [
        sign_in(client, "Dana", f"wrong guess number {number}").status_code for number in range(BY_DEVICE.most + 2)
    ]
    assert answers == [422] * BY_DEVICE.most + [429] * 2
    assert sign_in(public(world), "Dana").status_code == 303, "and it shuts out nobody else"


def test_the_cookie_of_a_known_browser_is_good_for_its_own_name_alone(world):
    viewer = desk(world, "viewer")
    add(world)
    guess(world, BY_ADDRESS.most, name="Nobody", address="127.0.0.1")
    assert sign_in(viewer, "Dana").status_code == 429
    assert sign_in(viewer, "Vera").status_code == 303


@pytest.mark.parametrize("forged", ["", "x", "WyJkYW5hIl0.abc", "e30.AAAA"])
def test_a_forged_cookie_is_no_known_browser(one, forged):
    add(one)
    guess(one, BY_ADDRESS.most, name="Nobody", address="127.0.0.1")
    client = public(one)
    client.set_cookie("device", forged, path="/desk/sign-in")
    assert sign_in(client, "Dana").status_code == 429


def test_a_hundred_guesses_at_once_are_a_hundred(world):
    """They are counted before the password is looked at, so none slips past the limit."""
    with ThreadPoolExecutor(20) as pool:
        looked = sum(pool.map(lambda _: guess(world, 5), range(20)))
    assert looked == BY_ADDRESS.most


def test_a_whole_ipv6_network_counts_as_one(one):
    looked = sum(guess(one, 1, address=f"2001:db8:0:1::{number:x}") for number in range(BY_ADDRESS.most + 10))
    assert looked == BY_ADDRESS.most
    assert guess(one, 1, name="Vera", address="2001:db8:0:2::1") == 1


def test_signing_in_forgives_what_was_mistyped_before(one):
    add(one)
    guess(one, 5, address="127.0.0.1")
    desk(one)
    assert one.rows(SignInFailure) == []


def test_old_failures_and_sign_ins_are_forgotten(world):
    desk(world)
    guess(world, 3)
    assert prune(world.context)["sign_in_failures"] == 0
    world.later(hours=25)
    guess(world, 2)
    gone = prune(world.context)
    assert (gone["sign_ins"], gone["sign_in_failures"]) == (1, 3)
    assert len(world.rows(SignInFailure)) == 2
    assert world.rows(SignIn) == []


# ------------------------------------------------------------------ where a sign-in leads

OWN = ["/desk", "/desk/audit", "/desk/audit?before=20", "/desk/proposals/12", "/desk/search?q=HB+7132&page=2"]
FOREIGN = [
    "",
    "/",
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/desk\\@evil.example",
    "/desk//evil.example",
    "/desk/../../evil.example",
    "/desk/..//evil.example",
    "/desk/%2e%2e//evil.example",
    "/desk/./",
    "/deskevil",
    "/desk.evil.example",
    "/desk@evil.example",
    "/desk:80@evil.example",
    "https://evil.example/desk",
    "http:/desk",
    "https:desk",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)//desk",
    "data:text/html,x",
    " /desk",
    "/desk ",
    "/desk\n",
    "/desk\r\nLocation: https://evil.example",
    "/desk\t/audit",
    "/desk/\u2025/",
    "/desk\uff0f\uff0fevil.example",
    "/desk/audit#x",
    "/desk/audit?next=\r\n",
    "/desk/<script>",
    'https://evil.example"onmouseover=x',
    "/desk\0",
]


@pytest.mark.parametrize("path", OWN)
def test_a_path_of_the_desk_is_gone_on_to(path):
    assert own_path(path) == path


@pytest.mark.parametrize("path", FOREIGN)
def test_no_other_address_is(one, path):
    assert own_path(path) == "/desk"


def test_the_form_takes_the_way_on_and_no_way_out(one):
    add(one)
    client = public(one)
    assert client.get("/desk/audit?before=20").location == "/desk/sign-in?next=/desk/audit?before%3D20"
    for wanted, led in [("/desk/audit?before=20", "/desk/audit?before=20"), ("//evil.example", "/desk")]:
        page = client.get("/desk/sign-in", query_string={"next": wanted}).text
        assert f'name="next" value="{led}"' in page
        assert "evil.example" not in page
        assert sign_in(client, "Dana", next=wanted).location == led


# ------------------------------------------------------------------ making maintainers


@pytest.mark.parametrize(
    ("name", "password", "why"),
    [
        ("Dana", "eleven char", "at least 12 characters"),
        ("Dana", "", "at least 12 characters"),
        ("Dana the Maintainer", "dana the maintainer", "the password is the name"),
        ("", PASSWORD, "a name has 1 to 80 characters"),
        ("  ", PASSWORD, "a name has 1 to 80 characters"),
        ("x" * 81, PASSWORD, "a name has 1 to 80 characters"),
        ("Dana\u202e", PASSWORD, "characters that can be seen"),
        ("Da\0na", PASSWORD, "characters that can be seen"),
    ],
)
def test_a_name_or_password_that_does_not_do_is_refused(one, name, password, why):
    with pytest.raises(Refusal, match=why):
        add(one, name, password)
    assert one.rows(Maintainer) == []


def test_passwords_may_be_of_any_letters(one):
    add(one, "Dana", "Straße n\u0303andu 🐎")
    assert accounts.sign_in(one.context, "Dana", "Straße \u00f1andu 🐎", Caller("192.0.2.1")).name == "Dana"


def run(world: World, *arguments: str, code: int = 0, given: str = "") -> subprocess.CompletedProcess[str]:
    return world.monitor("maintainers", *arguments, code=code, given=given)


def test_maintainers_are_made_listed_disabled_and_reset_on_the_command_line(world):
    run(world, "add", "Dana", "--password-stdin", given=f"{PASSWORD}\n")
    run(world, "add", "Vera", "--role", "viewer", "--password-stdin", given=f"{PASSWORD}\n")
    client = desk(world)
    shown = json.loads(run(world, "list", "--json").stdout)
    assert [(row["name"], row["role"], row["state"]) for row in shown] == [
        ("Dana", "maintainer", "live"),
        ("Vera", "viewer", "live"),
    ]
    assert "cannot sign in any more" in run(world, "disable", "dana").stdout
    assert not is_in(client)
    run(world, "reset", "Dana", "--password-stdin", given="another horse battery\n")
    assert sign_in(client, "Dana", "another horse battery").status_code == 303
    told = [(deed.what, deed.about) for deed in world.rows(Deed) if "maintainer" in deed.what or "reset" in deed.what]
    assert told == [
        ("added maintainer", "Dana"),
        ("added maintainer", "Vera"),
        ("disabled maintainer", "Dana"),
        ("reset password", "Dana"),
    ]


def test_the_command_line_refuses_in_words(one):
    assert "at least 12" in run(one, "add", "Dana", "--password-stdin", given="short\n", code=1).stderr
    assert "--role 'king'" in run(one, "add", "Dana", "--role", "king", "--password-stdin", given="x\n", code=2).stderr
    assert "no terminal" in run(one, "add", "Dana", given="x\n", code=2).stderr
    assert "no maintainer Nobody" in run(one, "disable", "Nobody", code=1).stderr
    assert (
        "no maintainer Nobody" in run(one, "reset", "Nobody", "--password-stdin", given=f"{PASSWORD}\n", code=1).stderr
    )
    assert "Nobody can sign in." in run(one, "list").stdout
    assert one.rows(Maintainer) == []


def test_the_password_is_asked_for_twice_and_never_echoed(one):
    import os
    import pty

    master, slave = pty.openpty()
    process = subprocess.Popen(
        one.command("maintainers", "add", "Dana"),
        env=one.command_environ,
        cwd=Path(__file__).resolve().parent.parent,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    )
    os.close(slave)
    shown = b""
    for question in (b"Password: ", b"The same again: "):
        while question not in shown:
            shown += os.read(master, 1000)
        os.write(master, f"{PASSWORD}\n".encode())
    while b"can sign in" not in shown:
        shown += os.read(master, 1000)
    assert process.wait(30) == 0
    os.close(master)
    assert PASSWORD.encode() not in shown
    assert accounts.sign_in(one.context, "Dana", PASSWORD, Caller("192.0.2.1")).name == "Dana"


def test_limits_are_what_the_page_says(one):
    text = (Path(__file__).resolve().parent.parent / "docs/how-to/sign-in-at-the-desk.md").read_text()
    assert f"{BY_DEVICE.most} wrong passwords in {BY_DEVICE.within // timedelta(minutes=1)} minutes" in text
    assert f"{BY_ADDRESS.most} in {BY_ADDRESS.within // timedelta(minutes=1)} minutes" in text
    assert f"after {BY_NAME.most} in an hour, each address waits {FIRST_WAIT.seconds} seconds" in text
