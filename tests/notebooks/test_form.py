"""The form of notebooks: what each one must contain, and what it must not contain."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
import refresh

from dockerlab.course import catalog
from dockerlab.course.outline import Outline

FOLDER = Path(__file__).parents[2] / "notebooks"
NUMBERS = list(catalog.LESSONS)
LESSONS = [number for number in NUMBERS if number != "00"]
FILES = catalog.notebooks()
WITH_WIDGETS = ["01", "04", "05", "07"]
MAX_CELLS, MAX_BYTES = 25, 200_000

Notebook = Any


def read(number: str) -> Notebook:
    path = FOLDER / FILES[number]
    assert path.exists(), f"{path.name} is missing"
    return nbformat.read(path, as_version=4)


def code(notebook: Notebook) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def texts(notebook: Notebook) -> list[str]:
    cells = [cell for cell in notebook.cells if cell.cell_type == "markdown"]
    return [cell.source for cell in cells if refresh.NAVIGATION not in cell.metadata.get("tags", [])]


def headings(notebook: Notebook) -> list[tuple[int, str]]:
    result = []
    for source in texts(notebook):
        plain = re.sub(r"```.*?```", "", source, flags=re.DOTALL)
        result += [(len(marks), title) for marks, title in re.findall(r"^(#{1,6}) +(.+)$", plain, flags=re.MULTILINE)]
    return result


def source_of(notebook: Notebook) -> str:
    return "\n".join(cell.source for cell in code(notebook))


def test_every_notebook_is_a_lesson_or_an_analysis() -> None:
    assert sorted(path.name for path in FOLDER.glob("*.ipynb")) == sorted(FILES.values())


@pytest.mark.parametrize("number", FILES)
class TestEveryNotebook:
    def test_form_is_up_to_date(self, number: str) -> None:
        """`python tests/notebooks/refresh.py --form` would change nothing."""
        path = FOLDER / FILES[number]
        assert refresh.text(refresh.committed_form(read(number), path.name)) == path.read_text()

    def test_size(self, number: str) -> None:
        assert (FOLDER / FILES[number]).stat().st_size < MAX_BYTES

    def test_kernel_and_metadata(self, number: str) -> None:
        notebook = read(number)
        assert notebook.metadata.kernelspec.name == "python3"
        assert "widgets" not in notebook.metadata
        assert "widget-view" not in json.dumps(notebook)

    def test_one_title_and_headings_in_order(self, number: str) -> None:
        levels = [level for level, _ in headings(read(number))]
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(after <= before + 1 for before, after in itertools.pairwise(levels))

    def test_no_heading_twice(self, number: str) -> None:
        titles = [title for _, title in headings(read(number))]
        assert len(titles) == len(set(titles))

    def test_cells_are_few_and_short(self, number: str) -> None:
        cells = code(read(number))
        assert len(cells) <= MAX_CELLS
        short = [cell for cell in cells if len(cell.source.splitlines()) <= 8]
        assert len(short) >= 0.9 * len(cells)

    def test_at_least_as_much_text_as_code(self, number: str) -> None:
        notebook = read(number)
        assert len(texts(notebook)) >= len(code(notebook))

    def test_outputs_exist(self, number: str) -> None:
        cells = code(read(number))
        assert all(cell.execution_count == number for number, cell in enumerate(cells, 1)), "not run in one session"
        silent = [cell.source for cell in cells if not cell.outputs]
        assert len(silent) <= len(cells) // 3, silent

    def test_no_cell_hides_its_output(self, number: str) -> None:
        assert [cell.source for cell in code(read(number)) if cell.source.rstrip().endswith(";")] == []

    def test_only_expected_errors(self, number: str) -> None:
        for cell in code(read(number)):
            failed = any(output.output_type == "error" for output in cell.outputs)
            assert failed == ("raises-exception" in cell.metadata.get("tags", [])), cell.source

    def test_nothing_skips_the_comparison(self, number: str) -> None:
        words = ("nbval-ignore-output", "nbval-skip", "NBVAL_IGNORE_OUTPUT", "NBVAL_SKIP")
        assert [word for word in words if word in json.dumps(read(number))] == []

    def test_what_nbval_cannot_compare_is_not_used(self, number: str) -> None:
        used = r"\b(interact|clear_output|input)\(|display_id|Output\(\)|\.style\b|print\(.*\bid\("
        assert re.findall(used, source_of(read(number))) == []

    def test_no_address_of_this_machine(self, number: str) -> None:
        assert re.findall(r"/(?:home|root|tmp|work)/[\w.-]+/[^\s\"']*", source_of(read(number))) == []

    def test_pictures_and_links_have_texts(self, number: str) -> None:
        for source in texts(read(number)):
            assert not re.search(r"!\[\s*\]\(", source), "a picture without a text"
            assert not re.search(r"(?<!!)\[\s*\]\(", source), "a link without a text"

    def test_links_between_lessons_are_valid(self, number: str) -> None:
        for cell in read(number).cells:
            for target in re.findall(r"\]\(([\w.-]+\.ipynb)", cell.source):
                assert (FOLDER / target).exists(), target


@pytest.mark.parametrize("number", NUMBERS)
class TestLessonsAndTheFirstPage:
    def test_starts_and_finishes(self, number: str) -> None:
        cells = code(read(number))
        assert f'dockerlab.lesson("{number}")' in cells[0].source
        assert "lesson.finish()" in cells[-1].source

    def test_only_labelled_objects(self, number: str) -> None:
        """Every created object has the lesson's labels, and nothing is pruned."""
        source = source_of(read(number))
        assert not re.search(r"prune|Prune", source)
        for call in re.findall(r"(?:\.create\(|ContainerCreate)(?:[^()]|\([^()]*\))*\)", source):
            assert re.search(r"lesson\.labels|\*\*lesson\.service|\bservice\b", call), call

    def test_every_name_is_in_the_outline(self, number: str) -> None:
        """At its start, a lesson checks that its names are free, so its outline must list all of them."""
        source = source_of(read(number))
        names = set(re.findall(r"lesson\.(?:container|web|stubborn|counter)\(\s*\"([\w.-]+)\"", source))
        names |= set(re.findall(r"\.create\([^)]*?\bname=\"([\w.-]+)\"", source))
        names |= set(re.findall(r"lesson\.(web|stubborn|counter)\((?!\s*\")", source))
        assert names <= set(catalog.LESSONS[number].names)

    def test_exercises_are_those_of_the_outline(self, number: str) -> None:
        notebook, outline = read(number), catalog.LESSONS[number]
        for exercise in outline.exercises:
            assert_exercise(notebook, outline, exercise.name)

    def test_every_question_is_in_the_notebook(self, number: str) -> None:
        numbers = [int(number) for number in re.findall(r"lesson\.quiz\((\d)\)", source_of(read(number)))]
        assert sorted(set(numbers)) == list(range(1, len(catalog.LESSONS[number].questions) + 1))

    def test_card(self, number: str) -> None:
        first = texts(read(number))[0]
        assert re.search(r"\d+ minutes", first)
        assert catalog.LESSONS[number].endpoint.split(",")[0] in first


@pytest.mark.parametrize("number", LESSONS)
class TestEveryLesson:
    @pytest.mark.parametrize("words", ["predict", "four ways", "mistake", "exercise", "quiz", "key points", "finish"])
    def test_has_the_sections_of_a_lesson(self, number: str, words: str) -> None:
        titles = " · ".join(title for _, title in headings(read(number))).lower()
        assert words in titles

    @pytest.mark.parametrize("call", ["lab.last.show(", "lesson.hint(", "lesson.story()"])
    def test_shows_the_request_a_hint_and_the_story(self, number: str, call: str) -> None:
        assert call in source_of(read(number))


@pytest.mark.parametrize("number", WITH_WIDGETS)
def test_has_a_live_view_with_a_still_form(number: str) -> None:
    bundle = [
        output.data
        for cell in code(read(number))
        if re.search(r"widgets\.(Containers|Processes|Logs|States)\(", cell.source)
        for output in cell.outputs
        if "data" in output
    ]
    assert bundle
    assert all("a live view" in bundle["text/plain"] and "<table>" in bundle["text/html"] for bundle in bundle)


def assert_exercise(notebook: Notebook, outline: Outline, name: str) -> None:
    """Check for a cell to change, whose check is UNATTEMPTED, and the solution of the outline, whose check is PASS."""
    checks = [cell for cell in code(notebook) if f'lesson.check("{name}"' in cell.source]
    assert len(checks) == 2, f"{name}: one cell to change, one solution"
    unsolved, solution = checks
    assert "# your cell" in unsolved.source
    assert result_of(unsolved).startswith(f"UNATTEMPTED {name}")
    exercise = outline.exercise(name)
    assert exercise is not None
    assert solution.source == exercise.solution
    assert "solution" in solution.metadata.tags
    assert solution.metadata.jupyter.source_hidden is True
    assert result_of(solution).startswith(f"PASS {name}")


def result_of(cell: Any) -> str:
    return str(cell.outputs[-1].data["text/plain"]) if cell.outputs else ""
