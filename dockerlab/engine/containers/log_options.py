"""A container's LogConfig: which options there are, what they mean for its log, and what Docker says of wrong ones."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote_plus

from dockerlab.engine.faults import BadParameter, Fault, NotServed

__all__ = ["Kept", "check", "details", "kept", "readable"]

ANY_DRIVER = {"mode", "max-buffer-size"}
SIZES = {"max-size", "max-file", "compress"}
KNOWN = {"json-file": SIZES | {"labels", "labels-regex", "env", "env-regex", "tag"}, "local": SIZES}
#: What `local` does without being told.
LOCAL = {"max-size": "20m", "max-file": "5"}
SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([kmgtp]?)(?:i?b)?", re.IGNORECASE)
POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
TRUE, FALSE = {"1", "t", "true"}, {"0", "f", "false"}
WORDS = "failed to create task for container: failed to initialize logging driver: "
Record = dict[str, Any]
#: What is told to the shim: `log_size` in bytes (0: no limit), `log_files` with the newest, `log_attrs` of each record.
Kept = dict[str, Any]


def check(config: Record) -> None:
    """Hold a LogConfig that is asked for against the rules. Raises BadParameter."""
    driver, options = config.get("Type") or "json-file", config.get("Config") or {}
    if driver != "none" and driver not in KNOWN:
        raise BadParameter(f'error looking up logging plugin {driver}: plugin "{driver}" not found')
    mode = options.get("mode") or "blocking"
    if mode not in ("blocking", "non-blocking"):
        raise BadParameter(f"logger: logging mode not supported: {mode}")
    if "max-buffer-size" in options:
        if mode == "blocking":
            raise BadParameter("logger: max-buffer-size option is only supported with 'mode=non-blocking'")
        try:
            _size(options["max-buffer-size"])
        except ValueError as error:
            raise BadParameter(f"error parsing option max-buffer-size: {error}") from None
    for name in sorted(options) if driver != "none" else ():
        if name not in KNOWN[driver] | ANY_DRIVER:
            which = "for json-file log driver" if driver == "json-file" else f"for log driver {driver}"
            raise BadParameter(f"unknown log opt '{name}' {which}")


def kept(record: Record) -> Kept:
    """Say how a container's log is kept. Raises Fault for an option that has no sense, as Docker does at the start."""
    driver, options = record["HostConfig"]["LogConfig"]["Type"], record["HostConfig"]["LogConfig"]["Config"] or {}
    try:
        size, files = _limits({**(LOCAL if driver == "local" else {}), **options})
    except ValueError as error:
        raise Fault(f"{WORDS}{error}") from None
    return {"log_size": size, "log_files": files, "log_attrs": _attributes(record, options)}


def readable(record: Record) -> None:
    """Is there a log that can be read? Raises NotServed, with Docker's status and words."""
    if record["HostConfig"]["LogConfig"]["Type"] == "none":
        raise NotServed("configured logging driver does not support reading")


def details(attributes: dict[str, str]) -> bytes:
    """Write a log record's attributes as the lines of `logs` show them."""
    pairs = sorted(f"{quote_plus(name)}={quote_plus(value)}" for name, value in attributes.items())
    return ",".join(pairs).encode() + b" "


def _limits(options: Record) -> tuple[int, int]:
    """Give the size at which a log is put aside, and how many files there are. Raises ValueError in Docker's words."""
    size, files = 0, 1
    if "max-size" in options:
        size = _size(options["max-size"])
        if size <= 0:
            raise ValueError("max-size must be a positive number")
    if "max-file" in options:
        if not re.fullmatch(r"[+-]?\d+", options["max-file"]):
            raise ValueError(f'strconv.Atoi: parsing "{options["max-file"]}": invalid syntax')
        files = int(options["max-file"])
        if files < 1:
            raise ValueError("max-file cannot be less than 1")
    compress = options.get("compress", "false")
    if compress.lower() not in TRUE | FALSE:
        raise ValueError(f'strconv.ParseBool: parsing "{compress}": invalid syntax')
    if compress.lower() in TRUE and (files < 2 or not size):  # noqa: PLR2004
        raise ValueError("compress cannot be true when max-file is less than 2 or max-size is not set")
    return size, files


def _size(text: str) -> int:
    """Read `10m`. Raises ValueError in Docker's words."""
    found = SIZE.fullmatch(text)
    if found is None:
        raise ValueError(f"invalid size: '{text}'")
    return int(float(found[1]) * 1000 ** POWERS[found[2].lower()])


def _attributes(record: Record, options: Record) -> dict[str, str]:
    """Choose the labels and the variables that each record of the log carries, and its tag."""
    config, found = record["Config"], {}
    labels = config["Labels"] or {}
    variables = dict(entry.partition("=")[::2] for entry in config["Env"] or [])
    for kind, values in (("labels", labels), ("env", variables)):
        names, pattern = (options.get(kind) or "").split(","), options.get(f"{kind}-regex")
        try:
            chosen = re.compile(pattern) if pattern else None
        except re.error as error:
            raise Fault(f"{WORDS}error parsing regexp: {error}: `{pattern}`") from None
        found.update({n: v for n, v in values.items() if n in names or (chosen and chosen.search(n))})
    if options.get("tag"):
        found["tag"] = _tag(record, options["tag"])
    return found


def _tag(record: Record, template: str) -> str:
    image = record["Image"].removeprefix("sha256:")
    values = {
        "ID": record["Id"][:12],
        "FullID": record["Id"],
        "Name": record["Name"].removeprefix("/"),
        "ImageID": image[:12],
        "ImageFullID": record["Image"],
        "ImageName": record["Config"]["Image"],
        "DaemonName": "docker",
    }
    return re.sub(r"\{\{\s*\.(\w+)\s*\}\}", lambda found: values.get(found[1], found[0]), template)
