"""Lesson 04: the processes of a container."""

from __future__ import annotations

import time
from typing import Any

from dockerlab.course.checks import ReadOnlyEngine, Verdict, failed, passed, require_answer
from dockerlab.course.outline import Choice, Exercise, Outline, Question

NAPS = 2
SETTLE_SECONDS = 1.0


def programs(engine: ReadOnlyEngine, answer: Any) -> Verdict:
    """The programs that run in `web`, as a list of words."""
    require_answer(answer)
    engine.inspect("web")
    processes = engine.request_json("ContainerTop", id="web", ps_args="-o pid,args")["Processes"]
    expected = sorted(process[-1].split()[0] for process in processes)
    words = sorted(str(word) for word in answer)
    if words == expected:
        return passed(f"the engine sees the same in `web`: {', '.join(expected)}.")
    if sorted(word.split()[0] for word in words if word.strip()) == expected:
        return failed("those are whole command lines. The program is the first word of each.")
    return failed(f"you have {', '.join(words) or 'nothing'}; the engine sees {len(expected)} processes in `web`.")


def sleepers(engine: ReadOnlyEngine, answer: Any) -> Verdict:
    """A container that runs two sleeps."""
    state = engine.state("sleepers")["Status"]
    if state != "running":
        return failed(f"`sleepers` is `{state}`, not `running`: only a running container has processes.")
    end = time.monotonic() + SETTLE_SECONDS  # a shell that has just started may not have started its programs yet
    while True:
        processes = engine.request_json("ContainerTop", id="sleepers", ps_args="-o pid,args")["Processes"]
        lines = [process[-1] for process in processes]
        naps = [line for line in lines if line.split()[0] == "sleep"]
        if len(naps) == NAPS:
            return passed("the engine sees two `sleep` processes in `sleepers`.")
        if time.monotonic() > end:
            break
        time.sleep(0.1)
    return failed(f"the engine sees {len(naps)} `sleep` in `sleepers`, not two. All it sees is: {'; '.join(lines)}.")


OUTLINE = Outline(
    number="04",
    title="List a container's processes",
    notebook="04-process-list.ipynb",
    endpoint="GET /containers/{id}/top",
    names=("web", "plan", "sleepers"),
    setup="""\
lesson.web()
""",
    exercises=(
        Exercise(
            name="programs",
            task="Which programs run in `web`? Put the first word of each command line into a list called `answer`.",
            check=programs,
            hints=(
                '`lab.container.top("web")` is a table; its column `cmd` has the command lines.',
                "A text column can be cut: `.str.split().str[0]` is the first word. `list(...)` makes a list.",
            ),
            solution="""\
answer = list(lab.container.top("web")["cmd"].str.split().str[0])
lesson.check("programs", answer)""",
        ),
        Exercise(
            name="sleepers",
            task="Make and start a container `sleepers` in which exactly two `sleep` processes run at the same time.",
            check=sleepers,
            hints=(
                'One command can be a script: `command=["sh", "-c", "…"]`. A `&` sends a program to the background.',
                "The script: `sleep 600 & sleep 600; true`. The shell waits for the second, so it stays.",
            ),
            solution="""\
lesson.container("sleepers", command=["sh", "-c", "sleep 600 & sleep 600; true"], start=True)
lesson.wait_until("sleepers", "running")
lesson.check("sleepers")""",
        ),
    ),
    questions=(
        Question(
            "Whose process numbers does `top` show?",
            "b",
            (
                Choice("The container's: its first process is 1.", "Inside, it is. `top` looks from outside."),
                Choice("The engine's machine's.", "Yes: the same processes, seen from outside."),
                Choice("Random ones, for safety.", "They are real. As root you could send a signal to them."),
            ),
        ),
        Question(
            "You ask for the `top` of a container that is only created. What comes?",
            "c",
            (
                Choice("An empty table.", "A container without a process has no process table at all."),
                Choice("404: no such container.", "There is one, but it doesn't run: another error."),
                Choice("409: the container is not running.", "Yes: a conflict with the state that it is in."),
            ),
        ),
        Question(
            "What happens with `ps_args`?",
            "a",
            (
                Choice(
                    "The engine hands it to `ps`.",
                    "Yes. Its columns depend on it, and a wrong one is an error.",
                ),
                Choice("The container's own `ps` gets it.", "The image needs no `ps`: it runs on the engine's side."),
                Choice("It filters the columns of the JSON.", "It chooses what `ps` prints. The engine drops nothing."),
            ),
        ),
    ),
)
