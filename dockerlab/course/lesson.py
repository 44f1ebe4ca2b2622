"""The lesson object: the first cell of a notebook makes it, and the exercises, the quiz and the last cell use it."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from dockerlab.course import progress, story_programs
from dockerlab.course.cards import Card
from dockerlab.course.catalog import LESSONS, next_notebook
from dockerlab.course.checks import Failed, ReadOnlyEngine, Unattempted, Verdict, failed, unattempted
from dockerlab.course.lesson_engine import LESSON_LABEL, SESSION_LABEL, LessonEngine, LessonError
from dockerlab.lab.lab import Lab, connect

if TYPE_CHECKING:
    import pandas

    from dockerlab.course.outline import Outline
    from dockerlab.course.quiz import Quiz

#: The pause between two requests while waiting, in seconds: it grows from the first number to the second.
PAUSE, LONGEST_PAUSE = 0.05, 0.5


def lesson(number: str | int, engine: str | None = None) -> Lesson:
    """Begin a lesson: connect to the engine, and remove containers from an earlier run of the same lesson.

    The engine is the practice engine, unless `engine` or the environment variable DOCKERLAB_ENGINE names another:
    "practice", "docker", or an address such as unix:///var/run/docker.sock.
    Raises LessonError if there is no such lesson, or if another container already has a name that the lesson needs.
    """
    key = f"{number:02d}" if isinstance(number, int) else number.strip().zfill(2)
    if key not in LESSONS:
        raise LessonError(f"There is no lesson {number}. The lessons are {', '.join(LESSONS)}.")
    lab = connect(engine or os.environ.get("DOCKERLAB_ENGINE") or "practice")
    return Lesson(LESSONS[key], lab, connect(lab.endpoint.url))


class Lesson:
    """One lesson in one session.

    `lab` is the connection that the cells use. Give `labels` to every object that a cell creates itself; `filters`
    finds these objects again. The lesson removes only containers with its labels, and never touches others.
    """

    def __init__(self, outline: Outline, lab: Lab, own_lab: Lab) -> None:
        self.outline = outline
        self.lab = lab
        self._engine = LessonEngine(own_lab, outline.number, os.environ.get("DOCKERLAB_SESSION") or "me")
        self._read_only = ReadOnlyEngine(self._engine)
        self._exercise = outline.exercises[0].name if outline.exercises else ""
        self._engine.remove_containers()
        self._check_prerequisites()

    def __repr__(self) -> str:
        return f"<Lesson {self.outline.number} · {self.outline.title} · engine ready>"

    def _repr_html_(self) -> str:
        return Card(f"Lesson {self.outline.number} · {self.outline.title}", "The engine is ready.")._repr_html_()

    @property
    def labels(self) -> dict[str, str]:
        """The labels of this lesson and session: give them to everything you create (`labels=lesson.labels`)."""
        return dict(self._engine.labels)

    @property
    def filters(self) -> dict[str, list[str]]:
        """The filters that find this lesson's objects: `lab.container.list(all=True, filters=lesson.filters)`."""
        return {key: list(values) for key, values in self._engine.filters.items()}

    # -- the containers of the story ---------------------------------------------------------------------------

    def container(
        self,
        name: str,
        command: list[str] | None = None,
        image: str = story_programs.IMAGE,
        *,
        start: bool = False,
        **create: Any,
    ) -> str:
        """Create a container with the lesson's labels through `lab`, and return its name.

        If this lesson already has a container of that name, it is replaced, so that a cell can be run again.
        `create` are further arguments of ContainerCreate (`env=[…]`, `stop_signal="SIGINT"`, `host_config={…}`).
        With `start=True` the container is also started.
        """
        labels = {**create.pop("labels", {}), **self.labels}
        arguments = {"image": image, "labels": labels, **create}
        if command is not None:
            arguments["cmd"] = command
        self._claim_name(name, replace=True)
        self.lab.call("ContainerCreate", name=name, **arguments)
        if start:
            self.lab.call("ContainerStart", id=name)
        return name

    def web(self, name: str = "web", *, start: bool = True, every: int | None = None, **create: Any) -> str:
        """Create the web service of the story, wait until it has printed `web: ready`, and return its name.

        It has three processes, visits its own page three times, and then rests. With `every=1` it keeps visiting its
        page, once per second. It ends with exit code 0 on TERM, and reloads on HUP.
        """
        env = {} if every is None else {"EVERY": str(every)}
        return self._program(story_programs.WEB, name, start, env, create)

    def stubborn(self, name: str = "stubborn", *, start: bool = True, **create: Any) -> str:
        """Create a container that ignores TERM and ends on INT, and return its name."""
        return self._program(story_programs.STUBBORN, name, start, {}, create)

    def counter(self, name: str = "counter", *, start: bool = True, **create: Any) -> str:
        """Create a container that counts its starts in a file of its own, and return its name."""
        return self._program(story_programs.COUNTER, name, start, {}, create)

    @property
    def service(self) -> dict[str, Any]:
        """The arguments of ContainerCreate for the web service, including labels but without a name."""
        return {**story_programs.settings(story_programs.WEB, "web"), "labels": self.labels}

    def _program(self, program: str, name: str, start: bool, env: dict[str, str], create: dict[str, Any]) -> str:
        settings = story_programs.settings(program, name, env)
        settings["env"] += create.pop("env", [])
        self.container(name, settings.pop("cmd"), settings.pop("image"), start=start, **{**settings, **create})
        if start:
            self.wait_until(name, story_programs.READY[program])
        return name

    # -- waiting -----------------------------------------------------------------------------------------------

    def wait_until(self, name: str, wanted: str, timeout: float = 10, times: int = 1) -> str:
        """Wait until a container is in a state (`"exited"`, `"running"`…) or has logged a text, and return its name.

        `times=2` waits for the second line that contains the text.
        Raises LessonError after `timeout` seconds, with the state that the container is in.
        """
        deadline, pause = time.monotonic() + timeout, PAUSE
        while True:
            state = self._read_only.state(name)["Status"] if self._engine.inspect(name) else "gone"
            if wanted == state:
                return name
            log = self._read_only.log(name) if state != "gone" else []
            if sum(wanted in line for line in log) >= times:
                return name
            if time.monotonic() > deadline:
                last = f" Its last line is {log[-1]!r}." if log else ""
                raise LessonError(f"Waited {timeout:g} s for {wanted!r} of `{name}`. Its state is `{state}`.{last}")
            time.sleep(pause)
            pause = min(pause * 1.5, LONGEST_PAUSE)

    # -- exercises ---------------------------------------------------------------------------------------------

    def check(self, exercise: str, answer: Any = None) -> Verdict:
        """Check an exercise: PASS, FAIL, EXCEPTION or UNATTEMPTED, with what the engine shows. Never raises."""
        definition = self.outline.exercise(exercise)
        if definition is None:
            return Verdict("EXCEPTION", self._no_such_exercise(exercise), exercise)
        self._exercise = exercise
        try:
            verdict = definition.check(self._read_only, answer)
        except Unattempted as reason:
            verdict = unattempted(str(reason))
        except Failed as reason:
            verdict = failed(str(reason))
        except Exception as error:  # an answer or a response of any kind must not stop the lesson
            verdict = Verdict("EXCEPTION", f"the check could not look: {type(error).__name__}: {error}")
        if verdict.passed:
            progress.record_pass(self.outline.number, exercise)
        return Verdict(verdict.word, verdict.observed, exercise)

    def hint(self, exercise: str | int = "", level: int = 1) -> Card:
        """Return a hint for an exercise, by default the one checked last. `hint(2)` says more than `hint()`."""
        name, level = ("", exercise) if isinstance(exercise, int) else (exercise, level)
        definition = self.outline.exercise(name or self._exercise)
        if definition is None:
            return Card("No such exercise", self._no_such_exercise(name))
        level = min(max(level, 1), len(definition.hints))
        return Card(f"Hint {level} for {definition.name}", definition.hints[level - 1])

    def solution(self, exercise: str = "") -> Card:
        """Return the code of an exercise's solution, by default of the exercise checked last."""
        definition = self.outline.exercise(exercise or self._exercise)
        if definition is None:
            return Card("No such exercise", self._no_such_exercise(exercise))
        return Card(f"Solution of {definition.name}", code=definition.solution)

    def quiz(self, number: int = 1) -> Quiz:
        """Return a question, which has buttons in a notebook and is a text elsewhere. `.answer("b")` answers it."""
        from dockerlab.course.quiz import Quiz

        questions = self.outline.questions
        if not 1 <= number <= len(questions):
            raise LessonError(f"Lesson {self.outline.number} has no question {number}, only 1 to {len(questions)}.")
        return Quiz(number, questions[number - 1])

    def _no_such_exercise(self, name: str) -> str:
        names = ", ".join(f'"{exercise.name}"' for exercise in self.outline.exercises)
        return f'this lesson has no exercise "{name}". Its exercises are {names}.'

    # -- the end -----------------------------------------------------------------------------------------------

    def story(self) -> pandas.DataFrame:
        """Return what the cells did: one row per request that asked the engine for a change.

        Columns: `operation`, `object`, `status`, `changed`. The index counts from 1.
        """
        from dockerlab.course.story import story

        return story(self.lab.wire)

    def finish(self) -> Card:
        """Remove all containers with this lesson's labels, list them, and name the next lesson."""
        from dockerlab.widgets.view import stop_all

        stop_all()  # no live view may follow a container that is about to go
        removed = self._engine.remove_containers()
        remaining = [summary["Names"][0].lstrip("/") for summary in self._engine.containers()]
        count = f"{len(removed)} container{'' if len(removed) == 1 else 's'}"
        text = f"Removed {count}: {', '.join(removed)}." if removed else "There was nothing to remove."
        text += f" Still there: {', '.join(sorted(remaining))}." if remaining else " Nothing of this lesson is left."
        after = next_notebook(self.outline.number)
        text += f"\nNext: {after}" if after else "\nThat was the last lesson of this part."
        return Card(f"Lesson {self.outline.number} is finished", text)

    def close(self) -> None:
        """Close both connections. The lesson's containers stay until `finish` or the lesson's next start."""
        self.lab.close()
        self._engine.close()

    # -- names -------------------------------------------------------------------------------------------------

    def _check_prerequisites(self) -> None:
        """Raise LessonError for what would stop the lesson half-way: a missing image, or a name that is in use."""
        image = story_programs.IMAGE
        if not self._engine.has_image(image):
            raise LessonError(
                f"This engine has no image `{image}`. Get it with: docker pull {image}\n"
                "Or use the practice engine: set DOCKERLAB_ENGINE=practice and restart the kernel."
            )
        for name in self.outline.names:
            self._claim_name(name)

    def _claim_name(self, name: str, *, replace: bool = False) -> None:
        """Raise LessonError if another container has the name; with `replace`, remove a container of this lesson."""
        container = self._engine.inspect(name)
        if container is None or container["Name"] != f"/{name}":
            return
        labels = container["Config"].get("Labels") or {}
        if self._engine.has_lesson_labels(labels):
            if replace:
                self._engine.remove(container["Id"])
            return
        other = labels.get(LESSON_LABEL)
        if other in LESSONS and labels.get(SESSION_LABEL) == self.labels[SESSION_LABEL]:
            raise LessonError(
                f"Lesson {other} is not finished, and its container `{name}` has a name that this lesson needs.\n"
                f'Finish it in its notebook with lesson.finish(), or here: dockerlab.lesson("{other}").finish()'
            )
        raise LessonError(
            f"This engine already has a container named `{name}`, which is not part of this lesson and is left alone.\n"
            f"Give it another name (docker rename {name} my-{name}) and run this cell again,\n"
            "or use the practice engine: set DOCKERLAB_ENGINE=practice and restart the kernel."
        )
