"""A build in a real kernel: its outputs are the live view and the table, and they are the same in each run."""

from __future__ import annotations

from typing import Any

import nbformat
import pytest
from archives import tar_of
from containers import removed_afterwards, unique_name
from nbclient import NotebookClient
from registries import small_registry

from dockerlab.widgets import Steps

DOCKERFILE = b"FROM busybox\nRUN for n in 1 2 3; do echo word $n; sleep 0.3; done\nCMD true\n"
WIDGET = "application/vnd.jupyter.widget-view+json"


def outputs(host: str, labels: dict[str, str], name: str) -> list[Any]:
    """Run the build in a new kernel, and return the outputs."""
    source = f"""import dockerlab
lab = dockerlab.connect({host!r})
table = lab.image.build({tar_of(("Dockerfile", DOCKERFILE))!r}, t={name!r}, labels={labels!r}, rm=True, nocache=True)
int(table["stream"].str.count("word [123]").sum()), len(table.columns)"""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    NotebookClient(notebook, timeout=100, kernel_name="python3", store_widget_state=False).execute()
    return list(notebook.cells[0].outputs)


def test_a_build_has_the_same_outputs_in_each_run(lab: Any, host: str, labels: dict[str, str]) -> None:
    name = unique_name(labels, "image")
    with removed_afterwards(lambda: lab.image.delete(name, force=True)):
        first, second = outputs(host, labels, name), outputs(host, labels, name)
        for cell_outputs in (first, second):
            assert [output.output_type for output in cell_outputs] == ["display_data", "execute_result"]
            assert cell_outputs[0].data.pop(WIDGET)["model_id"], "the view is a widget, which nbval does not compare"
            assert cell_outputs[1].data["text/plain"] == "(3, 7)"
        assert [output.data for output in first] == [output.data for output in second]
        assert first[0].data["text/plain"] == f"<build of {name}: live progress>"


def test_a_pull_and_a_push_of_layers(lab: Any, practice_host: str, labels: dict[str, str]) -> None:
    """The bars of all layers are complete at the end."""
    if lab.endpoint.url != practice_host:
        pytest.skip("another engine can't reach this machine's registry")
    with small_registry() as registry:
        name = f"{registry.name}/{unique_name(labels, 'image')}"
        body = tar_of(("Dockerfile", b"FROM busybox\nRUN head -c 3000000 /dev/urandom >/big\n"))
        with removed_afterwards(lambda: lab.image.delete(name, force=True)):
            lab.image.build(body, t=name, labels=labels, rm=True)
            pushed, pulled = Steps("push"), Steps("pull")
            lab.image.push(name, progress=pushed)
            lab.image.delete(name, force=True)
            lab.image.create(name, tag="latest", progress=pulled)
    for view in (pushed, pulled):
        assert len(view.progress.layers) == 2
        assert all(bar.done and bar.share == 1 for bar in view.progress.layers)
        assert view.words().endswith(": done, 2 of 2 layers")
