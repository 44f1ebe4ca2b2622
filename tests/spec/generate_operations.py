"""Write the rows of `dockerlab/protocol/operations.py` from the facts of the API in this folder.

    python tests/spec/generate_operations.py            write them
    python tests/spec/generate_operations.py --check    exit 1 if they are not what the facts say

The facts (`v1.41.json`, `v1.51.json`, `v1.55.json`) are names, types and numbers of the Engine API's swagger files.
What those files do not say, and engines do, is in small tables: `kinds.py` (answers), `TYPES` and `HEADERS` here.
Of the newest file come the operations and parameters that were added; nothing that it has dropped is dropped here.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import re
import sys
import textwrap

HERE = pathlib.Path(__file__).resolve().parent
TARGET = HERE.parents[1] / "dockerlab" / "protocol" / "operations.py"
MARK = "# ROWS\n"
WIDTH = 118

PLAIN = {"string": "str", "integer": "int", "boolean": "bool", "array": "list", "object": "json", "number": "int"}

# swagger calls these strings; engines want JSON in them.
TYPES = {
    ("ImageBuild", "buildargs"): "json",
    ("ImageBuild", "labels"): "json",
    ("ImageBuild", "cachefrom"): "json",
    ("ImageInspect", "platform"): "json",
    ("ImageHistory", "platform"): "json",
    ("ImagePush", "platform"): "json",
    ("ImageGet", "platform"): "json",
    ("ImageGetAll", "platform"): "json",
    ("ImageLoad", "platform"): "json",
    ("ImageDelete", "platforms"): "json",
    # seconds, but engines also take fractions and nanoseconds after a point: a whole number would lose them
    ("ContainerLogs", "since"): "time",
    ("ContainerLogs", "until"): "time",
    ("ServiceLogs", "since"): "time",
    ("TaskLogs", "since"): "time",
    ("SystemEvents", "since"): "time",
    ("SystemEvents", "until"): "time",
}

#: What engines read and swagger leaves out: who asks the registry, as docker's own client sends it.
HEADERS = dict.fromkeys(
    ("ImageSearch", "GetPluginPrivileges", "PluginPush", "DistributionInspect"), ("X-Registry-Auth:str",)
)


def facts(version: str) -> dict:
    return json.loads((HERE / f"v{version}.json").read_text(encoding="utf-8"))


def added(new: dict, later: dict) -> dict:
    """The facts of a version, with the operations and the parameters that a later one adds, after those before them."""
    places = list(later["operations"])
    found = {name: one for name, one in later["operations"].items() if name not in new["operations"]}
    for name, one in new["operations"].items():
        known = {(parameter["name"], parameter["in"]) for parameter in one.get("params", [])}
        more = later["operations"][name].get("params", [])
        found[name] = one | {
            "params": one.get("params", []) + [its for its in more if (its["name"], its["in"]) not in known]
        }
    return new | {"operations": {name: found[name] for name in places}}


LAST, OLD = facts("1.51"), facts("1.41")
NEW = added(LAST, facts("1.55"))

# When a parameter came, between the two versions. From the API's own history of versions.
SINCE = {
    ("ContainerStop", "signal"): "1.42",
    ("ContainerRestart", "signal"): "1.42",
    ("ContainerAttachWebsocket", "stdin"): "1.42",
    ("ContainerAttachWebsocket", "stdout"): "1.42",
    ("ContainerAttachWebsocket", "stderr"): "1.42",
    ("ContainerExec", "ConsoleSize"): "1.42",
    ("ExecStart", "ConsoleSize"): "1.42",
    ("ContainerCreate", "Annotations"): "1.43",
    ("ImageList", "shared-size"): "1.42",
    ("ImageList", "manifests"): "1.47",
    ("ImageList", "identity"): "1.54",
    ("ImageInspect", "manifests"): "1.48",
    ("ImageInspect", "platform"): "1.49",
    ("ImageHistory", "platform"): "1.48",
    ("ImageGet", "platform"): "1.48",
    ("ImageGetAll", "platform"): "1.48",
    ("ImageLoad", "platform"): "1.48",
    ("ImagePush", "platform"): "1.46",
    ("ImageDelete", "platforms"): "1.50",
    ("BuildPrune", "reserved-space"): "1.48",
    ("BuildPrune", "max-used-space"): "1.48",
    ("BuildPrune", "min-free-space"): "1.48",
    ("SystemDataUsage", "type"): "1.42",
    ("SystemDataUsage", "verbose"): "1.52",
    ("NetworkCreate", "EnableIPv4"): "1.48",
    ("VolumeCreate", "ClusterVolumeSpec"): "1.42",
}

#: When an operation came.
CAME = {"VolumeUpdate": "1.42", "ImageAttestations": "1.55"}


def flat(schema: dict) -> dict:
    """The properties and the required names of a schema, through `$ref` and `allOf`."""
    if "$ref" in schema:
        schema = NEW["definitions"][schema["$ref"]]
    fields = {}
    for part in schema.get("allOf", []):
        fields.update(flat(part))
    required = schema.get("required", [])
    for name, one in schema.get("properties", {}).items():
        kind = one if "type" in one or "$ref" not in one else NEW["definitions"][one["$ref"]]
        fields[name] = PLAIN[kind.get("type", "object")] + ("*" if name in required else "")
    return fields


def spell(operation: str, name: str, kind: str) -> str:
    """`name:type*@since`."""
    star = "*" if kind.endswith("*") else ""
    since = SINCE.get((operation, name), "")
    return f"{name}:{kind.removesuffix('*')}{star}" + (f"@{since}" if since else "")


def parameters(operation: str, facts: dict, place: str) -> str:
    found = []
    for one in facts.get("params", []):
        if one["in"] == place:
            plain = "filters" if one["name"] == "filters" else PLAIN[one["type"]]
            kind = TYPES.get((operation, one["name"])) or plain
            found.append(spell(operation, one["name"], kind + ("*" if one.get("required") else "")))
    found += HEADERS.get(operation, ()) if place == "header" else ()
    return " ".join(found)


def body(operation: str, facts: dict) -> str:
    if "body" not in facts:
        return ""
    schema = facts["body"]["schema"]
    if schema.get("type") == "string":
        fields = "tar"
    elif schema.get("type") == "array":
        fields = "list"
    else:
        fields = " ".join(spell(operation, name, kind) for name, kind in flat(schema).items())
    return ("!" if facts["body"]["required"] else "") + fields


def row(name: str, facts: dict) -> str:
    from kinds import kind

    answer = kind(name, facts)[0].replace("json-string", "string")
    parts = [f'"{name}"', f'"{facts["method"]} {facts["path"]}"', f'"{answer}"']
    query = parameters(name, facts, "query")
    parts += [f'"{query}"'] if query else []
    parts += [
        f'{key}="{text}"'
        for key, text in (
            ("headers", parameters(name, facts, "header")),
            ("body", body(name, facts)),
            ("since", CAME.get(name, "")),
        )
        if text
    ]
    line = f"    row({', '.join(parts)}),"
    return line if len(line) <= WIDTH else wrapped(parts)


def wrapped(parts: list[str]) -> str:
    """A row too long for a line: the first three columns, then one argument a line, long strings split."""
    lines = ["    row(", f"        {', '.join(parts[:3])},"]
    for part in parts[3:]:
        key, _, text = part.partition('"')
        pieces = textwrap.wrap(text.removesuffix('"'), WIDTH - 14 - len(key), break_on_hyphens=False)
        if len(pieces) <= 1:
            lines.append(f"        {part},")
            continue
        pad = " " * len(f"        {key}")
        for index, piece in enumerate(pieces):
            last = index == len(pieces) - 1
            lines.append(f'{pad if index else "        " + key}"{piece}{"" if last else " "}"{"," if last else ""}')
    return "\n".join([*lines, "    ),"])


def table() -> str:
    lines = ["OPERATIONS: dict[str, Operation] = {", "    operation.id: operation", "    for operation in ("]
    tag = ""
    for name, facts in NEW["operations"].items():
        if facts["tag"] != tag:
            tag = facts["tag"]
            lines.append(f"    # {tag}")
        lines.append(row(name, facts))
    text = "\n".join([*lines, "    )", "}", ""])
    return (
        re.sub(r"(?m)^(    (?:row|#|    |\)))", r"    \1", text)
        .replace("        )\n}", "    )\n}")
        .replace("        operation.id: operation", "    operation.id: operation")
    )


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only tell whether the rows are fresh")
    args = parser.parse_args(argv)
    sys.path.insert(0, str(HERE))
    source = TARGET.read_text(encoding="utf-8")
    fresh = source.partition(MARK)[0] + MARK + table()
    if args.check:
        return 0 if fresh == source else 1
    TARGET.write_text(fresh, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
