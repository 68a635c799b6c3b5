"""TLS that is never lowered, the intermediate that www.cga.ct.gov forgets, and FTP as the fallback."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import certifi
import pytest
import trustme
from cryptography import x509
from fault_server import FaultServer, drip_body, reply
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler, ThrottledDTPHandler
from pyftpdlib.servers import ThreadedFTPServer

from monitor.fetch import (
    CGA_INTERMEDIATE,
    Fetcher,
    FetchError,
    FetchStopped,
    HostPaused,
    IntermediateRefused,
    Manners,
)
from monitor.fetch.intermediates import verified_intermediates
from monitor.model.tracking import NotModified, Page, Validators, Verdict


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture(scope="module")
def root() -> trustme.CA:
    return trustme.CA(organization_name="A root we trust")


@pytest.fixture(scope="module")
def intermediate(root: trustme.CA) -> trustme.CA:
    return root.create_child_ca()


@pytest.fixture
def bundle(root: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "roots.pem"
    root.cert_pem.write_to_path(str(path))
    return str(path)


@contextmanager
def serving(
    leaf: trustme.LeafCert, *, chain: bool = True, newest: ssl.TLSVersion | None = None
) -> Iterator[FaultServer]:
    """An HTTPS server with that certificate; without ``chain`` it forgets the intermediates, as the CGA does."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    blobs = leaf.cert_chain_pems if chain else leaf.cert_chain_pems[:1]
    with trustme.Blob(leaf.private_key_pem.bytes() + b"".join(blob.bytes() for blob in blobs)).tempfile() as path:
        context.load_cert_chain(path)
    if newest is not None:
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.maximum_version = newest
        context.set_ciphers("ALL:@SECLEVEL=0")
    with FaultServer(context) as server:
        server.on("/a", reply(200, b"x"))
        yield server


def fetcher_for(server: FaultServer, bundle: str, **changes: Any) -> Fetcher:
    keys = frozenset({server.key})
    rules = {"user_agent": "m/1 (x)", "hosts": keys, "private_hosts": keys, "interval_seconds": 0, **changes}
    return Fetcher(Manners(ca_bundle=bundle, **rules), now=now)


def refusal(server: FaultServer, bundle: str, **changes: Any) -> FetchError:
    with fetcher_for(server, bundle, **changes) as fetcher, pytest.raises(FetchError) as caught:
        fetcher.fetch(server.url + "/a")
    assert server.requests == [], "nothing was sent"
    return caught.value


# ------------------------------------------------------------------------ S20


def test_a_good_certificate_is_accepted_and_the_connection_kept(root, bundle):
    with serving(root.issue_cert("127.0.0.1")) as server, fetcher_for(server, bundle) as fetcher:
        for _ in range(3):
            assert isinstance(fetcher.fetch(server.url + "/a"), Page)
        assert len({request.connection for request in server.requests}) == 1


@pytest.mark.parametrize(
    ("case", "says"),
    [
        ("expired", "certificate has expired"),
        ("not yet valid", "not yet valid"),
        ("other host", "IP address mismatch"),
        ("unknown root", "unable to get local issuer"),
        ("self-signed", "self-signed certificate"),
    ],
)
def test_s20_bad_certificates_are_refused(root, bundle, case, says):
    leaf = {
        "expired": lambda: root.issue_cert("127.0.0.1", not_after=now() - timedelta(days=1)),
        "not yet valid": lambda: root.issue_cert("127.0.0.1", not_before=now() + timedelta(days=1)),
        "other host": lambda: root.issue_cert("127.0.0.2"),
        "unknown root": lambda: trustme.CA().issue_cert("127.0.0.1"),
        "self-signed": lambda: None,
    }[case]()
    with serving(leaf) if leaf else self_signed() as server:
        error = refusal(server, bundle)
    assert (error.verdict, error.host_fault) == (Verdict.UNREACHABLE, True)
    assert says in str(error)
    assert "Verification stays on" in str(error)


def test_s20_the_roots_are_config_s_alone(bundle, tmp_path, monkeypatch):
    """requests would add certifi's, or those the environment names, to the ones we loaded."""
    stranger, path = trustme.CA(), str(tmp_path / "stranger.pem")
    stranger.cert_pem.write_to_path(path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", path)
    monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", path)
    with serving(stranger.issue_cert("127.0.0.1")) as server:
        assert "unable to get local issuer" in str(refusal(server, bundle))


@contextmanager
def self_signed() -> Iterator[FaultServer]:
    ca = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with trustme.Blob(ca.private_key_pem.bytes() + ca.cert_pem.bytes()).tempfile() as path:
        context.load_cert_chain(path)
    with FaultServer(context) as server:
        yield server


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_s20_old_tls_is_refused(root, bundle):
    with serving(root.issue_cert("127.0.0.1"), newest=ssl.TLSVersion.TLSv1_1) as server:
        assert "Encryption is never lowered" in str(refusal(server, bundle))


def test_s22_a_server_that_does_not_speak_tls(bundle):
    with FaultServer() as server:
        keys = frozenset({server.key})
        rules = Manners(user_agent="m/1 (x)", hosts=keys, private_hosts=keys, interval_seconds=0, ca_bundle=bundle)
        with Fetcher(rules, now=now) as fetcher, pytest.raises(FetchError, match="no secure connection"):
            fetcher.fetch(f"https://{server.key}/a")


def test_the_deadline_holds_over_tls(root, bundle):
    with serving(root.issue_cert("127.0.0.1")) as server:
        server.on("/a", drip_body())
        with fetcher_for(server, bundle, deadline_seconds=1.0) as fetcher, pytest.raises(FetchError, match="deadline"):
            fetcher.fetch(server.url + "/a")


@contextmanager
def mute_listener() -> Iterator[str]:
    """Accepts connections (the kernel does) and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def test_a_handshake_that_never_comes_ends_at_the_deadline(bundle):
    with mute_listener() as key:
        keys = frozenset({key})
        rules = Manners(user_agent="m/1 (x)", hosts=keys, private_hosts=keys, deadline_seconds=0.5, ca_bundle=bundle)
        with Fetcher(rules, now=now) as fetcher, pytest.raises(FetchError, match="deadline"):
            fetcher.fetch(f"https://{key}/a")


def test_stop_ends_a_handshake(bundle):
    outcome: list[FetchError] = []
    with mute_listener() as key:
        keys = frozenset({key})
        rules = Manners(user_agent="m/1 (x)", hosts=keys, private_hosts=keys, deadline_seconds=100, ca_bundle=bundle)
        with Fetcher(rules, now=now) as fetcher:

            def run() -> None:
                try:
                    fetcher.fetch(f"https://{key}/a")
                except FetchError as error:
                    outcome.append(error)

            thread = threading.Thread(target=run)
            thread.start()
            while not fetcher.requests:
                thread.join(0.01)
            fetcher.stop()
            thread.join(20)
    assert [type(error) for error in outcome] == [FetchStopped]


# ------------------------------------------------------- the missing intermediate


def write(tmp_path: Path, *pems: bytes) -> str:
    path = tmp_path / "intermediates.pem"
    path.write_bytes(b"".join(pems))
    return str(path)


def test_a_chain_without_its_intermediate_fails_and_says_what_to_do(intermediate, bundle):
    with serving(intermediate.issue_cert("127.0.0.1"), chain=False) as server:
        error = refusal(server, bundle)
    assert "unable to get local issuer certificate" in str(error)
    assert "intermediate" in str(error)


def test_it_passes_with_the_intermediate_given_for_that_host(intermediate, bundle, tmp_path):
    given = {"127.0.0.1": write(tmp_path, intermediate.cert_pem.bytes())}
    with (
        serving(intermediate.issue_cert("127.0.0.1"), chain=False) as server,
        fetcher_for(server, bundle, intermediates=given) as fetcher,
    ):
        assert isinstance(fetcher.fetch(server.url + "/a"), Page)


def test_it_helps_no_other_host(intermediate, bundle, tmp_path):
    given = {"www.cga.ct.gov": write(tmp_path, intermediate.cert_pem.bytes())}
    with serving(intermediate.issue_cert("127.0.0.1"), chain=False) as server:
        assert "local issuer" in str(refusal(server, bundle, intermediates=given))


@pytest.mark.parametrize("case", ["expired", "other host"])
def test_the_servers_own_certificate_is_still_checked(intermediate, bundle, tmp_path, case):
    given = {"127.0.0.1": write(tmp_path, intermediate.cert_pem.bytes())}
    leaf = (
        intermediate.issue_cert("127.0.0.1", not_after=now() - timedelta(days=1))
        if case == "expired"
        else intermediate.issue_cert("127.0.0.2")
    )
    with serving(leaf, chain=False) as server:
        assert "Verification stays on" in str(refusal(server, bundle, intermediates=given))


def test_a_forged_intermediate_is_refused(root, bundle, tmp_path):
    """The trap: a file handed to load_verify_locations would be believed. Same names, another key."""
    forger = trustme.CA(organization_name="A root we trust")
    forged = forger.create_child_ca()
    given = {"127.0.0.1": write(tmp_path, forged.cert_pem.bytes())}
    with serving(forged.issue_cert("127.0.0.1"), chain=False) as server:
        error = refusal(server, bundle, intermediates=given)
    assert "not signed by any root certificate we trust" in str(error)
    assert given["127.0.0.1"] in str(error)


def test_a_root_in_the_file_becomes_no_anchor(bundle, tmp_path):
    stranger = trustme.CA()
    given = {"127.0.0.1": write(tmp_path, stranger.cert_pem.bytes())}
    with serving(stranger.issue_cert("127.0.0.1"), chain=False) as server:
        assert "not signed by any root" in str(refusal(server, bundle, intermediates=given))


def test_two_intermediates_may_stand_in_any_order(root, tmp_path, bundle):
    first = root.create_child_ca()
    second = first.create_child_ca()
    given = {"127.0.0.1": write(tmp_path, second.cert_pem.bytes(), first.cert_pem.bytes())}
    with (
        serving(second.issue_cert("127.0.0.1"), chain=False) as server,
        fetcher_for(server, bundle, intermediates=given) as fetcher,
    ):
        assert isinstance(fetcher.fetch(server.url + "/a"), Page)


def test_an_intermediate_that_is_no_authority_is_refused(root):
    leaf = root.issue_cert("127.0.0.1").cert_chain_pems[0].bytes()
    with pytest.raises(IntermediateRefused, match="may not sign others"):
        verified_intermediates(leaf, root.cert_pem.bytes(), now())


def test_an_intermediate_out_of_date_is_refused(root, intermediate):
    with pytest.raises(IntermediateRefused, match="out of date"):
        verified_intermediates(intermediate.cert_pem.bytes(), root.cert_pem.bytes(), datetime(1999, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize("pem", [b"", b"hello", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_a_file_without_certificates_is_refused(root, pem):
    with pytest.raises(IntermediateRefused):
        verified_intermediates(pem, root.cert_pem.bytes(), now())


def test_a_missing_file_stops_that_host_alone(root, bundle):
    with serving(root.issue_cert("127.0.0.1")) as server:
        error = refusal(server, bundle, intermediates={"127.0.0.1": "/nonexistent.pem"})
    assert "/nonexistent.pem" in str(error)


def test_the_bundled_intermediate_is_the_public_one():
    """Whoever supplied the file: it is signed by the Go Daddy root in certifi, so it is Go Daddy's own."""
    roots = Path(certifi.where()).read_bytes()
    (certificate,) = verified_intermediates(
        Path(CGA_INTERMEDIATE).read_bytes(), roots, datetime(2026, 11, 21, tzinfo=UTC)
    )
    name = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value
    assert name == "Go Daddy Secure Certificate Authority - G2"
    assert certificate.not_valid_after_utc.year == 2031


# -------------------------------------------------------------------------- FTP


class _Ftp:
    """A real FTP server on loopback with one folder."""

    def __init__(self, home: Path, **handler: Any) -> None:
        self.home = home
        self.logins: list[tuple[str, str]] = []
        self.commands: list[str] = []
        outer = self

        class Authorizer(DummyAuthorizer):  # type: ignore[misc]
            def validate_authentication(self, username: str, password: str, handler: Any) -> None:
                outer.logins.append((username, password))

        class Handler(FTPHandler):  # type: ignore[misc]
            def pre_process_command(self, line: str, cmd: str, arg: str) -> Any:
                outer.commands.append(cmd)
                return super().pre_process_command(line, cmd, arg)

        Handler.authorizer = Authorizer()
        Handler.authorizer.add_anonymous(str(home))
        Handler.use_sendfile = False
        for name, value in handler.items():
            setattr(Handler, name, value)
        self.server = ThreadedFTPServer(("127.0.0.1", 0), Handler)
        self.key = f"127.0.0.1:{self.server.socket.getsockname()[1]}"
        self.url = f"ftp://{self.key}"


@pytest.fixture
def ftp(tmp_path: Path) -> Iterator[_Ftp]:
    with ftp_server(tmp_path) as running:
        yield running


@contextmanager
def ftp_server(home: Path, **handler: Any) -> Iterator[_Ftp]:
    logging.getLogger("pyftpdlib").setLevel(logging.CRITICAL)
    running, stop = _Ftp(home, **handler), threading.Event()

    def serve() -> None:
        while not stop.is_set():
            running.server.serve_forever(timeout=0.02, blocking=False)
        running.server.close_all()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield running
    stop.set()
    thread.join(20)


def ftp_fetcher(ftp: _Ftp, **changes: Any) -> Fetcher:
    keys = frozenset({ftp.key})
    rules = {"user_agent": "m/1 (x)", "hosts": keys, "private_hosts": keys, "interval_seconds": 0, **changes}
    return Fetcher(Manners(contact="watch@example.org", **rules), now=now)


def test_ftp_reads_a_file_and_says_who_asks(ftp):
    data = bytes(range(256)) * 2000
    (ftp.home / "bill info.csv").write_bytes(data)
    with ftp_fetcher(ftp) as fetcher:
        result = fetcher.fetch(f"{ftp.url}/bill%20info.csv")
        assert isinstance(result, Page)
        assert result.body == data
        assert fetcher.requests == 1
    assert ftp.logins == [("anonymous", "watch@example.org")]
    changed = datetime.fromtimestamp(int((ftp.home / "bill info.csv").stat().st_mtime), UTC)
    assert result.validators == Validators(None, format_datetime(changed, usegmt=True))


def test_ftp_reads_nothing_when_the_file_has_not_changed(ftp):
    (ftp.home / "a.csv").write_bytes(b"x")
    with ftp_fetcher(ftp) as fetcher:
        first = fetcher.fetch(f"{ftp.url}/a.csv")
        assert isinstance(first, Page)
        assert isinstance(fetcher.fetch(f"{ftp.url}/a.csv", validators=first.validators), NotModified)
    assert ftp.commands.count("RETR") == 1


@pytest.mark.parametrize("mdtm", ["500 Unknown command.", "213 soon"])
def test_ftp_without_a_date_reads_the_file(tmp_path, mdtm):
    (tmp_path / "a.csv").write_bytes(b"x")
    with ftp_server(tmp_path, ftp_MDTM=lambda self, path: self.respond(mdtm)) as ftp, ftp_fetcher(ftp) as fetcher:
        result = fetcher.fetch(f"{ftp.url}/a.csv")
    assert isinstance(result, Page)
    assert result.validators == Validators()


@pytest.mark.parametrize("size_known", [True, False])
def test_ftp_stops_at_the_cap(tmp_path, size_known):
    (tmp_path / "a.csv").write_bytes(b"x" * 200_000)
    changes = {} if size_known else {"ftp_SIZE": lambda self, path: self.respond("550 no")}
    with ftp_server(tmp_path, **changes) as ftp, ftp_fetcher(ftp) as fetcher:
        with pytest.raises(FetchError) as caught:
            fetcher.fetch(f"{ftp.url}/a.csv", max_bytes=100_000)
        assert caught.value.verdict is Verdict.TOO_LARGE
        assert isinstance(fetcher.fetch(f"{ftp.url}/a.csv", max_bytes=200_000), Page)


def test_ftp_a_missing_file_is_absent_and_an_empty_one_is_no_file(ftp):
    (ftp.home / "empty.csv").touch()
    with ftp_fetcher(ftp) as fetcher:
        for name, verdict in (("none.csv", Verdict.ABSENT), ("empty.csv", Verdict.SOFT_ERROR)):
            with pytest.raises(FetchError) as caught:
                fetcher.fetch(f"{ftp.url}/{name}")
            assert (caught.value.verdict, caught.value.host_fault) == (verdict, False)


def test_ftp_faults_open_the_breaker(tmp_path):
    with ftp_server(tmp_path, ftp_RETR=lambda self, path: self.respond("421 busy")) as ftp, ftp_fetcher(ftp) as fetcher:
        (tmp_path / "a.csv").write_bytes(b"x")
        for _ in range(3):
            with pytest.raises(FetchError, match="busy"):
                fetcher.fetch(f"{ftp.url}/a.csv")
        with pytest.raises(HostPaused):
            fetcher.fetch(f"{ftp.url}/a.csv")


def test_ftp_keeps_the_deadline_when_the_data_drips(tmp_path):
    class Slow(ThrottledDTPHandler):  # type: ignore[misc]
        write_limit = 4096
        auto_sized_buffers = True

    (tmp_path / "a.csv").write_bytes(b"x" * 2**20)
    with (
        ftp_server(tmp_path, dtp_handler=Slow) as ftp,
        ftp_fetcher(ftp, deadline_seconds=1.0) as fetcher,
        pytest.raises(FetchError, match="deadline"),
    ):
        fetcher.fetch(f"{ftp.url}/a.csv")


def test_ftp_a_file_cut_short_is_no_file(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"x" * 10)
    with (
        ftp_server(tmp_path, ftp_SIZE=lambda self, path: self.respond("213 99")) as ftp,
        ftp_fetcher(ftp) as fetcher,
        pytest.raises(FetchError, match="10 of 99") as caught,
    ):
        fetcher.fetch(f"{ftp.url}/a.csv")
    assert caught.value.verdict is Verdict.UNREACHABLE


def test_ftp_a_silent_server_ends_at_the_deadline():
    with mute_listener() as key:
        keys = frozenset({key})
        rules = Manners(user_agent="m/1 (x)", hosts=keys, private_hosts=keys, deadline_seconds=0.5)
        with Fetcher(rules, now=now) as fetcher, pytest.raises(FetchError, match="deadline"):
            fetcher.fetch(f"ftp://{key}/a.csv")


def test_ftp_goes_only_where_http_may_go(ftp):
    rules = Manners(user_agent="m/1 (x)", hosts=frozenset({ftp.key}))
    with Fetcher(rules, now=now) as fetcher:
        with pytest.raises(FetchError, match="not a public address"):
            fetcher.fetch(f"{ftp.url}/a.csv")
        with pytest.raises(FetchError, match="not among the hosts"):
            fetcher.fetch("ftp://ftp.example.org/a.csv")
    assert ftp.commands == []


def test_ftp_the_data_connection_ignores_the_address_the_server_names(tmp_path):
    """A server that says "fetch it from 10.9.8.7" is not believed: the data comes from where we log in."""
    (tmp_path / "a.csv").write_bytes(b"x")
    with ftp_server(tmp_path, masquerade_address="10.9.8.7") as ftp, ftp_fetcher(ftp) as fetcher:
        assert isinstance(fetcher.fetch(f"{ftp.url}/a.csv"), Page)
