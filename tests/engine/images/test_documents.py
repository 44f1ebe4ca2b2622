"""Images that Docker refuses to load are refused with the same message, and leave nothing behind."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from archives import tar_of
from plain_http import ask, json_lines, send_raw

LAYER = tar_of(("of-a-document-test", b"content"))
DIFF_ID = f"sha256:{hashlib.sha256(LAYER).hexdigest()}"
CONFIG: dict[str, Any] = {"os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": [DIFF_ID]}}
ENTRY = {"Config": "c.json", "RepoTags": ["documents:1"], "Layers": ["l.tar"]}
UNMARSHAL = "json: cannot unmarshal"


def load(host: str, config: Any = None, manifest: Any = None) -> str:
    """Load an image with the configuration or manifest. Return the error."""
    config_data = config if isinstance(config, bytes) else json.dumps({**CONFIG, **(config or {})}).encode()
    manifest_data = manifest if isinstance(manifest, bytes) else json.dumps(manifest or [ENTRY]).encode()
    archive = tar_of(("c.json", config_data), ("l.tar", LAYER), ("manifest.json", manifest_data))
    status, data, _ = send_raw(host, "POST", "/images/load", archive)
    assert status == 200
    lines = json_lines(data)
    return str(lines[-1].get("error", "")) if lines else ""


# The messages were recorded on Docker 28.5.
@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"config": 1}, f"{UNMARSHAL} number into Go struct field Image.config of type container.Config"),
        ({"config": []}, f"{UNMARSHAL} array into Go struct field Image.config of type container.Config"),
        ({"config": "x"}, f"{UNMARSHAL} string into Go struct field Image.config of type container.Config"),
        (
            {"config": {"Labels": {"a": 1}}},
            f"{UNMARSHAL} number into Go struct field Image.config.Labels.a of type string",
        ),
        ({"config": {"Env": "x"}}, f"{UNMARSHAL} string into Go struct field Image.config.Env of type []string"),
        ({"config": {"Env": [1]}}, f"{UNMARSHAL} number into Image.config.Env.0 of type string"),
        ({"config": {"Cmd": 1}}, f"{UNMARSHAL} number into Go value of type string"),
        (
            {"config": {"ExposedPorts": {"80": 1}}},
            f"{UNMARSHAL} number into Image.config.ExposedPorts.80 of type struct {{}}",
        ),
        ({"history": {}}, f"{UNMARSHAL} object into Go struct field Image.history of type []v1.History"),
        ({"rootfs": None}, "invalid image JSON, no RootFS key"),
        ({"rootfs": {}}, "invalid manifest, layers length mismatch: expected 1, got 0"),
        (
            {"rootfs": {"diff_ids": ["sha256:../trees/x"]}},
            f'invalid diffID for layer 0: expected "sha256:../trees/x", got "{DIFF_ID}"',
        ),
        (
            {"created": "x"},
            'parsing time "x" as "2006-01-02T15:04:05Z07:00": cannot parse "x" as "2006"',
        ),
        ({"created": 1}, f"{UNMARSHAL} number into Go struct field Image.created of type time.Time"),
        ({"os": "windows"}, "cannot load windows image on linux"),
        (b"null", "invalid image JSON, no RootFS key"),
        (b"[]", f"{UNMARSHAL} array into Go value of type image.Image"),
        (b"hello", "invalid character 'h' looking for beginning of value"),
        (b"", "unexpected end of JSON input"),
        (b'{"a":NaN}', "invalid character 'N' looking for beginning of value"),
        (b"[" * 20_000, "exceeded max depth"),
    ],
)
def test_a_configuration_that_docker_refuses(practice_host: str, config: Any, message: str) -> None:
    assert load(practice_host, config) == message
    assert ask(practice_host, "GET", "/images/documents:1/json")[0] == 404


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        (b"null", "invalid manifest, manifest cannot be null (but can be [])"),
        (b"{}", f"{UNMARSHAL} object into Go value of type []tarexport.manifestItem"),
        (b"", "EOF"),
        ([1], f"{UNMARSHAL} number into .0 of type tarexport.manifestItem"),
        ([{**ENTRY, "Config": 1}], f"{UNMARSHAL} number into Go struct field .0.Config of type string"),
        ([{**ENTRY, "Layers": [1]}], f"{UNMARSHAL} number into .0.Layers.0 of type string"),
        ([{**ENTRY, "Layers": None}], "invalid manifest, layers length mismatch: expected 0, got 1"),
        ([{**ENTRY, "RepoTags": ["documents"]}], 'invalid tag "documents"'),
        ([{**ENTRY, "RepoTags": ["../x:1"]}], "invalid reference format"),
    ],
)
def test_a_manifest_that_docker_refuses(practice_host: str, manifest: Any, message: str) -> None:
    assert load(practice_host, manifest=manifest) == message


@pytest.mark.parametrize("created", ["2024-01-01T00:00:00+02:00", "9999-12-31T23:59:59Z", "0000-01-01T00:00:00Z", None])
def test_every_time_that_docker_accepts(practice_host: str, created: str | None) -> None:
    assert load(practice_host, {"created": created}) == ""
    try:
        assert ask(practice_host, "GET", "/images/json")[0] == 200
    finally:
        ask(practice_host, "DELETE", "/images/documents:1")
