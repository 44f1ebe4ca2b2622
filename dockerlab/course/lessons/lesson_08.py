"""Lesson 08: stop a container."""

from __future__ import annotations

from typing import Any

from dockerlab.course.checks import ReadOnlyEngine, Unattempted, Verdict, failed, passed
from dockerlab.course.outline import Choice, Exercise, Outline, Question

KILLED = 137


def in_a_hurry(engine: ReadOnlyEngine, answer: Any) -> Verdict:
    """The container `stubborn` was stopped, and killed for it."""
    state = engine.state("stubborn")
    if state["Status"] == "running":
        heard_term = "stubborn: I heard TERM, and I stay" in engine.log("stubborn")
        if heard_term:
            return failed("`stubborn` has heard TERM, and is still `running`.")
        raise Unattempted("`stubborn` is still `running`.")
    if state["ExitCode"] != KILLED:
        return failed(f"`stubborn` ended with {state['ExitCode']}; when `stop` runs out of patience it is {KILLED}.")
    if "stubborn: I heard TERM, and I stay" not in engine.log("stubborn"):
        return failed(f"`stubborn` ended with {KILLED}, but never heard TERM: that was kill, not stop.")
    return passed(f"`stubborn` heard TERM and stayed; then it was killed: `{state['Status']}` with {KILLED} = 128 + 9.")


def own_word(engine: ReadOnlyEngine, answer: Any) -> Verdict:
    """The container `polite` ends well on a plain stop, thanks to its StopSignal."""
    container = engine.inspect("polite")
    signal, state = container["Config"].get("StopSignal"), container["State"]
    if signal not in ("SIGINT", "INT", "2"):
        description = f"the stop signal {signal}" if signal else "no stop signal of its own, so it would get TERM"
        return failed(f"`polite` has {description}: it would not leave.")
    if state["Status"] in ("created", "running"):
        return failed(f"`polite` has the right stop signal, and is `{state['Status']}`: now let it run, and stop it.")
    if state["ExitCode"]:
        return failed(f"`polite` ended with {state['ExitCode']}, not with 0: it was not asked in its own words.")
    return passed(f"a plain stop sent {signal}, and `polite` ended with 0.")


OUTLINE = Outline(
    number="08",
    title="Stop a container",
    notebook="08-stop.ipynb",
    endpoint="POST /containers/{id}/stop",
    names=("web", "sleeper", "stubborn", "leaver", "hasty", "polite"),
    setup="""\
lesson.web()
lesson.stubborn()
""",
    exercises=(
        Exercise(
            name="in-a-hurry",
            task="`stubborn` hears TERM and stays. Stop it all the same, and don't wait ten seconds: one is enough.",
            check=in_a_hurry,
            hints=(
                "`stop` sends TERM, waits, and then sends KILL. How long it waits is up to you.",
                'The argument is called `t`, in seconds: `lab.container.stop("stubborn", t=1)`',
            ),
            solution='lab.container.stop("stubborn", t=1)\nlesson.check("in-a-hurry")',
        ),
        Exercise(
            name="own-word",
            task=(
                "The stubborn program leaves for INT. Make one with `lesson.stubborn('polite', …)` "
                "that a plain `stop` ends well, with code 0, and stop it."
            ),
            check=own_word,
            hints=(
                "A container can say which signal `stop` is to send. It is set when the container is created.",
                'The argument of create is `stop_signal="SIGINT"`. Then stop it without any argument.',
            ),
            solution="""\
lesson.stubborn("polite", stop_signal="SIGINT")
lab.container.stop("polite")
lesson.check("own-word")""",
        ),
    ),
    questions=(
        Question(
            "A container ended with code 137. What happened?",
            "a",
            (
                Choice("It was ended by signal 9, KILL.", "Yes: 128 + 9. It had no chance to say goodbye."),
                Choice("It was asked to end, and did.", "Then the code is its own, often 0; or 143 = 128 + 15, TERM."),
                Choice("Its command was not found.", "That is 127."),
            ),
        ),
        Question(
            "A process without a handler for TERM is the first one in its container. What does TERM do to it?",
            "b",
            (
                Choice("It ends the process.", "So it would outside. The first process of a container is protected."),
                Choice("Nothing.", "Yes: the kernel spares it. So `stop` waits, and then sends KILL."),
                Choice("It freezes the process.", "That is what STOP would do, or `pause`."),
            ),
        ),
        Question(
            "You stop a container that has ended already. What does the engine answer?",
            "c",
            (
                Choice("404", "The container is still there, it just doesn't run."),
                Choice("409", "Nothing is in the way: what you want is so already."),
                Choice("304", "Yes, as with start: nothing was changed, and it is no error."),
            ),
        ),
    ),
)
