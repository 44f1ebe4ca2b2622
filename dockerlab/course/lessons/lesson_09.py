"""Lesson 09: restart a container."""

from __future__ import annotations

from typing import Any

from dockerlab.course.checks import ReadOnlyEngine, Unattempted, Verdict, failed, passed
from dockerlab.course.outline import Choice, Exercise, Outline, Question

THREE = 3
TRIES = 2


def third_time(engine: ReadOnlyEngine, answer: Any) -> Verdict:
    """The container `counter` has counted three starts, and runs."""
    state, log = engine.state("counter")["Status"], engine.log("counter")
    starts = sum(line.startswith("counter: start number") for line in log)
    if starts <= 1:
        raise Unattempted(f"`counter` has been started {'once' if starts else 'never'} so far.")
    if starts < THREE:
        return failed(f"`counter` has been started {starts} times, not three times.")
    if state != "running":
        return failed(f"`counter` has been started {starts} times, and is `{state}` now.")
    return passed(f"`counter` runs, and has counted {starts} starts. Its last line: {log[-1]!r}.")


def phoenix(engine: ReadOnlyEngine, answer: Any) -> Verdict:
    """The container `phoenix` failed, and the engine started it again, twice."""
    container = engine.inspect("phoenix")
    policy, state = container["HostConfig"]["RestartPolicy"] or {}, container["State"]
    if (policy.get("Name"), policy.get("MaximumRetryCount")) != ("on-failure", TRIES):
        description = f"{policy.get('Name') or 'no'}, at most {policy.get('MaximumRetryCount', 0)}"
        return failed(f"`phoenix` has the restart policy {description}; wanted is on-failure, at most {TRIES}.")
    if state["Status"] == "created":
        return failed("`phoenix` is `created`: you made it; now start it.")
    if state["Status"] != "exited":
        return failed(f"`phoenix` is `{state['Status']}`: the engine has not given up yet. Wait until it is `exited`.")
    if not state["ExitCode"]:
        return failed("`phoenix` ended with 0: that is no failure, so the engine left it in peace.")
    if container["RestartCount"] != TRIES:
        return failed(f"the engine started `phoenix` again {container['RestartCount']} times, not {TRIES} times.")
    return passed(f"`phoenix` failed, the engine started it again {TRIES} times; it rests with {state['ExitCode']}.")


OUTLINE = Outline(
    number="09",
    title="Restart a container",
    notebook="09-restart.ipynb",
    endpoint="POST /containers/{id}/restart",
    names=("web", "counter", "tally", "stubborn", "flaky", "phoenix"),
    setup="""\
lesson.web()
lesson.counter()
""",
    exercises=(
        Exercise(
            name="third-time",
            task="`counter` writes down each of its starts. It runs for the first time: bring it to its third.",
            check=third_time,
            hints=(
                "A restart is a stop and a start in one request. The file that `counter` writes stays.",
                'Twice `lab.container.restart("counter")`. Then wait until it has logged `start number 3`.',
            ),
            solution="""\
lab.container.restart("counter")
lesson.wait_until("counter", "start number 2")
lab.container.restart("counter")
lesson.wait_until("counter", "start number 3")
lesson.check("third-time")""",
        ),
        Exercise(
            name="phoenix",
            task=(
                "Make and start `phoenix`, which fails with code 1 at once. The engine is to start it again by itself, "
                "twice at most. Wait until it has given up."
            ),
            check=phoenix,
            hints=(
                "Nobody sends a restart here: it is a rule that the container is created with, as in lesson 02.",
                'host_config={"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 2}}; then wait for exited.',
            ),
            solution="""\
twice = {"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 2}}
lesson.container("phoenix", command=["sh", "-c", "exit 1"], host_config=twice, start=True)
lesson.wait_until("phoenix", "exited")
lesson.check("phoenix")""",
        ),
    ),
    questions=(
        Question(
            "What does a restart keep?",
            "a",
            (
                Choice("The files, the name and the id.", "Yes: it is the same container with a new process."),
                Choice("The process and its number.", "The old process ends, as with stop. A new one begins."),
                Choice("The memory of the process.", "It goes with the process. What must stay goes into a file."),
            ),
        ),
        Question(
            "You restart a container that is not running. What happens?",
            "c",
            (
                Choice("304: nothing to restart.", "So start and stop answer. Restart always ends in a start."),
                Choice("409: it must run first.", "It need not: there is just nothing to stop."),
                Choice("It is started.", "Yes. After a restart with 204 it was started in any case."),
            ),
        ),
        Question(
            "After your `restart`, what is `RestartCount` in inspect?",
            "b",
            (
                Choice("One more than before.", "It counts the restarts that the engine did by itself, not yours."),
                Choice("As before.", "Yes: only restarts by the restart policy are counted there."),
                Choice("Gone.", "The field is always there."),
            ),
        ),
    ),
)
