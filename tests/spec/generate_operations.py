"""Write the rows of `dockerlab/protocol/operations.py` from the facts of the API in this folder.

    python tests/spec/generate_operations.py            write them
    python tests/spec/generate_operations.py --check    exit 1 if they differ from the facts

The facts (`v1.41.json`, `v1.51.json`, `v1.55.json`) are names, types and numbers of the Engine API's swagger files.
What engines do but those files don't say is in small tables: `kinds.py` (responses), `TYPES` and `HEADERS` here. The
newest file only adds operations and parameters. What it no longer has is kept.
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

#: Swagger calls these strings, but engines expect JSON in them.
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
    # Seconds, but engines also accept fractions, which a whole number would lose.
    ("ContainerLogs", "since"): "time",
    ("ContainerLogs", "until"): "time",
    ("ServiceLogs", "since"): "time",
    ("TaskLogs", "since"): "time",
    ("SystemEvents", "since"): "time",
    ("SystemEvents", "until"): "time",
}

#: Headers that engines read and swagger leaves out: registry credentials, as docker's client sends them.
HEADERS = dict.fromkeys(
    ("ImageSearch", "GetPluginPrivileges", "PluginPush", "DistributionInspect"), ("X-Registry-Auth:str",)
)


def facts(version: str) -> dict:
    return json.loads((HERE / f"v{version}.json").read_text(encoding="utf-8"))


def added(new: dict, later: dict) -> dict:
    """Return the facts of a version with the operations and parameters that a later version adds."""
    places = list(later["operations"])
    operations = {name: row for name, row in later["operations"].items() if name not in new["operations"]}
    for name, row in new["operations"].items():
        old = {(parameter["name"], parameter["in"]) for parameter in row.get("params", [])}
        more = later["operations"][name].get("params", [])
        operations[name] = row | {
            "params": row.get("params", []) + [item for item in more if (item["name"], item["in"]) not in old]
        }
    return new | {"operations": {name: operations[name] for name in places}}


LAST, OLD = facts("1.51"), facts("1.41")
NEW = added(LAST, facts("1.55"))

#: The version that added a parameter, from the API's version history.
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

#: The version that added an operation.
ADDED_IN = {"VolumeUpdate": "1.42", "ImageAttestations": "1.55"}


def flat(schema: dict) -> dict:
    """Return the properties of a schema, through `$ref` and `allOf`, with a star for required ones."""
    if "$ref" in schema:
        schema = NEW["definitions"][schema["$ref"]]
    fields = {}
    for part in schema.get("allOf", []):
        fields.update(flat(part))
    required = schema.get("required", [])
    for name, field in schema.get("properties", {}).items():
        kind = field if "type" in field or "$ref" not in field else NEW["definitions"][field["$ref"]]
        fields[name] = PLAIN[kind.get("type", "object")] + ("*" if name in required else "")
    return fields


def spell(operation: str, name: str, kind: str) -> str:
    """Return `name:type*@since`."""
    star = "*" if kind.endswith("*") else ""
    since = SINCE.get((operation, name), "")
    return f"{name}:{kind.removesuffix('*')}{star}" + (f"@{since}" if since else "")


def parameters(operation: str, facts: dict, place: str) -> str:
    texts = []
    for parameter in facts.get("params", []):
        if parameter["in"] == place:
            plain = "filters" if parameter["name"] == "filters" else PLAIN[parameter["type"]]
            kind = TYPES.get((operation, parameter["name"])) or plain
            texts.append(spell(operation, parameter["name"], kind + ("*" if parameter.get("required") else "")))
    texts += HEADERS.get(operation, ()) if place == "header" else ()
    return " ".join(texts)


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
            ("since", ADDED_IN.get(name, "")),
        )
        if text
    ]
    line = f"    row({', '.join(parts)}),"
    return line if len(line) <= WIDTH else wrapped(parts)


def wrapped(parts: list[str]) -> str:
    """Return a long row: the first three columns, then one argument per line, with long strings split."""
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
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 if the rows are not up to date")
    args = parser.parse_args(argv)
    sys.path.insert(0, str(HERE))
    source = TARGET.read_text(encoding="utf-8")
    generated = source.partition(MARK)[0] + MARK + table()
    if args.check:
        return 0 if generated == source else 1
    TARGET.write_text(generated, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
