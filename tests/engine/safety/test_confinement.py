"""Confinement: a program in a container, which is root there, tries to leave it."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

import pytest
from archives import link
from attack_target import Target, busybox_members
from attacks import ISOLATED, attack
from c_programs import attack_program


@pytest.mark.parametrize(
    "name",
    [
        "kernel.core_pattern",
        "vm.dirty_expire_centisecs",
        "kernel.panic",
        "fs.file-max",
        "kernel/panic",
        "net.core/../../kernel/panic",
    ],
)
@attack(ISOLATED)
def test_setting_of_the_kernel(target: Target, name: str) -> None:
    """A container asks for a kernel setting that is not its own but the machine's."""
    value = Path("/proc/sys", name.rpartition("../")[2].replace(".", "/")).read_text().strip()
    for mode in ("bridge", "host", "none"):
        container = target.create("true", HostConfig={"Sysctls": {name: value}, "NetworkMode": mode})
        if container and target.start(container).status == 204:
            target.reached(f"a container with the setting {name} was started")


@attack(ISOLATED)
def test_settings_of_the_machines_network(target: Target) -> None:
    """A container in the machine's network asks for a setting of that network."""
    value = Path("/proc/sys/net/ipv4/tcp_fin_timeout").read_text().strip()
    host = {"Sysctls": {"net.ipv4.tcp_fin_timeout": value}, "NetworkMode": "host"}
    container = target.create("true", HostConfig=host)
    if container and target.start(container).status == 204:
        target.reached("the setting was made")


@pytest.mark.parametrize("config", [{}, {"Init": True}])
@attack(ISOLATED)
def test_files_of_the_kernel_are_written(target: Target, config: dict[str, object]) -> None:
    """A program writes to files below /proc and /sys that change the machine."""
    files = (
        *(
            "/proc/sys/kernel/core_pattern",
            "/proc/sys/kernel/modprobe",
            "/proc/sys/kernel/panic",
            "/proc/sysrq-trigger",
        ),
        *("/proc/sys/vm/dirty_expire_centisecs", "/proc/sys/fs/file-max", "/proc/irq/default_smp_affinity"),
        *("/sys/kernel/uevent_helper", "/sys/power/state", "/sys/kernel/mm/transparent_hugepage/enabled"),
    )
    script = "; ".join(
        f"value=$(cat {file}) && echo $value >{file} && echo WRITTEN {file}" for file in files[:3] + files[4:]
    )
    text = target.shell(f"({script}; : >/proc/sysrq-trigger && echo WRITTEN) 2>/dev/null; echo end", HostConfig=config)
    assert "end" in text
    if "WRITTEN" in text:
        target.reached(text)


@attack(ISOLATED)
def test_files_of_the_kernel_are_read(target: Target) -> None:
    """A program reads files below /proc and /sys that have secrets of the machine in them."""
    files = (
        "/proc/kcore",
        "/proc/keys",
        "/proc/timer_list",
        "/proc/sched_debug",
        "/sys/firmware/*",
        "/proc/scsi/*",
        "/proc/acpi/*",
    )
    text = target.shell(f"for file in {' '.join(files)}; do echo $(head -c 9 $file 2>/dev/null | wc -c) $file; done")
    read = [line for line in text.splitlines() if not line.startswith("0 ")]
    if read or not text:
        target.reached(f"files of the kernel were read: {read}")


@pytest.mark.parametrize("folder", ["/", "/dev", "/dev/shm", "/data", "/scratch"])
@attack(ISOLATED)
def test_new_device(target: Target, folder: str) -> None:
    """A program creates device nodes of the host's disk, memory and kernel messages, and reads them."""
    number = target.canary.path.stat().st_dev
    devices = (f"b {os.major(number)} {os.minor(number)}", "c 1 1", "c 1 4", "c 1 11", "c 10 229")
    lines = [f"mknod node{index} {device}; head -c 9 node{index} && echo OPEN" for index, device in enumerate(devices)]
    host = {"Binds": [f"{target.volume()}:/data"], "Tmpfs": {"/scratch": "rw,dev,suid,exec"}}
    text = target.shell(f"cd {folder} && ({'; '.join(lines)}; echo end)", HostConfig=host)
    assert "end" in text
    if "OPEN" in text:
        target.reached(f"a device was read: {text}")


@attack(ISOLATED)
def test_device_is_mounted(target: Target) -> None:
    """A program mounts the host's disk, and kernel file systems, over a directory of its own."""
    number = target.canary.path.stat().st_dev
    lines = [f"mknod /disk b {os.major(number)} {os.minor(number)}", "mkdir -p /m"]
    kinds = (
        "ext4",
        "xfs",
        "btrfs",
        "overlay",
        "tmpfs",
        "proc",
        "sysfs",
        "cgroup",
        "cgroup2",
        "devtmpfs",
        "debugfs",
        "securityfs",
    )
    lines += [f"mount -t {kind} /disk /m && echo MOUNTED {kind}" for kind in kinds]
    lines += ["mount --bind /proc /m && echo MOUNTED bind", "mount -o remount,rw /proc/sys && echo MOUNTED rw"]
    lines += ["umount /proc/kcore && echo MOUNTED less", "umount -l /proc && echo MOUNTED less"]
    text = target.shell(f"({'; '.join(lines)}) 2>/dev/null; echo end")
    assert "end" in text
    if "MOUNTED" in text:
        target.reached(text)


@pytest.mark.parametrize("config", [{}, {"HostConfig": {"Init": True}}, {"User": "1000"}])
@attack(ISOLATED)
def test_system_calls_of_administrators(target: Target, config: dict[str, object]) -> None:
    """A program uses system calls that only an administrator needs: keys, modules, mounts, namespaces and others."""
    text = target.run_program("system-calls", **config)
    assert "tried" in text, text
    if "allowed" in text:
        target.reached(text)


@attack(ISOLATED)
def test_system_calls_of_administrators_in_an_exec(target: Target) -> None:
    """The same system calls come from a command that is run in the container later."""
    container = target.create("sleep", "30")
    assert target.put(container, "/", ("attack", attack_program(), 0o755)).status == 200
    assert target.start(container).status == 204
    text = target.execute(container, "/attack", "system-calls")
    assert "tried" in text, text
    if "allowed" in text:
        target.reached(text)


@attack(ISOLATED)
def test_release_agent_of_a_control_group(target: Target) -> None:
    """A program makes namespaces and mounts a control group, to let the kernel run a program on the host."""
    inside = (
        "mkdir /tmp/c; mount -t cgroup -o rdma cgroup /tmp/c || mount -t cgroup -o memory cgroup /tmp/c && echo MOUNTED"
    )
    write = "for file in /sys/fs/cgroup/*/release_agent; do [ -e $file ] && true >>$file && echo WRITTEN $file; done"
    text = target.shell(f"unshare -Urm sh -c '{inside}'; unshare -rm sh -c '{inside}'; {write}; echo end")
    assert "end" in text
    if any(line.startswith(("MOUNTED", "WRITTEN")) for line in text.splitlines()):
        target.reached(text)


@attack(ISOLATED)
def test_change_of_the_root_directory(target: Target) -> None:
    """A program leaves its root directory with chroot and many `..`."""
    text = target.run_program("leave-root", f"{target.canary}/secret")
    assert text == "", text


@pytest.mark.parametrize("path", ["/proc", "/proc/sys", "/proc/self/attr", "/sys", "/dev", "/dev/shm", "/", "/proc/1"])
@attack(ISOLATED)
def test_mount_over_a_directory_of_the_kernel(target: Target, path: str) -> None:
    """A container mounts a volume or a tmpfs over /proc, /sys, /dev or below, so that protections would lie there."""
    for host in ({"Binds": [f"{target.volume()}:{path}"]}, {"Tmpfs": {path: "dev"}}):
        container = target.create(
            "sh", "-c", "echo 1 >/proc/sys/kernel/panic; mknod /dev/m c 1 11; cat /dev/m", HostConfig=host
        )
        if container:
            target.start(container)
            target.read_everywhere(container, "/")
            target.ask("DELETE", f"/containers/{container}?force=1")


@attack(ISOLATED)
def test_device_at_a_path_of_the_host(target: Target) -> None:
    """A container asks for a device at a path with `..`, and below a link of its image."""
    image = target.image_with(link("link", f"{target.canary}/empty"))
    for path in (f"{'/..' * 9}{target.canary}/empty/new", "/link/new", "/dev/../link/new"):
        device = {"PathOnHost": "/dev/null", "PathInContainer": path, "CgroupPermissions": "rwm"}
        if container := target.create("true", image=image, HostConfig={"Devices": [device]}):
            target.start(container)
            target.ask("DELETE", f"/containers/{container}?force=1")


@pytest.mark.parametrize("security", [[], ["no-new-privileges"]])
@attack(ISOLATED)
def test_program_that_changes_its_user(target: Target, security: list[str]) -> None:
    """An ordinary user runs a program that belongs to root and has the set-user-id bit, where that is forbidden."""
    image = target.image_with(("etc/passwd", b"root:x:0:0::/:/bin/sh\nuser:x:1000:1000::/:/bin/sh\n"))
    container = target.create(
        "/bin/busybox", "id", "-u", image=image, User="1000", HostConfig={"SecurityOpt": security}
    )
    response = target.get(container, "/bin/busybox")
    assert response.status == 200
    [_, program, *_] = busybox_members(target.host)[0]  # type: ignore[misc]
    assert target.put(container, "/bin", ("busybox", program, 0o4755)).status == 200
    target.start(container)
    target.ask("POST", f"/containers/{container}/wait")
    text = target.output(container).split()
    # an ordinary user without /etc/subuid has only one id inside, so there nobody but root can run a program
    has_users = target.run("id", "-u", User="1000").split() == ["1000"]
    if security and has_users and text != ["1000"]:
        target.reached(f"the program has changed its user: {text}")


@pytest.mark.parametrize("init", [False, True])
@attack(ISOLATED)
def test_capabilities_of_the_processes(target: Target, init: bool) -> None:
    """Processes of a container, the init among them, have more capabilities than Docker gives."""
    usual = 0xA80425FB
    script = "grep -h -E '^Cap(Prm|Eff|Bnd|Inh|Amb)' /proc/1/status /proc/self/status"
    container = target.create("sleep", "30", HostConfig={"Init": init})
    assert target.start(container).status == 204
    text = target.execute(container, "sh", "-c", script)
    sets = [int(line.split()[1], 16) for line in text.splitlines()]
    assert len(sets) == 10, text
    if any(number & ~usual for number in sets):
        target.reached(f"more capabilities than Docker gives: {text}")


@attack(ISOLATED)
def test_processes_of_the_host(target: Target) -> None:
    """A program sees and ends processes of the host."""
    text = target.shell("kill -0 -1; ls /proc | grep -c '^[0-9]'; kill -0 $PPID; echo end", HostConfig={"PidMode": ""})
    assert "end" in text
    counts = [int(line) for line in text.splitlines() if line.isdigit()]
    if max(counts) > 5:
        target.reached(f"the container sees {max(counts)} processes")


def serve_secret(listener: socket.socket, secret: str) -> None:
    """Send the secret to whoever connects, until the socket is closed."""

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with client:
                client.sendall(secret.encode())

    threading.Thread(target=serve, daemon=True).start()


@attack(ISOLATED)
def test_socket_without_a_file(target: Target) -> None:
    """A program connects to a socket of the host whose name is not in the file system."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"\0{target.label}")
        listener.listen()
        serve_secret(listener, target.canary.secret)
        text = target.run_program("connect", target.label)
        assert "refused" in text, text
        listener.shutdown(socket.SHUT_RDWR)


@attack(ISOLATED)
def test_loopback_address_of_the_host(target: Target) -> None:
    """A program connects to a service that listens only on the host's own loopback address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serve_secret(listener, target.canary.secret)
        target.shell(f"nc -w 1 127.0.0.1 {listener.getsockname()[1]}; nc -w 1 localhost {listener.getsockname()[1]}")
        listener.shutdown(socket.SHUT_RDWR)


@attack(ISOLATED)
def test_files_of_the_engine(target: Target) -> None:
    """A program looks for the engine's socket and its files, and for any file of the host."""
    text = target.shell(
        f"cat {target.canary}/secret; cat /proc/*/root{target.canary}/secret; find / -xdev -name '*.sock'; echo end"
    )
    assert "end" in text
    if ".sock" in text:
        target.reached(f"a socket is visible: {text}")


@attack(ISOLATED)
def test_many_processes(target: Target) -> None:
    """A container with a limit of 50 processes starts 200, while the engine must go on."""
    host = {"PidsLimit": 50}
    container = target.create("sh", "-c", "for number in $(seq 200); do sleep 5 & done; wait", HostConfig=host)
    if not container or target.start(container).status != 204:
        return
    assert target.ask("GET", f"/containers/{container}/json").status == 200
    assert target.ask("POST", f"/containers/{container}/kill").status in (204, 409)


@attack(ISOLATED)
def test_protection_of_the_machines_memory_killer(target: Target) -> None:
    """A program asks to be the last one that the kernel kills when memory is short."""
    text = target.shell("echo -1000 >/proc/self/oom_score_adj; cat /proc/self/oom_score_adj")
    if text.splitlines()[-1:] == ["-1000"]:
        target.reached("the program is protected")
