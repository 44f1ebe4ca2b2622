"""Runs the steps of the scenario with the docker command on an engine, and compares the output with the recorded one.

    python tests/scenario/run.py [--host unix:///…] [--like docker20] [--record] [--only WORD] [--show]

Each file in steps/ is one sequence: `== name`, then a line for the shell. The normalised output of each step, on both
streams, and its exit code are compared with recorded/, which comes from a real Docker 28.5. For `--like docker20`,
recorded/docker20/ has the steps that differ on Docker 20.10. `--record` writes the output of an engine as the new
recording. Without --host, a temporary practice engine is used. Any other engine must have busybox:latest and no objects
of yours, because unused objects are removed.
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
#: The value of `$CURL` in steps: it prints the status and the content type after the body.
CURL = r"curl --silent --max-time 20 --write-out %{http_code}|%{content_type}\n --unix-socket "


@dataclass(frozen=True)
class Step:
    """One line for the shell, with its name."""

    name: str
    line: str


def main() -> int:
    """Run the steps. Return 0 if all output is as recorded."""
    options = arguments()
    if options.host:
        return run(options)
    with temporary_engine(options.isolation) as options.host:
        return run(options)


def run(options: argparse.Namespace) -> int:
    """Run the steps on the engine in the options."""
    status, containers = ask(options.host, "GET", "/containers/json?all=1")
    if status != http.client.OK or containers:
        raise SystemExit(f"{options.host} must be an engine without containers: it answers {status} {containers!s:.80}")
    wrong = total = 0
    for file in sorted(path for path in (HERE / "steps").glob("*.txt") if options.only in path.name):
        steps = read(file)
        outputs = run_steps(options, steps)
        if options.record:
            record(file.name, options.like, outputs)
        differences = compare(recorded(file.name, options.like), outputs)
        total, wrong = total + len(steps), wrong + len(differences)
        print("".join(f"== {file.stem}: {difference}\n" for difference in differences), end="", flush=True)
    print(f"{total - wrong} of {total} steps as recorded")
    return 1 if wrong else 0


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default=os.environ.get("DOCKER_HOST", ""), help="unix:///… (default: DOCKER_HOST)")
    parser.add_argument("--isolation", default="", help="the rung of the temporary practice engine")
    parser.add_argument(
        "--like", default="", help="compare with the recordings of this other engine, where they differ"
    )
    parser.add_argument("--record", action="store_true", help="write the output of this engine as the new recording")
    parser.add_argument("--only", default="", help="run only the files with this in their names")
    parser.add_argument("--show", action="store_true", help="print every step with its duration")
    return parser.parse_args()


def read(file: Path) -> list[Step]:
    """Read the steps of one file."""
    blocks = file.read_text("utf-8").split("\n== ")[1:]
    steps = [Step(*(part.strip() for part in block.split("\n", 1))) for block in blocks]
    if len({step.name for step in steps}) < len(steps):
        raise SystemExit(f"{file}: two steps have the same name")
    return steps


def run_steps(options: argparse.Namespace, steps: list[Step]) -> dict[str, str]:
    """Run the steps in an empty directory. Return the normalised output of each one."""
    outputs = {}
    with tempfile.TemporaryDirectory(prefix="scenario-") as folder:
        variables = {name: value for name, value in os.environ.items() if not name.startswith("DOCKER_")}
        variables |= {"DOCKER_HOST": options.host, "DOCKER_CONFIG": f"{folder}/.docker", "HOME": folder}
        variables["CURL"] = CURL + options.host.removeprefix("unix://")
        for step in steps:
            begin = time.monotonic()
            outputs[step.name] = f"$ {step.line}\n{normal(run_step(step, folder, variables))}".strip()
            if options.show:
                print(f"{time.monotonic() - begin:6.2f} s  == {step.name}\n{outputs[step.name]}", flush=True)
    return outputs


def run_step(step: Step, folder: str, variables: dict[str, str]) -> str:
    """Run one step. Return its output, its error output marked with `!`, and its exit code if that is not 0."""
    command = ["timeout", "--kill-after=1", str(SECONDS), "sh", "-c", step.line]
    process = subprocess.run(
        command, cwd=folder, env=variables, capture_output=True, stdin=subprocess.DEVNULL, check=False
    )
    lines = process.stdout.decode("utf-8", "replace").splitlines()
    lines += [f"! {line}" for line in process.stderr.decode("utf-8", "replace").splitlines()]
    return "\n".join([*lines, *([f"exit code {process.returncode}"] if process.returncode else []), ""])


def recorded(name: str, like: str = "") -> dict[str, str]:
    """Return the recorded output of a file's steps: Docker 28.5's, or another engine's where that differs."""
    outputs = {}
    for file in (RECORDED / name, RECORDED / like / name):
        text = f"\n{file.read_text('utf-8')}" if file.exists() else ""
        blocks = (block.split("\n", 1) for block in text.split("\n== ")[1:])
        outputs |= {step: output.strip() for step, output in blocks}
    return outputs


def record(name: str, like: str, outputs: dict[str, str]) -> None:
    """Write the output of an engine. With `like`, write only the steps that differ from Docker 28.5."""
    docker_28 = recorded(name) if like else {}
    target = RECORDED / like / name
    target.parent.mkdir(exist_ok=True, parents=True)
    blocks = [f"== {step}\n{output}\n" for step, output in outputs.items() if docker_28.get(step) != output]
    target.write_text("".join(blocks), "utf-8")


def compare(expected: dict[str, str], outputs: dict[str, str]) -> list[str]:
    """Return the differences of all steps whose output is not as recorded."""
    differences = []
    for name, output in outputs.items():
        before, after = expected.get(name, "").splitlines(), output.splitlines()
        if before != after:
            lines = list(difflib.unified_diff(before, after, lineterm="", n=1))[2:]
            differences.append("\n".join([name, *lines]))
    return differences


if __name__ == "__main__":
    sys.exit(main())
