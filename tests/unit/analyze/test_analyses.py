"""Analyses of recorded responses about the small shop, and of unexpected data."""

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
    results = doctest.testmod(module)
    assert results.attempted > 0
    assert results.failed == 0


# -- timeline


@pytest.mark.parametrize("engine", ENGINES)
def test_a_restarted_container_has_one_row_per_run(engine: str) -> None:
    lives = timeline.lives(event_table(recorded_documents(engine, "events")))
    flaky = lives[lives["name"] == "shop-flaky"]
    assert flaky["run"].tolist() == list(range(1, len(flaky) + 1))
    ended = flaky[flaky["died"].notna()]
    assert len(ended) >= 2
    assert set(ended["exit_code"]) == {1}
    assert ended["duration_seconds"].between(0.9, 5).all()


@pytest.mark.parametrize("engine", ENGINES)
def test_lives_of_running_killed_and_never_started_containers(engine: str) -> None:
    lives = timeline.lives(event_table(recorded_documents(engine, "events"))).set_index("name")
    assert pd.isna(lives.loc["shop-web-1", "died"])
    assert lives.loc["shop-web-2", "exit_code"] == 137
    assert lives.loc["shop-admin", "run"] == 0
    assert pd.isna(lives.loc["shop-admin", "started"])
    assert lives["created"].notna().all()


def test_docker_reports_the_signal() -> None:
    lives = timeline.lives(event_table(recorded_documents("docker-28.5", "events"))).set_index("name")
    assert lives.loc["shop-web-2", "signal"] == "9"


def test_events_recorded_from_the_middle_give_runs_without_a_start() -> None:
    events = event_table(recorded_documents("docker-28.5", "events"))
    late = events[events["action"] != "start"]
    lives = timeline.lives(late).set_index("name")
    assert pd.isna(lives.loc["shop-web-2", "started"])
    assert pd.isna(lives.loc["shop-web-2", "duration_seconds"])
    assert lives.loc["shop-web-2", "run"] == 1


def test_no_events_give_an_empty_table_with_the_same_dtypes() -> None:
    empty = timeline.lives(event_table([]))
    assert len(empty) == 0
    assert (
        empty.dtypes.to_dict()
        == timeline.lives(event_table(recorded_documents("docker-28.5", "events"))).dtypes.to_dict()
    )


# -- usage


def samples(**counters: list[int]) -> pd.DataFrame:
    """Return a recorded sample several times, one second apart, with other values of some counters."""
    document = recorded_documents("docker-28.5", "stats")[2]
    table = pd.concat([stats_table([document])] * len(next(iter(counters.values()))), ignore_index=True)
    table["read"] = table["read"] + pd.to_timedelta(range(len(table)), unit="s")
    for name, values in counters.items():
        table[name] = pd.array(values, dtype="Int64")
    return table


def test_rates_are_growth_per_second() -> None:
    rates = usage.rates(samples(cpu_usage_ns=[0, SECOND, SECOND * 5 // 2], network_rx_bytes=[10, 10, 3010]))
    assert rates["cpu_percent"].tolist()[1:] == [100.0, 150.0]
    assert rates["network_rx_bytes_per_second"].tolist()[1:] == [0.0, 3000.0]
    assert rates.loc[0, ["seconds", "cpu_percent", "network_rx_bytes_per_second"]].isna().all()


def test_a_counter_that_restarts_has_no_rate_there() -> None:
    rates = usage.rates(samples(cpu_usage_ns=[9 * SECOND, SECOND // 10, SECOND], network_rx_bytes=[100, 5000, 6000]))
    assert rates["cpu_percent"].isna().tolist() == [True, True, False]
    assert rates["network_rx_bytes_per_second"].isna().tolist() == [True, True, False], "the container was restarted"


@given(st.lists(st.lists(st.none() | st.integers(0, 1 << 62), min_size=3, max_size=3), min_size=1, max_size=8))
def test_rates_are_never_negative(values: list[list[int | None]]) -> None:
    names = ("cpu_usage_ns", "network_rx_bytes", "block_read_bytes")
    rates = usage.rates(samples(**{name: [row[index] for row in values] for index, name in enumerate(names)}))
    for name in rates.columns[5:]:
        assert not (rates[name] < 0).any(), name
    assert rates.dtypes.to_dict() == usage.rates(stats_table([])).dtypes.to_dict()
    assert usage.summary(rates).dtypes.to_dict() == usage.summary(usage.rates(stats_table([]))).dtypes.to_dict()


@pytest.mark.parametrize("engine", ENGINES)
def test_rates_of_real_samples(engine: str) -> None:
    rates = usage.rates(stats_table(recorded_documents(engine, "stats")))
    assert set(rates["name"]) == {"shop-web-1", "shop-web-2"}
    assert not (rates["cpu_percent"] > 100).any()
    assert len(usage.summary(rates)) == 2


def test_duplicate_samples_count_once() -> None:
    document = recorded_documents("docker-28.5", "stats")[2]
    assert len(usage.rates(stats_table([document, document]))) == 1


# -- disk and history


@pytest.mark.parametrize("engine", ENGINES)
def test_sizes_of_images_that_share_layers(engine: str) -> None:
    images = image_inspections(recorded_documents(engine, "images"))
    layers = disk.by_layer(images, histories(engine))
    assert layers["size_bytes"].notna().all()
    assert len(layers) in (7, 8), "a builder may copy the page twice"
    sizes = disk.by_image(images, histories(engine))
    named = sizes.set_index(sizes["name"].str.removeprefix("docker.io/"))
    assert named.loc["shop/base:1", "unique_bytes"] == 0
    assert 8 * 65536 <= named.loc["shop/web:1.1", "unique_bytes"] < 9 * 65536
    difference = (sizes["shared_bytes"] + sizes["unique_bytes"]) - sizes["size_bytes"]
    assert (difference.abs() < sizes["size_bytes"] * 0.01).all(), "each byte of an image is either shared or unique"


def test_a_history_of_another_image_gives_missing_sizes_not_wrong_ones() -> None:
    images = image_inspections(recorded_documents("docker-28.5", "images"))
    assert disk.by_layer(images, {})["size_bytes"].isna().all()
    assert disk.by_image(images, {})["unique_bytes"].isna().all()


@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=30))
def test_boxes_fill_the_treemap_in_proportion_to_their_sizes(sizes: list[int]) -> None:
    sizes.sort(reverse=True)
    boxes = disk.squarified(sizes)
    assert len(boxes) == len(sizes)
    for size, (x, y, width, height) in zip(sizes, boxes, strict=True):
        assert width * height == pytest.approx(size / sum(sizes) * 10_000, rel=1e-3)
        assert -1e-6 <= x <= x + width <= 100.01
        assert -1e-6 <= y <= y + height <= 100.01


@pytest.mark.parametrize("engine", ENGINES)
def test_steps_of_an_image(engine: str) -> None:
    record = recorded_documents(engine, "history")[2]
    steps = history.steps(record["history"])
    assert [text.split()[0] for text in steps["instruction"]] == [
        "ADD", "CMD", "LABEL", "ENV", "RUN", "LABEL", "ENV", "COPY", "RUN", "WORKDIR", "EXPOSE", "CMD", "LABEL",
    ]  # fmt: skip
    assert steps["cumulative_bytes"].is_monotonic_increasing
    assert steps["cumulative_bytes"].iloc[-1] == steps["size_bytes"].sum()
    assert steps["share_percent"].sum() == pytest.approx(100)
    assert history.steps([]).dtypes.to_dict() == steps.dtypes.to_dict()


# -- logs

LINES = st.text(max_size=200) | st.sampled_from([
    '{"level": 30, "msg": "a"}', '{"level": NaN}', '{"a": ' * 2000, "level=info a=b", 'a="\\', "[ERROR] x", "\x00",
    "{}", '{"n": 1' + "0" * 400 + "}", '{"time": 1, "stream": 2, "message": 3}', "a=1 b=" + "9" * 40, '{"a": 1e999}',
    '{"": 1}',
])  # fmt: skip


@given(st.lists(LINES, max_size=8))
def test_any_log_line_can_be_analysed(texts: list[str]) -> None:
    lines = [("2026-11-25T01:00:00Z", "stdout", text.replace("\n", " ").encode("utf-8", "replace")) for text in texts]
    log = log_table(lines, timestamps=True)
    levels = logs.levels(log)
    assert set(levels["level"].dropna()) <= set(logs.LEVELS)
    assert str(levels["level"].dtype) == "string"
    fields = logs.fields(log)
    assert len(fields) == len(log)
    assert list(fields.columns[:3]) == ["time", "stream", "message"]
    assert fields["message"].tolist() == log["message"].tolist()
    assert logs.rates(log)["lines"].sum() == len(log)
    assert logs.patterns(log)["lines"].sum() == len(log)


@pytest.mark.parametrize(
    ("line", "level"),
    [
        ('{"level":"ERROR","msg":"x"}', "error"), ('{"severity":"notice"}', "info"), ('{"level":50}', "error"),
        ('level=warn msg="a b"', "warning"), ("2026-01-05 10:00:00 DEBUG pool", "debug"), ("[warn] low", "warning"),
        ("panic: no database", "fatal"), ("FATAL: out of patience", "fatal"), ("<err> x", "error"),
        ("GET /info HTTP/1.1", None), ("an error occurred", None), ("", None), ('{"msg":"INFO"}', "info"),
    ],
)  # fmt: skip
def test_levels(line: str, level: str | None) -> None:
    assert logs.level(line) == level


def log_of(*texts: str) -> pd.DataFrame:
    lines = [(f"2026-11-25T01:00:{number:02d}Z", "stdout", text.encode()) for number, text in enumerate(texts)]
    return log_table(lines, timestamps=True)


def test_each_field_has_the_dtype_of_its_values() -> None:
    fields = logs.fields(
        log_of('{"n": 1, "x": 1.5, "ok": true, "in": {"a": 1}}', "n=2 x=3 ok=false time=late", "plain")
    )
    assert fields["n"].tolist() == [1, 2, pd.NA]
    assert [str(fields[name].dtype) for name in ("n", "x", "ok", "in")] == ["Int64", "Float64", "boolean", "string"]
    assert fields.loc[0, "in"] == '{"a": 1}'
    assert fields.loc[1, "time_field"] == "late"


def test_the_number_of_field_columns_is_limited() -> None:
    fields = logs.fields(log_of(*[f'{{"k{number}": 1, "same": 2}}' for number in range(60)]), most=5)
    assert len(fields.columns) == 3 + 5
    assert "same" in fields.columns


def test_rates_include_empty_intervals() -> None:
    log = log_of(*["x"] * 30)
    log = log[(log.index < 10) | (log.index >= 20)]
    rates = logs.rates(log, "10s")
    assert rates["lines"].tolist() == [10, 0, 10]
    assert rates["per_second"].tolist() == [1.0, 0.0, 1.0]
    assert logs.rates(log, "10s", by="stream").columns.tolist() == ["time", "stream", "lines", "per_second"]


def test_wrong_arguments_of_rates_are_explained() -> None:
    log = log_of("x", "y")
    for interval in ("soon", "-1s", ""):
        with pytest.raises(ArgumentError, match="Use for example 10s"):
            logs.rates(log, interval)
    with pytest.raises(ArgumentError, match="timestamps=True"):
        logs.rates(log.drop(columns="time"))
    with pytest.raises(ArgumentError, match="Choose one of time, stream, message"):
        logs.rates(log, by="level")
    log.loc[0, "time"] = pd.Timestamp("1970-01-01", tz="UTC")
    with pytest.raises(ArgumentError, match="Choose longer intervals"):
        logs.rates(log, "1ms")


def test_lines_that_differ_only_in_numbers_have_one_pattern() -> None:
    patterns = logs.patterns(log_of("order 1 took 0.5s", "order 22 took 13s", "id deadbeef01 gone"))
    assert patterns["pattern"].tolist() == ["order # took #s", "id # gone"]
    assert patterns["lines"].tolist() == [2, 1]
    assert patterns.loc[0, "example"] == "order 1 took 0.5s"


# -- ports, differences, security


def test_two_containers_with_the_same_host_port_are_a_conflict() -> None:
    documents = recorded_documents("docker-28.5", "containers")
    other = documents[1]
    other["HostConfig"]["PortBindings"] = {"8080/tcp": [{"HostIp": "", "HostPort": "18480"}]}
    other["NetworkSettings"]["Ports"] = {}
    conflicts = ports.conflicts(container_inspections(documents))
    assert conflicts[["host_port", "name", "open", "other_name", "other_open"]].to_numpy().tolist() == [
        [18480, "shop-web-1", True, "shop-web-2", False]
    ]
    assert ports.published(container_inspections(documents))["everywhere"].tolist() == [False, True]
    assert ports.conflicts(container_inspections([])).dtypes.to_dict() == conflicts.dtypes.to_dict()


def test_the_same_port_on_two_addresses_is_no_conflict() -> None:
    documents = recorded_documents("docker-28.5", "containers")
    documents[1]["NetworkSettings"]["Ports"] = {"8080/tcp": [{"HostIp": "127.0.0.2", "HostPort": "18480"}]}
    assert len(ports.conflicts(container_inspections(documents))) == 0


@pytest.mark.parametrize("engine", ENGINES)
def test_differences_of_two_containers(engine: str) -> None:
    table = differences.between(
        container_inspections(recorded_documents(engine, "containers")), "shop-web-1", "shop-web-2"
    )
    changes = {(row["setting"], row["key"]): row for row in table.fillna("").to_dict("records")}
    assert changes["env", "MODE"]["before"] == "plain"
    assert changes["env", "MODE"]["after"] == "fast"
    assert changes["env", "DEBUG"]["change"] == "added"
    assert changes["env", "SECRET_TOKEN"]["change"] == "removed"
    assert changes["memory_limit_bytes", ""]["before"] == 64 << 20
    assert ("networks", "shop-net") not in changes or engine.startswith("podman")


def test_an_image_does_not_differ_from_itself_and_a_wrong_name_is_an_error() -> None:
    images = image_inspections(recorded_documents("docker-28.5", "images"))
    assert len(differences.between(images, "shop/web:1.0", "shop/web:1.0")) == 0
    assert "env" in set(differences.between(images, "shop/web:1.0", "shop/web:1.1")["setting"])
    with pytest.raises(ArgumentError, match=r"Choose one of shop/base:1"):
        differences.between(images, "shop/web:1.0", "nobody")


@pytest.mark.parametrize("engine", ENGINES)
def test_findings_of_the_shop(engine: str) -> None:
    findings = security.findings(container_inspections(recorded_documents(engine, "containers")))
    admin = set(findings[findings["name"] == "shop-admin"]["check"])
    assert {"privileged", "engine-socket", "host-mount", "host-processes", "host-network", "root-user"} <= admin
    assert set(findings[findings["name"] == "shop-web-1"]["check"]) <= {"secret-in-env"}
    assert findings["severity"].tolist() == sorted(findings["severity"], key=security.SEVERITIES.index)
    assert not findings["evidence"].str.contains("not-a-real-one").any(), "a finding must not show the secret"
    assert findings["mend"].str.endswith(".").all()


@given(st.data())
def test_findings_of_documents_with_missing_fields(data: st.DataObject) -> None:
    document = recorded_documents("docker-28.5", "containers")[data.draw(st.integers(0, 3))]
    for part in ("HostConfig", "Config", "NetworkSettings"):
        for key in data.draw(st.sets(st.sampled_from(sorted(document[part])))):
            document[part][key] = None
    document["Mounts"] = data.draw(st.sampled_from([None, [], [{}], [{"Source": None}], document["Mounts"]]))
    findings = security.findings(container_inspections([document]))
    assert set(findings["severity"]) <= set(security.SEVERITIES)
    assert findings.dtypes.to_dict() == security.findings(container_inspections([])).dtypes.to_dict()


def test_options_that_weaken_isolation_are_found() -> None:
    document = recorded_documents("docker-28.5", "containers")[0]
    document["HostConfig"] |= {
        "SecurityOpt": ["seccomp=unconfined", "no-new-privileges:true"],
        "CapAdd": ["CAP_SYS_PTRACE"],
    }
    document["HostConfig"]["Devices"] = [{"PathOnHost": "/dev/kvm"}]
    document["NetworkSettings"]["Ports"] = {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "80"}]}
    findings = security.findings(container_inspections([document])).set_index("check")
    assert findings.loc["seccomp-off", "severity"] == "high"
    assert findings.loc["added-capabilities", ["severity", "evidence"]].tolist() == ["high", "SYS_PTRACE"]
    assert findings.loc["devices", "evidence"] == "/dev/kvm"
    assert findings.loc["open-port", "evidence"] == "port 80 on every address"
    assert "no-new-privileges" not in findings.index


def test_the_columns_that_rates_read_exist() -> None:
    assert {*usage.COUNTERS, *usage.GAUGES, "throttled_time_ns", "cpu_usage_ns"} <= {column.name for column in STATS}
