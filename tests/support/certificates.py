"""An authority for tests, and what it signs, made by openssl: good certificates, expired ones, ones for other names."""

from __future__ import annotations

import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

SETTINGS = """
[ca]
default_ca = this
[this]
new_certs_dir = {base}
database = {base}/index
serial = {base}/serial
certificate = {base}/ca.pem
private_key = {base}/ca-key.pem
default_md = sha256
unique_subject = no
policy = any
copy_extensions = copy
[any]
commonName = supplied
"""


class Authority:
    """Signs certificates; each lies in a directory of its own, as DOCKER_CERT_PATH names one."""

    def __init__(self, base: Path, openssl: str) -> None:
        """Make the authority's own key and certificate."""
        self.base, self._openssl = base, openssl
        base.mkdir(parents=True)
        (base / "index").touch()
        (base / "serial").write_text("1000\n")
        (base / "settings").write_text(SETTINGS.format(base=base))
        self._run(
            "req", "-x509", *KEY, "-keyout", base / "ca-key.pem", "-out", base / "ca.pem", "-days", "30",
            "-subj", f"/CN={base.name} authority",
        )  # fmt: skip

    def issue(self, name: str, subject: str = "DNS:localhost,IP:127.0.0.1", *, days: int = 30) -> Path:
        """Make a directory with ca.pem, cert.pem and key.pem; with days below zero it has expired."""
        into = self.base / name
        into.mkdir()
        self._run(
            "req", "-new", *KEY, "-keyout", into / "key.pem", "-out", into / "request", "-subj", f"/CN={name}",
            "-addext", f"subjectAltName={subject}",
        )  # fmt: skip
        now = datetime.now(UTC)
        begin, end = (moment.strftime("%Y%m%d%H%M%SZ") for moment in (now - timedelta(60), now + timedelta(days)))
        self._run(
            "ca", "-batch", "-notext", "-config", self.base / "settings", "-in", into / "request",
            "-out", into / "cert.pem", "-startdate", begin, "-enddate", end,
        )  # fmt: skip
        shutil.copy(self.base / "ca.pem", into)
        return into

    def _run(self, *words: str | Path) -> None:
        ran = subprocess.run([self._openssl, *words], capture_output=True, text=True, timeout=60, check=False)
        assert ran.returncode == 0, ran.stderr


KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
