"""A container's LogConfig: the known options, their effect on the log, and Docker's errors for invalid ones."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

from dockerlab.engine.common.go_regexp import InvalidPattern, Pattern
from dockerlab.engine.faults import BadParameter, Fault, NotServed

if TYPE_CHECKING:
    from dockerlab.engine.common.container_record import ContainerRecord

__all__ = ["check", "check_readable", "details", "shim_settings"]

COMMON_OPTIONS = {"mode", "max-buffer-size"}
FILE_OPTIONS = {"max-size", "max-file", "compress"}
#: The options of each driver that has some.
OPTIONS = {"json-file": FILE_OPTIONS | {"labels", "labels-regex", "env", "env-regex", "tag"}, "local": FILE_OPTIONS}
LOCAL_DEFAULTS = {"max-size": "20m", "max-file": "5"}
SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([kmgtp]?)(?:i?b)?", re.IGNORECASE)
MOST_BYTES = 2**63 - 1
POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
TRUE, FALSE = {"1", "t", "true"}, {"0", "f", "false"}
START_ERROR_PREFIX = "failed to create task for container: failed to initialize logging driver: "
Document = dict[str, Any]


def check(config: Document) -> None:
    """Raise BadParameter if a requested LogConfig has an unknown driver or option."""
    driver, options = config.get("Type") or "json-file", config.get("Config") or {}
    if driver != "none" and driver not in OPTIONS:
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
        if name not in OPTIONS[driver] | COMMON_OPTIONS:
            which = "for json-file log driver" if driver == "json-file" else f"for log driver {driver}"
            raise BadParameter(f"unknown log opt '{name}' {which}")


def shim_settings(record: ContainerRecord) -> Document:
    """Return how the shim writes a container's log, as fields of `ProcessSpec`.

    `log_path` is empty if nothing is to be logged. `log_size` is the size in bytes at which the log is rotated (0:
    never), `log_files` the number of files including the newest, and `log_attrs` what each log record carries. Raises
    Fault for an invalid option; Docker, too, looks at the values only at the start.
    """
    driver, options = record.host_config["LogConfig"]["Type"], record.host_config["LogConfig"]["Config"] or {}
    try:
        size, files = _limits({**(LOCAL_DEFAULTS if driver == "local" else {}), **options})
    except ValueError as error:
        raise Fault(f"{START_ERROR_PREFIX}{error}") from None
    path = "" if driver == "none" else str(record.log_path)
    return {"log_path": path, "log_size": size, "log_files": files, "log_attrs": _attributes(record, options)}


def check_readable(record: ContainerRecord) -> None:
    """Raise NotServed if the container has a log driver without a log to read."""
    if record.host_config["LogConfig"]["Type"] == "none":
        raise NotServed("configured logging driver does not support reading")


def details(attributes: dict[str, str]) -> bytes:
    """Return a log record's attributes as `logs` with `details` shows them before a line."""
    pairs = sorted(f"{quote_plus(name)}={quote_plus(value)}" for name, value in attributes.items())
    return ",".join(pairs).encode() + b" "


def _limits(options: Document) -> tuple[int, int]:
    """Return the size at which a log is rotated, and the number of files. Raises ValueError with Docker's message."""
    size, files = 0, 1
    if "max-size" in options:
        size = _size(options["max-size"])
        if size <= 0:
            raise ValueError("max-size must be a positive number")
    if "max-file" in options:
        if not re.fullmatch(r"[+-]?[0-9]{1,18}", options["max-file"]):
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
    """Return the bytes that a size such as `10m` means. Raises ValueError with Docker's message."""
    match = SIZE.fullmatch(text)
    if match is None:
        raise ValueError(f"invalid size: '{text}'")
    size = float(match[1]) * 1000 ** POWERS[match[2].lower()]
    if size > MOST_BYTES:
        raise ValueError(f"invalid size: '{text}'")
    return int(size)


def _attributes(record: ContainerRecord, options: Document) -> dict[str, str]:
    """Return the labels, the environment variables and the tag that each log record carries."""
    attributes = {}
    variables = dict(entry.partition("=")[::2] for entry in record.config["Env"] or [])
    for kind, values in (("labels", record.labels), ("env", variables)):
        names, pattern = (options.get(kind) or "").split(","), options.get(f"{kind}-regex")
        try:
            chosen = Pattern(pattern) if pattern else None
        except InvalidPattern as error:
            raise Fault(f"{START_ERROR_PREFIX}{error}") from None
        attributes.update({n: v for n, v in values.items() if n in names or (chosen and chosen.search(n))})
    if options.get("tag"):
        attributes["tag"] = _tag(record, options["tag"])
    return attributes


def _tag(record: ContainerRecord, template: str) -> str:
    image = record.image_id.removeprefix("sha256:")
    values = {
        "ID": record.id[:12],
        "FullID": record.id,
        "Name": record.name.removeprefix("/"),
        "ImageID": image[:12],
        "ImageFullID": record.image_id,
        "ImageName": record.image_name,
        "DaemonName": "docker",
    }
    return re.sub(r"\{\{\s*\.(\w+)\s*\}\}", lambda match: values.get(match[1], match[0]), template)
