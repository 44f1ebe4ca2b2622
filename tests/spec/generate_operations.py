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

#: The table's words for the types of swagger.
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


def read_facts(version: str) -> dict:
    return json.loads((HERE / f"v{version}.json").read_text(encoding="utf-8"))


def with_additions(facts: dict, later: dict) -> dict:
    """Return the facts of a version, together with the operations and parameters that a later version adds."""
    operations = dict(later["operations"])  # in the order of the later version
    for name, operation in facts["operations"].items():
        parameters = operation.get("params", [])
        present = {(parameter["name"], parameter["in"]) for parameter in parameters}
        additions = [
            parameter
            for parameter in later["operations"][name].get("params", [])
            if (parameter["name"], parameter["in"]) not in present
        ]
        operations[name] = operation | {"params": parameters + additions}
    return facts | {"operations": operations}


FACTS = with_additions(read_facts("1.51"), read_facts("1.55"))

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


def body_fields(schema: dict) -> dict:
    """Return the types of a schema's properties, through `$ref` and `allOf`. A star marks those that are required."""
    if "$ref" in schema:
        schema = FACTS["definitions"][schema["$ref"]]
    fields = {}
    for part in schema.get("allOf", []):
        fields.update(body_fields(part))
    required = schema.get("required", [])
    for name, field in schema.get("properties", {}).items():
        target = field if "type" in field or "$ref" not in field else FACTS["definitions"][field["$ref"]]
        fields[name] = PLAIN[target.get("type", "object")] + ("*" if name in required else "")
    return fields


def parameter_text(operation: str, name: str, type_: str) -> str:
    """Return a parameter as the table writes it: `name:type*@since`."""
    since = SINCE.get((operation, name), "")
    return f"{name}:{type_}" + (f"@{since}" if since else "")


def parameters_text(operation: str, facts: dict, place: str) -> str:
    """Return the parameters of the query or of the headers."""
    texts = []
    for parameter in facts.get("params", []):
        if parameter["in"] == place:
            plain = "filters" if parameter["name"] == "filters" else PLAIN[parameter["type"]]
            type_ = TYPES.get((operation, parameter["name"])) or plain
            texts.append(
                parameter_text(operation, parameter["name"], type_ + ("*" if parameter.get("required") else ""))
            )
    texts += HEADERS.get(operation, ()) if place == "header" else ()
    return " ".join(texts)


def body_text(operation: str, facts: dict) -> str:
    """Return the fields of the body, or the type of a body that is no object. `!` marks a required body."""
    if "body" not in facts:
        return ""
    schema = facts["body"]["schema"]
    if schema.get("type") == "string":
        fields = "tar"
    elif schema.get("type") == "array":
        fields = "list"
    else:
        fields = " ".join(parameter_text(operation, name, type_) for name, type_ in body_fields(schema).items())
    return ("!" if facts["body"]["required"] else "") + fields


def row_text(name: str, facts: dict) -> str:
    from kinds import kind

    response = kind(name, facts)[0].replace("json-string", "string")
    arguments = [f'"{name}"', f'"{facts["method"]} {facts["path"]}"', f'"{response}"']
    query = parameters_text(name, facts, "query")
    arguments += [f'"{query}"'] if query else []
    arguments += [
        f'{key}="{text}"'
        for key, text in (
            ("headers", parameters_text(name, facts, "header")),
            ("body", body_text(name, facts)),
            ("since", ADDED_IN.get(name, "")),
        )
        if text
    ]
    line = f"    row({', '.join(arguments)}),"
    return line if len(line) <= WIDTH else wrapped_row_text(arguments)


def wrapped_row_text(arguments: list[str]) -> str:
    """Return a long row: a line with the first three arguments, then one argument per line. Long strings are split."""
    lines = ["    row(", f"        {', '.join(arguments[:3])},"]
    for argument in arguments[3:]:
        key, _, text = argument.partition('"')
        pieces = textwrap.wrap(text.removesuffix('"'), WIDTH - 14 - len(key), break_on_hyphens=False)
        if len(pieces) <= 1:
            lines.append(f"        {argument},")
            continue
        indent = " " * len(f"        {key}")
        for index, piece in enumerate(pieces):
            is_last = index == len(pieces) - 1
            start = indent if index else f"        {key}"
            lines.append(f'{start}"{piece}{"" if is_last else " "}"{"," if is_last else ""}')
    return "\n".join([*lines, "    ),"])


def table_text() -> str:
    lines = ["OPERATIONS: dict[str, Operation] = {", "    operation.id: operation", "    for operation in ("]
    tag = ""
    for name, facts in FACTS["operations"].items():
        if facts["tag"] != tag:
            tag = facts["tag"]
            lines.append(f"    # {tag}")
        lines.append(row_text(name, facts))
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
    generated = source.partition(MARK)[0] + MARK + table_text()
    if args.check:
        return 0 if generated == source else 1
    TARGET.write_text(generated, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
