"""The sanitize file masks what differs from run to run, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from nbval.plugin import get_sanitize_patterns

CONFIG = Path(__file__).with_name("sanitize.cfg")
RULES = get_sanitize_patterns(CONFIG.read_text())

SAME = [
    ("<Lab Docker 20.10.24 · API 1.41 · unix:///a.sock>", "<Lab dockerlab engine 0.1 · API 1.51 · tcp://h:1>"),
    ("GET /v1.41/containers/json?all=1", "GET /v1.51/containers/json?all=1"),
    ("curl --unix-socket /run/docker.sock http://d/v1.41/_ping", "curl --unix-socket /x/e.sock http://d/v1.51/_ping"),
    ("http+unix://%2Fvar%2Frun%2Fdocker.sock/v1.41/info", "http+unix://%2Ftmp%2Fe.sock/v1.51/info"),
    ("Server: Docker/20.10.24+dfsg1 (linux)", "Server: dockerlab/0.1.0"),
    ("Date: Mon, 23 Nov 2026 23:48:35 GMT", "Date: Tue, 24 Nov 2026 00:01:02 GMT"),
    ("Api-Version: 1.41", "Api-Version: 1.51"),
    ("Content-Length: 512", "Content-Length: 98"),
    ('{"label": ["dockerlab.session=me"]}', '{"label": ["dockerlab.session=test-gw0"]}'),
    ("%5B%22dockerlab.session%3Dme%22%5D", "%5B%22dockerlab.session%3Dtest-gw1%22%5D"),
    ('"dockerlab.session": "me"', '"dockerlab.session": "test-main"'),
    ('\\"dockerlab.session\\":\\"me\\"', '\\"dockerlab.session\\":\\"test-main\\"'),
    ("{'dockerlab.session': 'me'}", "{'dockerlab.session': 'test-main'}"),
    ("&quot;dockerlab.session&quot;: &quot;me&quot;", "&quot;dockerlab.session&quot;: &quot;test-main&quot;"),
    ("--label dockerlab.session=me busybox", "--label dockerlab.session=test-main busybox"),
    ("6f9e5b9315db" * 5 + "abcd", "0" * 63 + "a"),
    ("sha256:" + "ab" * 32, "sha256:" + "01" * 32),
    ("id 6f9e5b9315db", "id 0a1b2c3d4e5f"),
    ("2026-11-24 00:00:52.123456789+00:00", "2027-01-01 10:00:00+00:00"),
    ('"StartedAt":"2026-11-24T00:00:52.123456789Z"', '"StartedAt":"2026-11-24T00:00:52.1Z"'),
    ('"Created":1700000000', '"Created":1800000001'),
    ("&quot;Created&quot;: 1700000000,", "&quot;Created&quot;: 1800000001,"),
    ('"Pid": 4711,', '"Pid": 12,'),
    ('"LogPath": "/var/lib/docker/x.log",', '"LogPath": "/home/a/state/contain…'),
    ("Up Less than a second", "Up 2 seconds"),
    ("Up About a minute", "Up 3 minutes"),
    ("Exited (137) Less than a second ago", "Exited (137) 5 seconds ago"),
    ('["root","7100","0","23:55","?","00:00:00","sleep 3600"]', '["root","3","1","00:01","?","00:00:01","sleep 3600"]'),
    ("httpd -f -p 127.0.0.1:18080 -h www", "httpd -f -p 127.0.0.1:18081 -h www"),
    ("['name=dockerlab,isolation=plain']", "['name=seccomp,profile=builtin',\n 'name=cgroupns']"),
    ("name   state\nweb  running", "name state\nweb      running"),
]  # fmt: skip

DIFFERENT = [
    ("web is running", "web is exited"),
    ("Exited (0) 2 seconds ago", "Exited (137) 2 seconds ago"),
    ("0001-01-01T00:00:00Z", "2026-11-24T00:00:00Z"),
    ("HTTP/1.1 304 Not Modified", "HTTP/1.1 204 No Content"),
    ('"ExitCode":0', '"ExitCode":137'),
    ('"Pid": 0,', '"Pid": 12,'),
    ("dockerlab.lesson=01", "dockerlab.lesson=02"),
    ("container", "containers"),
    ("['dockerlab.lesson']", "['dockerlab.session']"),
    ("a b", "ab"),
]


def sanitized(text: str) -> str:
    for pattern, replacement in RULES:
        text = re.sub(pattern, replacement, text)
    return text


@pytest.mark.parametrize(("one", "other"), SAME)
def test_values_that_always_differ_are_masked(one: str, other: str) -> None:
    assert sanitized(one) == sanitized(other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_relevant_values_are_not_masked(one: str, other: str) -> None:
    assert sanitized(one) != sanitized(other)


def test_every_rule_was_read() -> None:
    """nbval silently ignores a rule without a replacement."""
    assert len(RULES) == CONFIG.read_text().count("\nregex:") == CONFIG.read_text().count("\n[")
