"""A seccomp profile becomes a program that decides as the profile says. Here support/bpf.py runs it, not the kernel."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import platform
from typing import Any

import pytest
from bpf import filter_call
from hypothesis import given
from hypothesis import strategies as st

from dockerlab.engine.faults import Fault
from dockerlab.engine.processes import capabilities, seccomp, syscall_numbers

RUNC = (
    "failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: "
)
X86_64, X86, AARCH64, ARM = 0xC000003E, 0x40000003, 0xC00000B7, 0x40000028
ALLOW, KILL, ERRNO = 0x7FFF0000, 0, 0x00050000
DEFAULT = capabilities.names({})


@pytest.fixture(autouse=True)
def on_x86_64(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each test see the same machine."""
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(platform, "release", lambda: "6.1.0-18-amd64")


def compiled(profile: object, allowed: frozenset[str] = DEFAULT) -> bytes:
    """Return the program of a profile, without the cache."""
    text = profile if isinstance(profile, str) else json.dumps(profile)
    return seccomp.program.__wrapped__(text, allowed)


def answer(program: bytes, call: str, *arguments: int) -> str:
    """Return `allowed`, or the name of the error, for a call on x86_64."""
    action = filter_call(program, syscall_numbers.X86_64[call], X86_64, *arguments)
    return "allowed" if action == ALLOW else errno.errorcode[action - ERRNO]


DECISIONS = [
    ("read", (), "allowed"),
    ("ptrace", (), "allowed"),
    ("chroot", (), "allowed"),
    ("clone", (0x11,), "allowed"),
    ("clone", (0x10000000,), "EPERM"),
    ("clone", (0x20000,), "EPERM"),
    ("clone3", (), "ENOSYS"),
    ("unshare", (), "EPERM"),
    ("mount", (), "EPERM"),
    ("keyctl", (), "EPERM"),
    ("bpf", (), "EPERM"),
    ("io_uring_setup", (), "EPERM"),
    ("userfaultfd", (), "EPERM"),
    ("open_by_handle_at", (), "EPERM"),
    ("perf_event_open", (), "EPERM"),
    ("socket", (2,), "allowed"),
    ("socket", (40,), "EPERM"),
    ("socket", (40 | 1 << 32,), "allowed"),
    ("personality", (0,), "allowed"),
    ("personality", (8,), "allowed"),
    ("personality", (0x20008,), "allowed"),
    ("personality", (0xFFFFFFFF,), "allowed"),
    ("personality", (0x40000,), "EPERM"),
    ("arch_prctl", (), "allowed"),
    ("removexattrat", (), "allowed"),
    ("open_tree_attr", (), "ENOSYS"),
]


@pytest.mark.parametrize(("call", "arguments", "expected"), DECISIONS)
def test_the_default_profile_decides_as_dockers(call: str, arguments: tuple[int, ...], expected: str) -> None:
    assert answer(compiled(seccomp.BUILTIN), call, *arguments) == expected


def test_a_capability_allows_its_calls() -> None:
    program = compiled(
        seccomp.BUILTIN, capabilities.names({"CapAdd": ["SYS_ADMIN", "SYSLOG"], "CapDrop": ["SYS_CHROOT"]})
    )
    calls = ("mount", "unshare", "clone3", "syslog", "chroot", "reboot")
    assert [answer(program, call) for call in calls] == [*["allowed"] * 4, "EPERM", "EPERM"]
    assert answer(program, "clone", 0x10000000) == "allowed"


def test_programs_of_32_bits_have_the_same_rules_and_those_of_other_machines_none() -> None:
    program = compiled(seccomp.BUILTIN)
    assert filter_call(program, syscall_numbers.X86["waitpid"], X86) == ALLOW
    assert filter_call(program, syscall_numbers.X86["mount"], X86) == ERRNO | errno.EPERM
    assert filter_call(program, syscall_numbers.X86["socket"], X86, 40) == ERRNO | errno.EPERM
    assert filter_call(program, 0, AARCH64) == KILL


def test_calls_of_x32_and_calls_newer_than_the_profile_are_not_implemented() -> None:
    program = compiled(seccomp.BUILTIN)
    numbers = (0x40000000, 0x40000000 + 39, 0xFFFFFFFF, 467, 600)
    assert {filter_call(program, number, X86_64) for number in numbers} == {ERRNO | errno.ENOSYS}
    permissive = compiled(with_call(action="SCMP_ACT_TRAP"))
    assert filter_call(permissive, 600, X86_64) == ALLOW
    assert filter_call(permissive, 0x40000000 + 83, X86_64) == ERRNO | errno.ENOSYS
    assert filter_call(permissive, 83, X86_64) == 0x00030000


def test_the_default_profile_on_arm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    program = compiled(seccomp.BUILTIN)
    assert filter_call(program, syscall_numbers.AARCH64["openat"], AARCH64) == ALLOW
    assert filter_call(program, syscall_numbers.AARCH64["mount"], AARCH64) == ERRNO | errno.EPERM
    assert filter_call(program, syscall_numbers.AARCH64["clone"], AARCH64, 0x10000000) == ERRNO | errno.EPERM
    assert filter_call(program, syscall_numbers.ARM["set_tls"], ARM) == ALLOW
    assert filter_call(program, syscall_numbers.ARM["bpf"], ARM) == ERRNO | errno.EPERM
    assert filter_call(program, 0, X86_64) == KILL


VALUES = st.sampled_from([0, 1, 5, 40, 0x20000, 0xFFFFFFFF, 1 << 32, (1 << 32) | 5, (1 << 64) - 1])
ARGUMENTS = st.fixed_dictionaries(
    {
        "index": st.integers(0, 2),
        "op": st.sampled_from([f"SCMP_CMP_{name}" for name in ("EQ", "NE", "GT", "GE", "LT", "LE", "MASKED_EQ")]),
        "value": VALUES,
        "valueTwo": VALUES,
    }
)
CALLS = ("read", "mkdir", "openat", "socket", "clone")
RULES = st.fixed_dictionaries(
    {
        "names": st.lists(st.sampled_from(CALLS), min_size=1),
        "action": st.sampled_from(["SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO"]),
        "args": st.lists(ARGUMENTS, max_size=2, unique_by=lambda argument: argument["index"]),
    }
)


def holds(condition: dict[str, Any], arguments: tuple[int, ...]) -> bool:
    actual, value = arguments[condition["index"]], condition["value"]
    return {
        "EQ": actual == value,
        "NE": actual != value,
        "GT": actual > value,
        "GE": actual >= value,
        "LT": actual < value,
        "LE": actual <= value,
        "MASKED_EQ": actual & value == condition["valueTwo"],
    }[condition["op"].removeprefix("SCMP_CMP_")]  # type: ignore[no-any-return]


def expected_answer(profile: dict[str, Any], call: str, arguments: tuple[int, ...]) -> str:
    """Decide as libseccomp does: a rule without conditions counts before all others, and the default comes last."""
    rules = [rule for rule in profile["syscalls"] if rule["action"] != profile["defaultAction"]]
    matches = [
        rule
        for rule in rules
        if call in rule["names"] and all(holds(condition, arguments) for condition in rule["args"])
    ]
    action = matches[0]["action"] if matches else profile["defaultAction"]
    return "allowed" if action == "SCMP_ACT_ALLOW" else "EPERM"


@given(
    default=st.sampled_from(["SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO"]),
    rules=st.lists(RULES, max_size=12),
    arguments=st.tuples(VALUES, VALUES, VALUES),
)
def test_a_program_decides_as_its_profile_says(
    default: str, rules: list[dict[str, Any]], arguments: tuple[int, ...]
) -> None:
    profile = {"defaultAction": default, "syscalls": [*rules, {"names": ["removexattrat"], "action": "SCMP_ACT_LOG"}]}
    program = compiled(profile)
    for call in CALLS:
        assert answer(program, call, *arguments) == expected_answer({**profile, "syscalls": rules}, call, arguments)


def test_several_conditions_on_one_argument_are_alternatives() -> None:
    conditions = [{"index": 0, "op": "SCMP_CMP_EQ", "value": value} for value in (1, 2)]
    profile = {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": errno.EIO,
        "syscalls": [{"names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": conditions}],
    }
    assert [answer(compiled(profile), "socket", value) for value in (1, 2, 3)] == ["allowed", "allowed", "EIO"]


@pytest.mark.parametrize(
    ("conditions", "applies"),
    [
        ({"includes": {"arches": ["amd64"]}}, True),
        ({"includes": {"arches": ["arm64"]}}, False),
        ({"includes": {"caps": ["CAP_CHOWN", "CAP_KILL"]}}, True),
        ({"includes": {"caps": ["CAP_CHOWN", "CAP_SYS_ADMIN"]}}, False),
        ({"includes": {"minKernel": "6.1"}}, True),
        ({"includes": {"minKernel": "6.2"}}, False),
        ({"excludes": {"arches": ["amd64"]}}, False),
        ({"excludes": {"caps": ["CAP_SYS_ADMIN", "CAP_KILL"]}}, False),
        ({"excludes": {"minKernel": "6.2"}}, True),
        ({"excludes": {"minKernel": "5.10"}}, False),
    ],
)
def test_a_rule_can_depend_on_the_machine_and_the_capabilities(conditions: dict[str, Any], applies: bool) -> None:
    rule = {"names": ["mkdir"], "action": "SCMP_ACT_ALLOW", **conditions}
    other = {"names": ["removexattrat"], "action": "SCMP_ACT_ALLOW"}
    program = compiled({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [rule, other]})
    assert answer(program, "mkdir") == ("allowed" if applies else "EPERM")


def test_go_ignores_the_case_of_keys_and_an_empty_profile_is_no_filter() -> None:
    profile = '{"DEFAULTACTION": "SCMP_ACT_ALLOW", "Syscalls": [{"Names": ["mkdir"], "ACTION": "SCMP_ACT_ERRNO"}]}'
    assert answer(compiled(profile), "mkdir") == "EPERM"
    assert compiled("{}") == compiled("null") == b""


def test_the_numbers_are_those_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    numbers = seccomp.MACHINES[seccomp.NATIVE[platform.machine()]].numbers
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.syscall(numbers["getpid"]) == os.getpid()
    assert libc.syscall(numbers["getppid"]) == os.getppid()
    assert libc.syscall(numbers["getuid"]) == os.getuid()
    assert libc.syscall(numbers["close_range"], 1 << 20, 0, 0) == -1
    assert ctypes.get_errno() == errno.EINVAL
    tables = (syscall_numbers.X86_64, syscall_numbers.X86, syscall_numbers.AARCH64, syscall_numbers.ARM)
    assert [table["mseal"] for table in tables] == [462] * 4
    assert [table["bpf"] for table in tables] == [321, 357, 280, 386]
    assert [table["rseq"] for table in tables] == [334, 386, 293, 398]


INIT = f"{RUNC}unable to start container process: error during container init: "
DECODING = "Decoding seccomp profile failed: "
FIELD = f"{DECODING}json: cannot unmarshal"


def with_call(**fields: Any) -> dict[str, Any]:
    """Return a profile with one rule, which has these fields besides the usual ones."""
    return {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO"} | fields]}


@pytest.mark.parametrize(
    ("profile", "message"),
    [
        ("/etc/x.json", f"{DECODING}invalid character '/' looking for beginning of value"),
        ("{", f"{DECODING}unexpected end of JSON input"),
        ("{} x", f"{DECODING}invalid character 'x' after top-level value"),
        ('{"a":}', f"{DECODING}invalid character '}}' looking for beginning of value"),
        ("{a:1}", f"{DECODING}invalid character 'a' looking for beginning of object key string"),
        ('{"a":1,}', f"{DECODING}invalid character '}}' looking for beginning of object key string"),
        ([], f"{FIELD} array into Go value of type seccomp.Seccomp"),
        ("5", f"{FIELD} number into Go value of type seccomp.Seccomp"),
        (
            {"defaultAction": 5},
            f"{FIELD} number into Go struct field Seccomp.defaultAction of type specs.LinuxSeccompAction",
        ),
        (
            {"syscalls": {}},
            f"{FIELD} object into Go struct field Seccomp.syscalls of type []*seccomp.Syscall",
        ),
        (
            {"syscalls": ["x"]},
            f"{FIELD} string into Seccomp.syscalls.0 of type seccomp.Syscall",
        ),
        (
            with_call(names="x"),
            f"{FIELD} string into Go struct field Seccomp.syscalls.0.names of type []string",
        ),
        (
            with_call(names=[5]),
            f"{FIELD} number into Seccomp.syscalls.0.names.0 of type string",
        ),
        (
            with_call(errnoRet=-1),
            f"{FIELD} number -1 into Go struct field Seccomp.syscalls.0.errnoRet of type uint",
        ),
        (
            with_call(errnoRet=1.5),
            f"{FIELD} number 1.5 into Go struct field Seccomp.syscalls.0.errnoRet of type uint",
        ),
        (
            with_call(args=[{"index": "x"}]),
            f"{FIELD} string into Go struct field Seccomp.syscalls.0.args.0.index of type uint",
        ),
        (with_call(includes={"minKernel": "x"}), f'{DECODING}invalid kernel version: "x", expected "<kernel>.<major>"'),
        (
            with_call(name="mkdir"),
            "both 'name' and 'names' are specified in the seccomp profile, use either 'name' or 'names'",
        ),
        (
            {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86"], "archMap": [{}]},
            "both 'architectures' and 'archMap' are specified in the seccomp profile, "
            "use either 'architectures' or 'archMap'",
        ),
        ({"defaultAction": "SCMP_ACT_LOG", "architectures": ["X"]}, f"{RUNC}string X is not a valid arch for seccomp"),
        ({"defaultAction": "SCMP_ACT_ALLOW", "flags": ["X"]}, f"{RUNC}seccomp flag X is not known to runc"),
        ({"defaultAction": "X"}, f"{RUNC}string X is not a valid action for seccomp"),
        (with_call(action=None), f"{RUNC}string  is not a valid action for seccomp"),
        (with_call(args=[{"op": "X"}]), f"{RUNC}string X is not a valid operator for seccomp"),
        (
            with_call(args=[{"op": "SCMP_CMP_EQ", "index": 7}]),
            f"{INIT}error creating seccomp syscall condition for syscall mkdir: "
            "syscalls only have up to 6 arguments (7 given)",
        ),
        (with_call(action="SCMP_ACT_NOTIFY"), f"{INIT}seccomp listenerPath is not set"),
        (with_call(names=[""]), f"{INIT}empty string is not a valid syscall"),
    ],
)
def test_a_profile_that_docker_refuses_is_refused_with_its_message(profile: object, message: str) -> None:
    with pytest.raises(Fault) as error:
        compiled(profile)
    assert str(error.value) == message
