"""What a container could do to its machine, and how to restrict it: one row per finding.

The checks use only the settings that inspect returns. They do not look into images, and an empty result does not prove
that a container is safe.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from dockerlab.errors import printable
from dockerlab.tables.build import TEXT, typed_table
from dockerlab.tables.unfold import mounts, ports

__all__ = ["SEVERITIES", "findings"]

SEVERITIES = ("high", "medium", "low")
HIGH, MEDIUM, LOW = SEVERITIES
Row = dict[str, Any]
Findings = Iterator[tuple[str, str]]

SOCKETS = re.compile(r"(?:docker|podman|containerd|crio|buildkitd|dockerd)[^/]*\.sock$")
#: Directories that make a writer root on the machine, and show its secrets to a reader.
SENSITIVE = ("/", "/boot", "/dev", "/etc", "/home", "/lib", "/proc", "/root", "/run", "/sys", "/usr", "/var")
#: Capabilities with which the root user of a container can get out of it.
STRONG = {
    "ALL", "BPF", "DAC_READ_SEARCH", "MAC_ADMIN", "NET_ADMIN", "PERFMON", "SYS_ADMIN", "SYS_BOOT", "SYS_MODULE",
    "SYS_PTRACE", "SYS_RAWIO", "SYSLOG",
}  # fmt: skip
SECRET = re.compile(r"PASS(?:WORD|WD|PHRASE)?(?:_|$)|SECRET|TOKEN|API_?KEY|PRIVATE_?KEY|CREDENTIAL", re.IGNORECASE)
ANYWHERE = {"", "0.0.0.0", "::"}  # noqa: S104  (they are compared, not bound)


@dataclass(frozen=True, slots=True)
class _Check:
    """One check: `find` yields (severity, evidence) per finding; `mend` says how to fix it."""

    name: str
    mend: str
    find: Callable[[Row], Findings]


def _true(value: Any) -> bool:
    return not pd.isna(value) and bool(value)


def _list(value: Any) -> list[str]:
    return [str(item) for item in value] if isinstance(value, (list, tuple)) else []


def _text(value: Any) -> str:
    return "" if value is None or pd.isna(value) else str(value)


def _privileged(row: Row) -> Findings:
    if _true(row["privileged"]):
        yield HIGH, "privileged is true"


def _socket(row: Row) -> Findings:
    for mount in row["its_mounts"]:
        if SOCKETS.search(_text(mount["source"])) or SOCKETS.search(_text(mount["destination"])):
            yield HIGH, f"{_text(mount['source'])} at {_text(mount['destination'])}"


def _host_mount(row: Row) -> Findings:
    for mount in row["its_mounts"]:
        source = posixpath.normpath(_text(mount["source"]) or ".")
        if _text(mount["type"]) != "bind" or SOCKETS.search(source):
            continue
        top = any(source == place for place in SENSITIVE)
        writable = _true(mount["writable"])
        severity = HIGH if top and writable else MEDIUM if top or writable else LOW
        yield severity, f"{source} at {_text(mount['destination'])}, {'writable' if writable else 'read-only'}"


def _capabilities(row: Row) -> Findings:
    names = [name.upper().removeprefix("CAP_") for name in _list(row["cap_add"])]
    if names and not _true(row["privileged"]):  # a privileged container has all of them anyway
        yield HIGH if STRONG & set(names) else MEDIUM, ", ".join(sorted(names))


def _root(row: Row) -> Findings:
    user = _text(row["user"]).partition(":")[0]
    if user in ("", "0", "root"):
        yield MEDIUM, f"user is {user or 'not set'}"


def _mode(column: str, severity: str) -> Callable[[Row], Findings]:
    def find(row: Row) -> Findings:
        if _text(row[column]) == "host":
            yield severity, f"{column} is host"

    return find


def _option(pattern: str, severity: str) -> Callable[[Row], Findings]:
    """Return a check for a security option that removes a protection."""

    def find(row: Row) -> Findings:
        if _true(row["privileged"]):
            return
        for option in _list(row["security_opt"]):
            if re.search(pattern, option):
                yield severity, option

    return find


def _no_new_privileges(row: Row) -> Findings:
    options = [re.sub("[=:]true$", "", option) for option in _list(row["security_opt"])]
    if "no-new-privileges" not in options:
        yield LOW, "security_opt has no no-new-privileges"


def _writable_rootfs(row: Row) -> Findings:
    if not _true(row["readonly_rootfs"]):
        yield LOW, "readonly_rootfs is false"


def _no_limit(column: str) -> Callable[[Row], Findings]:
    def find(row: Row) -> Findings:
        value: Any = row[column]
        if pd.isna(value) or value <= 0:
            yield LOW, f"{column} is {'not set' if pd.isna(value) else value}"

    return find


def _devices(row: Row) -> Findings:
    devices = row["devices"] if isinstance(row["devices"], (list, tuple)) else []
    names = [str(device.get("PathOnHost")) for device in devices if isinstance(device, dict)]
    if names and not _true(row["privileged"]):
        yield MEDIUM, ", ".join(names)


def _published(row: Row) -> Findings:
    for port in row["its_ports"]:
        if not pd.isna(port["host_port"]) and _text(port["host_ip"]) in ANYWHERE:
            yield MEDIUM, f"port {port['host_port']} on every address"


def _secrets(row: Row) -> Findings:
    names = [name for name, sign, value in (text.partition("=") for text in _list(row["env"])) if value]
    if secrets := sorted(name for name in names if SECRET.search(name)):
        yield MEDIUM, ", ".join(secrets)  # only the names: a finding must not reveal the secrets themselves


CHECKS = (
    _Check("privileged", "Give it only the capabilities and devices it needs: cap_add, devices.", _privileged),
    _Check("engine-socket", "Access to the engine means root: put a proxy with an allowlist in between.", _socket),
    _Check("host-mount", "Mount a volume instead, or only the file it needs, read-only.", _host_mount),
    _Check("added-capabilities", "Remove those it does not need; or drop ALL and add those it needs.", _capabilities),
    _Check("root-user", "Set a user in the image (USER) or in create (user=…).", _root),
    _Check("host-network", "Give it its own network, and publish its ports.", _mode("network_mode", MEDIUM)),
    _Check("host-processes", "Leave pid_mode out: it could read and signal all processes.", _mode("pid_mode", HIGH)),
    _Check(
        "host-ipc", "Leave ipc_mode out: it could read shared memory of other processes.", _mode("ipc_mode", MEDIUM)
    ),
    _Check("host-uts", "Leave uts_mode out: it could rename the machine.", _mode("uts_mode", LOW)),
    _Check(
        "host-users",
        "Leave userns_mode out, so that its root is an ordinary user outside.",
        _mode("userns_mode", MEDIUM),
    ),
    _Check(
        "seccomp-off", "Use the default seccomp profile, or write your own.", _option("^seccomp[=:]unconfined", HIGH)
    ),
    _Check("apparmor-off", "Use the engine's AppArmor profile.", _option("^apparmor[=:]unconfined", MEDIUM)),
    _Check("label-off", "Use SELinux labels.", _option("^label[=:]disable", MEDIUM)),
    _Check("devices", "Remove the devices it does not need.", _devices),
    _Check("open-port", "Publish it on 127.0.0.1, unless other machines need it.", _published),
    _Check("secret-in-env", "Pass secrets as files: inspect shows the environment to every user.", _secrets),
    _Check("no-new-privileges", "Set security_opt=['no-new-privileges'].", _no_new_privileges),
    _Check("writable-rootfs", "Set readonly_rootfs, and mount a tmpfs where it has to write.", _writable_rootfs),
    _Check("no-memory-limit", "Set memory: it could use all memory of the machine.", _no_limit("memory_limit_bytes")),
    _Check(
        "no-pids-limit",
        "Set pids_limit: it could start so many processes that no other can start.",
        _no_limit("pids_limit"),
    ),
)


def findings(containers: pd.DataFrame) -> pd.DataFrame:
    """Return one row per finding, from `container_inspections`: the most serious first, then in the table's order.

    Columns: `id`, `name`, `check`, `severity` (high, medium, low), `evidence` (the setting; for secrets, only the
    name), `mend` (one sentence). Settings that a privileged container includes are not reported again.
    """
    rows: list[tuple[Any, ...]] = []
    mounts_by_id, ports_by_id = _by_id(mounts(containers)), _by_id(ports(containers))
    for row in containers.to_dict("records"):
        identity = str(row["id"])
        container = {str(key): value for key, value in row.items()}
        container |= {"its_mounts": mounts_by_id.get(identity, []), "its_ports": ports_by_id.get(identity, [])}
        for check in CHECKS:
            for severity, evidence in check.find(container):
                rows.append((row["id"], row["name"], check.name, severity, printable(evidence), check.mend))
    rows.sort(key=lambda row: SEVERITIES.index(row[3]))
    names = ["id", "name", "check", "severity", "evidence", "mend"]
    return typed_table({name: ([row[place] for row in rows], TEXT) for place, name in enumerate(names)}, len(rows))


def _by_id(table: pd.DataFrame) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = {}
    for row in table.to_dict("records"):
        groups.setdefault(str(row["id"]), []).append({str(key): value for key, value in row.items()})
    return groups
