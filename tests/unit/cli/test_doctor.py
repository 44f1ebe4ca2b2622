"""doctor names the files that the practice engine skips, and says what to do with them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from dockerlab.cli import doctor


def test_no_skipped_records() -> None:
    check = doctor._records({"bad_records": []})
    assert (check.status, check.fix) == (doctor.OK, "")


def test_skipped_records() -> None:
    record = {"path": "/state/my images/a.json", "reason": "it is not JSON: nothing there"}
    check = doctor._records({"bad_records": [record]})
    assert check.status == doctor.NOTE
    assert check.observation == "the practice engine skips /state/my images/a.json: it is not JSON: nothing there"
    assert check.fix.endswith("mv '/state/my images/a.json' ~/ && dockerlab engine stop")
    assert check.facts == {"skipped": [record]}


def test_the_engine_reports_its_bad_records(tmp_path: Path) -> None:
    volume = tmp_path / "volumes" / "data"
    volume.mkdir(parents=True)
    (volume / "volume.json").write_text("{")
    command = [sys.executable, "-m", "dockerlab.engine", "report", "--state", str(tmp_path)]
    report = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    [bad_record] = json.loads(report)["bad_records"]
    assert bad_record["path"] == str(volume)
    assert bad_record["reason"].startswith("it is not JSON")
