"""Writes an exchange in other ways: as raw HTTP, curl, requests, and the dockerlab helper.

The docker command is in `docker_command.py`. Every line can be pasted and runs. It has no secrets, since an exchange
has none.
"""

from __future__ import annotations

import base64
import json
import re
import shlex
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit

from dockerlab.endpoint import ssh
from dockerlab.endpoint.known_sockets import USUAL_SOCKET
from dockerlab.endpoint.tls import Tls
from dockerlab.errors import printable
from dockerlab.protocol.operations import OPERATIONS, Operation, Parameter, snake_case
from dockerlab.protocol.redaction import without_secrets

__all__ = ["HELPERS", "WITHOUT_METHOD", "Call", "archive_name", "curl", "helper", "raw", "requests"]

#: A body is shown up to this many lines, each up to this many characters; `lab.last.text` has all of it.
LINES, WIDTH = 24, 120
CUT = "… (cut: lab.last.text has all of it)"

#: Operations whose method is not simply the rest of their name.
METHOD_NAMES = {
    "BuildPrune": "image.build_prune",
    "ContainerExec": "container.exec",
    "GetPluginPrivileges": "plugin.privileges",
    "PutContainerArchive": "container.put_archive",
}
#: Operations that send their data as base64, while their method takes it as text.
BASE64 = {"ConfigCreate", "ConfigUpdate"}
#: The operations that have no method, each with its reason.
WITHOUT_METHOD = {
    "Session": 'no method, because it carries gRPC of BuildKit over HTTP/2; to open the stream: lab.hijack("Session")',
}
GROUPS = (
    "Container", "Image", "Exec", "Volume", "Network", "System", "Distribution", "Swarm", "Node", "Service", "Task",
    "Secret", "Config", "Plugin",
)  # fmt: skip


class Call(Protocol):
    """What the functions of this module read of an exchange."""

    operation: Operation
    arguments: dict[str, Any]
    method: str
    target: str
    request_headers: dict[str, str]
    request_body: bytes
    docker_host: str
    tls: Tls | None
    status: int
    reason: str
    headers: list[tuple[str, str]]
    body: bytes
    streamed: bool
    received: int
    cut: bool


def _helpers() -> dict[str, str]:
    """Return the method of each operation: `ContainerArchiveInfo` is `container.archive_info`."""
    helpers = {}
    for name in OPERATIONS:
        if name not in WITHOUT_METHOD:
            group = next((group for group in GROUPS if name.startswith(group)), "")
            helpers[name] = METHOD_NAMES.get(name) or f"{group.lower()}.{snake_case(name.removeprefix(group))}"
    return helpers


#: The method of each operation.
HELPERS = _helpers()


# -- raw -----------------------------------------------------------------------------------------------------


def raw(call: Call) -> str:
    """Write request and response as HTTP; bodies are indented and cut."""
    request = [f"{call.method} {call.target} HTTP/1.1"]
    request += [f"{name}: {value}" for name, value in call.request_headers.items()]
    if call.request_body:
        request += ["", *_body(call.request_body)]
    response = [f"HTTP/1.1 {call.status} {call.reason}"]
    response += [printable(f"{name}: {value}") for name, value in call.headers]
    if call.streamed:
        response += ["", "(a stream: it was read piece by piece)"]
    elif call.body:
        response += ["", *_body(without_secrets(call.operation, call.body))]
    if call.cut:
        response.append(f"(the wire kept {len(call.body)} of {call.received} bytes)")
    return "\n".join([*request, "", "", *response])


def _body(body: bytes) -> list[str]:
    try:
        text = json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except ValueError:
        try:
            text = body.decode()
        except UnicodeDecodeError:
            text = "\0"
        if re.search(r"[\x00-\x08]", text):
            return ["(binary: lab.last.body has the bytes)"]
    lines = [printable(line) for line in text.rstrip("\n").split("\n")]
    lines = [line if len(line) <= WIDTH else line[: WIDTH - 1] + "…" for line in lines]
    return lines if len(lines) <= LINES else [*lines[: LINES - 1], CUT]


# -- curl ----------------------------------------------------------------------------------------------------


def curl(call: Call) -> str:
    """Write a curl command for a POSIX shell."""
    words = ["curl", "--silent", "--show-error"]
    kind, _, address = call.docker_host.partition("://")
    remote = ssh.parse(address) if kind == "ssh" else None
    if remote or kind == "unix":
        words += ["--unix-socket", (remote.path or USUAL_SOCKET) if remote else address]
        base = "http://localhost"
    else:
        words += _curl_tls(call)
        base = f"{'https' if call.tls else 'http'}://{address}"
    if call.method == "HEAD":
        words.append("--head")
    elif call.method != "GET":
        words += ["--request", call.method]
    words += _curl_output(call)
    for name, value in call.request_headers.items():
        if name.lower() not in ("host", "user-agent", "accept-encoding", "content-length"):
            words += ["--header", f"{name}: {value}"]
    if call.request_body:
        words += ["--data-binary", _data(call.request_body)]
    elif call.operation.body == "tar" and "Content-Type" in call.request_headers:
        words += ["--data-binary", "@archive.tar"]
    line = shlex.join([*words, base + call.target])
    # over ssh, curl has to run on the machine that has the socket
    return shlex.join(["ssh", *ssh.remote(remote), line]) if remote else line


def _curl_tls(call: Call) -> list[str]:
    if call.tls is None:
        return []
    files = {"--cacert": call.tls.ca, "--cert": call.tls.certificate, "--key": call.tls.key}
    options = [word for option, path in files.items() if path for word in (option, path)]
    return options if call.tls.verify else ["--insecure", *options]


def _curl_output(call: Call) -> list[str]:
    """Write a tar to a file. Frames are binary: curl prints them only with `--output -`."""
    if call.operation.answer == "tar":
        return ["--output", archive_name(call)]
    if call.operation.answer == "mux":
        return ["--no-buffer", "--output", "-"] if call.arguments.get("follow") else ["--output", "-"]
    return []


def archive_name(call: Call) -> str:
    """Return the file name, after the object's name, to which a shown command writes a tar."""
    name = str(call.arguments.get("id") or call.arguments.get("name") or "images")
    return re.sub(r"[^\w.-]+", "-", name).lstrip("-.") + ".tar"


def _data(body: bytes) -> str:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return "@archive.tar"
    return "@archive.tar" if "\0" in text else text


# -- requests ------------------------------------------------------------------------------------------------


def requests(call: Call) -> str:
    """Write a line of Python for `lab.session`, a requests session."""
    parts = urlsplit(call.target)
    path = re.sub(r"^/v\d+\.\d+", "", parts.path)
    arguments = [f"lab.url({_python(path)})"]
    query: dict[str, Any] = {}
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        query[name] = value if name not in query else [*([query[name]] if isinstance(query[name], str) else []), value]
    if query:
        arguments.append(f"params={_python(query)}")
    if call.request_body.startswith((b"{", b"[")):
        arguments.append(f"json={_python(json.loads(call.request_body))}")
    elif "Content-Type" in call.request_headers:
        arguments.append('data=open("archive.tar", "rb")')
    if query.get("follow") == "1":
        arguments.append("stream=True")
    extra = {name: value for name, value in call.request_headers.items() if name.lower().startswith("x-")}
    if extra:
        arguments.append(f"headers={_python(extra)}")
    return f"lab.session.{call.method.lower()}({', '.join(arguments)})"


def _python(value: Any) -> str:
    """Write a value as Python, with double quotes where that is easy to read."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False) if value.isprintable() and '"' not in value else repr(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_python(key)}: {_python(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_python(item) for item in value) + "]"
    if isinstance(value, (set, frozenset)):
        return _python(sorted(value, key=str))
    return repr(value.item() if hasattr(value, "item") else value)  # numpy's numbers become Python's


# -- helper --------------------------------------------------------------------------------------------------


def helper(call: Call) -> str:
    """Write the line of dockerlab that makes the call."""
    operation = call.operation
    query = dict(parse_qsl(urlsplit(call.target).query))
    method = HELPERS.get(operation.id)
    words = [] if method else [_python(operation.id)]
    for parameter in operation.parameters:
        if parameter.argument in call.arguments:
            value = _plain(parameter, call.arguments[parameter.argument], query)
            decoded = operation.id in BASE64 and parameter.argument == "data"
            text = _python(_from_base64(value) if decoded else value)
            positional = method and parameter.place == "path"
            words.append(text if positional else f"{parameter.argument}={text}")
    if "body" in call.arguments:
        is_json = call.request_body.startswith((b"{", b"["))
        words.append(f"body={_python(json.loads(call.request_body) if is_json else 'archive.tar')}")
    return f"lab.{method}({', '.join(words)})" if method else f"lab.call({', '.join(words)})"


def _from_base64(data: str) -> str | bytes:
    """Return a config's data as its method takes it: as text, or as bytes if it is not UTF-8."""
    try:
        plain = base64.b64decode(data, validate=True)
        return plain.decode()
    except UnicodeDecodeError:
        return plain
    except ValueError:
        return data


def _plain(parameter: Parameter, value: Any, query: dict[str, str]) -> Any:
    """Write a time as it was sent to the engine, so that the line needs no import."""
    if parameter.type == "time" and not isinstance(value, (int, float, str)):
        return query.get(parameter.name, str(value))
    return value
