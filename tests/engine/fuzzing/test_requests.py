"""Documents that Hypothesis invents, in requests: right types, wrong types and broken JSON.

Whatever arrives, the response is never a 500 of the engine's own making, never contains the text of a Python
exception, and all lists still answer. `make test` runs a few hundred cases; `make test-fuzzing` about 10,000.
"""

from __future__ import annotations

import base64
import json
import re
from typing import Any
from urllib.parse import quote, urlencode

from archives import tar_of
from doors import FUZZING, Doors
from go_values import ANYTHING, TEXTS, document, printable
from hypothesis import given
from hypothesis import strategies as st

LAYER = tar_of(("fuzzed", b"content"))
#: Texts for a place where the engine would create what they name on this machine.
HARMLESS = st.sampled_from(("volume", "another.volume", "a b", "", ".", "../..", "a\nb", "a\0b", "x" * 300))


# -- bodies of requests ----------------------------------------------------------------------------------------

BINDS = st.lists(st.builds("{}:{}".format, HARMLESS, TEXTS), max_size=2)
CREATE = document(
    "container.CreateRequest",
    Image=st.sampled_from(("busybox", "busybox", "busybox", "nope", "A B", "", "sha256:" + "0" * 64)),
    Binds=BINDS,
    Source=HARMLESS,
)


@FUZZING
@given(body=CREATE, name=st.one_of(st.just(""), TEXTS), starts=st.booleans())
def test_container_create(doors: Doors, body: Any, name: str, starts: bool) -> None:
    if isinstance(body, dict) and starts:
        body = {**body, "Cmd": ["true"], "Entrypoint": None, "Image": "busybox"}
    status, answer = doors.send_json("POST", f"/containers/create?name={quote(name, errors='replace')}", body)
    if status == 201:
        doors.send("GET", f"/containers/{answer['Id']}/json")
        if starts:
            doors.send("POST", f"/containers/{answer['Id']}/start")
        doors.send("DELETE", f"/containers/{answer['Id']}?force=1&v=1")


#: One setting, or two that are chosen together, so that more of them get beyond the first check.
HOST_CONFIG = document("container.HostConfig", Binds=BINDS, Source=HARMLESS, most=2)


@FUZZING
@given(host=HOST_CONFIG, config=document("container.Config", Image=st.just("busybox"), Cmd=st.just(["true"]), most=2))
def test_container_settings(doors: Doors, host: Any, config: Any) -> None:
    settings = config if isinstance(config, dict) else {}
    body = {**settings, "Image": "busybox", "Cmd": ["true"], "Entrypoint": None, "HostConfig": host}
    status, answer = doors.send_json("POST", "/containers/create", body)
    if status == 201:
        doors.send("POST", f"/containers/{answer['Id']}/start")
        doors.send("GET", f"/containers/{answer['Id']}/json")
        doors.send("DELETE", f"/containers/{answer['Id']}?force=1&v=1")


@FUZZING
@given(body=document("container.ExecOptions"), start=document("container.ExecStartOptions"))
def test_exec(doors: Doors, body: Any, start: Any) -> None:
    status, answer = doors.send_json("POST", "/containers/base/exec", body)
    if status == 201:
        doors.send("GET", f"/exec/{answer['Id']}/json")
        if not (isinstance(start, dict) and start.get("Detach")):
            doors.send_json("POST", f"/exec/{answer['Id']}/start", start)


@FUZZING
@given(body=document("network.CreateRequest"), connect=document("network.ConnectOptions", Container=st.just("base")))
def test_networks(doors: Doors, body: Any, connect: Any) -> None:
    status, answer = doors.send_json("POST", "/networks/create", body)
    if status == 201:
        doors.send("GET", f"/networks/{answer['Id']}")
        doors.send_json("POST", f"/networks/{answer['Id']}/connect", connect)
        doors.send("GET", "/containers/base/json")
        doors.send_json("POST", f"/networks/{answer['Id']}/disconnect", {"Container": "base"})
        doors.send("DELETE", f"/networks/{answer['Id']}")


@FUZZING
@given(body=document("volume.CreateOptions"))
def test_volumes(doors: Doors, body: Any) -> None:
    status, answer = doors.send_json("POST", "/volumes/create", body)
    if status == 201:
        doors.send("GET", f"/volumes/{quote(answer['Name'])}")
        doors.send("DELETE", f"/volumes/{quote(answer['Name'])}")


@FUZZING
@given(body=document("container.UpdateConfig"))
def test_update(doors: Doors, body: Any) -> None:
    doors.send_json("POST", "/containers/base/update", body)


@FUZZING
@given(body=document("container.CreateRequest"), repository=TEXTS, tag=TEXTS)
def test_commit(doors: Doors, body: Any, repository: str, tag: str) -> None:
    names = {"repo": printable(repository), "tag": printable(tag), "container": "base", "pause": "0"}
    status, _ = doors.send_json("POST", f"/commit?{urlencode(names)}", body)
    if status == 201:
        doors.remove_images()


@FUZZING
@given(body=document("registry.AuthConfig", serveraddress=st.sampled_from(("127.0.0.1:1", "a b", "", "127.0.0.1:x"))))
def test_credentials(doors: Doors, body: Any) -> None:
    if isinstance(body, dict):
        body = {"serveraddress": "127.0.0.1:1", **body} if body.get("serveraddress") != "" else {"serveraddress": "[]"}
        doors.send_json("POST", "/auth", body)
    header = base64.urlsafe_b64encode(json.dumps(body).encode()).decode()
    doors.send("POST", "/images/create?fromImage=127.0.0.1:1/a&tag=b", headers={"x-registry-auth": header})


@FUZZING
@given(
    path=st.sampled_from(
        ("containers/create", "containers/base/exec", "containers/base/update", "networks/create", "volumes/create")
    ),
    body=st.one_of(
        st.binary(max_size=20),
        st.builds(lambda value, cut: json.dumps(value).encode()[:cut], ANYTHING, st.integers(0, 40)),
        st.sampled_from((b"[" * 5000, b'{"a":' * 5000, b'{"Memory":' + b"9" * 5000 + b"}", b'{"Labels":{"a":"\xff"}}')),
    ),
)
def test_broken_json(doors: Doors, path: str, body: bytes) -> None:
    status, _ = doors.send("POST", f"/{path}", body)
    assert status != 500 or not body.strip()


# -- query parameters ------------------------------------------------------------------------------------------

QUERIES = {
    "/containers/json": ("limit", "all", "size", "filters"),
    "/images/json": ("filters", "all", "shared-size"),
    "/networks": ("filters",),
    "/volumes": ("filters",),
    "/events": ("since", "filters"),
    "/containers/base/logs": ("since", "until", "tail", "timestamps"),
    "/containers/base/top": ("ps_args",),
    "/containers/base/archive": ("path",),
    "/system/df": ("type",),
}
FILTERS = st.one_of(
    st.dictionaries(
        st.sampled_from(
            (
                "label",
                "name",
                "id",
                "status",
                "ancestor",
                "before",
                "since",
                "until",
                "dangling",
                "reference",
                "type",
                "volume",
                "network",
                "publish",
                "expose",
                "exited",
                "health",
                "is-task",
                "driver",
                "scope",
                "event",
                "image",
            )
        ),
        st.one_of(st.lists(TEXTS, max_size=2), st.dictionaries(TEXTS, st.booleans(), max_size=2), ANYTHING),
        max_size=3,
    ).map(json.dumps),
    TEXTS,
    ANYTHING.map(json.dumps),
)


@FUZZING
@given(data=st.data(), path=st.sampled_from(sorted(QUERIES)))
def test_query_parameters(doors: Doors, data: st.DataObject, path: str) -> None:
    query = {"stdout": "1", "until": "1"} if path in ("/containers/base/logs", "/events") else {}
    for name in QUERIES[path]:
        value = data.draw(FILTERS if name == "filters" else TEXTS, label=name)
        query[name] = value.encode("utf-8", "replace").decode()
    doors.send("GET", f"{path}?{urlencode(query)}")


@FUZZING
@given(filters=FILTERS, kind=st.sampled_from(("containers", "networks", "volumes", "build")))
def test_prunes(doors: Doors, filters: str, kind: str) -> None:
    doors.send("POST", f"/{kind}/prune?{urlencode({'filters': filters.encode('utf-8', 'replace')})}")


@FUZZING
@given(
    path=st.sampled_from(
        ("containers/{}/json", "containers/{}/start", "images/{}/json", "images/{}/history", "volumes/{}")
    )
    | st.sampled_from(
        ("networks/{}", "exec/{}/json", "containers/{}/logs?stdout=1", "images/{}/get", "plugins/{}/json")
    ),
    name=TEXTS,
    method=st.sampled_from(("GET", "POST", "DELETE", "HEAD", "PUT")),
)
def test_names_in_paths(doors: Doors, path: str, name: str, method: str) -> None:
    doors.send(method, f"/{path.format(quote(name, safe='', errors='replace'))}")


# -- Dockerfiles -----------------------------------------------------------------------------------------------

#: No RUN, because the text would be run, and no URLs, because they would be downloaded.
KEYWORDS = ("ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "MAINTAINER")
MORE_KEYWORDS = ("ONBUILD", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR", "# escape=", "NOPE", "")
LINES = st.builds(
    "{} {}".format,
    st.sampled_from(KEYWORDS + MORE_KEYWORDS),
    st.one_of(
        TEXTS,
        st.lists(TEXTS, max_size=3).map(json.dumps),
        st.builds("{}={}".format, TEXTS, TEXTS),
        st.builds("--{}={} {}".format, st.sampled_from(("from", "chown", "interval", "retries", "x")), TEXTS, TEXTS),
        st.sampled_from(
            ("$A", "${A:-b}", "${A:?c}", "${A", '"', "'", "\\", "a\\", "busybox AS x", "scratch", "[1]", "a a")
        ),
    ),
)
DOCKERFILES = st.one_of(
    st.lists(LINES, max_size=5).map(lambda lines: "\n".join(["FROM busybox", *lines])), st.text(max_size=40)
)


def is_harmless(text: str) -> bool:
    return not re.search(r"\brun\b|http|://", text, re.IGNORECASE)


@FUZZING
@given(
    text=DOCKERFILES.filter(is_harmless),
    query=st.dictionaries(
        st.sampled_from(
            ("buildargs", "labels", "ulimits", "cachefrom", "t", "target", "memory", "shmsize", "networkmode")
        ),
        st.one_of(TEXTS, ANYTHING.map(json.dumps)),
        max_size=3,
    ),
)
def test_dockerfiles(doors: Doors, text: str, query: dict[str, str]) -> None:
    context = tar_of(("Dockerfile", text.encode("utf-8", "replace")), ("a", b"a"))
    encoded = urlencode({name: value.encode("utf-8", "replace") for name, value in query.items()})
    doors.send("POST", f"/build?{encoded}", context)
    doors.remove_images()


@FUZZING
@given(changes=st.lists(LINES.filter(is_harmless), max_size=2))
def test_changes(doors: Doors, changes: list[str]) -> None:
    query = urlencode({"changes": [line.encode("utf-8", "replace") for line in changes]}, doseq=True)
    doors.send("POST", f"/images/create?fromSrc=-&{query}", LAYER)
    doors.send("POST", f"/commit?container=base&pause=0&{query}")
    doors.remove_images()
