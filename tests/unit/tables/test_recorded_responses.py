"""Tables of recorded responses have the same columns and dtypes for every engine, and every column is used.

The recordings are responses that the contract tests received, see tests/support/recordings.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from recordings import RECORDED_OPERATIONS, recorded_responses

from dockerlab.tables import container, image, network, plugin, swarm, system, volume
from dockerlab.tables.build import Column, array_table

Table = Callable[[Any], pd.DataFrame]


def list_table(columns: tuple[Column, ...]) -> tuple[tuple[Column, ...], Table]:
    return columns, lambda response: array_table(columns, response)


TABLES: dict[str, tuple[tuple[Column, ...], Table]] = {
    "ContainerList": list_table(container.LIST),
    "ContainerChanges": list_table(container.CHANGES),
    "ImageList": list_table(image.LIST),
    "ImageHistory": list_table(image.HISTORY),
    "ImageSearch": list_table(image.SEARCH),
    "ImageDelete": list_table(image.DELETED),
    "ImageBuild": (image.PROGRESS, image.progress_table),
    "ImageCreate": (image.PROGRESS, image.progress_table),
    "ImageLoad": (image.PROGRESS, image.progress_table),
    "ImagePush": (image.PROGRESS, image.progress_table),
    "VolumeList": (volume.LIST, volume.volume_list),
    "NetworkList": list_table(network.LIST),
    "SystemDataUsage": (system.DATA_USAGE, system.data_usage_table),
    "PluginList": list_table(plugin.LIST),
    "NodeList": list_table(swarm.NODES),
    "ServiceList": list_table(swarm.SERVICES),
    "TaskList": list_table(swarm.TASKS),
    "SecretList": list_table(swarm.SECRETS),
    "ConfigList": list_table(swarm.CONFIGS),
}
#: Columns that no recording fills, each with its reason.
NEVER = {
    **dict.fromkeys(
        [f"PluginList.{column.name}" for column in plugin.LIST],
        "no engine here has a plugin",
    ),
    **dict.fromkeys([f"ImageSearch.{column.name}" for column in image.SEARCH], "no engine here reaches a search index"),
    "ImageList.shared_size_bytes": "counted only with shared_size=True",
    "ImageList.containers": "counted only with shared_size=True",
    "ContainerList.size_rw_bytes": "only with size=True",
    "ContainerList.size_root_fs_bytes": "only with size=True",
    "VolumeList.size_bytes": "only in data_usage",
    "VolumeList.containers": "only in data_usage",
    "SystemDataUsage.last_used": "no engine here has BuildKit's cache",
    "ServiceList.update_state": "filled only during an update",
    "ServiceList.ports": "no service here publishes any",
    "SecretList.driver": "only for a secret that a plugin stores",
    "TaskList.exit_code": "filled once a task has ended",
    "TaskList.error": "filled when a task has failed",
    "TaskList.labels": "left out for a task without labels",
    **dict.fromkeys([f"ImagePush.{column.name}" for column in image.PROGRESS], "pushes go to a registry"),
    **{
        f"{operation}.{column}": "filled only by a pull, a push or a failure"
        for operation in ("ImageBuild", "ImageCreate", "ImageLoad")
        for column in ("id", "status", "current_bytes", "total_bytes", "stream", "error", "aux")
    },
}


def test_every_recorded_operation_has_its_table() -> None:
    assert set(TABLES) | {"ContainerTop"} == RECORDED_OPERATIONS


@pytest.mark.parametrize("operation", TABLES)
def test_columns_and_dtypes_are_the_same_on_every_engine_and_when_empty(operation: str) -> None:
    columns, table = TABLES[operation]
    empty = table({} if operation in ("VolumeList", "SystemDataUsage") else [])
    assert list(empty.columns) == [column.name for column in columns]
    for responses in recorded_responses(operation).values():
        for response in responses:
            assert table(response).dtypes.to_dict() == empty.dtypes.to_dict()


@pytest.mark.parametrize("operation", TABLES)
def test_every_column_is_filled_by_an_engine_or_has_a_reason(operation: str) -> None:
    columns, table = TABLES[operation]
    tables = [table(response) for responses in recorded_responses(operation).values() for response in responses]
    filled = {name for table_ in tables for name in table_.columns if table_[name].notna().any()}
    expected = {column.name for column in columns if f"{operation}.{column.name}" not in NEVER}
    assert expected <= filled


@pytest.mark.parametrize("operation", [name for name in TABLES if not name.startswith(("Image", "Plugin"))])
def test_each_operation_was_recorded_on_docker_old_and_new(operation: str) -> None:
    assert {"docker-20.10", "docker-28.5"} <= set(recorded_responses(operation))


def test_titles_of_every_process_list_become_columns() -> None:
    for responses in recorded_responses("ContainerTop").values():
        for response in responses:
            table = container.process_table(response)
            assert len(table.columns) == len(response["Titles"])
            assert len(table) == len(response["Processes"])
