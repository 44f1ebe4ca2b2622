"""Operations that need a registry: push and pull, correct and wrong credentials, login, distribution, search.

The registry is a real one that these tests start beside the engine (tests/support/registries.py: Debian's package
docker-registry), or DOCKERLAB_TEST_REGISTRY=host:port, with DOCKERLAB_TEST_REGISTRY_AUTH=user:password if it has a
login. Pushed images stay in it.
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

#: The number of random bytes in an image. No registry has them, and they cannot be compressed.
SIZE = 3 << 20
WRONG = "not-this-one"


@pytest.fixture
def name(lab: Any, labels: dict[str, str], image_registry: Registry) -> Iterator[str]:
    """Give the name of a new image with the tags 1 and 2, which is not in the registry yet."""
    image = f"{image_registry.name}/dockerlab/{unique_name(labels, 'image')}"
    with (
        removed_afterwards(lambda: lab.image.delete(f"{image}:1", force=True)),
        removed_afterwards(lambda: lab.image.delete(f"{image}:2")),
    ):
        lab.image.create(from_src="-", repo=image, tag="1", body=tar_of(("data", os.urandom(SIZE))))
        lab.image.tag(f"{image}:1", image, tag="2")
        yield image


def names(columns: Any) -> list[str]:
    return [column.name for column in columns]


def digest_of(pushed: Any) -> str:
    """Return the digest at the end of a push."""
    return str(next(aux for aux in pushed["aux"] if isinstance(aux, dict))["Digest"])


def delete_tags(lab: Any, name: str) -> None:
    """Delete both tags, and with them the image."""
    for tag in ("2", "1"):
        lab.image.delete(f"{name}:{tag}")
    with pytest.raises(NotFound):
        lab.image.inspect(f"{name}:1")


def shows(lab: Any, secret: str) -> bool:
    """Return whether a secret is in the requests that the Lab keeps, plain or in base64."""
    texts = "".join(
        "\n".join((item.raw, item.curl, item.requests, item.helper, item.cli, repr(item))) for item in lab.wire
    )
    encoded = base64.b64encode(secret.encode()).decode().rstrip("=")
    return secret in texts or encoded[2:-2] in texts


def test_push_and_pull(lab: Any, name: str, image_registry: Registry) -> None:
    image = field(lab.image.inspect(f"{name}:1"), "Id")
    pushed = lab.image.push(name, tag="1", registry_auth=image_registry.auth())
    assert list(pushed.columns) == names(image_tables.PROGRESS)
    assert pushed["status"].iloc[0].startswith(f"The push refers to repository [{name}")
    assert pushed["error"].isna().all()
    delete_tags(lab, name)
    pulled = lab.image.create(name, tag="1", registry_auth=image_registry.auth())
    assert list(pulled.columns) == names(image_tables.PROGRESS)
    assert str(pulled["total_bytes"].dtype) == "Int64"
    assert {"Pulling fs layer", "Download complete"} <= set(pulled["status"])
    assert field(lab.image.inspect(f"{name}:1"), "Id") == image


def test_progress_and_digest(lab: Any, name: str, image_registry: Registry) -> None:
    push_bytes: list[int] = []
    pull_bytes: list[int] = []
    pushed = lab.image.push(name, tag="1", registry_auth=image_registry.auth(), progress=push_bytes.append)
    assert push_bytes, "no progress was reported"
    assert push_bytes == sorted(push_bytes)
    assert push_bytes[-1] >= SIZE
    assert pushed["current_bytes"].max() >= SIZE
    digest = digest_of(pushed)
    delete_tags(lab, name)
    pulled = lab.image.create(name, tag="1", registry_auth=image_registry.auth(), progress=pull_bytes.append)
    assert pulled["status"].tolist()[-2:] == [f"Digest: {digest}", f"Status: Downloaded newer image for {name}:1"]
    assert pulled["total_bytes"].max() >= SIZE
    assert pull_bytes[-1] >= SIZE
    again = lab.image.create(f"{name}@{digest}", registry_auth=image_registry.auth())
    assert again["status"].iloc[-1] == f"Status: Image is up to date for {name}@{digest}"


def test_a_pull_is_a_stream_of_records(lab: Any, name: str, image_registry: Registry) -> None:
    lab.image.push(name, tag="1", registry_auth=image_registry.auth())
    delete_tags(lab, name)
    with lab.open("ImageCreate", from_image=name, tag="1", registry_auth=image_registry.auth()) as response:
        records = json_lines(response.chunks())
        first = next(records)
        assert first == {"status": "Pulling from " + name.partition("/")[2], "id": "1"}
        rest = list(records)
    assert rest[-1] == {"status": f"Status: Downloaded newer image for {name}:1"}
    assert len(image_tables.progress_table([first, *rest])) == len(rest) + 1


def test_all_tags_at_once(lab: Any, name: str, image_registry: Registry) -> None:
    pushed = lab.image.push(name, registry_auth=image_registry.auth())
    assert sorted(aux["Tag"] for aux in pushed["aux"].dropna()) == ["1", "2"]
    delete_tags(lab, name)
    lab.image.create(name, registry_auth=image_registry.auth())
    assert lab.image.inspect([f"{name}:1", f"{name}:2"])["id"].nunique() == 1


def test_missing_tags(lab: Any, name: str, image_registry: Registry) -> None:
    for call in (lab.image.create, lab.distribution.inspect):
        with pytest.raises(EngineError, match=r"manifest unknown"):
            call(f"{name}:no", registry_auth=image_registry.auth())
    for words, image in ((f"tag does not exist: {name}:no", name), (f"with the tag: {name}-no", f"{name}-no")):
        with pytest.raises(OperationFailed, match=words) as error:
            lab.image.push(image, tag="no", registry_auth=image_registry.auth())
        assert error.value.table["error"].notna().sum() == 1


def test_credentials_of_docker_login(lab: Any, name: str, private_registry: Registry, tmp_path: Path) -> None:
    pair = base64.b64encode(f"{private_registry.user}:{private_registry.password}".encode()).decode()
    (tmp_path / "config.json").write_text(json.dumps({"auths": {private_registry.name: {"auth": pair}}}), "utf-8")
    credentials = dockerlab.credentials.for_image(name, env={"DOCKER_CONFIG": str(tmp_path)})
    assert lab.image.push(name, tag="1", registry_auth=credentials)["error"].isna().all()
    assert not shows(lab, private_registry.password)


def test_distribution(lab: Any, name: str, private_registry: Registry) -> None:
    pushed = lab.image.push(name, tag="1", registry_auth=private_registry.auth())
    details = lab.distribution.inspect(f"{name}:1", registry_auth=private_registry.auth())
    assert field(details, "Descriptor.digest") == digest_of(pushed)
    assert field(details, "Descriptor.size") > 100
    assert "manifest.v" in field(details, "Descriptor.mediaType")
    assert field(details, "Platforms.0.os") == "linux"
    for credentials in (private_registry.auth(WRONG), None):
        with pytest.raises(EngineError, match="pass registry_auth"):
            lab.distribution.inspect(f"{name}:1", registry_auth=credentials)


def test_a_login(lab: Any, private_registry: Registry) -> None:
    details = lab.system.auth(private_registry.user, private_registry.password, serveraddress=private_registry.name)
    assert field(details, "Status") == "Login Succeeded"
    assert private_registry.user in lab.last.curl
    assert not shows(lab, private_registry.password)
    with pytest.raises(EngineError, match=r"(?i)unauthorized|incorrect") as error:
        lab.system.auth(private_registry.user, WRONG, serveraddress=private_registry.name)
    assert "password" in str(error.value)
    assert not shows(lab, WRONG)


def test_wrong_credentials_are_refused(lab: Any, name: str, private_registry: Registry) -> None:
    lab.image.push(name, tag="1", registry_auth=private_registry.auth())
    for credentials in (private_registry.auth(WRONG), None):
        with pytest.raises(
            EngineError, match=r"unauthorized|no basic auth|authentication required|denied"
        ) as push_error:
            lab.image.push(name, tag="2", registry_auth=credentials)
        with pytest.raises(EngineError, match=r"unauthorized|no basic auth|denied") as pull_error:
            lab.image.create(f"{name}:1", registry_auth=credentials)
        for error in (push_error, pull_error):
            assert "pass registry_auth" in str(error.value)
            assert WRONG not in str(error.value)
    with pytest.raises(EngineError, match="manifest unknown"):  # the push had no effect
        lab.image.create(f"{name}:2", registry_auth=private_registry.auth())
    assert not shows(lab, WRONG)
    assert not shows(lab, private_registry.password)


def test_a_refused_pull_is_401(lab: Any, name: str, private_registry: Registry) -> None:
    with pytest.raises(NotAllowed):
        lab.image.create(f"{name}:1", registry_auth=private_registry.auth(WRONG))


def test_search(lab: Any, host: str, labels: dict[str, str], tmp_path: Path) -> None:
    word = unique_name(labels, "word")
    images = [
        {"name": f"{word}/web", "description": "a web server", "star_count": 7, "is_official": True},
        {"name": f"{word}/db", "description": "a database", "star_count": 0, "is_official": False},
        {"name": "other/web", "description": "", "star_count": 9, "is_official": False},
    ]
    credentials = {"username": "me", "password": WRONG}
    with search_index(host, Authority(tmp_path / "ca", program("openssl")).issue("server"), images) as index:
        table = lab.image.search(f"{index.name}/{word}", limit=10, registry_auth=credentials)
        assert list(table.columns) == names(image_tables.SEARCH)
        assert table[["name", "stars", "official"]].to_numpy().tolist() == [
            [f"{word}/web", 7, True], [f"{word}/db", 0, False],
        ]  # fmt: skip
        assert index.queries == [{"q": [word], "n": ["10"]}]
        assert index.credentials == ["Basic " + base64.b64encode(f"me:{WRONG}".encode()).decode()]
        assert not shows(lab, WRONG)
        starred = lab.image.search(f"{index.name}/{word}", filters={"stars": ["5"], "is-official": ["true"]})
        assert starred["description"].tolist() == ["a web server"]
        assert len(lab.image.search(f"{index.name}/{word}-none")) == 0
