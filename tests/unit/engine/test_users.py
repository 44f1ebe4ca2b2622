"""Users and groups are looked up in a container's own files, whatever these contain."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dockerlab.engine.storage import users


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\nann:x:1000:50:Ann:/home/ann:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\nstaff:x:50:\nwheel:x:10:ann,bob\n")
    return root


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ("", ((0, 0), [])),
        ("ann", ((1000, 50), [10])),
        ("1000", ((1000, 50), [10])),
        ("7", ((7, 0), [])),
        ("ann:wheel", ((1000, 10), [])),
        ("ann:99", ((1000, 99), [])),
    ],
)
def test_users_are_names_or_numbers(root: Path, user: str, expected: object) -> None:
    assert users.user_ids(root, user) == expected


@pytest.mark.parametrize("user", ["nobody", "²", "٣", "-1", "0x1"])
def test_unknown_users_are_reported(root: Path, user: str) -> None:
    with pytest.raises(LookupError, match="no matching entries in passwd file"):
        users.user_ids(root, user)
    with pytest.raises(LookupError, match="no matching entries in group file"):
        users.user_ids(root, f"ann:{user}")


@pytest.mark.parametrize("number", ["2147483648", "4294967295", "9" * 10])
def test_numbers_have_a_range(root: Path, number: str) -> None:
    for user in (number, f"ann:{number}"):
        with pytest.raises(LookupError, match="uids and gids must be in range 0-2147483647"):
            users.user_ids(root, user)


def test_malformed_rows_are_left_out(root: Path) -> None:
    rows = ["short:x:5", "odd:x:²:0", "large:x:99999999999:0", "empty:x::", "none", "digits:x:" + "1" * 5000 + ":0"]
    (root / "etc/passwd").write_text("\n".join([*rows, "ann:x:1:2"]))
    assert users.user_ids(root, "ann") == ((1, 2), [10])
    assert users.home_directory(root, "ann") == "/"
    for row in rows:
        with pytest.raises(LookupError):
            users.user_ids(root, row.partition(":")[0])


@pytest.mark.parametrize("kind", ["pipe", "directory", "link", "missing"])
def test_only_a_regular_file_of_the_tree_is_read(root: Path, kind: str) -> None:
    path = root / "etc/passwd"
    path.unlink()
    (root.parent / "outside").write_text("ann:x:5:5:Ann:/secret:\n")
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    elif kind == "link":
        path.symlink_to("../../outside")
    assert users.home_directory(root, "ann") == "/"
    assert users.user_ids(root, "0") == ((0, 0), [])


def test_a_huge_file_is_read_in_part(root: Path) -> None:
    with (root / "etc/passwd").open("ab") as file:
        file.truncate(1 << 40)
    assert users.user_ids(root, "ann") == ((1000, 50), [10])


def test_a_number_is_never_a_name(root: Path) -> None:
    (root / "etc/passwd").write_text("1000:x:0:0::/evil:/bin/sh\nann:x:5:50::/home/ann:/bin/sh\n")
    (root / "etc/group").write_text("2000:x:0:\n")
    assert users.user_ids(root, "1000:2000") == ((1000, 2000), [])
    assert users.user_ids(root, "005") == ((5, 50), [])
    assert users.home_directory(root, "1000") == "/"


def test_groups_are_names_or_numbers(root: Path) -> None:
    with (root / "etc/group").open("a") as file:
        file.write("staff:x:51:\n")
    assert users.group_ids(root, ["wheel", "7", "staff"]) == [10, 7, 50]
    with pytest.raises(LookupError, match="unable to find group x: no matching entries in group file"):
        users.group_ids(root, ["wheel", "x"])
