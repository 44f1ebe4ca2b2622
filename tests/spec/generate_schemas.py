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
PLAIN = {"string": "str", "integer": "int", "boolean": "bool", "number": "num"}
#: Objects with keys of the user, which swagger describes as objects without properties.
FREE = "{any}"


class Facts:
    """The facts of one version, and the objects in its request bodies."""

    def __init__(self, version: str, objects: dict[str, dict[str, str]]) -> None:
        self.facts = json.loads((HERE / f"v{version}.json").read_text(encoding="utf-8"))
        self.objects = objects
        self.done: set[str] = set()

    def bodies(self) -> None:
        """Collect every object that a request may send."""
        for name, one in self.facts["operations"].items():
            schema = one.get("body", {}).get("schema", {})
            if schema.get("type") not in ("string", "array") and schema:
                self.put(name, schema)

    def kind(self, schema: dict, name: str) -> str:
        """Return the type of a field: `[str]` is a list of strings, `{str}` a map to strings."""
        if "$ref" in schema:
            target = self.facts["definitions"][schema["$ref"]]
            return self.kind(target, schema["$ref"])
        if schema.get("allOf") and not self.fields(name, schema):  # a plain type with another description
            return self.kind(schema["allOf"][0], name)
        if schema.get("properties") or schema.get("allOf"):
            self.put(name, schema)
            return name
        kind = schema.get("type", "object")
        if kind == "array":
            return f"[{self.kind(schema.get('items', {}), name + '.item')}]"
        if kind == "object":
            more = schema.get("additionalProperties")
            return "{" + self.kind(more, name + ".item") + "}" if isinstance(more, dict) else FREE
        return PLAIN.get(kind, "any")

    def put(self, name: str, schema: dict) -> None:
        """Collect the fields of an object."""
        if name in self.done:
            return
        self.done.add(name)
        fields = self.objects.setdefault(name, {})
        for field, kind in self.fields(name, schema).items():
            fields[field] = kind  # the newest version wins

    def fields(self, name: str, schema: dict) -> dict[str, str]:
        """Return the fields of an object, through `$ref` and `allOf`."""
        if "$ref" in schema:
            schema = self.facts["definitions"][schema["$ref"]]
        types: dict[str, str] = {}
        for part in schema.get("allOf", []):
            types |= self.fields(name, part)
        for field, one in schema.get("properties", {}).items():
            types[field] = self.kind(one, f"{name}.{field}")
        return types


def table() -> str:
    """Return the rows."""
    objects: dict[str, dict[str, str]] = {}
    for version in VERSIONS:
        Facts(version, objects).bodies()
    lines = ["FIELDS: dict[str, str] = {"]
    for name, fields in sorted(objects.items()):
        text = " ".join(f"{field}:{kind}" for field, kind in fields.items())
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
    generated = source.partition(MARK)[0] + MARK + table()
    if args.check:
        return 0 if generated == source else 1
    TARGET.write_text(generated, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
