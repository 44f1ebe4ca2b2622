"""Lesson 06: export a container's file tree."""

from __future__ import annotations

from typing import Any

from dockerlab.course.checks import ReadOnlyEngine, Verdict, failed, passed, require_answer
from dockerlab.course.outline import Choice, Exercise, Outline, Question

PAGE = "srv/web/www/index.html"
DIARY = "srv/diary/today.txt"


def page_size(engine: ReadOnlyEngine, answer: Any) -> Verdict:
    """The size of web's page in its export."""
    require_answer(answer)
    size = engine.members("web").get(PAGE)
    if size is None:
        return failed(f"`web` has no {PAGE} yet: start it, and it writes the page.")
    try:
        number = int(answer)
    except (TypeError, ValueError):
        return failed(f"{answer!r} is not one number.")
    if number == size:
        return passed(f"the page that `web` serves, {PAGE}, is {size} bytes long.")
    return failed(f"{number} is not the size of {PAGE} in the export of `web`.")


def diary(engine: ReadOnlyEngine, answer: Any) -> Verdict:
    """A container that wrote a file and ended."""
    state = engine.state("diary")
    if state["Status"] != "exited":
        return failed(f"`diary` is `{state['Status']}`, not `exited`: it has to write, and to end.")
    if state["ExitCode"]:
        return failed(f"`diary` ended with {state['ExitCode']}, not with 0: its script failed.")
    size = engine.members("diary").get(DIARY)
    if not size:
        return failed(f"`diary` has ended, but there is no line in {DIARY} in its export.")
    return passed(f"the process of `diary` is gone, and its file is still there: {DIARY}, {size} bytes.")


OUTLINE = Outline(
    number="06",
    title="Export a container",
    notebook="06-export.ipynb",
    endpoint="GET /containers/{id}/export",
    names=("web", "plan", "diary"),
    setup="""\
lesson.web()
""",
    exercises=(
        Exercise(
            name="page-size",
            task=f"How many bytes has the page that `web` serves? It is {PAGE} in the export.",
            check=page_size,
            hints=(
                "The export as a table has one row for each file: a path, and a size in bytes.",
                'Pick the row: `files[files["path"] == "srv/web/www/index.html"]`, then its `size_bytes`.',
            ),
            solution="""\
files = lab.container.export("web").set_index("path")
answer = files.loc["srv/web/www/index.html", "size_bytes"]
lesson.check("page-size", answer)""",
        ),
        Exercise(
            name="diary",
            task=(
                "Make and start a container `diary` with the working directory /srv/diary. Its process writes a line "
                "into today.txt there, and ends. The file outlives the process."
            ),
            check=diary,
            hints=(
                'A script again: `command=["sh", "-c", "…"]`, and the directory is `working_dir="/srv/diary"`.',
                "The script: `echo dear diary > today.txt`. A path without a leading / is in the working directory.",
            ),
            solution="""\
write = ["sh", "-c", "echo dear diary > today.txt"]
lesson.container("diary", command=write, working_dir="/srv/diary", start=True)
lesson.wait_until("diary", "exited")
lesson.check("diary")""",
        ),
    ),
    questions=(
        Question(
            "`web` has ended. Can you still export it?",
            "a",
            (
                Choice("Yes.", "Yes: files stay until the container is deleted, whatever its state is."),
                Choice("No, only running containers.", "The file tree needs no process. Try it on `diary`."),
                Choice("Only from its image.", "Then what the container wrote would be missing."),
            ),
        ),
        Question(
            "Which of these is in the tar?",
            "c",
            (
                Choice("The container's environment.", "That is configuration. Inspect shows it; a tar holds files."),
                Choice("The memory of its processes.", "Only files are in it. A process leaves what it wrote."),
                Choice("Every file of the image, too.", "Yes: the whole tree as the container sees it, in one piece."),
            ),
        ),
        Question(
            "The answer has no Content-Length. Why?",
            "b",
            (
                Choice("The engine forgot it.", "It can't know it: the tar doesn't exist before it is sent."),
                Choice(
                    "The tar is made while it is sent.",
                    "Yes. So a client reads it in pieces, too.",
                ),
                Choice("Tar files have no length.", "They have. One learns it when the last piece has come."),
            ),
        ),
    ),
)
