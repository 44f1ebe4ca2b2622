"""Lesson 10: send a signal to a container."""

from __future__ import annotations

from typing import Any

from dockerlab.course.checks import ReadOnlyEngine, Unattempted, Verdict, failed, passed
from dockerlab.course.outline import Choice, Exercise, Outline, Question


def gentlest(engine: ReadOnlyEngine, answer: Any) -> Verdict:
    """The container `stubborn` was sent the signal for which it leaves."""
    state = engine.state("stubborn")
    if state["Status"] == "running":
        term_count = sum(line.startswith("stubborn: I heard TERM") for line in engine.log("stubborn"))
        if term_count:
            return failed("`stubborn` heard TERM and stays, so it is still `running`. There are other signals.")
        raise Unattempted("`stubborn` is still `running`.")
    if state["ExitCode"]:
        return failed(f"`stubborn` ended with {state['ExitCode']}: no time for a last line. Start it, and try again.")
    return passed(f"`stubborn` left by itself, with 0. Its last line: {engine.log('stubborn')[-1]!r}.")


def the_end(engine: ReadOnlyEngine, answer: Any) -> Verdict:
    """The container `web` said goodbye, and was deleted."""
    if not engine.has("web"):
        return passed("the engine has no `web` any more. It was created, it ran, it ended, it is gone.")
    state = engine.state("web")
    if state["Status"] == "running":
        raise Unattempted("`web` is still `running`.")
    if state["ExitCode"]:
        return failed(f"`web` is `{state['Status']}` with {state['ExitCode']}: killed without a goodbye, and not gone.")
    return failed(f"`web` is `{state['Status']}` with 0: it ended well. What is left of it is still there.")


OUTLINE = Outline(
    number="10",
    title="Kill: send a signal",
    notebook="10-kill.ipynb",
    endpoint="POST /containers/{id}/kill",
    names=("web", "twin", "stubborn", "web-hup", "web-term", "web-usr1"),
    setup="""\
lesson.web()
lesson.stubborn()
""",
    exercises=(
        Exercise(
            name="gentlest",
            task="`stubborn` won't leave for TERM. Find a signal for which it leaves by itself, with code 0.",
            check=gentlest,
            hints=(
                "KILL works always, and gives 137. Which signal does a terminal send when you press Ctrl-C?",
                '`lab.container.kill("stubborn", signal="SIGINT")`',
            ),
            solution="""\
lab.container.kill("stubborn", signal="SIGINT")
lesson.wait_until("stubborn", "exited")
lesson.check("gentlest")""",
        ),
        Exercise(
            name="the-end",
            task="The story ends: send `web` the signal at which it says goodbye, then delete it.",
            check=the_end,
            hints=(
                "`kill` has an argument `signal`, and `web` listens for TERM. A running container can't be deleted.",
                'Kill it with signal="SIGTERM", wait until it is `exited`, then `lab.container.delete("web")`.',
            ),
            solution="""\
lab.container.kill("web", signal="SIGTERM")
lesson.wait_until("web", "exited")
lab.container.delete("web")
lesson.check("the-end")""",
        ),
    ),
    questions=(
        Question(
            "You sent HUP to `web` with `kill`. What became of it?",
            "b",
            (
                Choice("It ended: kill kills.", "Only if the signal ends the process. `kill` is just the sender."),
                Choice("It goes on, and has logged `reloading`.", "Yes: its program has a handler for HUP."),
                Choice("The engine started it again.", "Nothing ended, so nothing had to be started."),
            ),
        ),
        Question(
            "What is the difference between `stop` and `kill` with TERM?",
            "a",
            (
                Choice(
                    "`stop` waits for the end, and has a second signal.",
                    "Yes. `kill` sends one signal and returns.",
                ),
                Choice("None.", "After `kill` with TERM, a stubborn container runs on for ever."),
                Choice("`kill` also deletes.", "Nothing is deleted but by `DELETE /containers/{id}`."),
            ),
        ),
        Question(
            "You send a signal to a container that has ended. What does the engine answer?",
            "c",
            (
                Choice("304", "That would say: it is as you want it. But a signal needs someone to hear it."),
                Choice("204, and nothing happens.", "The engine says so when it can't do what you ask."),
                Choice("409", "Yes: there is no process to send it to. A conflict with the container's state."),
            ),
        ),
    ),
)
