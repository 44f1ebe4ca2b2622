"""Analyses of what real engines said of the small shop, and of what nobody expects."""

from __future__ import annotations

import doctest
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recordings import ENGINES, histories, recorded_documents

from dockerlab.analyze import differences, disk, history, logs, ports, security, timeline, usage
from dockerlab.errors import ArgumentError
from dockerlab.tables.events import event_table
from dockerlab.tables.inspection import container_inspections, image_inspections
from dockerlab.tables.log import log_table
from dockerlab.tables.stats import STATS, stats_table

SECOND = 1_000_000_000


@pytest.mark.parametrize("module", [logs, history])
def test_examples_in_docstrings(module: Any) -> None:
    done = doctest.testmod(module)
    assert done.attempted > 0
    assert done.failed == 0


# -- timeline


@pytest.mark.parametrize("engine", ENGINES)
def test_a_container_that_is_restarted_has_a_row_a_run(engine: str) -> None:
    made = timeline.lives(event_table(recorded_documents(engine, "events")))
    flaky = made[made["name"] == "shop-flaky"]
    assert flaky["run"].tolist() == list(range(1, len(flaky) + 1))
    ended = flaky[flaky["died"].notna()]
    assert len(ended) >= 2
    assert set(ended["exit_code"]) == {1}
    assert ended["duration_seconds"].between(0.9, 5).all()


@pytest.mark.parametrize("engine", ENGINES)
def test_lives_of_those_that_run_on_end_by_a_signal_or_never_began(engine: str) -> None:
    made = timeline.lives(event_table(recorded_documents(engine, "events"))).set_index("name")
    assert pd.isna(made.loc["shop-web-1", "died"])
    assert made.loc["shop-web-2", "exit_code"] == 137
    assert made.loc["shop-admin", "run"] == 0
    assert pd.isna(made.loc["shop-admin", "started"])
    assert made["created"].notna().all()


def test_docker_tells_the_signal() -> None:
    made = timeline.lives(event_table(recorded_documents("docker-28.5", "events"))).set_index("name")
    assert made.loc["shop-web-2", "signal"] == "9"


def test_events_that_begin_late_give_runs_without_a_start() -> None:
    events = event_table(recorded_documents("docker-28.5", "events"))
    late = events[events["action"] != "start"]
    made = timeline.lives(late).set_index("name")
    assert pd.isna(made.loc["shop-web-2", "started"])
    assert pd.isna(made.loc["shop-web-2", "duration_seconds"])
    assert made.loc["shop-web-2", "run"] == 1


def test_no_events_are_no_lives_and_the_dtypes_hold() -> None:
    empty = timeline.lives(event_table([]))
    assert len(empty) == 0
    assert (
        empty.dtypes.to_dict()
        == timeline.lives(event_table(recorded_documents("docker-28.5", "events"))).dtypes.to_dict()
    )


# -- usage


def grown(**steps: list[int]) -> pd.DataFrame:
    """Take a real sample several times, a second apart, with counters as told."""
    document = recorded_documents("docker-28.5", "stats")[2]
    made = pd.concat([stats_table([document])] * len(next(iter(steps.values()))), ignore_index=True)
    made["read"] = made["read"] + pd.to_timedelta(range(len(made)), unit="s")
    for name, values in steps.items():
        made[name] = pd.array(values, dtype="Int64")
    return made


def test_rates_are_growth_by_time() -> None:
    made = usage.rates(grown(cpu_usage_ns=[0, SECOND, SECOND * 5 // 2], network_rx_bytes=[10, 10, 3010]))
    assert made["cpu_percent"].tolist()[1:] == [100.0, 150.0]
    assert made["network_rx_bytes_per_second"].tolist()[1:] == [0.0, 3000.0]
    assert made.loc[0, ["seconds", "cpu_percent", "network_rx_bytes_per_second"]].isna().all()


def test_a_counter_that_begins_anew_has_no_rate_there() -> None:
    made = usage.rates(grown(cpu_usage_ns=[9 * SECOND, SECOND // 10, SECOND], network_rx_bytes=[100, 5000, 6000]))
    assert made["cpu_percent"].isna().tolist() == [True, True, False]
    assert made["network_rx_bytes_per_second"].isna().tolist() == [True, True, False], "it grew, but since a restart"


@given(st.lists(st.lists(st.none() | st.integers(0, 1 << 62), min_size=3, max_size=3), min_size=1, max_size=8))
def test_rates_are_never_negative(values: list[list[int | None]]) -> None:
    names = ("cpu_usage_ns", "network_rx_bytes", "block_read_bytes")
    made = usage.rates(grown(**{name: [row[place] for row in values] for place, name in enumerate(names)}))
    for name in made.columns[5:]:
        assert not (made[name] < 0).any(), name
    assert made.dtypes.to_dict() == usage.rates(stats_table([])).dtypes.to_dict()
    assert usage.summary(made).dtypes.to_dict() == usage.summary(usage.rates(stats_table([]))).dtypes.to_dict()


@pytest.mark.parametrize("engine", ENGINES)
def test_rates_of_real_samples(engine: str) -> None:
    made = usage.rates(stats_table(recorded_documents(engine, "stats")))
    assert set(made["name"]) == {"shop-web-1", "shop-web-2"}
    assert not (made["cpu_percent"] > 100).any()
    assert len(usage.summary(made)) == 2


def test_the_same_sample_twice_is_one() -> None:
    document = recorded_documents("docker-28.5", "stats")[2]
    assert len(usage.rates(stats_table([document, document]))) == 1


# -- disk and history


@pytest.mark.parametrize("engine", ENGINES)
def test_bytes_of_images_that_share_layers(engine: str) -> None:
    images = image_inspections(recorded_documents(engine, "images"))
    layered = disk.by_layer(images, histories(engine))
    assert layered["size_bytes"].notna().all()
    assert len(layered) in (7, 8), "a builder may copy the page twice"
    made = disk.by_image(images, histories(engine))
    named = made.set_index(made["name"].str.removeprefix("docker.io/"))
    assert named.loc["shop/base:1", "unique_bytes"] == 0
    assert 8 * 65536 <= named.loc["shop/web:1.1", "unique_bytes"] < 9 * 65536
    whole = (made["shared_bytes"] + made["unique_bytes"]) - made["size_bytes"]
    assert (whole.abs() < made["size_bytes"] * 0.01).all(), "all of an image is either shared or its own"


def test_a_history_that_does_not_fit_gives_no_sizes_rather_than_wrong_ones() -> None:
    images = image_inspections(recorded_documents("docker-28.5", "images"))
    assert disk.by_layer(images, {})["size_bytes"].isna().all()
    assert disk.by_image(images, {})["unique_bytes"].isna().all()


@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=30))
def test_boxes_of_a_treemap_fill_it_and_have_their_share(sizes: list[int]) -> None:
    sizes.sort(reverse=True)
    boxes = disk.squarified(sizes)
    assert len(boxes) == len(sizes)
    for size, (x, y, width, height) in zip(sizes, boxes, strict=True):
        assert width * height == pytest.approx(size / sum(sizes) * 10_000, rel=1e-3)
        assert -1e-6 <= x <= x + width <= 100.01
        assert -1e-6 <= y <= y + height <= 100.01


@pytest.mark.parametrize("engine", ENGINES)
def test_steps_of_an_image(engine: str) -> None:
    told = recorded_documents(engine, "history")[2]
    made = history.steps(told["history"])
    assert [text.split()[0] for text in made["instruction"]] == [
        "ADD", "CMD", "LABEL", "ENV", "RUN", "LABEL", "ENV", "COPY", "RUN", "WORKDIR", "EXPOSE", "CMD", "LABEL",
    ]  # fmt: skip
    assert made["cumulative_bytes"].is_monotonic_increasing
    assert made["cumulative_bytes"].iloc[-1] == made["size_bytes"].sum()
    assert made["share_percent"].sum() == pytest.approx(100)
    assert history.steps([]).dtypes.to_dict() == made.dtypes.to_dict()


# -- logs

LINES = st.text(max_size=200) | st.sampled_from([
    '{"level": 30, "msg": "a"}', '{"level": NaN}', '{"a": ' * 2000, "level=info a=b", 'a="\\', "[ERROR] x", "\x00",
    "{}", '{"n": 1' + "0" * 400 + "}", '{"time": 1, "stream": 2, "message": 3}', "a=1 b=" + "9" * 40, '{"a": 1e999}',
    '{"": 1}',
])  # fmt: skip


@given(st.lists(LINES, max_size=8))
def test_no_line_makes_anything_fail(texts: list[str]) -> None:
    lines = [("2026-11-25T01:00:00Z", "stdout", text.replace("\n", " ").encode("utf-8", "replace")) for text in texts]
    log = log_table(lines, timestamps=True)
    made = logs.levels(log)
    assert set(made["level"].dropna()) <= set(logs.LEVELS)
    assert str(made["level"].dtype) == "string"
    told = logs.fields(log)
    assert len(told) == len(log)
    assert list(told.columns[:3]) == ["time", "stream", "message"]
    assert told["message"].tolist() == log["message"].tolist()
    assert logs.rates(log)["lines"].sum() == len(log)
    assert logs.patterns(log)["lines"].sum() == len(log)


@pytest.mark.parametrize(
    ("line", "known"),
    [
        ('{"level":"ERROR","msg":"x"}', "error"), ('{"severity":"notice"}', "info"), ('{"level":50}', "error"),
        ('level=warn msg="a b"', "warning"), ("2026-01-05 10:00:00 DEBUG pool", "debug"), ("[warn] low", "warning"),
        ("panic: no database", "fatal"), ("FATAL: out of patience", "fatal"), ("<err> x", "error"),
        ("GET /info HTTP/1.1", None), ("an error occurred", None), ("", None), ('{"msg":"INFO"}', "info"),
    ],
)  # fmt: skip
def test_levels(line: str, known: str | None) -> None:
    assert logs.level(line) == known


def log_of(*texts: str) -> pd.DataFrame:
    lines = [(f"2026-11-25T01:00:{number:02d}Z", "stdout", text.encode()) for number, text in enumerate(texts)]
    return log_table(lines, timestamps=True)


def test_fields_have_the_dtypes_of_their_values() -> None:
    made = logs.fields(log_of('{"n": 1, "x": 1.5, "ok": true, "in": {"a": 1}}', "n=2 x=3 ok=false time=late", "plain"))
    assert made["n"].tolist() == [1, 2, pd.NA]
    assert [str(made[name].dtype) for name in ("n", "x", "ok", "in")] == ["Int64", "Float64", "boolean", "string"]
    assert made.loc[0, "in"] == '{"a": 1}'
    assert made.loc[1, "time_field"] == "late"


def test_a_program_does_not_decide_how_many_columns_there_are() -> None:
    made = logs.fields(log_of(*[f'{{"k{number}": 1, "same": 2}}' for number in range(60)]), most=5)
    assert len(made.columns) == 3 + 5
    assert "same" in made.columns


def test_rates_count_empty_intervals_too() -> None:
    log = log_of(*["x"] * 30)
    log = log[(log.index < 10) | (log.index >= 20)]
    made = logs.rates(log, "10s")
    assert made["lines"].tolist() == [10, 0, 10]
    assert made["per_second"].tolist() == [1.0, 0.0, 1.0]
    assert logs.rates(log, "10s", by="stream").columns.tolist() == ["time", "stream", "lines", "per_second"]


def test_rates_say_what_they_need() -> None:
    log = log_of("x", "y")
    for wrong in ("soon", "-1s", ""):
        with pytest.raises(ArgumentError, match="Write one like 10s"):
            logs.rates(log, wrong)
    with pytest.raises(ArgumentError, match="timestamps=True"):
        logs.rates(log.drop(columns="time"))
    with pytest.raises(ArgumentError, match="Choose one of time, stream, message"):
        logs.rates(log, by="level")
    log.loc[0, "time"] = pd.Timestamp("1970-01-01", tz="UTC")
    with pytest.raises(ArgumentError, match="Choose longer intervals"):
        logs.rates(log, "1ms")


def test_patterns_put_lines_together_that_differ_in_numbers() -> None:
    made = logs.patterns(log_of("order 1 took 0.5s", "order 22 took 13s", "id deadbeef01 gone"))
    assert made["pattern"].tolist() == ["order # took #s", "id # gone"]
    assert made["lines"].tolist() == [2, 1]
    assert made.loc[0, "example"] == "order 1 took 0.5s"


# -- ports, differences, security


def test_two_that_want_one_port_are_a_conflict() -> None:
    documents = recorded_documents("docker-28.5", "containers")
    other = documents[1]
    other["HostConfig"]["PortBindings"] = {"8080/tcp": [{"HostIp": "", "HostPort": "18480"}]}
    other["NetworkSettings"]["Ports"] = {}
    made = ports.conflicts(container_inspections(documents))
    assert made[["host_port", "name", "open", "other_name", "other_open"]].to_numpy().tolist() == [
        [18480, "shop-web-1", True, "shop-web-2", False]
    ]
    assert ports.published(container_inspections(documents))["everywhere"].tolist() == [False, True]
    assert ports.conflicts(container_inspections([])).dtypes.to_dict() == made.dtypes.to_dict()


def test_ports_on_two_addresses_are_none() -> None:
    documents = recorded_documents("docker-28.5", "containers")
    documents[1]["NetworkSettings"]["Ports"] = {"8080/tcp": [{"HostIp": "127.0.0.2", "HostPort": "18480"}]}
    assert len(ports.conflicts(container_inspections(documents))) == 0


@pytest.mark.parametrize("engine", ENGINES)
def test_differences_of_two_containers(engine: str) -> None:
    made = differences.between(
        container_inspections(recorded_documents(engine, "containers")), "shop-web-1", "shop-web-2"
    )
    found = {(row["setting"], row["key"]): row for row in made.fillna("").to_dict("records")}
    assert found["env", "MODE"]["before"] == "plain"
    assert found["env", "MODE"]["after"] == "fast"
    assert found["env", "DEBUG"]["change"] == "added"
    assert found["env", "SECRET_TOKEN"]["change"] == "removed"
    assert found["memory_limit_bytes", ""]["before"] == 64 << 20
    assert ("networks", "shop-net") not in found or engine.startswith("podman")


def test_nothing_differs_from_itself_and_a_wrong_name_is_told() -> None:
    images = image_inspections(recorded_documents("docker-28.5", "images"))
    assert len(differences.between(images, "shop/web:1.0", "shop/web:1.0")) == 0
    assert "env" in set(differences.between(images, "shop/web:1.0", "shop/web:1.1")["setting"])
    with pytest.raises(ArgumentError, match=r"Choose one of shop/base:1"):
        differences.between(images, "shop/web:1.0", "nobody")


@pytest.mark.parametrize("engine", ENGINES)
def test_findings_of_the_shop(engine: str) -> None:
    made = security.findings(container_inspections(recorded_documents(engine, "containers")))
    admin = set(made[made["name"] == "shop-admin"]["check"])
    assert {"privileged", "engine-socket", "host-mount", "host-processes", "host-network", "root-user"} <= admin
    assert set(made[made["name"] == "shop-web-1"]["check"]) <= {"secret-in-env"}
    assert made["severity"].tolist() == sorted(made["severity"], key=security.SEVERITIES.index)
    assert not made["evidence"].str.contains("not-a-real-one").any(), "a finding must not tell the secret"
    assert made["mend"].str.endswith(".").all()


@given(st.data())
def test_findings_of_documents_with_holes(data: st.DataObject) -> None:
    document = recorded_documents("docker-28.5", "containers")[data.draw(st.integers(0, 3))]
    for part in ("HostConfig", "Config", "NetworkSettings"):
        for key in data.draw(st.sets(st.sampled_from(sorted(document[part])))):
            document[part][key] = None
    document["Mounts"] = data.draw(st.sampled_from([None, [], [{}], [{"Source": None}], document["Mounts"]]))
    made = security.findings(container_inspections([document]))
    assert set(made["severity"]) <= set(security.SEVERITIES)
    assert made.dtypes.to_dict() == security.findings(container_inspections([])).dtypes.to_dict()


def test_options_that_take_protection_away() -> None:
    document = recorded_documents("docker-28.5", "containers")[0]
    document["HostConfig"] |= {
        "SecurityOpt": ["seccomp=unconfined", "no-new-privileges:true"],
        "CapAdd": ["CAP_SYS_PTRACE"],
    }
    document["HostConfig"]["Devices"] = [{"PathOnHost": "/dev/kvm"}]
    document["NetworkSettings"]["Ports"] = {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "80"}]}
    made = security.findings(container_inspections([document])).set_index("check")
    assert made.loc["seccomp-off", "severity"] == "high"
    assert made.loc["added-capabilities", ["severity", "evidence"]].tolist() == ["high", "SYS_PTRACE"]
    assert made.loc["devices", "evidence"] == "/dev/kvm"
    assert made.loc["open-port", "evidence"] == "port 80 on every address"
    assert "no-new-privileges" not in made.index


def test_columns_of_samples_are_those_that_rates_read() -> None:
    assert {*usage.COUNTERS, *usage.AS_THEY_ARE, "throttled_time_ns", "cpu_usage_ns"} <= {
        column.name for column in STATS
    }
