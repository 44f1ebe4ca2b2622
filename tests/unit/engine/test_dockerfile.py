"""Dockerfiles: lines, substitution, .dockerignore, image names, and changes to a configuration."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockerlab.engine.build import dockerfile
from dockerlab.engine.build.dockerignore import IgnoreRules
from dockerlab.engine.build.substitution import expand
from dockerlab.engine.faults import BadParameter
from dockerlab.engine.images import references
from dockerlab.engine.images.instructions import apply_changes, name_value_pairs, unquote

VALUES = {"A": "1", "B": "two words", "EMPTY": ""}


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("$A", "1"),
        ("${A}b", "1b"),
        ("$Ab", ""),
        ("$NOPE", ""),
        ("${NOPE:-other}", "other"),
        ("${EMPTY:-other}", "other"),
        ("${EMPTY-other}", ""),
        ("${A:+there}", "there"),
        ("${NOPE:+there}", ""),
        ("${NOPE:-$B}", "two words"),
        ("'$A'", "$A"),
        ('"$A"', "1"),
        (r"\$A", "$A"),
        (r'"\$A \"quoted\""', '$A "quoted"'),
        ("$", "$"),
        ("a$", "a$"),
        ("plain", "plain"),
    ],
)
def test_substitution_in_a_word(text: str, expanded: str) -> None:
    assert expand(text, VALUES) == expanded


def test_values_can_t_become_too_long_for_any_memory() -> None:
    with pytest.raises(BadParameter, match="the values of variables have more than 1048576 characters"):
        expand("$a" * 20, {"a": "x" * 100_000})


def test_variables_can_t_be_nested_without_end() -> None:
    assert expand("${a:-" * 50 + "x" + "}" * 50, {}) == "x"
    with pytest.raises(BadParameter, match="the variables are nested too deeply"):
        expand("${a:-" * 10_000 + "}" * 10_000, {})


@pytest.mark.parametrize("text", ["${A", "'open", '"open', "${A:*x}", "${NOPE:?needed}", "${}"])
def test_invalid_words(text: str) -> None:
    with pytest.raises(BadParameter):
        expand(text, VALUES)


@given(st.text(alphabet="abc$\"'\\{}:-+? ", max_size=30))
def test_any_word_is_expanded_or_refused(text: str) -> None:
    try:
        assert isinstance(expand(text, VALUES), str)
    except BadParameter as fault:
        assert str(fault)


def test_lines_are_joined_without_comments() -> None:
    parsed = dockerfile.parse("FROM a\n# no\nRUN one \\\n# no\n\n  two\nCMD x\n")
    [stage] = parsed.stages
    assert [(step.keyword, step.body, step.line) for step in stage.steps] == [("RUN", "one   two", 3), ("CMD", "x", 7)]


def test_the_escape_character_can_be_changed() -> None:
    parsed = dockerfile.parse("# escape=`\nFROM a\nRUN one `\n two\\\n")
    assert parsed.escape == "`"
    assert parsed.stages[0].steps[0].body == "one  two\\"


def test_stages_by_name_and_number() -> None:
    parsed = dockerfile.parse("FROM a AS One\nFROM b\nFROM one\n")
    assert [stage.name for stage in parsed.stages] == ["one", "", ""]
    assert len(parsed.stages_until("ONE")) == 1
    assert len(parsed.stages_until("1")) == 2
    with pytest.raises(BadParameter, match='target stage "nope" could not be found'):
        parsed.stages_until("nope")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("A" * 500_000 + " x\n", "unknown instruction: AAAA"),
        ("FROM scratch\nRUN " + "--a " * 100_000, "unknown flag: --a"),
        ("#a=x" + " " * 300_000 + "y\n", "cannot be empty"),
    ],
)
def test_a_refused_dockerfile_of_half_a_megabyte_takes_no_time(text: str, message: str) -> None:
    with pytest.raises(BadParameter, match=message):
        dockerfile.parse(text)


def test_a_value_of_half_a_megabyte_takes_no_time() -> None:
    [stage] = dockerfile.parse("FROM scratch\nENV a=" + r"\b" * 250_000).stages
    assert name_value_pairs(stage.steps[0]) == {"a": "b" * 250_000}


def test_a_deep_json_array_is_no_command() -> None:
    [stage] = dockerfile.parse("FROM scratch\nCMD " + "[" * 100_000).stages
    assert stage.steps[0].json_words is None


@given(st.text(alphabet="'\"\\ ab\n", max_size=12))
def test_quotes_are_removed_as_a_shell_does(word: str) -> None:
    try:
        expected = "".join(shlex.split(word)) if any(character in word for character in "'\"\\") else word
    except ValueError:
        with pytest.raises(BadParameter):
            unquote(word)
    else:
        assert unquote(word) == expected


@given(st.text(max_size=200))
def test_any_text_is_a_dockerfile_or_refused(text: str) -> None:
    try:
        assert dockerfile.parse(text).stages
    except BadParameter as fault:
        assert str(fault)


@pytest.mark.parametrize(
    ("patterns", "path", "is_ignored"),
    [
        ("*.log", "a.log", True),
        ("*.log", "d/a.log", False),
        ("**/*.log", "d/e/a.log", True),
        ("**/*.log", "a.log", True),
        ("d", "d/e/f", True),
        ("d/", "d/e", True),
        ("/d", "d", True),
        ("*\n!keep", "keep", False),
        ("*\n!keep", "other", True),
        ("!keep\n*", "keep", True),
        ("a?c", "abc", True),
        ("a?c", "a/c", False),
        ("[ab].txt", "b.txt", True),
        ("# comment", "# comment", False),
        ("d/**/x", "d/x", True),
        ("d/**", "d/e", True),
    ],
)
def test_ignored_files(patterns: str, path: str, is_ignored: bool) -> None:
    assert IgnoreRules(patterns).excludes(path) is is_ignored


@pytest.mark.parametrize(
    ("text", "short_form"),
    [
        ("busybox", "busybox:latest"),
        ("docker.io/library/busybox:1", "busybox:1"),
        ("index.docker.io/me/x", "me/x:latest"),
        ("localhost:5000/x", "localhost:5000/x:latest"),
        ("registry.example/a/b:c", "registry.example/a/b:c"),
        (f"x@sha256:{'0' * 64}", f"x@sha256:{'0' * 64}"),
    ],
)
def test_image_names_in_their_short_form(text: str, short_form: str) -> None:
    assert str(references.parse(text).with_default_tag()) == short_form


@pytest.mark.parametrize("text", ["", "UPPER", "a//b", "a:", ":b", "a b", "a@sha256:12", "0" * 64, "-a", "a" * 300])
def test_invalid_image_names(text: str) -> None:
    with pytest.raises(BadParameter):
        references.parse(text)


def test_changes_to_a_configuration() -> None:
    before = {"Env": ["A=1"], "Cmd": ["x"], "WorkingDir": "/a"}
    lines = ["ENV A=2 B='b c'", "WORKDIR ../d", "EXPOSE 80 90-91/udp", "HEALTHCHECK --interval=1m30s CMD true"]
    after = apply_changes(before, [*lines, 'ENTRYPOINT ["e"]', "STOPSIGNAL SIGUSR1"])
    assert after["Env"] == ["A=2", "B=b c"]
    assert after["WorkingDir"] == "/d"
    assert sorted(after["ExposedPorts"]) == ["80/tcp", "90/udp", "91/udp"]
    assert after["Healthcheck"] == {"Test": ["CMD-SHELL", "true"], "Interval": 90 * 10**9}
    assert (after["Entrypoint"], after["Cmd"]) == (["e"], None)
    assert before == {"Env": ["A=1"], "Cmd": ["x"], "WorkingDir": "/a"}


@pytest.mark.parametrize("line", ["RUN x", "EXPOSE x", "STOPSIGNAL NOPE", "ENV", "HEALTHCHECK NOPE", "ONBUILD FROM x"])
def test_invalid_changes(line: str) -> None:
    with pytest.raises(BadParameter):
        apply_changes({}, [line])
