"""Parts of the widgets that need no engine: rows, state changes, the progress bar's text and share."""

from __future__ import annotations

from dockerlab.widgets import Progress
from dockerlab.widgets.html_table import rows
from dockerlab.widgets.views import with_changes

HOSTILE = "<script>alert(1)</script>"


def test_rows_are_escaped() -> None:
    table = rows(("a", HOSTILE), [(HOSTILE, 1)]).html(HOSTILE)
    assert "<script>" not in table
    assert table.count("&lt;script&gt;") == 3


def test_a_table_without_rows_says_so() -> None:
    assert "Nobody here." in rows(("a", "b"), [], "Nobody here.").html("people")
    assert "colspan='2'" in rows(("a", "b"), [], "Nobody here.").html("people")


def test_a_table_has_heads_and_a_caption() -> None:
    table = rows(("name",), [("web",)]).html("Containers")
    assert "<strong>Containers</strong></caption>" in table
    assert "<th scope='col' " in table


def test_with_changes_adds_only_what_is_new() -> None:
    changes = with_changes([], {"web": "created", "spare": "created"}, 0.0)
    assert changes == [("web", "created", 0.0), ("spare", "created", 0.0)]
    assert with_changes(changes, {"web": "created", "spare": "created"}, 1.0) == changes
    changes = with_changes(changes, {"web": "running", "spare": "created"}, 2.0)
    assert changes[-1] == ("web", "running", 2.0)
    assert with_changes(changes, {"web": "created", "spare": "created"}, 3.0)[-1] == ("web", "created", 3.0)


def test_progress_as_text() -> None:
    bar = Progress("export of web")
    assert bar.words() == "export of web: waiting"
    bar(3 * 1024 * 1024)
    assert bar.words() == "export of web: 3.0 MiB"
    bar(3 * 1024 * 1024, 4 * 1024 * 1024)
    assert bar.words() == "export of web: 3.0 of about 4.0 MiB"
    assert bar.share() == 0.75
    bar.finish()
    assert bar.words() == "export of web: done, 3.0 MiB"
    assert bar.share() == 1.0 == bar.bar.value


def test_progress_without_a_total_grows_and_stays_below_one() -> None:
    bar = Progress()
    shares = []
    for bytes_done in range(0, 100_000_000, 10_000_000):
        bar(bytes_done)
        shares.append(bar.share())
    assert shares == sorted(shares)
    assert shares[-1] < 1


def test_progress_redraws_four_times_a_second_at_most() -> None:
    bar = Progress()
    texts: list[str] = []
    bar.text.observe(lambda change: texts.append(change["new"]), names="value")
    for bytes_done in range(1, 1000):
        bar(bytes_done * 1024 * 1024)
    assert len(texts) <= 2


def test_progress_displays_a_constant_text() -> None:
    bar = Progress(HOSTILE)
    before = bar._repr_mimebundle_()
    bar(5_000_000)
    after = bar._repr_mimebundle_()
    assert before["text/plain"] == after["text/plain"] == f"<{HOSTILE}: a progress bar>"
    assert before["text/html"] == after["text/html"]
    assert "<script>" not in before["text/html"]
