"""TLS, with certificates that openssl made: good ones, and every kind of wrong one."""

from __future__ import annotations

import gc
import re
import socket
import subprocess
import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from containers import count_input, write_to_deaf_container
from processes import close_while_reading, open_files, program, wait_until
from tls import Authority, tls_front

from dockerlab import Lab
from dockerlab.endpoint import tls
from dockerlab.endpoint.endpoint import resolve
from dockerlab.endpoint.tls import Tls
from dockerlab.errors import ConnectionFailed, EngineTimeout, EngineUnreachable


@pytest.fixture(scope="module")
def client(authority: Authority) -> Path:
    """Give the files of a client whom the engine lets in."""
    return authority.issue("client")


@pytest.fixture(scope="module")
def stranger(authority: Authority) -> Path:
    """Give the files of a client of another authority."""
    other = Authority(authority.base.parent / "other", program("openssl"))
    return other.issue("stranger")


@pytest.fixture(scope="module")
def front(authority: Authority, practice_host: str) -> Iterator[Any]:
    """Give a function that puts a certificate before the practice engine, and gives the port."""
    with ExitStack() as stack:
        made: dict[tuple[str, Any], int] = {}

        def put(name: str, clients: bool = True, **kind: Any) -> int:
            key = (name, clients)
            if key not in made:
                files = authority.base / name
                files = files if files.exists() else authority.issue(name, **kind)
                made[key] = stack.enter_context(tls_front(practice_host, files, clients=clients))
            return made[key]

        yield put


def opened(port: int, files: Path | str, host: str = "127.0.0.1", **env: str) -> Lab:
    surroundings = {"DOCKER_HOST": f"tcp://{host}:{port}", "DOCKER_CERT_PATH": str(files)}
    return Lab(resolve(None, {**surroundings, **(env or {"DOCKER_TLS_VERIFY": "1"})}), timeout=10)


def refused(*arguments: Any, **options: Any) -> str:
    with pytest.raises(EngineUnreachable) as caught:
        opened(*arguments, **options).close()
    assert str(caught.value).endswith(".")
    return str(caught.value)


# -- it works


def test_everything_goes_through_tls(front: Any, client: Path, labels: dict[str, str]) -> None:
    port, before = front("server"), open_files()
    for host in ("127.0.0.1", "localhost"):
        with opened(port, client, host) as lab:
            assert (lab.endpoint.kind, lab.endpoint.url) == ("tls", f"tcp://{host}:{port}")
            name = f"{labels['dockerlab.test']}-{host}"
            lab.container.create("busybox", name=name, cmd=["sh", "-c", "seq 20000"], labels=labels)
            lab.container.start(name)
            lab.container.wait(name)
            assert len(lab.container.logs(name)) == 20000
            assert eval(lab.last.requests, {"lab": lab}).status_code == 200
    gc.collect()
    wait_until(lambda: open_files() <= before)  # the front notices a moment later


def test_the_shown_lines_run(front: Any, client: Path) -> None:
    for name in ("curl", "docker"):
        program(name)
    with opened(front("server"), client) as lab:
        lab.image.list()
        last = lab.last
    with opened(front("server"), client, DOCKER_TLS="1") as lab:
        lab.image.list()
        assert "--insecure" in lab.last.curl
        unverified = lab.last
    for line in (last.curl, last.cli, unverified.curl, unverified.cli):
        ran = subprocess.run(["/bin/sh", "-c", line], capture_output=True, text=True, timeout=60, check=False)
        assert ran.returncode == 0, ran.stderr
        assert "busybox" in ran.stdout


def test_a_connection_of_ones_own(front: Any, client: Path) -> None:
    with opened(front("server"), client) as lab:
        connection = lab._transport.new_connection(5)
        connection.request("GET", "/_ping", headers={"Host": "localhost"})
        assert connection.getresponse().status == 200
        connection.close()


def test_a_hijacked_connection_is_written_to_its_end_and_read_on(
    front: Any, client: Path, labels: dict[str, str]
) -> None:
    with opened(front("server"), client) as lab:
        assert count_input(lab, labels, 300_000) == 300_000


def test_a_write_that_nobody_reads_ends_in_time(front: Any, client: Path, labels: dict[str, str]) -> None:
    with opened(front("server"), client) as lab:
        assert write_to_deaf_container(lab, labels) == b"here\nbye\n"


def test_verification_can_be_switched_off_without_a_warning_at_each_call(front: Any, client: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with opened(front("expired", days=-1), client, DOCKER_TLS="1") as lab:
            assert lab.session.get(lab.url("/_ping")).text == "OK"


def test_an_engine_that_wants_no_client_certificate(front: Any, client: Path, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes((client / "ca.pem").read_bytes())
    with opened(front("server", clients=False), tmp_path) as lab:
        assert lab.call("SystemPing").text == "OK"


def test_closing_from_another_thread_ends_a_reader_at_once(front: Any, client: Path) -> None:
    with opened(front("server"), client) as lab:
        _, seconds = close_while_reading(lab.open("SystemEvents"))
        assert seconds < 2
        assert lab.call("SystemPing").text == "OK"


def test_a_port_that_never_agrees_on_tls(client: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        env = {"DOCKER_HOST": f"tcp://127.0.0.1:{silent.getsockname()[1]}", "DOCKER_TLS_VERIFY": "1"}
        with pytest.raises(EngineTimeout, match=r"did not answer within 0\.3 s"):
            Lab(resolve(None, {**env, "DOCKER_CERT_PATH": str(client)}), timeout=0.3)


# -- their certificate


def test_an_expired_certificate(front: Any, client: Path) -> None:
    port = front("expired", days=-1)
    assert refused(port, client) == (
        f"tcp://127.0.0.1:{port}: its certificate has expired. "
        "Renew it on the engine's machine, or correct this machine's clock."
    )


@pytest.mark.parametrize("subject", ["DNS:engine.example", "IP:127.0.0.2"])
def test_a_certificate_for_another_name(front: Any, client: Path, subject: str) -> None:
    said = refused(front(f"wrong-{subject[:2]}", subject=subject), client)
    assert "its certificate is for another name than 127.0.0.1. Use one of the names in the certificate" in said


def test_an_authority_that_is_not_known(front: Any, stranger: Path) -> None:
    said = refused(front("server"), stranger)
    assert f"unknown authority: {stranger}/ca.pem did not sign it. Save that authority's" in said


def test_without_a_ca_the_systems_authorities_are_asked(front: Any) -> None:
    with pytest.raises(EngineUnreachable, match="no authority that this machine trusts signed it"):
        Lab(resolve(f"https://127.0.0.1:{front('server')}", {}), timeout=10)


# -- our certificate


def test_no_client_certificate(front: Any, client: Path, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes((client / "ca.pem").read_bytes())
    for _ in range(5):  # which of two messages comes first is chance
        said = refused_or_closed(front("server"), tmp_path)
        assert "client certificate" in said
        assert "cert.pem and key.pem in the directory that DOCKER_CERT_PATH names" in said


def refused_or_closed(port: int, files: Path) -> str:
    with pytest.raises(ConnectionFailed) as caught:
        opened(port, files)
    return str(caught.value)


def test_a_client_certificate_that_is_refused(
    front: Any, client: Path, stranger: Path, authority: Authority, tmp_path: Path
) -> None:
    for name in ("cert.pem", "key.pem"):
        (tmp_path / name).write_bytes((stranger / name).read_bytes())
    (tmp_path / "ca.pem").write_bytes((client / "ca.pem").read_bytes())
    for files in (tmp_path, authority.issue("late", days=-1)):
        said = refused_or_closed(front("server"), files)
        assert re.search(rf"refuses? the client certificate {files}/cert.pem", said)


# -- one side speaks TLS and the other doesn't


def test_plain_http_to_a_port_for_tls(front: Any) -> None:
    said = refused_or_closed_plain(front("server"))
    assert "et DOCKER_TLS_VERIFY=1, and DOCKER_CERT_PATH to the directory of ca.pem" in said


def refused_or_closed_plain(port: int) -> str:
    with pytest.raises(ConnectionFailed) as caught:
        Lab(resolve(f"tcp://127.0.0.1:{port}", {}), timeout=10)
    return str(caught.value)


def test_tls_to_a_port_for_plain_http(client: Path) -> None:
    from http.server import BaseHTTPRequestHandler, HTTPServer
    from threading import Thread

    class Quiet(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Quiet) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        said = refused(server.server_port, client)
        server.shutdown()
    assert "does not speak TLS, but perhaps plain HTTP. Unset DOCKER_TLS_VERIFY and DOCKER_TLS" in said


# -- files


def test_files_that_are_missing_or_wrong(client: Path, stranger: Path, tmp_path: Path) -> None:
    ca, cert, key = (client / name for name in ("ca.pem", "cert.pem", "key.pem"))
    locked, rubbish = tmp_path / "locked.pem", tmp_path / "rubbish.pem"
    openssl = [program("openssl"), "pkey", "-in", key, "-aes256", "-passout", "pass:x", "-out", locked]
    subprocess.run(openssl, check=True, timeout=30, capture_output=True)
    rubbish.write_text("not a certificate\n")
    for files, words in {
        Tls(str(tmp_path / "ca.pem")): f"TLS needs {tmp_path}/ca.pem, which is not there. DOCKER_CERT_PATH names",
        Tls(str(ca), str(cert), str(tmp_path / "key.pem")): f"TLS needs {tmp_path}/key.pem, which is not there",
        Tls(
            str(ca), str(cert), str(stranger / "key.pem")
        ): "don't belong together. Use a certificate with its own key.",
        Tls(str(ca), str(cert), str(locked)): f"{locked}: the key has a passphrase, which can't be asked for here.",
        Tls(str(rubbish)): f"TLS can't use {rubbish}: NO_CERTIFICATE_OR_CRL_FOUND",
        Tls(str(ca), str(rubbish), str(key)): f"TLS can't use {rubbish} and {key}",
    }.items():
        with pytest.raises(EngineUnreachable) as caught:
            tls.context(files)
        assert words in str(caught.value)
