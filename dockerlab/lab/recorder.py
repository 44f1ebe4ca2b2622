"""Record what containers do, and read it back: samples of stats and events, as three Parquet files in a directory.

A recording has its own connections, so that `lab.wire` and `lab.last` stay the caller's. It ends after its time, or
when it is interrupted: then what was recorded so far is kept. The files are written anew every half a minute, each to
its side first and then in one step to its place, so that at any moment they are whole.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dockerlab.errors import ArgumentError, DockerlabError
from dockerlab.protocol.streams import json_lines

if TYPE_CHECKING:
    import pandas as pd

    from dockerlab.lab.lab import Lab
    from dockerlab.tables.build import Column
    from dockerlab.transport.transport import Response

__all__ = ["Recording", "record", "replay"]

#: So many containers are asked at a time; urllib3 keeps as many connections.
THREADS = 8
#: How often the files are written while a recording goes on, and the shortest time between two samples, in seconds.
WRITE_SECONDS, SHORTEST = 30.0, 0.1
#: How long an engine may take for one answer before this sample is given up; the recording goes on.
PATIENCE = 10.0
#: The end of an event stream comes when the engine says so, or after so many seconds more.
LAST_EVENTS = 2.0
#: Clocks that differ by less are the same.
CLOCK_SECONDS = 2.0
PARTS = ("stats", "events", "containers")


@dataclass(frozen=True, slots=True)
class Recording:
    """What was recorded: `stats`, `events` and `containers` (as `container_inspections`), and the `path` it lies at."""

    path: Path
    stats: pd.DataFrame
    events: pd.DataFrame
    containers: pd.DataFrame

    def __repr__(self) -> str:
        """Give one line."""
        counts = ", ".join(f"{len(getattr(self, part))} {word}" for part, word in _words())
        return f"<Recording {self.path.name}: {counts}>"


def _words() -> Iterable[tuple[str, str]]:
    return zip(PARTS, ("samples", "events", "containers"), strict=True)


def record(
    lab: Lab,
    to: str | os.PathLike[str],
    *,
    seconds: float,
    interval: float = 1.0,
    containers: Sequence[str] | dict[str, Any] | None = None,
) -> Recording:
    """Record for `seconds` into the directory `to`, and give back what `replay` would.

    Every `interval` seconds each running container is sampled (GET /containers/{id}/stats, one-shot); meanwhile all
    events of containers are kept (GET /events), and each container's inspection as it was last seen. `containers` are
    names or ids, or filters as for `lab.container.list`; without it, all that run, those that come later too. One that
    is slow or goes away loses samples, and stops nothing; Docker 20.10 takes a second for each, others a moment.
    Ctrl-C ends a recording, and what was recorded is kept. An older recording at the same place is replaced.

    Raises ArgumentError for a bad number, NotFound if a container that is named isn't there, ConnectionFailed if the
    engine does not answer at the start, DockerlabError if pyarrow is missing.
    """
    _need_pyarrow()
    for name, value in (("seconds", seconds), ("interval", interval)):
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
            raise ArgumentError(f"{name} is a number of seconds above 0, not {value!r}. Give for example {name}=10.")
    folder = Path(to)
    with type(lab)(lab.endpoint, timeout=min(lab.timeout, PATIENCE)) as own:
        taken = _Taken(own, folder, containers)
        taken.find()
        whole = False
        try:
            taken.run(float(seconds), max(float(interval), SHORTEST))
            whole = True
        except KeyboardInterrupt:
            pass  # that is how somebody ends a recording who has seen enough
        finally:
            taken.finish(whole)
    return replay(folder)


class _Taken:
    """A recording under way."""

    def __init__(self, lab: Lab, folder: Path, wanted: Sequence[str] | dict[str, Any] | None) -> None:
        self.lab, self.folder = lab, folder
        self._documents: dict[str, list[dict[str, Any]]] = {part: [] for part in PARTS}
        self._made: dict[str, list[pd.DataFrame]] = {part: [] for part in PARTS}
        self._wanted = wanted
        self._names: dict[str, str] = {}
        self._seen: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="dockerlab-record")
        self._under_way: dict[str, Future[None]] = {}
        self._events: Response | None = None
        self._listener = threading.Thread()

    def find(self) -> None:
        """Look for those that are named: a wrong name is told before anything is written."""
        if not isinstance(self._wanted, (dict, type(None))):
            names = [self._wanted] if isinstance(self._wanted, str) else self._wanted
            self._names = dict(map(self._named, names))
        self._running()

    def run(self, seconds: float, interval: float) -> None:
        """Sample until the time is over."""
        self._listener = threading.Thread(target=self._listen, args=(seconds,), name="dockerlab-events", daemon=True)
        self._listener.start()
        begin = time.monotonic()
        written, tick = begin, 0
        while (now := time.monotonic()) < begin + seconds:
            for identity, name in self._running().items():
                if (before := self._under_way.get(identity)) is None or before.done():
                    self._under_way[identity] = self._threads.submit(self._sample, identity, name)
            if now - written > WRITE_SECONDS:
                self._write()
                written = now
            # a tick that came too late is left out, so that the next ones are on time
            tick = max(tick + 1, int((time.monotonic() - begin) / interval) + 1)
            time.sleep(max(min(begin + tick * interval, begin + seconds) - time.monotonic(), 0))

    def finish(self, whole: bool) -> None:
        """End all that is under way, and write the files; of a whole recording the last events are waited for."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        if whole:
            self._listener.join(LAST_EVENTS)
        if self._events is not None:
            self._events.close()
        for identity in list(self._seen):
            self._inspect(identity)
        self._write()

    # -- asking ------------------------------------------------------------------------------------------------

    def _named(self, name: str) -> tuple[str, str]:
        found = self.lab.call("ContainerInspect", id=name).json()
        return str(found["Id"]), str(found.get("Name", "")).removeprefix("/")

    def _running(self) -> dict[str, str]:
        """Give the names of those to sample, by id; when the engine does not tell, those of the last time."""
        if not isinstance(self._wanted, (dict, type(None))):
            found = self._names
        else:
            try:
                listed = self.lab.call("ContainerList", filters=self._wanted).json() or []
            except ArgumentError:
                raise
            except (DockerlabError, ValueError):
                if not self._names:
                    raise
                return self._names
            found = {str(one["Id"]): str((one.get("Names") or [""])[0]).removeprefix("/") for one in listed}
            self._names = found or self._names
        for identity in found:
            if identity not in self._seen:
                self._inspect(identity)
        return found

    def _inspect(self, identity: str) -> None:
        """Keep what inspect says; of a container that is gone the last answer stays."""
        try:
            self._seen[identity] = self.lab.call("ContainerInspect", id=identity).json()
        except (DockerlabError, ValueError):
            self._seen.setdefault(identity, {"Id": identity, "Name": self._names.get(identity)})

    def _sample(self, identity: str, name: str) -> None:
        """Take one sample; one that fails is one that is missing."""
        try:
            document = self.lab.call("ContainerStats", id=identity, stream=False, one_shot=True).json()
        except (DockerlabError, ValueError):
            return
        # of one that doesn't run Docker tells the year 1, and Podman an error, with the status of an answer
        if isinstance(document, dict) and not str(document.get("read") or "0001").startswith("0001"):
            with self._lock:
                self._documents["stats"].append({**document, "id": identity, "name": name})

    def _listen(self, seconds: float) -> None:
        """Read events until the time is over. Podman sends no headers before the first one: only a thread may wait."""
        now = time.time() + self._ahead()
        try:
            self._events = self.lab.open(
                "SystemEvents", filters={"type": ["container"]}, since=f"{now:.3f}", until=f"{now + seconds:.3f}",
                timeout=seconds + PATIENCE,
            )  # fmt: skip
            for event in json_lines(self._events.chunks()):
                if isinstance(event, dict):
                    with self._lock:
                        self._documents["events"].append(event)
        except (DockerlabError, ValueError):
            return  # closed by us, or by an engine that went away or has no events: samples are taken all the same

    def _ahead(self) -> float:
        """Give by how much the engine's clock is ahead of ours, in seconds; a second or two is nothing."""
        try:
            told = parsedate_to_datetime(self.lab.call("SystemPing").header("Date")).timestamp()
        except (DockerlabError, ValueError):
            return 0.0
        ahead = told - time.time()
        return ahead if abs(ahead) > CLOCK_SECONDS else 0.0

    # -- writing -----------------------------------------------------------------------------------------------

    def _write(self) -> None:
        """Make tables of the new documents, which are larger, and write all."""
        import pandas as pd

        with self._lock:
            new, self._documents = self._documents, {part: [] for part in PARTS}
        if self._wanted is not None:
            mine = set(self._names) | set(self._seen)
            new["events"] = [one for one in new["events"] if str((one.get("Actor") or {}).get("ID")) in mine]
        self._made["containers"] = []
        new["containers"] = list(self._seen.values())
        self.folder.mkdir(parents=True, exist_ok=True)
        for part, (_, make) in _tables().items():
            known = self._made[part]
            if new[part] or not known:
                known.append(make(new[part]))
            filled = [table for table in known if len(table)] or known[:1]
            self._made[part] = [pd.concat(filled, ignore_index=True) if len(filled) > 1 else filled[0]]
            _store(self._made[part][0], self.folder / f"{part}.parquet")


def _tables() -> dict[str, tuple[tuple[Column, ...], Any]]:
    """Give the columns and the maker of each part's table."""
    from dockerlab.tables import events, inspection, stats

    return {
        "stats": (stats.STATS, stats.stats_table),
        "events": (events.EVENTS, events.event_table),
        "containers": (inspection.CONTAINERS, inspection.container_inspections),
    }


def _store(table: pd.DataFrame, path: Path) -> None:
    """Write a table beside its place, and move it there in one step."""
    import pandas as pd

    flat = table.copy()
    for name in flat.columns:
        if flat[name].dtype == object:  # a Parquet column holds things of one kind: nested ones are kept as JSON
            texts = [None if value is pd.NA or value is None else json.dumps(value) for value in flat[name]]
            flat[name] = pd.Series(texts, index=flat.index, dtype=pd.StringDtype("python"))
    aside = path.with_name(f"{path.name}.part")
    flat.to_parquet(aside, index=False, engine="pyarrow", compression="zstd")
    aside.replace(path)


def replay(path: str | os.PathLike[str]) -> Recording:
    """Read a recording: its tables have the dtypes that they had.

    Raises ArgumentError if there is none at `path` or it is damaged, DockerlabError if pyarrow is missing.
    """
    _need_pyarrow()
    folder = Path(path)
    return Recording(folder, *(_load(folder / f"{part}.parquet", columns) for part, (columns, _) in _tables().items()))


def _load(path: Path, columns: Sequence[Column]) -> pd.DataFrame:
    import pandas as pd
    import pyarrow

    from dockerlab.tables.build import PLAIN, frame

    try:
        flat = pd.read_parquet(path, engine="pyarrow")
    except FileNotFoundError:
        raise ArgumentError(f"There is no recording at {path.parent}. Give the directory that record wrote.") from None
    except (pyarrow.ArrowInvalid, OSError) as error:
        raise ArgumentError(f"{path} can't be read: {error}. Record it again.") from None
    made: dict[str, tuple[Any, str]] = {}
    for column in columns:
        # a recording of an older dockerlab may lack a column
        values = list(flat[column.name]) if column.name in flat.columns else [None] * len(flat)
        known = [None if value is None or pd.isna(value) else value for value in values]
        if column.dtype == PLAIN:
            known = [pd.NA if value is None else json.loads(value) for value in known]
        made[column.name] = (known, column.dtype)
    return frame(made, len(flat))


def _need_pyarrow() -> None:
    try:
        import pyarrow  # noqa: F401  (an extra)
    except ImportError:
        raise DockerlabError(
            "A recording needs pyarrow, which is not installed. Install it with: pip install 'dockerlab[parquet]'"
        ) from None
