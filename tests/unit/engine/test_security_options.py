"""How HostConfig.SecurityOpt is read; what Docker refuses is in tests/engine/processes/test_confinement.py."""

from __future__ import annotations

import pytest

from dockerlab.engine.containers import security_options
from dockerlab.engine.containers.security_options import SecurityOptions


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], SecurityOptions()),
        (["no-new-privileges"], SecurityOptions(no_new_privileges=True)),
        (["no-new-privileges:true", "no-new-privileges=F"], SecurityOptions()),
        (["label=disable", "apparmor:unconfined", "disable"], SecurityOptions()),
        (["seccomp=unconfined"], SecurityOptions(seccomp="unconfined")),
        (['seccomp={"a": "b=c"}'], SecurityOptions(seccomp='{"a": "b=c"}')),
        (["writable-cgroups"], SecurityOptions(writable_cgroups=True)),
    ],
)
def test_options_have_an_equals_sign_or_a_colon(words: list[str], expected: SecurityOptions) -> None:
    assert security_options.read({"SecurityOpt": words}) == expected


def test_an_option_without_effect_is_named() -> None:
    words = ["label=type:x", "apparmor=mine", "writable-cgroups=1", "seccomp={}"]
    names = security_options.without_effect({"SecurityOpt": words}, has_seccomp=False)
    assert names == ["label", "apparmor", "writable-cgroups", "seccomp"]
    words = ["label=disable", "apparmor=unconfined", "seccomp=unconfined", "no-new-privileges"]
    assert security_options.without_effect({"SecurityOpt": words}, has_seccomp=False) == []


def test_a_privileged_container_has_no_filter_unless_it_requests_one() -> None:
    host = {"Privileged": True, "SecurityOpt": []}
    assert security_options.seccomp_program(host, frozenset()) == b""
    assert security_options.seccomp_program({}, frozenset()) != b""
    host = {"Privileged": True, "SecurityOpt": ['seccomp={"defaultAction": "SCMP_ACT_ALLOW"}']}
    assert security_options.seccomp_program(host, frozenset()) != b""
