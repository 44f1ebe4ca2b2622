"""TLS with certificates that openssl makes: valid ones, and every kind of invalid one."""

from __future__ import annotations

import gc
import re
import socket
import subprocess
import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from containers import count_input, write_to_deaf_container
from processes import close_while_reading, open_files, program, serving_in_thread, wait_until
from tls import Authority, tls_front

from dockerlab import Lab
from dockerlab.endpoint import tls
from dockerlab.endpoint.endpoint import resolve
from dockerlab.endpoint.tls import Tls
from dockerlab.errors import ConnectionFailed, EngineTimeout, EngineUnreachable


@pytest.fixture(scope="module")
def client(authority: Authority) -> Path:
    """Give the files of a client that the engine accepts."""
    return authority.issue("client")


@pytest.fixture(scope="module")
def stranger(authority: Authority) -> Path:
    """Give the files of a client of another authority."""
    other = Authority(authority.base.parent / "other", program("openssl"))
    return other.issue("stranger")


@pytest.fixture(scope="module")
def front(authority: Authority, practice_host: str) -> Iterator[Any]:
    """Give a function that starts a TLS server in front of the practice engine and returns its port."""
    with ExitStack() as stack:
        ports: dict[tuple[str, Any], int] = {}

        def start(name: str, clients: bool = True, **kind: Any) -> int:
            key = (name, clients)
            if key not in ports:
                files = authority.base / name
                files = files if files.exists() else authority.issue(name, **kind)
                ports[key] = stack.enter_context(tls_front(practice_host, files, clients=clients))
            return ports[key]

        yield start


def connect(port: int, files: Path | str, host: str = "127.0.0.1", **env: str) -> Lab:
    variables = {"DOCKER_HOST": f"tcp://{host}:{port}", "DOCKER_CERT_PATH": str(files)}
    return Lab(resolve(None, {**variables, **(env or {"DOCKER_TLS_VERIFY": "1"})}), timeout=10)


def error_of(*arguments: Any, **options: Any) -> str:
    with pytest.raises(EngineUnreachable) as error:
        connect(*arguments, **options).close()
    assert str(error.value).endswith(".")
    return str(error.value)


# -- connections that work


def test_everything_works_over_tls(front: Any, client: Path, labels: dict[str, str]) -> None:
    port, before = front("server"), open_files()
    for host in ("127.0.0.1", "localhost"):
        with connect(port, client, host) as lab:
            assert (lab.endpoint.kind, lab.endpoint.url) == ("tls", f"tcp://{host}:{port}")
            name = f"{labels['dockerlab.test']}-{host}"
            lab.container.create("busybox", name=name, cmd=["sh", "-c", "seq 20000"], labels=labels)
            lab.container.start(name)
            lab.container.wait(name)
            assert len(lab.container.logs(name)) == 20000
            assert eval(lab.last.requests, {"lab": lab}).status_code == 200
    gc.collect()
    wait_until(lambda: open_files() <= before)  # the TLS server closes its side a moment later


def test_the_shown_lines_run(front: Any, client: Path) -> None:
    for name in ("curl", "docker"):
        program(name)
    with connect(front("server"), client) as lab:
        lab.image.list()
        last = lab.last
    with connect(front("server"), client, DOCKER_TLS="1") as lab:
        lab.image.list()
        assert "--insecure" in lab.last.curl
        unverified = lab.last
    for line in (last.curl, last.cli, unverified.curl, unverified.cli):
        process = subprocess.run(["/bin/sh", "-c", line], capture_output=True, text=True, timeout=60, check=False)
        assert process.returncode == 0, process.stderr
        assert "busybox" in process.stdout


def test_a_new_connection(front: Any, client: Path) -> None:
    with connect(front("server"), client) as lab:
        connection = lab._transport.new_connection(5)
        connection.request("GET", "/_ping", headers={"Host": "localhost"})
        assert connection.getresponse().status == 200
        connection.close()


def test_a_hijacked_connection_can_be_half_closed(front: Any, client: Path, labels: dict[str, str]) -> None:
    with connect(front("server"), client) as lab:
        assert count_input(lab, labels, 300_000) == 300_000


def test_a_write_to_a_program_that_does_not_read_ends_in_time(front: Any, client: Path, labels: dict[str, str]) -> None:
    with connect(front("server"), client) as lab:
        assert write_to_deaf_container(lab, labels) == b"here\nbye\n"


def test_verification_can_be_switched_off_without_a_warning_at_each_call(front: Any, client: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with connect(front("expired", days=-1), client, DOCKER_TLS="1") as lab:
            assert lab.session.get(lab.url("/_ping")).text == "OK"


def test_an_engine_without_client_certificates(front: Any, client: Path, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes((client / "ca.pem").read_bytes())
    with connect(front("server", clients=False), tmp_path) as lab:
        assert lab.call("SystemPing").text == "OK"


def test_closing_from_another_thread_ends_a_reader_immediately(front: Any, client: Path) -> None:
    with connect(front("server"), client) as lab:
        _, seconds = close_while_reading(lab.open("SystemEvents"))
        assert seconds < 2
        assert lab.call("SystemPing").text == "OK"


def test_a_port_that_never_answers_the_handshake(client: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        env = {"DOCKER_HOST": f"tcp://127.0.0.1:{silent.getsockname()[1]}", "DOCKER_TLS_VERIFY": "1"}
        with pytest.raises(EngineTimeout, match=r"did not answer within 0\.3 s"):
            Lab(resolve(None, {**env, "DOCKER_CERT_PATH": str(client)}), timeout=0.3)


# -- the certificate of the engine


def test_an_expired_certificate(front: Any, client: Path) -> None:
    port = front("expired", days=-1)
    assert error_of(port, client) == (
        f"tcp://127.0.0.1:{port}: its certificate has expired. "
        "Renew it on the engine's machine, or correct this machine's clock."
    )


@pytest.mark.parametrize("subject", ["DNS:engine.example", "IP:127.0.0.2"])
def test_a_certificate_for_another_name(front: Any, client: Path, subject: str) -> None:
    message = error_of(front(f"wrong-{subject[:2]}", subject=subject), client)
    assert "its certificate is for another name than 127.0.0.1. Use one of the names in the certificate" in message


def test_an_unknown_authority(front: Any, stranger: Path) -> None:
    message = error_of(front("server"), stranger)
    assert f"unknown authority: {stranger}/ca.pem did not sign it. Save that authority's" in message


def test_without_a_ca_the_authorities_of_the_system_are_used(front: Any) -> None:
    with pytest.raises(EngineUnreachable, match="no authority that this machine trusts signed it"):
        Lab(resolve(f"https://127.0.0.1:{front('server')}", {}), timeout=10)


# -- the certificate of the client


def test_no_client_certificate(front: Any, client: Path, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes((client / "ca.pem").read_bytes())
    for _ in range(5):  # one of two messages comes first, by chance
        message = refused_or_closed(front("server"), tmp_path)
        assert "client certificate" in message
        assert "cert.pem and key.pem in the directory that DOCKER_CERT_PATH names" in message


def refused_or_closed(port: int, files: Path) -> str:
    with pytest.raises(ConnectionFailed) as error:
        connect(port, files)
    return str(error.value)


def test_a_client_certificate_that_is_refused(
    front: Any, client: Path, stranger: Path, authority: Authority, tmp_path: Path
) -> None:
    for name in ("cert.pem", "key.pem"):
        (tmp_path / name).write_bytes((stranger / name).read_bytes())
    (tmp_path / "ca.pem").write_bytes((client / "ca.pem").read_bytes())
    for files in (tmp_path, authority.issue("late", days=-1)):
        message = refused_or_closed(front("server"), files)
        assert re.search(rf"refuses? the client certificate {files}/cert.pem", message)


# -- only one side speaks TLS


def test_plain_http_to_a_port_for_tls(front: Any) -> None:
    message = refused_or_closed_plain(front("server"))
    assert "et DOCKER_TLS_VERIFY=1, and DOCKER_CERT_PATH to the directory of ca.pem" in message


def refused_or_closed_plain(port: int) -> str:
    with pytest.raises(ConnectionFailed) as error:
        Lab(resolve(f"tcp://127.0.0.1:{port}", {}), timeout=10)
    return str(error.value)


def test_tls_to_a_port_for_plain_http(client: Path) -> None:
    class Quiet(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Log nothing."""

    with serving_in_thread(HTTPServer(("127.0.0.1", 0), Quiet)) as server:
        message = error_of(server.server_port, client)
    assert "does not speak TLS, but perhaps plain HTTP. Unset DOCKER_TLS_VERIFY and DOCKER_TLS" in message


# -- files


def test_missing_and_invalid_files(client: Path, stranger: Path, tmp_path: Path) -> None:
    ca, cert, key = (client / name for name in ("ca.pem", "cert.pem", "key.pem"))
    locked, malformed = tmp_path / "locked.pem", tmp_path / "rubbish.pem"
    openssl = [program("openssl"), "pkey", "-in", key, "-aes256", "-passout", "pass:x", "-out", locked]
    subprocess.run(openssl, check=True, timeout=30, capture_output=True)
    malformed.write_text("not a certificate\n")
    for files, words in {
        Tls(str(tmp_path / "ca.pem")): f"TLS needs {tmp_path}/ca.pem, which is not there. DOCKER_CERT_PATH names",
        Tls(str(ca), str(cert), str(tmp_path / "key.pem")): f"TLS needs {tmp_path}/key.pem, which is not there",
        Tls(
            str(ca), str(cert), str(stranger / "key.pem")
        ): "don't belong together. Use a certificate with its own key.",
        Tls(str(ca), str(cert), str(locked)): f"{locked}: the key has a passphrase, which can't be asked for here.",
        Tls(str(malformed)): f"TLS can't use {malformed}: NO_CERTIFICATE_OR_CRL_FOUND",
        Tls(str(ca), str(malformed), str(key)): f"TLS can't use {malformed} and {key}",
    }.items():
        with pytest.raises(EngineUnreachable) as error:
            tls.context(files)
        assert words in str(error.value)
