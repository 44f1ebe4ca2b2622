"""Runs another client's own tests on an engine, and compares the outcomes with the expected ones.

    python tests/peers/run.py docker-py|aiodocker [--host unix:///…] [--only PATTERN] [--report FILE]
    python tests/peers/run.py docker-py|aiodocker --lock

The library, pytest and the archive with the tests are downloaded once, pinned by hash, into a directory of their own
(`--cache`). `expected_<peer>.toml` lists the tests that are expected to fail, with reasons. An unexpected failure or
success makes the exit code 1. suites.toml says which tests are left out. Without --host, a temporary practice engine is
used.

Some of these tests have races on a busy machine: a test that fails unexpectedly is run once more, and reported as
unsteady if it passes then.
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
from expected import compare, engine_kind, expectations  # noqa: E402
from pictures import provide  # noqa: E402

CACHE = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "dockerlab-peers"


def main() -> int:
    """Run the tests of one peer, and print unexpected outcomes."""
    options = arguments()
    suite = tomllib.loads((HERE / "suites.toml").read_text("utf-8"))[options.peer]
    if options.lock:
        return lock(options.peer, suite["requires"])
    if options.host:
        return run_and_compare(options, suite)
    with temporary_engine(options.isolation) as options.host:
        return run_and_compare(options, suite)


def run_and_compare(options: argparse.Namespace, suite: dict[str, Any]) -> int:
    """Run the tests on the engine in the options, and compare the outcomes."""
    python = environment(options.peer, options.cache)
    tree = archive(suite, options.cache)
    provide(options.host, suite["images"])
    engine = options.engine or engine_kind(options.host)
    options.stem = options.cache / f"{options.peer}-on-{engine}"
    options.report = options.report or options.stem.with_suffix(".json")
    expected = expectations(options.peer, engine)
    outcomes = run(options, suite, python, tree)
    again = [name for name, outcome in outcomes.items() if outcome["outcome"] == "failed" and name not in expected]
    for name, outcome in (run(options, suite, python, tree, again) if again else {}).items():
        if outcome["outcome"] == "passed":
            print(f"unsteady: passes the second time: {name}\n    {outcomes[name]['message']}")
            outcomes[name] = outcome
    failures = {name: outcome for name, outcome in outcomes.items() if outcome["outcome"] == "failed"}
    report = {
        "peer": options.peer,
        "engine": engine,
        "counts": Counter(outcome["outcome"] for outcome in outcomes.values()),
        "outcomes": outcomes,
    }
    options.report.write_text(json.dumps(report, indent=1, sort_keys=True) + "\n", "utf-8")
    print(f"{options.peer} on {engine}: {dict(report['counts'])}; {len(failures)} failed; report: {options.report}")
    wrong = compare(expected, outcomes, whole=not options.only)
    print("\n".join(wrong) or "everything as expected")
    return 1 if wrong else 0


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peer", choices=["docker-py", "aiodocker"])
    parser.add_argument("--host", default=os.environ.get("DOCKER_HOST", ""), help="unix:///… (default: DOCKER_HOST)")
    parser.add_argument("--isolation", default="", help="the rung of the temporary practice engine")
    parser.add_argument(
        "--engine", choices=["practice", "docker"], help="whose expectations (default: as the engine answers)"
    )
    parser.add_argument("--only", default="", help="run only the tests with this in their names, as pytest's -k")
    parser.add_argument("--report", type=Path, help="where the JSON report is written (default: in the cache)")
    parser.add_argument("--lock", action="store_true", help="write the lock of what suites.toml requires")
    parser.add_argument("--cache", type=Path, default=CACHE, help=f"default: {CACHE}")
    options = parser.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)
    return options


def lock(peer: str, requires: list[str]) -> int:
    """Write the lock of a peer, like `make lock` does for the project: hashes of every platform, and no index."""
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
    """Return the Python of a virtual environment with the packages of the peer's lock. Make it if it does not exist."""
    lock = HERE / f"{peer}.lock"
    folder = cache / f"{peer}-{hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()[:12]}"
    python = folder / "bin/python"
    if not (folder / "ready").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        install = [str(python), "-m", "pip", "--quiet", "install", "--require-hashes", "--requirement", str(lock)]
        subprocess.run(install, check=True, timeout=600)
        (folder / "ready").touch()
    return python


def archive(suite: dict[str, Any], cache: Path) -> Path:
    """Download the source archive, check its hash, unpack only the tests, and return the directory."""
    name, version = suite["archive"].split("==")
    folder, file = cache / f"{name}-{version}", cache / f"{name}-{version}.tar.gz"
    if not file.exists():
        fetch = [sys.executable, "-m", "pip", "--quiet", "download", "--no-deps", "--no-binary", name]
        subprocess.run([*fetch, "--dest", str(cache), suite["archive"]], check=True, timeout=300)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    if digest != suite["sha256"]:
        raise SystemExit(f"{file} is not the archive that suites.toml pins: its sha256 is {digest}")
    if not folder.exists():
        with tarfile.open(file) as tar:  # only the tests, because they must use the installed library
            members = [member for member in tar if member.name.startswith(f"{name}-{version}/tests/")]
            tar.extractall(cache, members)  # safe, because the hash is checked
    return folder


def run(
    options: argparse.Namespace, suite: dict[str, Any], python: Path, tree: Path, names: list[str] | None = None
) -> dict[str, dict[str, Any]]:
    """Run pytest on all tests that are not left out, or on some tests, and return the outcomes."""
    target = options.stem.with_suffix(".outcomes")
    target.unlink(missing_ok=True)
    paths = sorted(path.relative_to(tree) for path in (tree / suite["tests"]).rglob(suite["files"]))
    files = names or [
        str(path) for path in paths if not any(fnmatch(str(path), pattern) for pattern in suite["outside"])
    ]
    command = [str(python), "-m", "pytest", *files, "-c", os.devnull, "--rootdir", str(tree), "-p", "outcomes"]
    command += ["-q", "--tb=short", "-p", "no:cacheprovider", f"--timeout={suite['seconds']}", *suite["options"]]
    home = options.cache / "home"  # the tests write settings of the client
    home.mkdir(exist_ok=True)
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("DOCKER", "PYTEST"))}
    variables |= {
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
        subprocess.run(command, cwd=tree, env=variables, stdout=log, stderr=subprocess.STDOUT, check=False)
    if not target.exists():
        raise SystemExit(f"pytest ran no test; see {log.name}")
    return dict(json.loads(target.read_text("utf-8")))


if __name__ == "__main__":
    sys.exit(main())
