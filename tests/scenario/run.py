"""Runs the steps of the scenario with the stock docker command on an engine, and compares their output with recordings.

    python tests/scenario/run.py [--host unix:///…] [--like docker20] [--record] [--only WORD] [--show]

Each file in steps/ is one sequence of steps: `== name`, followed by a line for the shell. The normalized output of each
step on both streams, and its exit code, are compared with recorded/, which was recorded on Docker 28.5. Docker 20.10
gives a different output for some steps: recorded/docker20/ contains only these, for `--like docker20`. `--record`
writes new recordings of an engine. Without --host, the steps use a practice engine of their own. The engine of --host
must have busybox:latest and nothing that anybody needs, because the steps remove unused images, volumes and networks.
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
from normalize import normalize  # noqa: E402
from plain_http import ask  # noqa: E402

RECORDED = HERE / "recorded"
SECONDS = 60
#: The steps' `$CURL`: sends requests to the engine, and prints status and content type after the body.
CURL = r"curl --silent --max-time 20 --write-out %{http_code}|%{content_type}\n --unix-socket "


@dataclass(frozen=True)
class Step:
    """A line for the shell."""

    name: str
    line: str


def main() -> int:
    options = parse_arguments()
    if options.host:
        return run_files(options)
    with temporary_engine(options.isolation) as options.host:
        return run_files(options)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default=os.environ.get("DOCKER_HOST", ""), help="unix:///… (default: DOCKER_HOST)")
    parser.add_argument("--isolation", default="", help="the rung of the practice engine, if there is no --host")
    parser.add_argument("--like", default="", help="compare with the recordings of this other engine, where it differs")
    parser.add_argument("--record", action="store_true", help="write the engine's output as the new recordings")
    parser.add_argument("--only", default="", help="run only the files with this in their names")
    parser.add_argument("--show", action="store_true", help="print the output and the duration of every step")
    return parser.parse_args()


def run_files(options: argparse.Namespace) -> int:
    """Run the steps of all chosen files. Return 1 if an output differs from its recording."""
    status, containers = ask(options.host, "GET", "/containers/json?all=1")
    if status != http.client.OK:
        raise SystemExit(f"{options.host} can't list its containers, status {status}: {containers!s:.80}")
    if containers:
        raise SystemExit(
            f"{options.host} has {len(containers)} containers. The steps need an engine without containers."
        )
    step_count = difference_count = 0
    for file in sorted(path for path in (HERE / "steps").glob("*.txt") if options.only in path.name):
        steps = read_steps(file)
        outputs = run_steps(options, steps)
        if options.record:
            write_recording(file.name, options.like, outputs)
        differences = compare(read_recording(file.name, options.like), outputs)
        step_count, difference_count = step_count + len(steps), difference_count + len(differences)
        print("".join(f"== {file.stem}: {difference}\n" for difference in differences), end="", flush=True)
    print(f"{step_count - difference_count} of {step_count} steps as recorded")
    return 1 if difference_count else 0


def read_steps(file: Path) -> list[Step]:
    blocks = file.read_text("utf-8").split("\n== ")[1:]
    steps = [Step(*(part.strip() for part in block.split("\n", 1))) for block in blocks]
    if len({step.name for step in steps}) < len(steps):
        raise SystemExit(f"{file}: two steps have the same name")
    return steps


def run_steps(options: argparse.Namespace, steps: list[Step]) -> dict[str, str]:
    """Run the steps one after the other in an empty directory. Return the normalized output of each."""
    outputs = {}
    with tempfile.TemporaryDirectory(prefix="scenario-") as directory:
        variables = {name: value for name, value in os.environ.items() if not name.startswith("DOCKER_")}
        variables |= {"DOCKER_HOST": options.host, "DOCKER_CONFIG": f"{directory}/.docker", "HOME": directory}
        variables["CURL"] = CURL + options.host.removeprefix("unix://")
        for step in steps:
            begin = time.monotonic()
            output = f"$ {step.line}\n{normalize(run_step(step, directory, variables))}".strip()
            if options.show:
                print(f"{time.monotonic() - begin:6.2f} s  == {step.name}\n{output}", flush=True)
            outputs[step.name] = output
    return outputs


def run_step(step: Step, directory: str, variables: dict[str, str]) -> str:
    """Run one step. Return its output, with `!` before each line of stderr, and its exit code if that is not 0."""
    command = ["timeout", "--kill-after=1", str(SECONDS), "sh", "-c", step.line]
    process = subprocess.run(
        command, cwd=directory, env=variables, capture_output=True, stdin=subprocess.DEVNULL, check=False
    )
    lines = process.stdout.decode("utf-8", "replace").splitlines()
    lines += [f"! {line}" for line in process.stderr.decode("utf-8", "replace").splitlines()]
    return "\n".join([*lines, *([f"exit code {process.returncode}"] if process.returncode else []), ""])


def read_recording(name: str, like: str = "") -> dict[str, str]:
    """Return the recorded output of a file's steps: that of Docker 28.5, overridden by that of another engine."""
    outputs = {}
    for file in (RECORDED / name, RECORDED / like / name):
        text = f"\n{file.read_text('utf-8')}" if file.exists() else ""
        blocks = (block.split("\n", 1) for block in text.split("\n== ")[1:])
        outputs |= {step: output.strip() for step, output in blocks}
    return outputs


def write_recording(name: str, like: str, outputs: dict[str, str]) -> None:
    """Write the recording of a file's steps. With `like`, write only the steps that differ from Docker 28.5."""
    base = read_recording(name) if like else {}
    target = RECORDED / like / name
    target.parent.mkdir(exist_ok=True, parents=True)
    blocks = [f"== {step}\n{output}\n" for step, output in outputs.items() if base.get(step) != output]
    target.write_text("".join(blocks), "utf-8")


def compare(recording: dict[str, str], outputs: dict[str, str]) -> list[str]:
    """Return a diff for each step whose output is not as recorded."""
    differences = []
    for name, output in outputs.items():
        expected, actual = recording.get(name, "").splitlines(), output.splitlines()
        if expected != actual:
            lines = list(difflib.unified_diff(expected, actual, lineterm="", n=1))[2:]
            differences.append("\n".join([name, *lines]))
    return differences


if __name__ == "__main__":
    sys.exit(main())
