"""Lesson 02: create a container."""

from __future__ import annotations

from typing import Any

from dockerlab.course.checks import ReadOnlyEngine, Verdict, failed, passed
from dockerlab.course.outline import Choice, Exercise, Outline, Question
from dockerlab.course.story_programs import COMMAND, WEB

TRIES = 3


def greeter(engine: ReadOnlyEngine, answer: Any) -> Verdict:
    """A created container with a command and a variable."""
    container = engine.inspect("greeter")
    if container["Config"]["Cmd"] != ["echo", "hello"]:
        return failed(f"`greeter` would run {container['Config']['Cmd']!r}, not ['echo', 'hello'].")
    if "GREETING=hello" not in (container["Config"]["Env"] or []):
        return failed("`greeter` has no variable GREETING=hello in its `Env`.")
    if container["State"]["Status"] != "created":
        return failed(f"`greeter` is `{container['State']['Status']}`, not `created`: this lesson starts nothing.")
    return passed("`greeter` is `created`, with its command and its variable. It has not run yet.")


def spare(engine: ReadOnlyEngine, answer: Any) -> Verdict:
    """A second web service with a restart policy."""
    container = engine.inspect("spare")
    if container["Config"]["Cmd"] != COMMAND or f"PROGRAM={WEB}" not in (container["Config"]["Env"] or []):
        return failed("`spare` is there, but it is not the web service: its command or its program differs.")
    policy = container["HostConfig"]["RestartPolicy"] or {}
    if policy.get("Name") != "on-failure":
        return failed(f"`spare` has the restart policy {policy.get('Name') or 'no'!r}, not 'on-failure'.")
    if policy.get("MaximumRetryCount") != TRIES:
        return failed(f"`spare` would be started again {policy.get('MaximumRetryCount')} times at most, not {TRIES}.")
    return passed(f"`spare` is a web service that the engine starts again when it fails, {TRIES} times at most.")


OUTLINE = Outline(
    number="02",
    title="Create a container",
    notebook="02-create.ipynb",
    endpoint="POST /containers/create",
    names=("web", "draft", "twin", "third", "echo", "shop", "greeter", "spare"),
    setup="""\
lab.container.create(name="web", **lesson.service)
""",
    exercises=(
        Exercise(
            name="greeter",
            task=(
                "Create a container `greeter` from `busybox` that would run `echo hello`, "
                "with the variable GREETING=hello in its environment. Don't start it."
            ),
            check=greeter,
            hints=(
                "The command and the environment are two lists in the request's body: `cmd` and `env`.",
                'cmd=["echo", "hello"], env=["GREETING=hello"]; and labels=lesson.labels, so that finish() finds it.',
            ),
            solution="""\
lab.container.create(
    name="greeter", image="busybox", cmd=["echo", "hello"], env=["GREETING=hello"], labels=lesson.labels
)
lesson.check("greeter")""",
        ),
        Exercise(
            name="spare",
            task=(
                "Create a second web service called `spare` that the engine would start again if it fails, "
                "but three times at most."
            ),
            check=spare,
            hints=(
                "`lesson.service` has the settings of `web`. What concerns the machine around it is in `host_config`.",
                'host_config={"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3}}',
            ),
            solution="""\
again = {"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3}}
lab.container.create(name="spare", host_config=again, **lesson.service)
lesson.check("spare")""",
        ),
    ),
    questions=(
        Question(
            "The engine answered 201 to your create. What runs now?",
            "a",
            (
                Choice("Nothing.", "Yes. There is a name, a file tree and a configuration; no process yet."),
                Choice("The command, in the background.", "That takes a second request: `POST /containers/web/start`."),
                Choice("A shell that waits for you.", "No process at all: look at the `state` in the list."),
            ),
        ),
        Question(
            "A second create with the name `web` is answered 409. Why not 400?",
            "c",
            (
                Choice(
                    "409 means that the image is missing.", "A missing image is 404: there is nothing of that name."
                ),
                Choice("The two mean the same.", "400 says that the request itself is wrong, whenever it is sent."),
                Choice(
                    "The request is fine; the engine's state is in its way.",
                    "Yes. Sent again when the name is free, the very same request works.",
                ),
            ),
        ),
        Question(
            "Where does the restart policy go in the request's body?",
            "b",
            (
                Choice("At the top, next to `Cmd`.", "There is what the image may also set: command, environment…"),
                Choice("Into `HostConfig`.", "Yes: it is about the machine around the container, not its inside."),
                Choice("Into the query.", "The query of create has the name and the platform only."),
            ),
        ),
    ),
)
