"""The lesson: what a notebook's first cell makes, and what its exercises, quiz and last cell ask."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Any

from dockerlab.course import outline as outlines
from dockerlab.course import progress
from dockerlab.course import story_programs as service
from dockerlab.course.cards import Card
from dockerlab.course.checks import Failed, Look, Unattempted, Verdict, failed, unattempted
from dockerlab.course.lesson_engine import LESSON_LABEL, SESSION_LABEL, Eyes, LessonError

if TYPE_CHECKING:
    import pandas

    from dockerlab.course.outline import Exercise, Outline
    from dockerlab.course.quiz import Quiz
    from dockerlab.lab.lab import Lab

#: How often an engine is asked while waiting, in seconds; the pause grows up to the second number.
PAUSE, LONGEST_PAUSE = 0.05, 0.5


def lesson(number: str | int, engine: str | None = None) -> Lesson:
    """Begin a lesson: connect, and remove what an earlier run of this same lesson left.

    The engine is the practice engine, unless `engine` or the environment's DOCKERLAB_ENGINE names another:
    "practice", "docker", or an address such as unix:///var/run/docker.sock.
    Raises LessonError if there is no such lesson, or if a container that is not the lesson's has a name it needs.
    """
    import dockerlab  # noqa: PLC0415  (the package imports this module when it is first asked for)

    key = f"{number:02d}" if isinstance(number, int) else number.strip().zfill(2)
    if key not in outlines.NOTEBOOKS:
        raise LessonError(f"There is no lesson {number}. The lessons are {', '.join(outlines.NOTEBOOKS)}.")
    where = engine or os.environ.get("DOCKERLAB_ENGINE") or "practice"
    lab = dockerlab.connect(where)
    return Lesson(outlines.load(key), lab, dockerlab.connect(lab.endpoint.url))


class Lesson:
    """One lesson in one session.

    `lab` is the connection that the cells use. `labels` go onto every object that a cell makes itself, `filters`
    finds them again. Whatever the lesson removes carries these labels; nothing else is ever touched.
    """

    def __init__(self, outline: Outline, lab: Lab, eyes: Lab) -> None:
        """Take a lesson's outline and two connections to one engine: the learner's, and the lesson's own."""
        self.outline = outline
        self.lab = lab
        self._eyes = Eyes(eyes, outline.number, os.environ.get("DOCKERLAB_SESSION") or "me")
        self._look = Look(self._eyes)
        self._exercise = outline.exercises[0].name if outline.exercises else ""
        self._eyes.remove_own()
        self._make_sure()

    def __repr__(self) -> str:
        """Give one line that is the same on every engine."""
        return f"<Lesson {self.outline.number} · {self.outline.title} · engine ready>"

    def _repr_html_(self) -> str:
        return Card(f"Lesson {self.outline.number} · {self.outline.title}", "The engine is ready.")._repr_html_()

    @property
    def labels(self) -> dict[str, str]:
        """The labels of this lesson and session: give them to everything you create (`labels=lesson.labels`)."""
        return dict(self._eyes.labels)

    @property
    def filters(self) -> dict[str, list[str]]:
        """The filters that find this lesson's objects: `lab.container.list(all=True, filters=lesson.filters)`."""
        return {key: list(values) for key, values in self._eyes.filters.items()}

    # -- making what a lesson speaks of ------------------------------------------------------------------------

    def container(
        self,
        name: str,
        command: list[str] | None = None,
        image: str = service.IMAGE,
        *,
        start: bool = False,
        **create: Any,
    ) -> str:
        """Make a container with the lesson's labels through `lab`, and give its name.

        One of this lesson's that has the name already is replaced, so that a cell can be run again.
        `create` are more arguments of ContainerCreate (`env=[…]`, `stop_signal="SIGINT"`, `host_config={…}`).
        With `start=True` it is started too.
        """
        labels = {**create.pop("labels", {}), **self.labels}
        arguments = {"image": image, "labels": labels, **create}
        if command is not None:
            arguments["cmd"] = command
        self._free(name, replace=True)
        self.lab.call("ContainerCreate", name=name, **arguments)
        if start:
            self.lab.call("ContainerStart", id=name)
        return name

    def web(self, name: str = "web", *, start: bool = True, every: int | None = None, **create: Any) -> str:
        """Make the story's web service, and wait until it has printed `web: ready`. Gives its name.

        It has three processes, visits its own page three times, and then rests. `every=1` makes it go on visiting,
        once a second. It ends with code 0 on TERM, and reloads on HUP.
        """
        env = {} if every is None else {"EVERY": str(every)}
        return self._program(service.WEB, name, start, env, create)

    def stubborn(self, name: str = "stubborn", *, start: bool = True, **create: Any) -> str:
        """Make a container that hears TERM and stays, and leaves for INT. Gives its name."""
        return self._program(service.STUBBORN, name, start, {}, create)

    def counter(self, name: str = "counter", *, start: bool = True, **create: Any) -> str:
        """Make a container that counts its own starts in a file of its own. Gives its name."""
        return self._program(service.COUNTER, name, start, {}, create)

    @property
    def service(self) -> dict[str, Any]:
        """The arguments of ContainerCreate that make the web service, labels and all, but for its name."""
        return {**service.settings(service.WEB, "web"), "labels": self.labels}

    def _program(self, program: str, name: str, start: bool, env: dict[str, str], create: dict[str, Any]) -> str:
        made = service.settings(program, name, env)
        made["env"] += create.pop("env", [])
        self.container(name, made.pop("cmd"), made.pop("image"), start=start, **{**made, **create})
        if start:
            self.wait_until(name, service.READY[program])
        return name

    # -- waiting -----------------------------------------------------------------------------------------------

    def wait_until(self, name: str, wanted: str, timeout: float = 10, times: int = 1) -> str:
        """Wait until a container is in a state (`"exited"`, `"running"`…), or has logged a text. Gives the name.

        `times=2` waits for the second line with that text. The engine is asked a few times a second.
        Raises LessonError after `timeout` seconds, saying what was seen instead.
        """
        deadline, pause = time.monotonic() + timeout, PAUSE
        while True:
            state = self._look.state(name)["Status"] if self._eyes.inspect(name) else "gone"
            if wanted == state:
                return name
            log = self._look.log(name) if state != "gone" else []
            if sum(wanted in line for line in log) >= times:
                return name
            if time.monotonic() > deadline:
                last = f" Its last line is {log[-1]!r}." if log else ""
                raise LessonError(f"Waited {timeout:g} s for `{name}`: {wanted!r}. It is `{state}`.{last}")
            time.sleep(pause)
            pause = min(pause * 1.5, LONGEST_PAUSE)

    # -- exercises ---------------------------------------------------------------------------------------------

    def check(self, exercise: str, answer: Any = None) -> Verdict:
        """Look at the engine and say PASS, FAIL, EXCEPTION or UNATTEMPTED, with what was seen. Never raises."""
        found = self.outline.exercise(exercise)
        if found is None:
            return Verdict("EXCEPTION", self._unknown(exercise), exercise)
        self._exercise = exercise
        try:
            verdict = found.check(self._look, answer)
        except Unattempted as nothing:
            verdict = unattempted(str(nothing))
        except Failed as reason:
            verdict = failed(str(reason))
        except Exception as error:  # whatever a learner hands in or an engine answers: the lesson goes on
            verdict = Verdict("EXCEPTION", f"the check could not look: {type(error).__name__}: {error}")
        if verdict.passed:
            progress.note(self.outline.number, exercise)
        return Verdict(verdict.word, verdict.observed, exercise)

    def hint(self, exercise: str | int = "", level: int = 1) -> Card:
        """Give a hint for an exercise, by default the one checked last. `hint(2)` says more than `hint()`."""
        name, level = ("", exercise) if isinstance(exercise, int) else (exercise, level)
        found = self._find(name)
        if isinstance(found, Card):
            return found
        level = min(max(level, 1), len(found.hints))
        return Card(f"Hint {level} for {found.name}", found.hints[level - 1])

    def solution(self, exercise: str = "") -> Card:
        """Show the solution's code, by default of the exercise checked last."""
        found = self._find(exercise)
        return found if isinstance(found, Card) else Card(f"Solution of {found.name}", code=found.solution)

    def quiz(self, number: int = 1) -> Quiz:
        """Ask a question: buttons in a notebook, a text elsewhere. `.answer("b")` answers it."""
        from dockerlab.course.quiz import Quiz

        questions = self.outline.questions
        if not 1 <= number <= len(questions):
            raise LessonError(f"Lesson {self.outline.number} has the questions 1 to {len(questions)}.")
        return Quiz(number, questions[number - 1])

    def _find(self, exercise: str) -> Exercise | Card:
        name = exercise or self._exercise
        return self.outline.exercise(name) or Card("No such exercise", self._unknown(name))

    def _unknown(self, name: str) -> str:
        known = ", ".join(f'"{exercise.name}"' for exercise in self.outline.exercises)
        return f'this lesson has no exercise "{name}". Its exercises are {known}.'

    # -- the end -----------------------------------------------------------------------------------------------

    def story(self) -> pandas.DataFrame:
        """Tell what the cells did: one row for each exchange that asked the engine for a change.

        Columns: `operation`, `object`, `status`, `changed`. The index counts from 1.
        """
        from dockerlab.course.story import story

        return story(self.lab.wire)

    def finish(self) -> Card:
        """Remove everything with this lesson's labels, say so, and name the next lesson."""
        if "dockerlab.widgets.view" in sys.modules:  # there may be live views of what is about to go
            sys.modules["dockerlab.widgets.view"].stop_all()
        removed = self._eyes.remove_own()
        left = [record["Names"][0].lstrip("/") for record in self._eyes.own()]
        count = f"{len(removed)} container{'' if len(removed) == 1 else 's'}"
        text = f"Removed {count}: {', '.join(removed)}." if removed else "There was nothing to remove."
        text += f" Still there: {', '.join(sorted(left))}." if left else " Nothing of this lesson is left."
        after = outlines.following(self.outline.number)
        text += f"\nNext: {after}" if after else "\nThat was the last lesson of this part."
        return Card(f"Lesson {self.outline.number} is finished", text)

    def close(self) -> None:
        """Close both connections; whatever the lesson has made stays until `finish` or its next start."""
        self.lab.close()
        self._eyes.close()

    # -- names -------------------------------------------------------------------------------------------------

    def _make_sure(self) -> None:
        """Say now what would stop the lesson in the middle: a missing image, a name in use."""
        if not self._eyes.has_image(service.IMAGE):
            raise LessonError(
                f"This engine has no image `{service.IMAGE}`. Get it with: docker pull {service.IMAGE}\n"
                "Or use the practice engine: set DOCKERLAB_ENGINE=practice and restart the kernel."
            )
        for name in self.outline.names:
            self._free(name)

    def _free(self, name: str, *, replace: bool = False) -> None:
        """Raise LessonError if a container that is not this lesson's has the name; remove the lesson's own."""
        found = self._eyes.inspect(name)
        if found is None or found["Name"] != f"/{name}":
            return
        labels = found["Config"].get("Labels") or {}
        if self._eyes.is_own(labels):
            if replace:
                self._eyes.remove(found["Id"])
            return
        other = labels.get(LESSON_LABEL)
        if other in outlines.NOTEBOOKS and labels.get(SESSION_LABEL) == self.labels[SESSION_LABEL]:
            raise LessonError(
                f"Lesson {other} is not finished, and its container `{name}` has a name that this lesson needs.\n"
                f'Finish it in its notebook with lesson.finish(), or here: dockerlab.lesson("{other}").finish()'
            )
        raise LessonError(
            f"A container named `{name}` is on this engine, and it is not this lesson's, so it stays as it is.\n"
            f"Give it another name (docker rename {name} my-{name}) and run this cell again,\n"
            "or use the practice engine: set DOCKERLAB_ENGINE=practice and restart the kernel."
        )
