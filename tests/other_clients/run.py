"""Runs a peer's own tests against an engine, and compares the outcomes with the expected ones.

    python tests/other_clients/run.py docker-py|aiodocker [--host unix:///…] [--only PATTERN] [--report FILE]
    python tests/other_clients/run.py docker-py|aiodocker --lock

The library, pytest and the archive with the tests are downloaded once, pinned by hash, into a cache directory
(`--cache`). The exit code is 1 if a test fails that is not expected to, or if one passes that is expected to fail:
`expected_<peer>.toml` lists the expected failures with their reasons. suites.toml says which tests are left out, and
why. Without --host, the tests use a practice engine of their own.

The peers' tests have races of their own on a busy machine. A test that fails unexpectedly is therefore repeated alone,
and reported as unstable if it passes then.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tomllib
from collections import Counter
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support"), str(HERE.parent.parent)]

from engines import temporary_engine  # noqa: E402
from expectations import engine_kind, expected_failures, unexpected_outcomes  # noqa: E402
from installation import CACHE, install_library, install_tests, write_lock  # noqa: E402
from peer_images import provide_images  # noqa: E402


def main() -> int:
    options = parse_arguments()
    suite = tomllib.loads((HERE / "suites.toml").read_text("utf-8"))[options.peer]
    if options.lock:
        return write_lock(options.peer, suite["requires"])
    if options.host:
        return run_suite(options, suite)
    with temporary_engine(options.isolation) as options.host:
        return run_suite(options, suite)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peer", choices=["docker-py", "aiodocker"])
    parser.add_argument("--host", default=os.environ.get("DOCKER_HOST", ""), help="unix:///… (default: DOCKER_HOST)")
    parser.add_argument("--isolation", default="", help="the rung of the practice engine, if there is no --host")
    parser.add_argument(
        "--engine", choices=["practice", "docker"], help="whose expected failures to use (default: asks the engine)"
    )
    parser.add_argument("--only", default="", help="run only the tests that match this, as with pytest's -k")
    parser.add_argument("--report", type=Path, help="where to write the JSON report (default: in the cache)")
    parser.add_argument("--lock", action="store_true", help="update the lock of what suites.toml requires, and stop")
    parser.add_argument("--cache", type=Path, default=CACHE, help=f"directory of the downloads (default: {CACHE})")
    options = parser.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)
    return options


def run_suite(options: argparse.Namespace, suite: dict[str, Any]) -> int:
    """Run the tests on the engine of the options, write the report, and print what was not expected."""
    python = install_library(options.peer, options.cache)
    tree = install_tests(suite, options.cache)
    provide_images(options.host, suite["images"])
    engine = options.engine or engine_kind(options.host)
    options.stem = options.cache / f"{options.peer}-on-{engine}"
    options.report = options.report or options.stem.with_suffix(".json")
    expected = expected_failures(options.peer, engine)
    outcomes = run_pytest(options, suite, python, tree)
    failures = [name for name, result in outcomes.items() if result["outcome"] == "failed" and name not in expected]
    for name, result in (run_pytest(options, suite, python, tree, failures) if failures else {}).items():
        if result["outcome"] == "passed":
            print(f"unstable, passes when it is repeated: {name}\n    {outcomes[name]['message']}")
            outcomes[name] = result
    counts = Counter(result["outcome"] for result in outcomes.values())
    report = {"peer": options.peer, "engine": engine, "counts": counts, "outcomes": outcomes}
    options.report.write_text(json.dumps(report, indent=1, sort_keys=True) + "\n", "utf-8")
    print(f"{options.peer} on {engine}: {dict(counts)}; {counts['failed']} failed; report: {options.report}")
    problems = unexpected_outcomes(expected, outcomes, is_complete=not options.only)
    print("\n".join(problems) or "all as expected")
    return 1 if problems else 0


def run_pytest(
    options: argparse.Namespace, suite: dict[str, Any], python: Path, tree: Path, names: list[str] | None = None
) -> dict[str, dict[str, Any]]:
    """Run all tests of a suite, or those with the given names. Return the outcome of each test."""
    target = options.stem.with_suffix(".outcomes")
    target.unlink(missing_ok=True)
    files = sorted(str(path.relative_to(tree)) for path in (tree / suite["tests"]).rglob(suite["files"]))
    included = [file for file in files if not any(fnmatch(file, pattern) for pattern in suite["outside"])]
    command = [str(python), "-m", "pytest", *(names or included)]
    command += ["-c", os.devnull, "--rootdir", str(tree), "-p", "outcomes"]
    command += ["-q", "--tb=short", "-p", "no:cacheprovider", f"--timeout={suite['seconds']}", *suite["options"]]
    command += ["-k", options.only] if options.only and not names else []
    home = options.cache / "home"  # a directory of its own, because the tests write a client's settings
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
        subprocess.run(command, cwd=tree, env=variables, stdout=log, stderr=subprocess.STDOUT, check=False)
    if not target.exists():
        raise SystemExit(f"pytest ran no test; see {log.name}")
    return dict(json.loads(target.read_text("utf-8")))


if __name__ == "__main__":
    sys.exit(main())
