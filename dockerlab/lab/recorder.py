"""Record what containers do, and read it back: stats, events and inspections, as three Parquet files in a directory.

A recording uses its own connections, so that it does not appear in the caller's `lab.wire` and `lab.last`. It ends
after a given time or when it is interrupted, and then keeps what it has recorded so far. The files are rewritten every
30 seconds. Each is written to a temporary file that then replaces the old one, so that the files are always complete.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dockerlab.errors import ArgumentError, DockerlabError
from dockerlab.protocol.streams import json_lines

if TYPE_CHECKING:
    import pandas as pd

    from dockerlab.protocol.caller import Caller, Response
    from dockerlab.tables.build import Column

__all__ = ["Recording", "record", "replay"]

#: How many containers are sampled concurrently; urllib3 keeps as many connections.
THREADS = 8
#: How often the files are written during a recording, and the shortest time between two samples, in seconds.
WRITE_SECONDS, SHORTEST_INTERVAL = 30.0, 0.1
#: How long the engine may take for one response, in seconds. A sample that takes longer is skipped.
RESPONSE_SECONDS = 10.0
#: How long to wait for the end of the event stream after the recording has ended, in seconds.
LAST_EVENTS_SECONDS = 2.0
#: Smaller differences between the clocks of the engine and this machine are ignored, in seconds.
CLOCK_SECONDS = 2.0
PARTS = ("stats", "events", "containers")


@dataclass(frozen=True, slots=True)
class Recording:
    """The tables of a recording, `stats`, `events` and `containers` (inspections), and the `path` of its directory."""

    path: Path
    stats: pd.DataFrame
    events: pd.DataFrame
    containers: pd.DataFrame

    def __repr__(self) -> str:
        labels = zip(PARTS, ("samples", "events", "containers"), strict=True)
        counts = ", ".join(f"{len(getattr(self, part))} {label}" for part, label in labels)
        return f"<Recording {self.path.name}: {counts}>"


def record(
    lab: Caller,
    to: str | os.PathLike[str],
    *,
    seconds: float,
    interval: float = 1.0,
    containers: Sequence[str] | dict[str, Any] | None = None,
) -> Recording:
    """Record for `seconds` into the directory `to`, and return what `replay` returns.

    Every `interval` seconds, each running container is sampled (GET /containers/{id}/stats, one-shot). All events of
    containers are recorded (GET /events), and the last inspection of each container. `containers` are names or ids,
    or filters as for `lab.container.list`; by default, all containers that run at any time during the recording. A
    container that is slow or is removed loses samples, and does not stop the recording. One sample takes a second on
    Docker 20.10, and a few milliseconds on other engines. Ctrl-C ends the recording and keeps what it has recorded.
    An older recording in the same directory is replaced.

    Raises ArgumentError for a bad number, NotFound if a named container does not exist, ConnectionFailed if the
    engine does not respond at the start, DockerlabError if pyarrow is missing.
    """
    _need_pyarrow()
    for name, value in (("seconds", seconds), ("interval", interval)):
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
            raise ArgumentError(f"{name} must be a number of seconds above 0, not {value!r}. For example: {name}=10.")
    folder = Path(to)
    with type(lab)(lab.endpoint, timeout=min(lab.timeout, RESPONSE_SECONDS)) as connection:
        recorder = _Recorder(connection, folder, containers)
        recorder.find_containers()
        complete = False
        try:
            recorder.run(float(seconds), max(float(interval), SHORTEST_INTERVAL))
            complete = True
        except KeyboardInterrupt:
            pass  # Ctrl-C is the documented way to end a recording early.
        finally:
            recorder.finish(complete)
    return replay(folder)


class _Recorder:
    """A recording that is running."""

    def __init__(self, lab: Caller, folder: Path, selection: Sequence[str] | dict[str, Any] | None) -> None:
        self.lab, self.folder = lab, folder
        #: Names or ids of containers, or filters, or None for all running containers.
        self._selection = selection
        #: The documents that are not in a table yet, and the tables of the earlier ones.
        self._documents: dict[str, list[dict[str, Any]]] = {part: [] for part in PARTS}
        self._tables: dict[str, list[pd.DataFrame]] = {part: [] for part in PARTS}
        self._names: dict[str, str] = {}
        self._inspections: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="dockerlab-record")
        self._pending_samples: dict[str, Future[None]] = {}
        self._events: Response | None = None
        self._listener = threading.Thread()

    def find_containers(self) -> None:
        """Look up the selected containers, so that a wrong name is reported before anything is written."""
        if not isinstance(self._selection, (dict, type(None))):
            names = [self._selection] if isinstance(self._selection, str) else self._selection
            self._names = dict(map(self._id_and_name, names))
        self._current_names()

    def run(self, seconds: float, interval: float) -> None:
        """Sample every `interval` seconds, for `seconds`."""
        self._listener = threading.Thread(target=self._listen, args=(seconds,), name="dockerlab-events", daemon=True)
        self._listener.start()
        start = time.monotonic()
        last_write, tick = start, 0
        while (now := time.monotonic()) < start + seconds:
            for identity, name in self._current_names().items():
                if (pending := self._pending_samples.get(identity)) is None or pending.done():
                    self._pending_samples[identity] = self._threads.submit(self._sample, identity, name)
            if now - last_write > WRITE_SECONDS:
                self._write()
                last_write = now
            # A tick that is already over is skipped, so that the next ones are on time.
            tick = max(tick + 1, int((time.monotonic() - start) / interval) + 1)
            time.sleep(max(min(start + tick * interval, start + seconds) - time.monotonic(), 0))

    def finish(self, complete: bool) -> None:
        """Stop sampling and listening, and write the files. Wait for the last events only if `complete`."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        if complete:
            self._listener.join(LAST_EVENTS_SECONDS)
        if self._events is not None:
            self._events.close()
        for identity in list(self._inspections):
            self._inspect(identity)
        self._write()

    # -- requests ----------------------------------------------------------------------------------------------

    def _id_and_name(self, name: str) -> tuple[str, str]:
        inspection = self.lab.call("ContainerInspect", id=name).json()
        return str(inspection["Id"]), str(inspection.get("Name", "")).removeprefix("/")

    def _current_names(self) -> dict[str, str]:
        """Return the names of the containers to sample, by id. If the engine fails, return those of the last time."""
        if not isinstance(self._selection, (dict, type(None))):
            names = self._names
        else:
            try:
                summaries = self.lab.call("ContainerList", filters=self._selection).json() or []
            except ArgumentError:
                raise
            except (DockerlabError, ValueError):
                if not self._names:
                    raise
                return self._names
            names = {str(one["Id"]): str((one.get("Names") or [""])[0]).removeprefix("/") for one in summaries}
            self._names = names or self._names
        for identity in names:
            if identity not in self._inspections:
                self._inspect(identity)
        return names

    def _inspect(self, identity: str) -> None:
        """Store a container's inspection; if the container was removed, its last inspection stays."""
        try:
            self._inspections[identity] = self.lab.call("ContainerInspect", id=identity).json()
        except (DockerlabError, ValueError):
            self._inspections.setdefault(identity, {"Id": identity, "Name": self._names.get(identity)})

    def _sample(self, identity: str, name: str) -> None:
        """Add one sample. A sample that fails is missing, and the recording goes on."""
        try:
            document = self.lab.call("ContainerStats", id=identity, stream=False, one_shot=True).json()
        except (DockerlabError, ValueError):
            return
        # For a stopped container Docker sends a sample of the year 1, and Podman an error with status 200.
        if isinstance(document, dict) and not str(document.get("read") or "0001").startswith("0001"):
            with self._lock:
                self._documents["stats"].append({**document, "id": identity, "name": name})

    def _listen(self, seconds: float) -> None:
        """Read events until the time is over, in a thread, because Podman sends no headers before the first event."""
        now = time.time() + self._clock_difference()
        try:
            self._events = self.lab.open(
                "SystemEvents", filters={"type": ["container"]}, since=f"{now:.3f}", until=f"{now + seconds:.3f}",
                timeout=seconds + RESPONSE_SECONDS,
            )  # fmt: skip
            for event in json_lines(self._events.chunks()):
                if isinstance(event, dict):
                    with self._lock:
                        self._documents["events"].append(event)
        except (DockerlabError, ValueError):
            return  # `finish` closed the stream, or the engine failed: sampling does not depend on events.

    def _clock_difference(self) -> float:
        """Return by how many seconds the engine's clock is ahead of this machine's; 0 for small differences."""
        try:
            engine_time = parsedate_to_datetime(self.lab.call("SystemPing").header("Date")).timestamp()
        except (DockerlabError, ValueError):
            return 0.0
        difference = engine_time - time.time()
        return difference if abs(difference) > CLOCK_SECONDS else 0.0

    # -- writing -----------------------------------------------------------------------------------------------

    def _write(self) -> None:
        """Turn the new documents into tables, which need less memory, and write all tables."""
        import pandas as pd

        with self._lock:
            new, self._documents = self._documents, {part: [] for part in PARTS}
        if self._selection is not None:
            ids = set(self._names) | set(self._inspections)
            new["events"] = [event for event in new["events"] if str((event.get("Actor") or {}).get("ID")) in ids]
        self._tables["containers"] = []
        new["containers"] = list(self._inspections.values())
        self.folder.mkdir(parents=True, exist_ok=True)
        for part, (_, build_table) in _columns_and_builders().items():
            tables = self._tables[part]
            if new[part] or not tables:
                tables.append(build_table(new[part]))
            filled = [table for table in tables if len(table)] or tables[:1]
            self._tables[part] = [pd.concat(filled, ignore_index=True) if len(filled) > 1 else filled[0]]
            _store(self._tables[part][0], self.folder / f"{part}.parquet")


def _columns_and_builders() -> dict[str, tuple[tuple[Column, ...], Any]]:
    """Return the columns of each part's table, and the function that builds it from documents."""
    from dockerlab.tables import events, inspection, stats

    return {
        "stats": (stats.STATS, stats.stats_table),
        "events": (events.EVENTS, events.event_table),
        "containers": (inspection.CONTAINERS, inspection.container_inspections),
    }


def _store(table: pd.DataFrame, path: Path) -> None:
    """Write a table to a temporary file, and move that to `path` in one step."""
    import pandas as pd

    flat = table.copy()
    for name in flat.columns:
        if flat[name].dtype == object:  # A Parquet column has values of one type, so nested values are stored as JSON.
            texts = [None if value is pd.NA or value is None else json.dumps(value) for value in flat[name]]
            flat[name] = pd.Series(texts, index=flat.index, dtype=pd.StringDtype("python"))
    temporary = path.with_name(f"{path.name}.part")
    flat.to_parquet(temporary, index=False, engine="pyarrow", compression="zstd")
    temporary.replace(path)


def replay(path: str | os.PathLike[str]) -> Recording:
    """Read the recording in the directory `path`. Its tables have the same dtypes as when they were recorded.

    Raises ArgumentError if there is no recording at `path` or it is damaged, DockerlabError if pyarrow is missing.
    """
    _need_pyarrow()
    folder = Path(path)
    parts = _columns_and_builders().items()
    return Recording(folder, *(_load(folder / f"{part}.parquet", columns) for part, (columns, _) in parts))


def _load(path: Path, columns: Sequence[Column]) -> pd.DataFrame:
    import pandas as pd
    import pyarrow

    from dockerlab.tables.build import OBJECT, typed_table

    try:
        flat = pd.read_parquet(path, engine="pyarrow")
    except FileNotFoundError:
        raise ArgumentError(
            f"There is no recording at {path.parent}. Pass the directory that `record` wrote to."
        ) from None
    except (pyarrow.ArrowInvalid, OSError) as error:
        raise ArgumentError(f"{path} can't be read: {error}. Record it again.") from None
    arrays: dict[str, tuple[Any, str]] = {}
    for column in columns:
        # A recording of an older dockerlab may lack a column.
        values = list(flat[column.name]) if column.name in flat.columns else [None] * len(flat)
        values = [None if value is None or pd.isna(value) else value for value in values]
        if column.dtype == OBJECT:
            values = [pd.NA if value is None else json.loads(value) for value in values]
        arrays[column.name] = (values, column.dtype)
    return typed_table(arrays, len(flat))


def _need_pyarrow() -> None:
    try:
        import pyarrow  # noqa: F401  (an extra)
    except ImportError:
        raise DockerlabError(
            "A recording needs pyarrow, which is not installed. Install it with: pip install 'dockerlab[parquet]'"
        ) from None
