"""What needs a registry, on a real engine: push and pull, credentials good and wrong, a login, a look, a search.

The registry is a real one that these tests start beside the engine (tests/support/registries.py: Debian's package
docker-registry), or DOCKERLAB_TEST_REGISTRY=host:port, with DOCKERLAB_TEST_REGISTRY_AUTH=user:password if it asks.
What they push there stays there.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from archives import tar_of
from containers import field, removed_afterwards, unique_name
from processes import program
from registries import Registry, search_index
from tls import Authority

import dockerlab
from dockerlab.errors import EngineError, NotAllowed, NotFound, OperationFailed
from dockerlab.protocol.streams import json_lines
from dockerlab.tables import image as image_tables

#: Of bytes that no registry has, and that can't be made smaller.
SIZE = 3 << 20
WRONG = "not-this-one"


@pytest.fixture
def name(lab: Any, labels: dict[str, str], there: Registry) -> Iterator[str]:
    """Give the name of an image of the test's own, with the tags 1 and 2, which is in no registry yet."""
    mine = f"{there.name}/dockerlab/{unique_name(labels, 'image')}"
    with (
        removed_afterwards(lambda: lab.image.delete(f"{mine}:1", force=True)),
        removed_afterwards(lambda: lab.image.delete(f"{mine}:2")),
    ):
        lab.image.create(from_src="-", repo=mine, tag="1", body=tar_of(("data", os.urandom(SIZE))))
        lab.image.tag(f"{mine}:1", mine, tag="2")
        yield mine


def names(columns: Any) -> list[str]:
    return [column.name for column in columns]


def digest_of(pushed: Any) -> str:
    """Give the digest that a push ends with."""
    return str(next(aux for aux in pushed["aux"] if isinstance(aux, dict))["Digest"])


def taken_away(lab: Any, name: str) -> None:
    """Delete both tags, and with them the image."""
    for tag in ("2", "1"):
        lab.image.delete(f"{name}:{tag}")
    with pytest.raises(NotFound):
        lab.image.inspect(f"{name}:1")


def shows(lab: Any, secret: str) -> bool:
    """Tell whether a secret is anywhere in what the Lab keeps of its requests, plain or in base64."""
    kept = "".join("\n".join((one.raw, one.curl, one.requests, one.helper, one.cli, repr(one))) for one in lab.wire)
    encoded = base64.b64encode(secret.encode()).decode().rstrip("=")
    return secret in kept or encoded[2:-2] in kept


def test_push_and_pull(lab: Any, name: str, there: Registry) -> None:
    image = field(lab.image.inspect(f"{name}:1"), "Id")
    pushed = lab.image.push(name, tag="1", registry_auth=there.auth())
    assert list(pushed.columns) == names(image_tables.PROGRESS)
    assert pushed["status"].iloc[0].startswith(f"The push refers to repository [{name}")
    assert pushed["error"].isna().all()
    taken_away(lab, name)
    pulled = lab.image.create(name, tag="1", registry_auth=there.auth())
    assert list(pulled.columns) == names(image_tables.PROGRESS)
    assert str(pulled["total_bytes"].dtype) == "Int64"
    assert {"Pulling fs layer", "Download complete"} <= set(pulled["status"])
    assert field(lab.image.inspect(f"{name}:1"), "Id") == image


def test_progress_and_digest(lab: Any, name: str, there: Registry) -> None:
    sent: list[int] = []
    got: list[int] = []
    pushed = lab.image.push(name, tag="1", registry_auth=there.auth(), progress=sent.append)
    assert sent, "no progress was told"
    assert sent == sorted(sent)
    assert sent[-1] >= SIZE
    assert pushed["current_bytes"].max() >= SIZE
    digest = digest_of(pushed)
    taken_away(lab, name)
    pulled = lab.image.create(name, tag="1", registry_auth=there.auth(), progress=got.append)
    assert pulled["status"].tolist()[-2:] == [f"Digest: {digest}", f"Status: Downloaded newer image for {name}:1"]
    assert pulled["total_bytes"].max() >= SIZE
    assert got[-1] >= SIZE
    again = lab.image.create(f"{name}@{digest}", registry_auth=there.auth())
    assert again["status"].iloc[-1] == f"Status: Image is up to date for {name}@{digest}"


def test_a_pull_tells_its_records_one_by_one(lab: Any, name: str, there: Registry) -> None:
    lab.image.push(name, tag="1", registry_auth=there.auth())
    taken_away(lab, name)
    with lab.open("ImageCreate", from_image=name, tag="1", registry_auth=there.auth()) as answer:
        records = json_lines(answer.chunks())
        first = next(records)
        assert first == {"status": "Pulling from " + name.partition("/")[2], "id": "1"}
        rest = list(records)
    assert rest[-1] == {"status": f"Status: Downloaded newer image for {name}:1"}
    assert len(image_tables.progress_table([first, *rest])) == len(rest) + 1


def test_all_tags_at_once(lab: Any, name: str, there: Registry) -> None:
    pushed = lab.image.push(name, registry_auth=there.auth())
    assert sorted(aux["Tag"] for aux in pushed["aux"].dropna()) == ["1", "2"]
    taken_away(lab, name)
    lab.image.create(name, registry_auth=there.auth())
    assert lab.image.inspect([f"{name}:1", f"{name}:2"])["id"].nunique() == 1


def test_what_the_registry_has_not(lab: Any, name: str, there: Registry) -> None:
    for call in (lab.image.create, lab.distribution.inspect):
        with pytest.raises(EngineError, match=r"manifest unknown"):
            call(f"{name}:no", registry_auth=there.auth())
    for words, image in ((f"tag does not exist: {name}:no", name), (f"with the tag: {name}-no", f"{name}-no")):
        with pytest.raises(OperationFailed, match=words) as caught:
            lab.image.push(image, tag="no", registry_auth=there.auth())
        assert caught.value.table["error"].notna().sum() == 1


def test_what_docker_login_left(lab: Any, name: str, closed: Registry, tmp_path: Path) -> None:
    pair = base64.b64encode(f"{closed.user}:{closed.password}".encode()).decode()
    (tmp_path / "config.json").write_text(json.dumps({"auths": {closed.name: {"auth": pair}}}), "utf-8")
    found = dockerlab.credentials.for_image(name, env={"DOCKER_CONFIG": str(tmp_path)})
    assert lab.image.push(name, tag="1", registry_auth=found)["error"].isna().all()
    assert not shows(lab, closed.password)


def test_a_look_at_what_a_registry_has(lab: Any, name: str, closed: Registry) -> None:
    pushed = lab.image.push(name, tag="1", registry_auth=closed.auth())
    told = lab.distribution.inspect(f"{name}:1", registry_auth=closed.auth())
    assert field(told, "Descriptor.digest") == digest_of(pushed)
    assert field(told, "Descriptor.size") > 100
    assert "manifest.v" in field(told, "Descriptor.mediaType")
    assert field(told, "Platforms.0.os") == "linux"
    for credentials in (closed.auth(WRONG), None):
        with pytest.raises(EngineError, match="pass registry_auth"):
            lab.distribution.inspect(f"{name}:1", registry_auth=credentials)


def test_a_login(lab: Any, closed: Registry) -> None:
    told = lab.system.auth(closed.user, closed.password, serveraddress=closed.name)
    assert field(told, "Status") == "Login Succeeded"
    assert closed.user in lab.last.curl
    assert not shows(lab, closed.password)
    with pytest.raises(EngineError, match=r"(?i)unauthorized|incorrect") as caught:
        lab.system.auth(closed.user, WRONG, serveraddress=closed.name)
    assert "password" in str(caught.value)
    assert not shows(lab, WRONG)


def test_who_is_not_known_does_nothing(lab: Any, name: str, closed: Registry) -> None:
    lab.image.push(name, tag="1", registry_auth=closed.auth())
    for credentials in (closed.auth(WRONG), None):
        with pytest.raises(EngineError, match=r"unauthorized|no basic auth|authentication required|denied") as failed:
            lab.image.push(name, tag="2", registry_auth=credentials)
        with pytest.raises(EngineError, match=r"unauthorized|no basic auth|denied") as refused:
            lab.image.create(f"{name}:1", registry_auth=credentials)
        for caught in (failed, refused):
            assert "pass registry_auth" in str(caught.value)
            assert WRONG not in str(caught.value)
    with pytest.raises(EngineError, match="manifest unknown"):  # the push has left nothing
        lab.image.create(f"{name}:2", registry_auth=closed.auth())
    assert not shows(lab, WRONG)
    assert not shows(lab, closed.password)


def test_a_refused_pull_is_401(lab: Any, name: str, closed: Registry) -> None:
    with pytest.raises(NotAllowed):
        lab.image.create(f"{name}:1", registry_auth=closed.auth(WRONG))


def test_search(lab: Any, host: str, labels: dict[str, str], tmp_path: Path) -> None:
    word = unique_name(labels, "word")
    known = [
        {"name": f"{word}/web", "description": "a web server", "star_count": 7, "is_official": True},
        {"name": f"{word}/db", "description": "a database", "star_count": 0, "is_official": False},
        {"name": "other/web", "description": "", "star_count": 9, "is_official": False},
    ]
    who = {"username": "me", "password": WRONG}
    with search_index(host, Authority(tmp_path / "ca", program("openssl")).issue("server"), known) as there:
        table = lab.image.search(f"{there.name}/{word}", limit=10, registry_auth=who)
        assert list(table.columns) == names(image_tables.SEARCH)
        assert table[["name", "stars", "official"]].to_numpy().tolist() == [
            [f"{word}/web", 7, True], [f"{word}/db", 0, False],
        ]  # fmt: skip
        assert there.queries == [{"q": [word], "n": ["10"]}]
        assert there.credentials == ["Basic " + base64.b64encode(f"me:{WRONG}".encode()).decode()]
        assert not shows(lab, WRONG)
        starred = lab.image.search(f"{there.name}/{word}", filters={"stars": ["5"], "is-official": ["true"]})
        assert starred["description"].tolist() == ["a web server"]
        assert len(lab.image.search(f"{there.name}/{word}-none")) == 0
