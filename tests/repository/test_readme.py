"""The README is correct: its Python runs with the outputs shown, its links and make targets exist."""

from __future__ import annotations

import doctest
import re

from repository import ROOT

README, CONTRIBUTING, CHANGELOG = (
    (ROOT / name).read_text("utf-8") for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")
)


def blocks(language: str) -> list[str]:
    """Return the code blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def test_the_example_runs_as_shown(host: str) -> None:
    examples = blocks("pycon")
    assert examples
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    test = doctest.DocTestParser().get_doctest("\n".join(examples), {}, "README.md", "README.md", 0)
    assert test.examples
    output: list[str] = []
    runner.run(test, out=output.append)
    assert runner.failures == 0, "".join(output)


def test_the_example_is_short() -> None:
    assert sum(len(block.splitlines()) for block in blocks("pycon")) <= 25


def test_links_are_valid() -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", README)
    assert targets
    missing = [target for target in targets if "://" not in target and not (ROOT / target).exists()]
    assert missing == []


def test_make_targets_that_are_named_exist() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = re.findall(r"(?:`|^)make ([a-z][a-z-]+)", README + CONTRIBUTING, re.MULTILINE)
    assert {name for name in targets if not re.search(rf"^{name}:", makefile, re.MULTILINE)} == set()


def test_no_line_is_wider_than_a_screen() -> None:
    lines = [line for text in (README, CONTRIBUTING, CHANGELOG) for line in text.splitlines()]
    wide = [line for line in lines if len(line) > 140 and not line.startswith("|")]
    assert wide == []
