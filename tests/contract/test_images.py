"""Images: build, commit, import, save and load, tag and delete."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from archives import tar_of
from containers import container, field, removed_afterwards, unique_name

from dockerlab.errors import EngineError, NotFound, OperationFailed
from dockerlab.tables import image as image_tables


def names(columns: Any) -> list[str]:
    return [column.name for column in columns]


def test_history(lab: Any) -> None:
    table = lab.image.history("busybox")
    assert list(table.columns) == names(image_tables.HISTORY)
    assert str(table["size_bytes"].dtype) == "Int64"
    assert table["size_bytes"].sum() > 500_000


def test_tag_inspect_many_and_delete(lab: Any, labels: dict[str, str]) -> None:
    name = unique_name(labels, "image")
    with removed_afterwards(lambda: lab.image.delete(f"{name}:one", force=True)):
        assert lab.image.tag("busybox", name, tag="one")["status"].tolist() == [201]
        wide = lab.image.inspect([f"{name}:one", "busybox"])
        assert wide["id"].nunique() == 1
        deleted = lab.image.delete(f"{name}:one")
        assert list(deleted.columns) == names(image_tables.DELETED)
        assert deleted["untagged"].iloc[0].endswith(f"{name}:one")
        with pytest.raises(NotFound):
            lab.image.inspect(f"{name}:one")


def test_build(lab: Any, labels: dict[str, str]) -> None:
    name = unique_name(labels, "image")
    dockerfile = b"FROM busybox\nARG WHO\nRUN echo hello $WHO >/greeting\nCMD cat /greeting\n"
    with removed_afterwards(lambda: lab.image.delete(name, force=True)):
        steps: list[int] = []
        table = lab.image.build(
            tar_of(("Dockerfile", dockerfile)),
            t=name,
            buildargs={"WHO": "you"},
            labels=labels,
            forcerm=True,
            progress=steps.append,
            timeout=100,
        )
        assert list(table.columns) == names(image_tables.PROGRESS)
        assert table["stream"].str.contains("RUN echo hello", case=False).any()
        images = lab.image.list(filters={"label": labels})
        assert images["labels"].iloc[0].items() >= labels.items()
        lab.container.create(name, name=name, labels=labels)
        lab.container.start(name)
        lab.container.wait(name, timeout=20)
        assert lab.container.logs(name)["message"].tolist() == ["hello you"]
        lab.container.delete(name)


def test_a_failed_build_raises_an_error_with_its_output(lab: Any, labels: dict[str, str]) -> None:
    body = tar_of(("Dockerfile", b"FROM busybox\nRUN echo before && exit 9\n"))
    with pytest.raises(OperationFailed, match="9") as error:
        lab.image.build(body, t=unique_name(labels, "image"), labels=labels, forcerm=True, timeout=100)
    assert error.value.status == 200
    assert error.value.table["stream"].str.contains("before").any()


def test_commit(lab: Any, labels: dict[str, str]) -> None:
    name = unique_name(labels, "image")
    with container(lab, labels, "sh", "-c", "echo kept >/kept") as box:
        lab.container.wait(box, timeout=20)
        with removed_afterwards(lambda: lab.image.delete(name, force=True)):
            result = lab.image.commit(
                box, repo=name, comment="a remark", author="me", cmd=["cat", "/kept"], labels=labels
            )
            assert len(field(result, "Id").removeprefix("sha256:")) == 64
            assert field(lab.image.inspect(name), "Comment") == "a remark"


def test_save_and_load(lab: Any, labels: dict[str, str], tmp_path: Path) -> None:
    name = unique_name(labels, "image")
    with removed_afterwards(lambda: lab.image.delete(name, force=True)):
        lab.image.tag("busybox", name, tag="latest")
        saved = lab.image.get(name, tmp_path / "image.tar")
        assert saved["size_bytes"].iloc[0] > 500_000
        assert "manifest.json" in lab.image.get_all([name])["path"].tolist()
        lab.image.delete(name)
        table = lab.image.load(tmp_path / "image.tar")
        assert table["stream"].str.contains(name).any()
        assert field(lab.image.inspect(name), "Id")


def test_import_of_a_tar(lab: Any, labels: dict[str, str]) -> None:
    name = unique_name(labels, "image")
    with removed_afterwards(lambda: lab.image.delete(name, force=True)):
        body = tar_of(("hello", b"hi"))
        table = lab.image.create(from_src="-", repo=name, tag="latest", message="by hand", body=body)
        assert list(table.columns) == names(image_tables.PROGRESS)
        assert table["status"].str.contains("[0-9a-f]{12}").any()
        assert field(lab.image.inspect(name), "Size") > 0


def test_a_pull_of_a_missing_image_is_an_error(lab: Any) -> None:
    with pytest.raises(EngineError):
        lab.image.create("127.0.0.1:1/dockerlab/nothing", tag="x", timeout=100)


def test_load_of_a_malformed_archive_is_an_error(lab: Any) -> None:
    with pytest.raises(EngineError):
        lab.image.load(b"this is no tar" * 100)


def test_prune_removes_only_what_the_filter_matches(lab: Any, labels: dict[str, str]) -> None:
    result = lab.image.prune(filters={"label": labels})
    assert field(result, "SpaceReclaimed") == 0
    assert field(lab.image.inspect("busybox"), "Id")
    assert field(lab.image.build_prune(filters={"until": ["9000h"]}), "SpaceReclaimed") == 0
