"""Write `dockerlab/protocol/schemas.py`, the fields of every object in a request's body, from the facts in this folder.

    python tests/spec/generate_schemas.py            write it
    python tests/spec/generate_schemas.py --check    exit 1 if it differs from the facts

It has the objects of all versions, because a field that only older engines know is not a misspelt name.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import textwrap

HERE = pathlib.Path(__file__).resolve().parent
TARGET = HERE.parents[1] / "dockerlab" / "protocol" / "schemas.py"
MARK = "# ROWS\n"
VERSIONS = ("1.41", "1.51", "1.55")
#: The table's words for the types of swagger.
PLAIN = {"string": "str", "integer": "int", "boolean": "bool", "number": "num"}
#: The type of an object whose keys are chosen by the user. Swagger describes it as an object without properties.
FREE = "{any}"


class SchemaCollector:
    """Collects the objects in the request bodies of one version. `objects` is shared by all versions."""

    def __init__(self, version: str, objects: dict[str, dict[str, str]]) -> None:
        self.facts = json.loads((HERE / f"v{version}.json").read_text(encoding="utf-8"))
        self.objects = objects
        self.names: set[str] = set()  #: of the objects that are collected already

    def collect_bodies(self) -> None:
        """Collect every object that a request may send."""
        for name, operation in self.facts["operations"].items():
            schema = operation.get("body", {}).get("schema", {})
            if schema.get("type") not in ("string", "array") and schema:
                self.collect_object(name, schema)

    def collect_object(self, name: str, schema: dict) -> None:
        """Collect the fields of an object, and all objects inside it. The newest version of a field wins."""
        if name in self.names:
            return
        self.names.add(name)
        fields = self.objects.setdefault(name, {})
        for field, type_ in self.field_types(name, schema).items():
            fields[field] = type_

    def field_types(self, name: str, schema: dict) -> dict[str, str]:
        """Return the types of an object's fields, through `$ref` and `allOf`."""
        if "$ref" in schema:
            schema = self.facts["definitions"][schema["$ref"]]
        types: dict[str, str] = {}
        for part in schema.get("allOf", []):
            types |= self.field_types(name, part)
        for field, field_schema in schema.get("properties", {}).items():
            types[field] = self.type_text(field_schema, f"{name}.{field}")
        return types

    def type_text(self, schema: dict, name: str) -> str:
        """Return the type of a field: `[str]` is a list of strings, `{str}` a map to strings."""
        if "$ref" in schema:
            target = self.facts["definitions"][schema["$ref"]]
            return self.type_text(target, schema["$ref"])
        if schema.get("allOf") and not self.field_types(name, schema):  # a plain type with another description
            return self.type_text(schema["allOf"][0], name)
        if schema.get("properties") or schema.get("allOf"):
            self.collect_object(name, schema)
            return name
        type_ = schema.get("type", "object")
        if type_ == "array":
            return f"[{self.type_text(schema.get('items', {}), name + '.item')}]"
        if type_ == "object":
            values = schema.get("additionalProperties")
            return "{" + self.type_text(values, name + ".item") + "}" if isinstance(values, dict) else FREE
        return PLAIN.get(type_, "any")


def table_text() -> str:
    objects: dict[str, dict[str, str]] = {}
    for version in VERSIONS:
        SchemaCollector(version, objects).collect_bodies()
    lines = ["FIELDS: dict[str, str] = {"]
    for name, fields in sorted(objects.items()):
        text = " ".join(f"{field}:{type_}" for field, type_ in fields.items())
        pieces = textwrap.wrap(text, 100, break_on_hyphens=False, break_long_words=False) or [""]
        if len(pieces) == 1 and len(name) + len(text) < 104:
            lines.append(f'    "{name}": "{text}",')
            continue
        lines.append(f'    "{name}": (')
        lines += [f'        "{piece} "' for piece in pieces[:-1]]
        lines += [f'        "{pieces[-1]}"', "    ),"]
    return "\n".join([*lines, "}", ""])


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 if the rows are not up to date")
    args = parser.parse_args(argv)
    source = TARGET.read_text(encoding="utf-8")
    generated = source.partition(MARK)[0] + MARK + table_text()
    if args.check:
        return 0 if generated == source else 1
    TARGET.write_text(generated, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
