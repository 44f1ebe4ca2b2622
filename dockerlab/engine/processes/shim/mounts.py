"""The file system that a container in namespaces sees: its root, /proc, /dev and /sys. Runs in its main process.

Everything is mounted before the container's root becomes `/`, on open descriptors of its tree: neither a link in the
image nor a program of another container, with which it shares a volume, leads a mount elsewhere.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
from typing import Any

from dockerlab.engine.common.tree import OpenTree
from dockerlab.engine.processes import syscalls
from dockerlab.engine.processes.shim import device_nodes, mount_points, sysctls, terminal
from dockerlab.engine.processes.shim.device_nodes import DEVICES
from dockerlab.engine.processes.shim.refusal import NOT_STARTED, StartRefused, refused

LINKS = {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2", "ptmx": "pts/ptmx"}
RESTRICTED = syscalls.MS_NOSUID | syscalls.MS_NOEXEC | syscalls.MS_NODEV
PROC_ROOT = 1  #: the inode number of the root of each /proc
NULL_DEVICE = os.makedev(1, 3)
DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
KERNEL_FILES = {"proc": syscalls.PROC_FILES, "sys": syscalls.SYS_FILES}
#: The files of /proc over which runc allows a mount. They only report, and lxcfs has versions of them for containers.
MOUNTABLE = {
    *("cpuinfo", "diskstats", "meminfo", "stat", "swaps", "uptime", "loadavg", "slabinfo", "net/dev"),
    *("sys/kernel/ns_last_pid", "sys/crypto/fips_enabled"),
}


class Root:
    """The root of a container while it is being put together, in its own mount namespace.

    A mount with flags such as read-only takes more than one system call. So it is made on a stage that nothing in a
    container can reach, and then moved to its place; without MS_MOVE, the mount would have to be found again at a path
    that may have changed. Linux 5.12 could do the same without a stage, but older kernels have to be served anyway.
    """

    def __init__(self, path: str, prefix: str) -> None:
        """Begin with the tree at a path of the machine; `prefix` begins the messages of refusals."""
        syscalls.bind(path, path)
        self.path, self.prefix = path, prefix
        self.tree = OpenTree(path)
        container = os.path.dirname(path)  # noqa: PTH120
        self.directory_stage, self.file_stage = container, f"{container}/spec.json"

    def bind(self, source: str, place: int, flags: int = 0) -> None:
        """Mount a directory or a file of the machine at an open place, and close that."""
        stage = self.directory_stage if stat.S_ISDIR(os.fstat(place).st_mode) else self.file_stage
        syscalls.bind(source, stage)
        if flags:
            syscalls.restrict(stage, flags)
        self.move(stage, place)

    def mount(self, kind: str, place: int, flags: int, data: str = "") -> None:
        """Mount a new file system at an open place, and close that."""
        try:
            syscalls.mount(kind, f"/proc/self/fd/{place}", kind, flags, data)
        finally:
            os.close(place)

    def move(self, stage: str, place: int) -> None:
        """Move what is mounted on a stage to an open place, and close that."""
        try:
            syscalls.move(stage, f"/proc/self/fd/{place}")
        finally:
            os.close(place)

    def attach(self, mount: int, place: int, flags: int) -> None:
        """Mount a copied mount at an open place, and close both."""
        syscalls.attach(mount, self.directory_stage)
        os.close(mount)
        syscalls.restrict(self.directory_stage, flags)
        self.move(self.directory_stage, place)

    def open_plain_directory(self, name: str, kind: str) -> int:
        """Open the place of /proc or /sys. Raise StartRefused if the image has something else there."""
        try:
            return mount_points.open_plain_directory(self.tree, name)
        except OSError as error:
            if error.errno not in (errno.ENOTDIR, errno.ELOOP):
                raise
            text = f'{self.prefix}filesystem "{kind}" must be mounted on ordinary directory'
            raise StartRefused(text, NOT_STARTED) from None

    def require_mountable(self, place: int, source: str, target: str) -> None:
        """Raise StartRefused for a mount point inside /proc, with runc's exceptions: some files, and another /proc."""
        path = os.readlink(f"/proc/self/fd/{place}")  # noqa: PTH115
        name = f"{path}/".removeprefix(f"{self.path}/proc/").rstrip("/")
        is_inside = f"{path}/".startswith(f"{self.path}/proc/")
        if not is_inside or name in MOUNTABLE or (not name and _is_proc(source)):
            return
        where = "inside /proc" if name else "not of type proc"
        reason = f'check proc-safety of {target} mount: "{path}" cannot be mounted because it is {where}'
        raise StartRefused(f"create mountpoint for {target} mount: {reason}", NOT_STARTED)


def _is_proc(source: str) -> bool:
    """Tell whether there is a /proc at a path of the machine."""
    try:
        place = os.open(source, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return syscalls.file_system_type(place) == syscalls.PROC_FILES
    finally:
        os.close(place)


def proc_of(pid_namespace: int) -> int:
    """Copy the mount of this mount namespace's /proc; return -1 if it doesn't show the processes of a pid namespace."""
    try:
        place = os.open("/proc", DIRECTORY)
    except OSError:
        return -1
    try:
        is_proc = syscalls.file_system_type(place) == syscalls.PROC_FILES and os.fstat(place).st_ino == PROC_ROOT
        namespace = os.stat("1/ns/pid", dir_fd=place)
        is_shared = is_proc and os.path.samestat(namespace, os.fstat(pid_namespace))
        return syscalls.clone_mount(place) if is_shared else -1
    except OSError:
        return -1
    finally:
        os.close(place)


def enter_root(spec: dict[str, Any], link: int, proc: int) -> int:
    """Mount everything, and make the result the root. Return the container's terminal; -1 if it needs none.

    The other end of the terminal is sent through the socket `link`. `proc` is the mount of the /proc of the container
    whose processes are shared, or -1.
    """
    nodev = 0 if spec["privileged"] or spec["device_filter"] else syscalls.MS_NODEV
    null = _open_null()
    syscalls.mount("none", "/", flags=syscalls.MS_REC | syscalls.MS_PRIVATE)
    root = Root(spec["rootfs"], spec["error_prefix"])
    if nodev:
        syscalls.restrict(spec["rootfs"], nodev)
    _mount_proc(root, spec["namespaces"].get("pid", "").startswith("/"), proc)
    program_end = _mount_dev(root, spec, nodev, link)
    _mount_sys(root)
    _mount_cgroups(root, spec["cgroups"])
    for entry in spec["mounts"]:
        _mount(root, entry, nodev)
    if spec["namespaces"].get("uts") == "new":
        socket.sethostname(spec["hostname"])
        if spec["domainname"]:
            syscalls.set_domain_name(spec["domainname"])
    if spec["sysctls"]:
        _write_sysctls(root, spec)
    _protect(root, spec, null)
    os.close(null)
    syscalls.pivot_root(root.tree.root)
    root.tree.close()
    if spec["readonly"]:
        syscalls.remount("/", syscalls.MS_RDONLY)
    return program_end


def _open_null() -> int:
    """Open the machine's /dev/null, with which files are masked. Raise OSError if something else is there."""
    null = os.open("/dev/null", os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    info = os.fstat(null)
    if not stat.S_ISCHR(info.st_mode) or info.st_rdev != NULL_DEVICE:
        raise OSError(errno.ENODEV, "/dev/null is not the null device")
    return null


def _mount_proc(root: Root, is_joined: bool, shared: int) -> None:
    """Mount a new /proc, or the shared one. Inside another container the kernel may refuse that: the outer is shown."""
    place = root.open_plain_directory("proc", "proc")
    if shared >= 0:
        root.attach(shared, place, RESTRICTED)
        return
    if is_joined:  # a new one would show the engine's own processes
        reason = "its /proc is covered or unmounted, or it is the machine's, or Linux is older than 5.2"
        text = f"cannot join the processes of a container: {reason}"
        raise StartRefused(f"{root.prefix}{text}", NOT_STARTED)
    try:
        root.mount("proc", place, RESTRICTED)
    except PermissionError:
        root.bind("/proc", root.open_plain_directory("proc", "proc"))


def _mount_sys(root: Root) -> None:
    """Mount a new /sys. It belongs to a network namespace: the kernel refuses one that is not ours."""
    flags = RESTRICTED | syscalls.MS_RDONLY
    place = root.open_plain_directory("sys", "sysfs")
    try:
        root.mount("sysfs", place, flags)
    except PermissionError:
        root.bind("/sys", root.open_plain_directory("sys", "sysfs"), flags)


def _mount_dev(root: Root, spec: dict[str, Any], nodev: int, link: int) -> int:
    """Mount /dev with the usual and the requested devices. Return the container's terminal, -1 if it needs none."""
    dev, program_end = root.directory_stage, -1
    syscalls.mount("tmpfs", dev, "tmpfs", syscalls.MS_NOSUID | nodev, "mode=755,size=65536k")
    for name, (major, minor) in DEVICES.items():
        if nodev or not device_nodes.make_node(f"{dev}/{name}", stat.S_IFCHR | 0o666, os.makedev(major, minor)):
            _create_file(f"{dev}/{name}")
            syscalls.bind(f"/dev/{name}", f"{dev}/{name}")
            syscalls.restrict(f"{dev}/{name}", syscalls.MS_RDONLY)  # keeps its mode, and lets programs write
    for name in ("pts", "mqueue", "shm"):
        os.mkdir(f"{dev}/{name}")  # noqa: PTH102
    own = "newinstance,ptmxmode=0666,mode=620"
    try:
        syscalls.mount("devpts", f"{dev}/pts", "devpts", syscalls.MS_NOSUID | syscalls.MS_NOEXEC, f"{own},gid=5")
    except OSError:  # a user namespace with a single user has no group 5
        syscalls.mount("devpts", f"{dev}/pts", "devpts", syscalls.MS_NOSUID | syscalls.MS_NOEXEC, own)
    with contextlib.suppress(PermissionError):  # mqueue belongs to an ipc namespace; another's is refused
        syscalls.mount("mqueue", f"{dev}/mqueue", "mqueue", RESTRICTED)
    syscalls.mount("shm", f"{dev}/shm", "tmpfs", RESTRICTED, f"mode=1777,size={spec['shm_size']}")
    for name, target in LINKS.items():
        os.symlink(target, f"{dev}/{name}")  # noqa: PTH211
    if spec["tty"]:
        program_end = _open_console(dev, spec["user"][0], link)
    root.move(dev, root.tree.make_directories("/dev"))
    for device in spec["devices"]:
        if nodev or not device_nodes.make_requested_node(root.tree, device):
            place = mount_points.open_file_point(root.tree, device["target"])
            root.require_mountable(place, device["source"], device["target"])
            root.bind(device["source"], place, syscalls.MS_RDONLY)
    return program_end


def _open_console(dev: str, owner: int, link: int) -> int:
    """Open the terminal of a container's main process, which is its console, too."""
    terminals = os.open(f"{dev}/pts", DIRECTORY)
    try:
        program_end = terminal.open_pair(terminals, owner, link)
    finally:
        os.close(terminals)
    _create_file(f"{dev}/console", 0o600)
    syscalls.bind(f"/proc/self/fd/{program_end}", f"{dev}/console")
    return program_end


def _create_file(path: str, mode: int = 0o666) -> None:
    """Create a file in a file system that the container has not seen yet."""
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, mode))


def _mount_cgroups(root: Root, directories: list[str]) -> None:
    """Show the container its own control groups: one per controller in version 1, a single one in version 2."""
    try:
        place = root.tree.open("/sys/fs/cgroup")
    except OSError:
        return
    flags = RESTRICTED | syscalls.MS_RDONLY
    if len(directories) == 1:
        root.bind(directories[0], place, flags)
        return
    stage = root.directory_stage  # it covers the groups of the machine, too, if there are none for the container
    syscalls.mount("tmpfs", stage, "tmpfs", RESTRICTED, "mode=755")
    for directory in directories:
        controller = f"{stage}/{directory.split('/')[4]}"
        os.mkdir(controller)  # noqa: PTH102
        syscalls.bind(directory, controller)
    syscalls.restrict(stage, flags)
    root.move(stage, place)


def _mount(root: Root, entry: dict[str, Any], nodev: int) -> None:
    """Mount a directory or file of the machine, or a new tmpfs, at a path in the container. Raise StartRefused."""
    source, target = entry["source"], entry["target"]
    text = f'{root.prefix}error mounting "{source}" to rootfs at "{target}": '
    try:
        place = mount_points.open_mount_point(root.tree, entry)
        root.require_mountable(place, source, target)
    except OSError as error:
        raise refused(f'{text}create mountpoint for {target} mount: make mountpoint "{target}"', error) from None
    except StartRefused as reason:
        raise StartRefused(f"{text}{reason}", reason.code) from None
    try:
        if entry["kind"] == "tmpfs":
            root.mount("tmpfs", place, entry["flags"] | nodev, entry["data"])
        else:
            nodev = 0 if source.removeprefix("/dev/") in DEVICES else nodev  # these are harmless
            root.bind(source, place, nodev | (syscalls.MS_RDONLY if entry["readonly"] else 0))
    except OSError as error:
        raise refused(f"{text}mount src={source}, dst={target}", error) from None


def _write_sysctls(root: Root, spec: dict[str, Any]) -> None:
    proc = os.open("proc", DIRECTORY, dir_fd=root.tree.root)
    try:
        sysctls.write(proc, spec["sysctls"], spec["error_prefix"])
    finally:
        os.close(proc)


def _protect(root: Root, spec: dict[str, Any], null: int) -> None:
    """Mask the paths that reveal the machine's state, and make read-only those that change it."""
    for path in spec["readonly_paths"]:
        if (place := _open_kernel_file(root, path)) >= 0:
            root.bind(f"/proc/self/fd/{place}", place, syscalls.MS_RDONLY | RESTRICTED)
    for path in spec["masked"]:
        if (place := _open_kernel_file(root, path)) < 0:
            continue
        if stat.S_ISDIR(os.fstat(place).st_mode):
            root.mount("tmpfs", place, syscalls.MS_RDONLY)
        else:
            root.bind(f"/proc/self/fd/{null}", place, syscalls.MS_RDONLY)  # it can be written, but keeps its mode


def _open_kernel_file(root: Root, path: str) -> int:
    """Open a path that is to be protected; -1 if it is not there. Raise OSError if it leads out of /proc or /sys."""
    try:
        place = root.tree.open(path)
    except (FileNotFoundError, NotADirectoryError):
        return -1
    top = path.strip("/").partition("/")[0]
    if top in KERNEL_FILES:
        where = os.readlink(f"/proc/self/fd/{place}")  # noqa: PTH115
        is_real = syscalls.file_system_type(place) == KERNEL_FILES[top] or top == "sys"  # it has cgroups below it
        if not is_real or not where.startswith(f"{root.path}/{top}/"):
            os.close(place)
            raise OSError(errno.EXDEV, f"{path} is not in the file system of the kernel at /{top}")
    return place
