"""Plugins: create, set, enable, use, push, pull, upgrade, delete.

The plugin is a volume driver (tests/support/archives.py). It runs with the Python of the engine's machine. The registry
is the one of test_registry.py: a new one, or DOCKERLAB_TEST_REGISTRY=host:port.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from archives import PLUGIN_PYTHON, VOLUME_DRIVER, plugin_tar
from containers import container, field, removed_afterwards, unique_name
from plain_http import engine_pid
from processes import wait_until
from registries import Registry

from dockerlab.errors import Conflict, EngineError, NotFound, OperationFailed, ServerError
from dockerlab.tables import image as image_tables
from dockerlab.tables import plugin as plugin_tables

#: Seconds until a plugin has started. Docker tries to connect four times, three seconds apart.
STARTS = 20


@pytest.fixture
def python(host: str) -> None:
    """Skip the test if the engine runs on another machine, or if there is no Python for the plugin."""
    pid = engine_pid(host)
    if not pid or not Path(f"/proc/{pid}/root{PLUGIN_PYTHON}").exists():
        pytest.skip(f"needs an engine on this machine, which has {PLUGIN_PYTHON}")


@pytest.fixture
def plugin(lab: Any, labels: dict[str, str]) -> Iterator[str]:
    """Give the name of a new plugin."""
    name = f"dockerlab/{unique_name(labels, 'plugin')}:1"
    with removed_afterwards(lambda: lab.plugin.delete(name, force=True)):
        result = lab.plugin.create(name, plugin_tar("1"))
        assert result[["object", "status", "changed"]].to_numpy().tolist() == [[name, 204, True]]
        yield name


def names(columns: Any) -> list[str]:
    return [column.name for column in columns]


def row_of(lab: Any, name: str) -> Any:
    """Return a plugin's row in the list."""
    table = lab.plugin.list()
    return table[table["name"] == name].iloc[0]


def test_create_and_set(lab: Any, plugin: str) -> None:
    row = row_of(lab, plugin)
    assert not row["enabled"]
    assert row["capabilities"] == [VOLUME_DRIVER]
    assert (row["network"], row["env"]) == ("none", "GREETING=hello, VERSION=1")
    details = lab.plugin.inspect(plugin)
    assert field(details, "Id") == row["id"]
    assert field(details, "Config.Entrypoint.0") == PLUGIN_PYTHON
    assert field(details, "Enabled") is False
    assert lab.plugin.set(plugin, ["GREETING=good day", "programs.source=/usr/."])["changed"].tolist() == [True]
    details = lab.plugin.inspect(plugin)
    assert field(details, "Settings.Env.0") == "GREETING=good day"
    assert field(details, "Settings.Mounts.0.Source") == "/usr/."
    for settings in (["NOBODY=1"], ["VERSION=2"]):
        with pytest.raises(ServerError, match="Settable"):
            lab.plugin.set(plugin, settings)
    with pytest.raises(Conflict):
        lab.plugin.create(plugin, plugin_tar("2"))


def test_a_tar_without_a_plugin(lab: Any, labels: dict[str, str]) -> None:
    with pytest.raises(EngineError, match=r"config not found|no rootfs found"):
        lab.plugin.create(unique_name(labels, "plugin"), b"\0" * 1024)


def test_enable_and_use(lab: Any, plugin: str, python: None, labels: dict[str, str]) -> None:
    volume = unique_name(labels, "volume")
    lab.plugin.set(plugin, ["GREETING=from a test"])
    assert lab.plugin.enable(plugin, timeout_=STARTS, timeout=60)["changed"].tolist() == [True]
    assert row_of(lab, plugin)["enabled"]
    assert plugin in lab.plugin.list(filters={"capability": ["volumedriver"], "enabled": True})["name"].tolist()
    with removed_afterwards(lambda: lab.volume.delete(volume, force=True)):
        lab.volume.create(name=volume, driver=plugin, labels=labels)
        assert field(lab.volume.inspect(volume), "Status.Greeting") == "from a test"
        binds = {"Binds": [f"{volume}:/kept"]}
        with container(lab, labels, "sh", "-c", "echo written >/kept/x; cat /kept/x", host_config=binds) as box:
            lab.container.wait(box, timeout=20)
            assert lab.container.logs(box)["message"].tolist() == ["written"]
            for call in (lab.plugin.disable, lab.plugin.delete):
                with pytest.raises(Conflict, match="in use"):
                    call(plugin)
            with pytest.raises(EngineError, match="active plugin"):
                lab.plugin.set(plugin, ["GREETING=later"])
            lab.container.delete(box)
        lab.volume.delete(volume)
    with pytest.raises(Conflict, match="enabled"):
        lab.plugin.delete(plugin)
    assert lab.plugin.disable(plugin)["changed"].tolist() == [True]
    assert not row_of(lab, plugin)["enabled"]
    assert lab.plugin.delete(plugin)["object"].tolist() == [plugin]
    with pytest.raises(NotFound, match=r"lab\.plugin\.list"):
        lab.plugin.inspect(plugin)


def test_force_stops_a_running_plugin(lab: Any, plugin: str, python: None) -> None:
    lab.plugin.enable(plugin, timeout_=STARTS, timeout=60)
    with pytest.raises(Conflict, match="enabled"):
        lab.plugin.delete(plugin)
    lab.plugin.disable(plugin, force=True)
    lab.plugin.enable(plugin, timeout_=STARTS, timeout=60)
    assert lab.plugin.delete(plugin, force=True)["changed"].tolist() == [True]
    wait_until(lambda: plugin not in lab.plugin.list()["name"].tolist())


def test_push_pull_and_upgrade(lab: Any, image_registry: Registry, labels: dict[str, str]) -> None:
    remote, here = (
        f"{image_registry.name}/dockerlab/{unique_name(labels, 'plugin')}",
        f"{unique_name(labels, 'pulled')}:latest",
    )
    credentials = image_registry.auth()
    with ExitStack() as afterwards:
        for name in (f"{remote}:1", f"{remote}:2", here):
            afterwards.enter_context(removed_afterwards(lambda name=name: lab.plugin.delete(name, force=True)))
        for version in ("1", "2"):
            lab.plugin.create(f"{remote}:{version}", plugin_tar(version), timeout=60)
            pushed = lab.plugin.push(f"{remote}:{version}", registry_auth=credentials, timeout=60)
            assert list(pushed.columns) == names(image_tables.PROGRESS)
            assert pushed["aux"].iloc[-1]["Tag"] == version
            assert pushed["aux"].iloc[-1]["Digest"].startswith("sha256:")
            lab.plugin.delete(f"{remote}:{version}")
        privileges = lab.plugin.privileges(f"{remote}:1", registry_auth=credentials)
        assert list(privileges.columns) == names(plugin_tables.PRIVILEGES)
        assert dict(zip(privileges["name"], privileges["value"], strict=True)) == {
            "network": ["none"], "mount": ["/usr"], "capabilities": ["CAP_CHOWN"],
        }  # fmt: skip
        grants = lab.last.json()
        with pytest.raises(OperationFailed, match=r"incorrect privileges(.|\n)*lab\.plugin\.privileges"):
            lab.plugin.pull(f"{remote}:1", name=here, registry_auth=credentials, timeout=60)
        sizes: list[int] = []
        pulled = lab.plugin.pull(
            f"{remote}:1", grants, name=here, registry_auth=credentials, progress=sizes.append, timeout=60
        )
        assert list(pulled.columns) == names(image_tables.PROGRESS)
        assert pulled["status"].str.startswith("Digest: sha256:").any()
        assert sizes[-1] == pulled["total_bytes"].max() > 100
        assert (row_of(lab, here)["reference"], row_of(lab, here)["enabled"]) == (f"{remote}:1", False)
        upgraded = lab.plugin.upgrade(here, f"{remote}:2", grants, registry_auth=credentials, timeout=60)
        assert upgraded["status"].str.startswith("Digest: sha256:").any()
        assert field(lab.plugin.inspect(here), "Config.Description").endswith("version 2")
        assert row_of(lab, here)["reference"] == f"{remote}:2"


def test_wrong_credentials_are_refused(lab: Any, private_registry: Registry, labels: dict[str, str]) -> None:
    remote = f"{private_registry.name}/dockerlab/{unique_name(labels, 'plugin')}:1"
    with removed_afterwards(lambda: lab.plugin.delete(remote, force=True)):
        lab.plugin.create(remote, plugin_tar("1"))
        for credentials in (private_registry.auth("not-this-one"), None):
            with pytest.raises(OperationFailed, match="registry_auth") as error:
                lab.plugin.push(remote, registry_auth=credentials, timeout=60)
            assert "not-this-one" not in str(error.value)
        lab.plugin.push(remote, registry_auth=private_registry.auth(), timeout=60)
        lab.plugin.delete(remote)
        for credentials in (private_registry.auth("not-this-one"), None):
            assert len(lab.plugin.privileges(remote, registry_auth=credentials)) == 0
            with pytest.raises(EngineError, match="registry_auth"):
                lab.plugin.pull(remote, registry_auth=credentials, timeout=60)
    assert not [item for item in lab.wire if private_registry.password in item.raw + item.curl + item.helper]
