"""Writes an exchange in other ways: raw HTTP, curl, requests, helper. The docker command is in `command_lines`.

Every line runs as it stands. Secrets are gone already: an exchange has none.
"""

from __future__ import annotations

import base64
import json
import re
import shlex
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from dockerlab.endpoint import ssh
from dockerlab.endpoint.known_sockets import USUAL_SOCKET
from dockerlab.errors import printable
from dockerlab.protocol.docker_command import command_line
from dockerlab.protocol.exchange import Exchange, without_secrets
from dockerlab.protocol.operations import OPERATIONS, Parameter, snake_case

__all__ = ["HELPERS", "WITHOUT_METHOD", "archive_name", "cli", "curl", "helper", "raw", "requests"]

#: A shown body has at most so many lines of so many characters; `lab.last.text` has all of it.
LINES, WIDTH = 24, 120
CUT = "… (cut: lab.last.text has all of it)"

#: Operations whose method is not the rest of their name.
NAMED = {
    "BuildPrune": "image.build_prune",
    "ContainerExec": "container.exec",
    "GetPluginPrivileges": "plugin.privileges",
    "PutContainerArchive": "container.put_archive",
}
#: Operations whose data is sent as base64, and given to their method as it is.
BASE64 = {"ConfigCreate", "ConfigUpdate"}
#: The operations that have no method, each with its reason.
WITHOUT_METHOD = {
    "Session": 'carries gRPC of BuildKit over HTTP/2, of which nothing is a table; a stream: lab.hijack("Session")',
}


def _helpers() -> dict[str, str]:
    """Give each operation's method: `ContainerArchiveInfo` is `container.archive_info`."""
    groups = [
        "Container",
        "Image",
        "Exec",
        "Volume",
        "Network",
        "System",
        "Distribution",
        "Swarm",
        "Node",
        "Service",
        "Task",
        "Secret",
        "Config",
        "Plugin",
    ]
    found = {}
    for name in OPERATIONS:
        if name not in WITHOUT_METHOD:
            group = next((group for group in groups if name.startswith(group)), "")
            found[name] = NAMED.get(name) or f"{group.lower()}.{snake_case(name.removeprefix(group))}"
    return found


#: The method of each operation.
HELPERS = _helpers()


# -- raw -----------------------------------------------------------------------------------------------------


def raw(exchange: Exchange) -> str:
    """Write request and answer as HTTP; bodies are made readable and cut."""
    request = [f"{exchange.method} {exchange.target} HTTP/1.1"]
    request += [f"{name}: {value}" for name, value in exchange.request_headers.items()]
    if exchange.request_body:
        request += ["", *_body(exchange.request_body)]
    answer = [f"HTTP/1.1 {exchange.status} {exchange.reason}"]
    answer += [printable(f"{name}: {value}") for name, value in exchange.headers]
    if exchange.streamed:
        answer += ["", "(a stream: it was read piece by piece)"]
    elif exchange.body:
        answer += ["", *_body(without_secrets(exchange.operation, exchange.body))]
    if exchange.cut:
        answer.append(f"(the wire kept {len(exchange.body)} of {exchange.received} bytes)")
    return "\n".join([*request, "", "", *answer])


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


def curl(exchange: Exchange) -> str:
    """Write a curl command for a POSIX shell."""
    words = ["curl", "--silent", "--show-error"]
    kind, _, address = exchange.docker_host.partition("://")
    behind = ssh.parse(address) if kind == "ssh" else None
    if behind or kind == "unix":
        words += ["--unix-socket", (behind.path or USUAL_SOCKET) if behind else address]
        base = "http://localhost"
    else:
        words += _curl_tls(exchange)
        base = f"{'https' if exchange.tls else 'http'}://{address}"
    if exchange.method == "HEAD":
        words.append("--head")
    elif exchange.method != "GET":
        words += ["--request", exchange.method]
    words += _curl_output(exchange)
    for name, value in exchange.request_headers.items():
        if name.lower() not in ("host", "user-agent", "accept-encoding", "content-length"):
            words += ["--header", f"{name}: {value}"]
    if exchange.request_body:
        words += ["--data-binary", _data(exchange.request_body)]
    elif exchange.operation.body == "tar" and "Content-Type" in exchange.request_headers:
        words += ["--data-binary", "@archive.tar"]
    line = shlex.join([*words, base + exchange.target])
    return shlex.join(["ssh", *ssh.remote(behind), line]) if behind else line  # curl runs where the socket is


def _curl_tls(exchange: Exchange) -> list[str]:
    """Name the files of a TLS connection."""
    if exchange.tls is None:
        return []
    files = {"--cacert": exchange.tls.ca, "--cert": exchange.tls.certificate, "--key": exchange.tls.key}
    named = [word for option, path in files.items() if path for word in (option, path)]
    return named if exchange.tls.verify else ["--insecure", *named]


def _curl_output(exchange: Exchange) -> list[str]:
    """A tar goes into a file; frames are bytes, which curl asks to be told to print."""
    if exchange.operation.answer == "tar":
        return ["--output", archive_name(exchange)]
    if exchange.operation.answer == "mux":
        return ["--no-buffer", "--output", "-"] if exchange.arguments.get("follow") else ["--output", "-"]
    return []


def archive_name(exchange: Exchange) -> str:
    """Give the file that a shown command writes a tar to: named after the object."""
    named = str(exchange.arguments.get("id") or exchange.arguments.get("name") or "images")
    return re.sub(r"[^\w.-]+", "-", named).lstrip("-.") + ".tar"


def _data(body: bytes) -> str:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return "@archive.tar"
    return "@archive.tar" if "\0" in text else text


# -- requests ------------------------------------------------------------------------------------------------


def requests(exchange: Exchange) -> str:
    """Write a line of Python for `lab.session`, a requests session."""
    parts = urlsplit(exchange.target)
    path = re.sub(r"^/v\d+\.\d+", "", parts.path)
    arguments = [f"lab.url({_python(path)})"]
    query: dict[str, Any] = {}
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        query[name] = value if name not in query else [*([query[name]] if isinstance(query[name], str) else []), value]
    if query:
        arguments.append(f"params={_python(query)}")
    if exchange.request_body.startswith((b"{", b"[")):
        arguments.append(f"json={_python(json.loads(exchange.request_body))}")
    elif "Content-Type" in exchange.request_headers:
        arguments.append('data=open("archive.tar", "rb")')
    if query.get("follow") == "1":
        arguments.append("stream=True")
    extra = {name: value for name, value in exchange.request_headers.items() if name.lower().startswith("x-")}
    if extra:
        arguments.append(f"headers={_python(extra)}")
    return f"lab.session.{exchange.method.lower()}({', '.join(arguments)})"


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
    return repr(value.item() if hasattr(value, "item") else value)  # a number of numpy's is a plain one here


# -- helper --------------------------------------------------------------------------------------------------


def helper(exchange: Exchange) -> str:
    """Write the line of dockerlab."""
    operation = exchange.operation
    query = dict(parse_qsl(urlsplit(exchange.target).query))
    own = HELPERS.get(operation.id)
    words = [] if own else [_python(operation.id)]
    for parameter in operation.parameters:
        if parameter.argument in exchange.arguments:
            value = _plain(parameter, exchange.arguments[parameter.argument], query)
            text = _python(_unpacked(value) if operation.id in BASE64 and parameter.argument == "data" else value)
            first = own and parameter.place == "path"
            words.append(text if first else f"{parameter.argument}={text}")
    if "body" in exchange.arguments:
        plain = exchange.request_body.startswith((b"{", b"["))
        words.append(f"body={_python(json.loads(exchange.request_body) if plain else 'archive.tar')}")
    return f"lab.{own}({', '.join(words)})" if own else f"lab.call({', '.join(words)})"


def _unpacked(data: str) -> str | bytes:
    """Give what is in a config as its method takes it: text, or bytes that are none."""
    try:
        plain = base64.b64decode(data, validate=True)
        return plain.decode()
    except UnicodeDecodeError:
        return plain
    except ValueError:
        return data


def _plain(parameter: Parameter, value: Any, query: dict[str, str]) -> Any:
    """A moment is written as the engine got it, so that the line needs no import."""
    if parameter.type == "time" and not isinstance(value, (int, float, str)):
        return query.get(parameter.name, str(value))
    return value


# -- docker command ------------------------------------------------------------------------------------------


def cli(exchange: Exchange) -> str:
    """Write the docker command, or an empty text if there is none."""
    return command_line(exchange, archive_name(exchange))
