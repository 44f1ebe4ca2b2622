"""Runs a peer's own tests against an engine, and compares how they end with what is expected there.

    python tests/peers/run.py docker-py|aiodocker [--host unix:///…] [--only PATTERN] [--report FILE]
    python tests/peers/run.py docker-py|aiodocker --lock

The library, pytest and the archive with the tests are fetched once, pinned by hash, into a directory of their own
(`--cache`). A test that fails and is not expected to, and one that is expected to and passes, both make the exit
code 1: `expected_<peer>.toml` says what is expected, and why. See suites.toml for what is left out. Without --host it
is a practice engine of its own.

The peers' tests have races of their own on a busy machine: one that fails and isn't expected to is run once more by
itself, and said to be unsteady if it passes then.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tarfile
import tomllib
from collections import Counter
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support"), str(HERE.parent.parent)]

from engines import temporary_engine  # noqa: E402
from expected import compare, expectations, kind  # noqa: E402
from pictures import provide  # noqa: E402

CACHE = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "dockerlab-peers"


def main() -> int:
    """Run one peer's tests, and say what was not expected."""
    options = arguments()
    suite = tomllib.loads((HERE / "suites.toml").read_text("utf-8"))[options.peer]
    if options.lock:
        return lock(options.peer, suite["requires"])
    if options.host:
        return judge(options, suite)
    with temporary_engine(options.isolation) as options.host:
        return judge(options, suite)


def judge(options: argparse.Namespace, suite: dict[str, Any]) -> int:
    """Run the tests on the engine that the options name, and compare."""
    python = environment(options.peer, options.cache)
    tree = archive(suite, options.cache)
    provide(options.host, suite["images"])
    engine = options.engine or kind(options.host)
    options.stem = options.cache / f"{options.peer}-on-{engine}"
    options.report = options.report or options.stem.with_suffix(".json")
    foreseen = expectations(options.peer, engine)
    outcomes = run(options, suite, python, tree)
    again = [name for name, told in outcomes.items() if told["outcome"] == "failed" and name not in foreseen]
    for name, told in (run(options, suite, python, tree, again) if again else {}).items():
        if told["outcome"] == "passed":
            print(f"unsteady: passes when it is run again: {name}\n    {outcomes[name]['message']}")
            outcomes[name] = told
    left = {name: told for name, told in outcomes.items() if told["outcome"] == "failed"}
    report = {
        "peer": options.peer,
        "engine": engine,
        "counts": Counter(told["outcome"] for told in outcomes.values()),
        "outcomes": outcomes,
    }
    options.report.write_text(json.dumps(report, indent=1, sort_keys=True) + "\n", "utf-8")
    print(f"{options.peer} on {engine}: {dict(report['counts'])}; {len(left)} failed; report: {options.report}")
    wrong = compare(foreseen, outcomes, whole=not options.only)
    print("\n".join(wrong) or "all as expected")
    return 1 if wrong else 0


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peer", choices=["docker-py", "aiodocker"])
    parser.add_argument("--host", default=os.environ.get("DOCKER_HOST", ""), help="unix:///… (default: DOCKER_HOST)")
    parser.add_argument("--isolation", default="", help="the rung of a practice engine of its own")
    parser.add_argument(
        "--engine", choices=["practice", "docker"], help="whose expectations (default: asks the engine)"
    )
    parser.add_argument("--only", default="", help="run only the tests with this in their names, as pytest's -k")
    parser.add_argument("--report", type=Path, help="where the JSON report is written (default: in the cache)")
    parser.add_argument("--lock", action="store_true", help="pin anew, with hashes, what suites.toml requires")
    parser.add_argument("--cache", type=Path, default=CACHE, help=f"default: {CACHE}")
    options = parser.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)
    return options


def lock(peer: str, requires: list[str]) -> int:
    """Write a peer's lock, as `make lock` does for the project: every platform's hashes, and no index."""
    command = [
        str(Path(sys.executable).with_name("uv")),
        "pip",
        "compile",
        "-",
        "--no-config",
        "--quiet",
        "--universal",
    ]
    command += ["--python-version", "3.11", "--generate-hashes", "--no-emit-index-url", "--no-emit-find-links"]
    command += ["--no-annotate", "--custom-compile-command", f"python tests/peers/run.py {peer} --lock"]
    command += ["--output-file", str(HERE / f"{peer}.lock")]
    return subprocess.run(command, input="\n".join(requires), text=True, check=False).returncode


def environment(peer: str, cache: Path) -> Path:
    """Make a virtual environment with what the peer's lock pins, unless it is there; give its Python."""
    lock = HERE / f"{peer}.lock"
    place = cache / f"{peer}-{hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()[:12]}"
    python = place / "bin/python"
    if not (place / "ready").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(place)], check=True)
        install = [str(python), "-m", "pip", "--quiet", "install", "--require-hashes", "--requirement", str(lock)]
        subprocess.run(install, check=True, timeout=600)
        (place / "ready").touch()
    return python


def archive(suite: dict[str, Any], cache: Path) -> Path:
    """Fetch the source archive with the tests, check its hash, unpack the tests alone; give the directory."""
    name, version = suite["archive"].split("==")
    place, file = cache / f"{name}-{version}", cache / f"{name}-{version}.tar.gz"
    if not file.exists():
        fetch = [sys.executable, "-m", "pip", "--quiet", "download", "--no-deps", "--no-binary", name]
        subprocess.run([*fetch, "--dest", str(cache), suite["archive"]], check=True, timeout=300)
    found = hashlib.sha256(file.read_bytes()).hexdigest()
    if found != suite["sha256"]:
        raise SystemExit(f"{file} is not the archive that suites.toml pins: its sha256 is {found}")
    if not place.exists():
        with tarfile.open(file) as tar:  # not the library beside the tests: the installed one is meant
            members = [member for member in tar if member.name.startswith(f"{name}-{version}/tests/")]
            tar.extractall(cache, members)  # what is unpacked is what the hash says
    return place


def run(
    options: argparse.Namespace, suite: dict[str, Any], python: Path, tree: Path, names: list[str] | None = None
) -> dict[str, dict[str, Any]]:
    """Run pytest over what is not left out, or over some tests; give how each test ended."""
    target = options.stem.with_suffix(".outcomes")
    target.unlink(missing_ok=True)
    found = sorted(path.relative_to(tree) for path in (tree / suite["tests"]).rglob(suite["files"]))
    files = names or [str(path) for path in found if not any(fnmatch(str(path), left) for left in suite["outside"])]
    command = [str(python), "-m", "pytest", *files, "-c", os.devnull, "--rootdir", str(tree), "-p", "outcomes"]
    command += ["-q", "--tb=short", "-p", "no:cacheprovider", f"--timeout={suite['seconds']}", *suite["options"]]
    home = options.cache / "home"  # the tests write a client's settings
    home.mkdir(exist_ok=True)
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith(("DOCKER", "PYTEST"))}
    surroundings |= {
        **suite["environment"],
        "DOCKER_HOST": options.host,
        "HOME": str(home),
        "PEERS_OUTCOMES": str(target),
        "PEERS_IMAGES": json.dumps(suite["images"]),
        "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parent / "support"), str(HERE.parent.parent)]),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    with options.stem.with_suffix(".log").open("a" if names else "w") as log:
        command += ["-k", options.only] if options.only and not names else []
        subprocess.run(command, cwd=tree, env=surroundings, stdout=log, stderr=subprocess.STDOUT, check=False)
    if not target.exists():
        raise SystemExit(f"pytest ran no test; see {log.name}")
    return dict(json.loads(target.read_text("utf-8")))


if __name__ == "__main__":
    sys.exit(main())
