"""Runs the steps of the scenario with the stock docker command on one engine, and compares with what is recorded.

    python tests/scenario/run.py [--host unix:///…] [--like docker20] [--record] [--only WORD] [--show]

Each file in steps/ is one sequence: `== name`, then a line for the shell. What each step prints, on both streams, and
its exit code are compared, after normalising, with recorded/, which real Docker 28.5 gave. Docker 20.10 has other words
in some places: recorded/docker20/ has these steps alone, for `--like docker20`. `--record` writes anew what an engine
says. Without --host it is a practice engine of its own. An engine that is named must have busybox:latest, and nothing
that is somebody's: what has no use is removed.
"""

from __future__ import annotations

import argparse
import difflib
import http.client
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]

from engines import temporary_engine  # noqa: E402
from normal import normal  # noqa: E402
from plain_http import ask  # noqa: E402

RECORDED = HERE / "recorded"
SECONDS = 60
#: A step's `$CURL` asks this engine, and prints status and content type after the body.
CURL = r"curl --silent --max-time 20 --write-out %{http_code}|%{content_type}\n --unix-socket "


@dataclass(frozen=True)
class Step:
    """One line for the shell, with its name."""

    name: str
    line: str


def main() -> int:
    """Run what was asked for; the exit code says whether all was as recorded."""
    options = arguments()
    if options.host:
        return run(options)
    with temporary_engine(options.isolation) as options.host:
        return run(options)


def run(options: argparse.Namespace) -> int:
    """Run the steps on the engine that the options name."""
    status, containers = ask(options.host, "GET", "/containers/json?all=1")
    if status != http.client.OK or containers:
        raise SystemExit(f"{options.host} must be an engine without containers: it answers {status} {containers!s:.80}")
    wrong = total = 0
    for file in sorted(path for path in (HERE / "steps").glob("*.txt") if options.only in path.name):
        steps = read(file)
        said = play(options, steps)
        if options.record:
            record(file.name, options.like, said)
        differences = compare(recorded(file.name, options.like), said)
        total, wrong = total + len(steps), wrong + len(differences)
        print("".join(f"== {file.stem}: {told}\n" for told in differences), end="", flush=True)
    print(f"{total - wrong} of {total} steps as recorded")
    return 1 if wrong else 0


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default=os.environ.get("DOCKER_HOST", ""), help="unix:///… (default: DOCKER_HOST)")
    parser.add_argument("--isolation", default="", help="the rung of a practice engine of its own")
    parser.add_argument("--like", default="", help="compare with what this other engine says, where it differs")
    parser.add_argument("--record", action="store_true", help="write what this engine says as the right answers")
    parser.add_argument("--only", default="", help="run only the files with this in their names")
    parser.add_argument("--show", action="store_true", help="print every step with how long it took")
    return parser.parse_args()


def read(file: Path) -> list[Step]:
    """Read the steps of one file."""
    blocks = file.read_text("utf-8").split("\n== ")[1:]
    steps = [Step(*(part.strip() for part in block.split("\n", 1))) for block in blocks]
    if len({step.name for step in steps}) < len(steps):
        raise SystemExit(f"{file}: two steps have one name")
    return steps


def play(options: argparse.Namespace, steps: list[Step]) -> dict[str, str]:
    """Run the steps one after the other in an empty directory; give what each one said, normalised."""
    said = {}
    with tempfile.TemporaryDirectory(prefix="scenario-") as place:
        surroundings = {name: value for name, value in os.environ.items() if not name.startswith("DOCKER_")}
        surroundings |= {"DOCKER_HOST": options.host, "DOCKER_CONFIG": f"{place}/.docker", "HOME": place}
        surroundings["CURL"] = CURL + options.host.removeprefix("unix://")
        for step in steps:
            began = time.monotonic()
            said[step.name] = f"$ {step.line}\n{normal(once(step, place, surroundings))}".strip()
            if options.show:
                print(f"{time.monotonic() - began:6.2f} s  == {step.name}\n{said[step.name]}", flush=True)
    return said


def once(step: Step, place: str, surroundings: dict[str, str]) -> str:
    """Run one step; give its output, its complaints marked with `!`, and its exit code if that is not 0."""
    command = ["timeout", "--kill-after=1", str(SECONDS), "sh", "-c", step.line]
    ran = subprocess.run(
        command, cwd=place, env=surroundings, capture_output=True, stdin=subprocess.DEVNULL, check=False
    )
    lines = ran.stdout.decode("utf-8", "replace").splitlines()
    lines += [f"! {line}" for line in ran.stderr.decode("utf-8", "replace").splitlines()]
    return "\n".join([*lines, *([f"exit code {ran.returncode}"] if ran.returncode else []), ""])


def recorded(name: str, like: str = "") -> dict[str, str]:
    """Give what is recorded for a file's steps: Docker 28.5's answers, with those of another engine over them."""
    found = {}
    for file in (RECORDED / name, RECORDED / like / name):
        text = f"\n{file.read_text('utf-8')}" if file.exists() else ""
        blocks = (block.split("\n", 1) for block in text.split("\n== ")[1:])
        found |= {step: said.strip() for step, said in blocks}
    return found


def record(name: str, like: str, said: dict[str, str]) -> None:
    """Write what an engine said; of one that is like another, only what differs."""
    usual = recorded(name) if like else {}
    target = RECORDED / like / name
    target.parent.mkdir(exist_ok=True, parents=True)
    blocks = [f"== {step}\n{told}\n" for step, told in said.items() if usual.get(step) != told]
    target.write_text("".join(blocks), "utf-8")


def compare(right: dict[str, str], said: dict[str, str]) -> list[str]:
    """Give the difference of each step that did not say what is recorded."""
    differences = []
    for name, told in said.items():
        before, after = right.get(name, "").splitlines(), told.splitlines()
        if before != after:
            lines = list(difflib.unified_diff(before, after, lineterm="", n=1))[2:]
            differences.append("\n".join([name, *lines]))
    return differences


if __name__ == "__main__":
    sys.exit(main())
