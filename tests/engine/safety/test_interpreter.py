"""The engine's own programs: what a container sees of the processes that start and watch it."""

from __future__ import annotations

import time

import pytest
from attack_target import Target
from attacks import ISOLATED, attack

#: Set the mode of a program to what it is. That changes nothing but the time of the change, which is enough to see.
TOUCH = "for file in /proc/1/exe /proc/self/exe; do chmod $(stat -Lc %a $file) $file; chown 0 $file; done"


@pytest.mark.parametrize("init", [False, True])
@attack(ISOLATED)
def test_program_of_the_main_process(target: Target, init: bool) -> None:
    """With and without an init, the mode and owner of /proc/1/exe are set, by the command and by an exec."""
    container = target.create("sh", "-c", f"{TOUCH}; sleep 30", HostConfig={"Init": init})
    assert target.start(container).status == 204
    target.execute(container, "sh", "-c", TOUCH)
    target.execute(container, "sh", "-c", TOUCH, Privileged=True)


@pytest.mark.parametrize("init", [False, True])
@attack(ISOLATED)
def test_entry_point_is_the_engines_own_program(target: Target, init: bool) -> None:
    """The command of a container is /proc/self/exe, so that the engine's helper would run with other arguments."""
    host = {"Init": init}
    for command in (
        ["/proc/self/exe", "-c", "import os; os.system('echo RAN')"],
        ["/proc/self/exe", "--version"],
        ["/proc/1/exe"],
    ):
        output = target.run(*command, HostConfig=host)
        if "RAN" in output or "Python" in output:
            target.reached(f"{command} ran the engine's interpreter: {output[:200]}")
    container = target.create("sleep", "30", HostConfig=host)
    assert target.start(container).status == 204
    for command in (["/proc/self/exe", "--version"], ["/proc/1/exe", "--version"], ["/proc/self/fd/3", "--version"]):
        if "Python" in target.execute(container, *command):
            target.reached(f"an exec of {command} ran the engine's interpreter")


@attack(ISOLATED)
def test_script_whose_interpreter_is_the_engines_own_program(target: Target) -> None:
    """A script begins with `#!/proc/self/exe`, and is the command of a container and of an exec."""
    script = ("script", b"#!/proc/self/exe\nimport os; os.system('echo RAN')\n", 0o755)
    container = target.create("/script")
    assert target.put(container, "/", script).status == 200
    target.start(container)
    target.ask("POST", f"/containers/{container}/wait")
    running = target.create("sleep", "30")
    assert target.put(running, "/", script).status == 200
    assert target.start(running).status == 204
    if "RAN" in target.output(container) + target.execute(running, "/script"):
        target.reached("the script was run by the engine's interpreter")


@pytest.mark.parametrize("init", [False, True])
@attack(ISOLATED)
def test_programs_that_are_kept_open(target: Target, init: bool) -> None:
    """A program opens the programs of all processes that appear, to write to them when they have ended."""
    container = target.program_container("watch-programs", "3", HostConfig={"Init": init})
    end = time.monotonic() + 2.5
    while time.monotonic() < end:
        target.execute(container, "true")
    target.ask("POST", f"/containers/{container}/wait")
    output = target.output(container)
    assert "watched" in output, output
    if "writable" in output:
        target.reached(output)


@attack(ISOLATED)
def test_working_directory_is_an_open_file_of_the_engine(target: Target) -> None:
    """The working directory of a container or an exec is /proc/self/fd/N: a directory that was left open."""
    script = (
        f"cat ./secret ../../../../../../../..{target.canary}/secret ../../../../../../../../../../etc/shadow; ls -a"
    )
    running = target.create("sleep", "60")
    assert target.start(running).status == 204
    for number in range(3, 20):
        target.execute(running, "sh", "-c", script, WorkingDir=f"/proc/self/fd/{number}")
    for number in range(3, 12):
        target.shell(script, WorkingDir=f"/proc/self/fd/{number}")
    for path in ("/proc/self/cwd/../../..", "/proc/1/cwd", "/proc/self/root/../.."):
        target.execute(running, "sh", "-c", script, WorkingDir=path)


@pytest.mark.parametrize("init", [False, True])
@attack(ISOLATED)
def test_open_files_of_the_container(target: Target, init: bool) -> None:
    """The container's processes have open files of the host, and show their names."""
    script = "for process in 1 self; do for file in /proc/$process/fd/*; do echo $file $(readlink $file); done; done"
    container = target.create("sh", "-c", f"{script}; sleep 30", HostConfig={"Init": init})
    assert target.start(container).status == 204
    time.sleep(0.3)
    text = target.output(container) + target.execute(container, "sh", "-c", script)
    assert "/proc/1/fd/0" in text
    for line in text.splitlines():
        place = line.partition(" ")[2]
        if place.startswith("/") and not place.startswith(("/dev/", "/proc/")):
            target.reached(f"an open file of the host: {line}")
    for number in range(3, 12):
        target.execute(container, "cat", f"/proc/1/fd/{number}/../../../../../../..{target.canary}/secret")


@pytest.mark.parametrize("init", [False, True])
@attack(ISOLATED)
def test_environment_and_root_of_the_main_process(target: Target, init: bool) -> None:
    """The environment, the root and the memory maps of the processes show the host."""
    lines = ["cat /proc/*/environ /proc/*/cmdline", f"cat /proc/1/root{target.canary}/secret", "ls /proc/1/cwd/"]
    lines += [
        f"cat /proc/1/cwd/../../../../../..{target.canary}/secret",
        "cat /proc/1/maps",
        "cat /proc/1/task/*/environ",
    ]
    container = target.create("sleep", "30", HostConfig={"Init": init})
    assert target.start(container).status == 204
    text = target.execute(container, "sh", "-c", "; ".join(lines))
    if "python" in text.lower():
        target.reached(f"the container sees the engine's interpreter: {text[:300]}")


@attack()
def test_variables_that_change_programs(target: Target) -> None:
    """A container's environment has variables that change how programs of the engine work."""
    variables = {
        "PYTHONPATH": "/evil", "PYTHONHOME": "/evil", "PYTHONSTARTUP": "/evil/os.py", "PYTHONINSPECT": "1",
        "LD_PRELOAD": "/evil/evil.so", "LD_LIBRARY_PATH": "/evil", "PATH": "/evil:/bin",
        "HOME": f"{target.canary}/empty", "TMPDIR": f"{target.canary}/empty",
        "DOCKERLAB_STATE": f"{target.canary}/empty", "LD_AUDIT": "/evil/evil.so",
    }  # fmt: skip
    code = f"open({str(target.canary.path / 'empty' / 'new')!r}, 'w')\n".encode()
    modules = [(f"evil/{name}.py", code) for name in ("os", "sys", "site", "json", "socket", "ctypes", "encodings")]
    container = target.create("/bin/true", Env=[f"{name}={value}" for name, value in variables.items()])
    assert target.put(container, "/", *modules, ("sitecustomize.py", code)).status == 200
    target.start(container)
    target.ask("POST", f"/containers/{container}/wait")
    target.read_everywhere(container, "/evil")
