"""Changes, archives and prune of containers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from archives import tar_of
from containers import container, field

from dockerlab.errors import NotFound
from dockerlab.tables import container as container_tables


def test_changes(lab: Any, labels: dict[str, str]) -> None:
    with container(lab, labels, "sh", "-c", "echo x >/added; rm /etc/group; echo y >>/etc/passwd") as box:
        lab.container.wait(box, timeout=20)
        table = lab.container.changes(box)
        rows = {(row.kind, row.path) for row in table.itertuples()}
        assert {("added", "/added"), ("deleted", "/etc/group"), ("modified", "/etc/passwd")} <= rows


def test_a_container_without_changes_has_an_empty_table(lab: Any, labels: dict[str, str]) -> None:
    with container(lab, labels, "true", start=False) as box:
        table = lab.container.changes(box)
        assert [str(dtype) for dtype in table.dtypes] == ["string", "string"]
        assert len(table) == 0


def test_files_are_copied_in_and_out(lab: Any, labels: dict[str, str], tmp_path: Path) -> None:
    with container(lab, labels, "cat", "/data/a") as box:
        lab.container.wait(box, timeout=20)
        put = lab.container.put_archive(box, "/", tar_of(("data/a", b"inside\n"), ("data/b", b"x" * 1000)))
        assert put["status"].tolist() == [200]
        members = lab.container.archive(box, "/data").set_index("path")
        assert members.loc["data/b", "size_bytes"] == 1000
        saved = lab.container.archive(box, "/data/a", tmp_path / "a.tar")
        assert saved["size_bytes"].iloc[0] == (tmp_path / "a.tar").stat().st_size
        lab.container.put_archive(box, "/tmp", tmp_path / "a.tar")
        info = lab.container.archive_info(box, "/tmp/a")
        assert list(info.columns) == [column.name for column in container_tables.PATH]
        assert info[["name", "kind", "mode", "size_bytes"]].to_numpy().tolist() == [["a", "file", "0644", 7]]
        assert lab.container.archive_info(box, "/tmp")["mode"].tolist() == ["1777"]


def test_missing_paths(lab: Any, labels: dict[str, str]) -> None:
    with container(lab, labels, "true", start=False) as box:
        for call in (lab.container.archive, lab.container.archive_info):
            with pytest.raises(NotFound):
                call(box, "/nowhere")


def test_prune_removes_only_what_the_filter_matches(lab: Any, labels: dict[str, str]) -> None:
    with container(lab, labels, "true", start=False) as box:
        result = lab.container.prune(filters={"label": labels})
        assert field(result, "ContainersDeleted.0")
        with pytest.raises(NotFound):
            lab.container.inspect(box)
