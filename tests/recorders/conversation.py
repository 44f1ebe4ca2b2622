"""A list of requests in a fixed order. Docker's responses to them are recorded; the practice engine's must be equal.

`python tests/recorders/conversation.py unix:///path/docker.sock` sends them to a real Docker in its newest API version,
and writes the responses, unchanged, to `tests/engine/recordings/`. Its containers have a label of their own.
"""

from __future__ import annotations

import json
import sys
import time
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import quote

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))

from plain_http import connection  # noqa: E402

RECORDINGS = HERE.parent / "engine/recordings"
LABEL = "dockerlab.test"
HEADERS = ("Api-Version", "Content-Type", "Docker-Experimental", "Ostype", "Transfer-Encoding")

Step = tuple[str, str, str, Any]


def filters(**values: list[str]) -> str:
    """Return filters as a query parameter's value."""
    return quote(json.dumps({name.replace("_", "-"): value for name, value in values.items()}))


def create(name: str, **body: Any) -> Step:
    """Return the step that creates a container, whose name begins with the conversation's prefix."""
    return f"create {name}", "POST", f"/containers/create?name=NAME-{name}", {"Image": "busybox", **body}


def get(path: str) -> Step:
    """Return the step of a GET request."""
    return f"GET {path}", "GET", path, None


def post(path: str) -> Step:
    """Return the step of a POST request without a body."""
    return f"POST {path}", "POST", path, None


SLEEP = ["sleep", "300"]
RICH = {
    "Cmd": ["-c", "sleep 300"],
    "Entrypoint": ["sh"],
    "Env": ["A=b", "EMPTY="],
    "Hostname": "rich",
    "Domainname": "example.org",
    "User": "nobody",
    "WorkingDir": "/tmp",
    "ExposedPorts": {"80/tcp": {}},
    "StopSignal": "SIGINT",
    "StopTimeout": 3,
    "OpenStdin": True,
    "HostConfig": {
        "Memory": 64 << 20,
        "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 2},
        "CapAdd": ["NET_ADMIN"],
        "Dns": ["192.0.2.1"],
        "ExtraHosts": ["there:192.0.2.2"],
        "Ulimits": [{"Name": "nofile", "Soft": 100, "Hard": 200}],
        "LogConfig": {"Type": "json-file", "Config": {"max-size": "1m"}},
    },
}

STEPS: list[Step] = [
    get("/_ping"),
    ("HEAD /_ping", "HEAD", "/_ping", None),
    get("/version"),
    get("/info"),
    get("/images/json"),
    get("/images/busybox/json"),
    get("/images/busybox/history"),
    get("/images/no-such-image/json"),
    get(f"/images/json?filters={filters(bogus=['x'])}"),
    get("/no/such/path"),
    ("a method that is not served", "PATCH", "/info", None),
    get("/nodes"),
    # create
    create("plain", Cmd=SLEEP),
    create("rich", **RICH),
    create("plain", Cmd=SLEEP),
    create("tty", Cmd=SLEEP, Tty=True),
    create("missing", Cmd=["/no/such/program"]),
    create("unfit", Cmd=["/etc/passwd"]),
    create("short", Cmd=["sh", "-c", "echo out; echo err >&2; exit 3"]),
    ("create without a body", "POST", "/containers/create", {}),
    ("create without an image", "POST", "/containers/create", {"Image": "", "Cmd": SLEEP[:0]}),
    ("create without a command", "POST", "/containers/create", {"Image": "busybox", "Entrypoint": [""]}),
    ("create of no such image", "POST", "/containers/create", {"Image": "no-such-image"}),
    ("create of no image's name", "POST", "/containers/create", {"Image": "Upper/Case"}),
    ("create with a short name", "POST", "/containers/create?name=a", {"Image": "busybox"}),
    ("create with a slash in its name", "POST", "/containers/create?name=a/b", {"Image": "busybox"}),
    ("create with a wrong signal", "POST", "/containers/create", {"Image": "busybox", "StopSignal": "BOGUS"}),
    ("create in a relative place", "POST", "/containers/create", {"Image": "busybox", "WorkingDir": "here"}),
    ("create with a nameless variable", "POST", "/containers/create", {"Image": "busybox", "Env": ["=x"]}),
    ("create with a command that is a number", "POST", "/containers/create", {"Image": "busybox", "Cmd": 3}),
    ("create with a TTY that is a number", "POST", "/containers/create", {"Image": "busybox", "Tty": 3}),
    ("create with little memory", "POST", "/containers/create", {"Image": "busybox", "HostConfig": {"Memory": 4}}),
    (
        "create with a bogus policy", "POST", "/containers/create",
        {"Image": "busybox", "HostConfig": {"RestartPolicy": {"Name": "bogus"}}},
    ),
    (
        "create with a count for always", "POST", "/containers/create",
        {"Image": "busybox", "HostConfig": {"RestartPolicy": {"Name": "always", "MaximumRetryCount": 3}}},
    ),
    (
        "create that removes itself and restarts", "POST", "/containers/create",
        {"Image": "busybox", "HostConfig": {"AutoRemove": True, "RestartPolicy": {"Name": "always"}}},
    ),
    # inspect, list
    get("/containers/NAME-plain/json"),
    get("/containers/NAME-plain/json?size=1"),
    get("/containers/NAME-rich/json"),
    get("/containers/no-such-container/json"),
    get(f"/containers/json?all=1&filters={filters(label=['LABEL'])}"),
    # start, and what it changes
    post("/containers/NAME-plain/start"),
    post("/containers/NAME-plain/start"),
    post("/containers/NAME-tty/start"),
    post("/containers/no-such-container/start"),
    post("/containers/NAME-missing/start"),
    get("/containers/NAME-missing/json"),
    post("/containers/NAME-unfit/start"),
    get("/containers/NAME-plain/json"),
    get(f"/containers/json?filters={filters(label=['LABEL'])}"),
    get(f"/containers/json?size=1&filters={filters(label=['LABEL'], name=['plain'])}"),
    get(f"/containers/json?all=1&limit=2&filters={filters(label=['LABEL'])}"),
    get(f"/containers/json?all=1&filters={filters(label=['LABEL'], status=['created'])}"),
    get(f"/containers/json?filters={filters(label=['LABEL'], status=['created'])}"),
    get(f"/containers/json?filters={filters(label=['LABEL'], ancestor=['busybox'])}"),
    get(f"/containers/json?filters={filters(label=['LABEL'], ancestor=['no-such-image'])}"),
    get(f"/containers/json?all=1&filters={filters(label=['LABEL'], before=['NAME-tty'])}"),
    get(f"/containers/json?all=1&filters={filters(label=['LABEL'], since=['NAME-tty'])}"),
    get(f"/containers/json?all=1&filters={filters(label=['LABEL'], expose=['80'])}"),
    get(f"/containers/json?all=1&filters={filters(label=['LABEL'], expose=['70-90/tcp'])}"),
    get(f"/containers/json?all=1&filters={filters(label=['LABEL'], publish=['80'])}"),
    get(f"/containers/json?all=1&filters={filters(label=['LABEL'], name=['^/NAME-plain$'])}"),
    get(f"/containers/json?all=1&filters={filters(label=['LABEL'], name=['plain', 'tty'])}"),
    get(f"/containers/json?all=1&filters={filters(label=['LABEL'], health=['none'])}"),
    get(f"/containers/json?all=1&filters={filters(label=['LABEL'], health=['healthy'])}"),
    get(f"/containers/json?all=1&filters={filters(label=['LABEL'], is_task=['false'])}"),
    get(f"/containers/json?all=1&filters={filters(label=['LABEL'], is_task=['true'])}"),
    get(f"/containers/json?all=1&filters={filters(label=['LABEL'], network=['bridge'])}"),
    get(f"/containers/json?all=1&filters={filters(label=['LABEL'], network=['no-such-network'])}"),
    get(f"/containers/json?all=1&filters={filters(label=['LABEL'], volume=['/no/such/volume'])}"),
    get(f"/containers/json?all=1&filters={filters(label=['LABEL'], id=['ff' * 8])}"),
    get(f"/containers/json?all=1&filters={filters(label=['LABEL', 'other'])}"),
    get(f"/containers/json?filters={filters(bogus=['x'])}"),
    get(f"/containers/json?filters={filters(status=['bogus'])}"),
    get(f"/containers/json?filters={filters(health=['bogus'])}"),
    get(f"/containers/json?filters={filters(is_task=['bogus'])}"),
    get(f"/containers/json?filters={filters(exited=['bogus'])}"),
    get(f"/containers/json?filters={filters(before=['no-such-container'])}"),
    get("/containers/json?filters=bogus"),
    get("/containers/json?limit=bogus"),
    # looking at one
    get("/containers/NAME-plain/top"),
    get("/containers/NAME-plain/top?ps_args=aux"),
    get("/containers/NAME-plain/top?ps_args=-o+pid,comm"),
    get("/containers/NAME-plain/top?ps_args=-o+comm"),
    get("/containers/NAME-rich/top"),
    get("/containers/no-such-container/top"),
    get("/containers/NAME-plain/logs"),
    get("/containers/no-such-container/logs?stdout=1"),
    get("/containers/NAME-plain/logs?stdout=1&since=bogus"),
    get("/containers/no-such-container/export"),
    # ending one
    ("DELETE of a running one", "DELETE", "/containers/NAME-plain", None),
    ("DELETE of none", "DELETE", "/containers/no-such-container", None),
    post("/containers/NAME-plain/kill?signal=BOGUS"),
    post("/containers/no-such-container/kill"),
    post("/containers/no-such-container/stop"),
    post("/containers/no-such-container/restart"),
    post("/containers/no-such-container/wait"),
    post("/containers/NAME-plain/stop?t=0"),
    post("/containers/NAME-plain/stop"),
    post("/containers/NAME-plain/kill"),
    post("/containers/NAME-plain/wait"),
    get("/containers/NAME-plain/json"),
    get("/containers/NAME-plain/top"),
    post("/containers/NAME-short/start"),
    post("/containers/NAME-short/wait"),
    get("/containers/NAME-short/json"),
    get(f"/containers/json?all=1&filters={filters(label=['LABEL'], exited=['3'])}"),
    get(f"/containers/json?filters={filters(label=['LABEL'], exited=['137'])}"),
    post("/containers/NAME-plain/restart?t=0"),
    post("/containers/NAME-plain/kill"),
    post("/containers/NAME-plain/wait"),
    post("/containers/NAME-plain/rename?name="),
    post("/containers/NAME-plain/rename?name=NAME-tty"),
    post("/containers/NAME-plain/rename?name=NAME-renamed"),
    get("/containers/NAME-renamed/json"),
    ("DELETE of a stopped one", "DELETE", "/containers/NAME-renamed", None),
]  # fmt: skip


def send(host: str, method: str, path: str, body: Any) -> dict[str, Any]:
    """Send one request. Return the status, some headers, and the decoded body."""
    client = connection(host)
    try:
        text = None if body is None else json.dumps(body)
        client.request(method, path, body=text, headers={"Content-Type": "application/json"} if text else {})
        response = client.getresponse()
        data = response.read().decode("utf-8", "replace")
        content_type = response.headers.get("Content-Type") or ""
        return {
            "status": response.status,
            "headers": {name: response.headers[name] for name in HEADERS if name in response.headers},
            "answer": json.loads(data) if data and content_type == "application/json" else data,
        }
    finally:
        client.close()


def hold(host: str, prefix: str, api: str) -> dict[str, dict[str, Any]]:
    """Send all requests and return the responses by `number name`. Remove the containers at the end."""
    label = f"{LABEL}={prefix}"
    responses = {}
    try:
        for number, (name, method, path, body) in enumerate(STEPS):
            target = path.replace("NAME", prefix).replace("LABEL", label)
            labelled = {**body, "Labels": {LABEL: prefix}} if body and "Image" in body else body
            responses[f"{number} {name}"] = send(host, method, f"/v{api}{target}", labelled)
            time.sleep(0.02)  # so that no two containers have the same creation time
    finally:
        filter_ = filters(label=[label])
        containers = send(host, "GET", f"/v{api}/containers/json?all=1&filters={filter_}", None)["answer"]
        for container in containers:
            send(host, "DELETE", f"/v{api}/containers/{container['Id']}?force=1", None)
    return responses


def main(host: str) -> None:
    """Record the responses of a real engine."""
    prefix = f"talk{uuid.uuid4().hex[:8]}"
    api = send(host, "GET", "/version", None)["answer"]["ApiVersion"]
    responses = hold(host, prefix, api)
    engine = responses["2 GET /version"]["answer"]["Version"].partition("+")[0]
    RECORDINGS.mkdir(exist_ok=True)
    lines = [f"{json.dumps(name)}: {json.dumps(response)}" for name, response in responses.items()]
    text = "{\n" + ",\n".join(lines) + "\n}\n"
    target = RECORDINGS / f"docker-{engine}.json"
    target.write_text(text.replace(prefix, "talk"))
    print(f"{len(responses)} responses in {target}")


if __name__ == "__main__":
    main(sys.argv[1])
