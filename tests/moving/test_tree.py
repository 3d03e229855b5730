"""YAML of any kind becomes a tree within bounds, or an error that repeats nothing of it."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camgate.config.errors import ConfigError
from camgate.moving.tree import MAX_DEPTH, MAX_FILE_BYTES, MAX_NODES, Node, parse_tree, read_tree

FILE = Path("other.yml")


def plain(node: Node) -> object:
    match node.value:
        case dict():
            return {key: plain(value) for key, value in node.value.items()}
        case list():
            return [plain(each) for each in node.value]
        case _:
            return node.value


def test_scalars_stay_as_they_are_written_and_know_their_lines() -> None:
    top = parse_tree("# a comment\na: 010\nb:\n  - yes\n  - 1:20\n  - ~\n'c': \"2024-01-01\"\n", FILE)
    assert plain(top) == {"a": "010", "b": ["yes", "1:20", None], "c": "2024-01-01"}
    assert [node.line for node in top.entries.values()] == [2, 3, 7]
    assert [node.line for node in top.entries["b"].elements] == [4, 5, 6]


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("a: [turn:h:1?transport=udp, ::1, 'b']\n", {"a": ["turn:h:1?transport=udp", "::1", "b"]}),
        ("{a: {b: rtsp://h/?c=1&d=2, e: ?f}}\n", {"a": {"b": "rtsp://h/?c=1&d=2", "e": "?f"}}),
        ('{"a":1,"b":["c",{"d":null}],"e":{"f":"g"}}', {"a": "1", "b": ["c", {"d": None}], "e": {"f": "g"}}),
        ("a: {b: , c:, 'd': [e:f, g]}\n", {"a": {"b": None, "c": None, "d": ["e:f", "g"]}}),
    ],
)
def test_question_marks_and_colons_between_brackets(text: str, tree: object) -> None:
    assert plain(parse_tree(text, FILE)) == tree


def test_what_json_writes_in_two_halves_is_one_character() -> None:
    assert plain(parse_tree(r'{"\ud83d\udc15": "\ud83d\udc15", "half": "\ud83d"}', FILE)) == {
        "🐕": "🐕",
        "half": "\ufffd",
    }


def test_aliases_and_merged_keys() -> None:
    top = parse_tree("x: &x {a: 1, b: 2}\ny:\n  <<: *x\n  b: 3\nz:\n  <<: [{a: 4}, *x]\nw: *x\n", FILE)
    assert plain(top) == {
        "x": {"a": "1", "b": "2"},
        "y": {"a": "1", "b": "3"},
        "z": {"a": "4", "b": "2"},
        "w": {"a": "1", "b": "2"},
    }
    assert top.entries["w"].line == 7


@pytest.mark.parametrize(
    ("text", "line", "sentence"),
    [
        ("a: 1\nb: [\n", 3, "is not YAML here"),
        ("a: 1\nb: *hunter2\n", 2, "is not YAML here"),
        ("a: 1\na: 2\n", 2, "has the key of this line twice"),
        ("a: 1\n? [b]\n: 2\n", 2, "has a key that is no text"),
        ("- a\n", None, "is no YAML of keys and values"),
        ("", None, "is no YAML of keys and values"),
        ("a: 1\n---\nb: 2\n", 2, "is not YAML here"),
        ("a: \x07\n", None, "holds characters that YAML does not allow"),
        ("a: &a [*a]\n", 1, "holds more, or deeper"),
        ("a: " + "[" * 30 + "]" * 30, 1, "holds more, or deeper"),
        ("a: " + "[" * 20_000, None, "is nested too deeply"),
        ("a: !!python/object/apply:os.system [x]\nb: c\na: d\n", 3, "has the key of this line twice"),
    ],
)
def test_what_is_no_config(text: str, line: int | None, sentence: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse_tree(text, FILE)
    [problem] = raised.value.problems
    assert problem.sentence.startswith(sentence)
    assert problem.line == line
    assert "hunter2" not in str(problem)


def test_a_bomb_of_aliases_is_counted_not_blown_up() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    with pytest.raises(ConfigError, match="holds more"):
        parse_tree("\n".join(lines), FILE)
    assert MAX_NODES < 9**9
    assert MAX_DEPTH > 9, "so it was the number"


def test_a_tag_makes_no_object() -> None:
    assert plain(parse_tree("a: !!python/object/apply:os.system ['exit 1']\n", FILE)) == {"a": ["exit 1"]}


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    file = tmp_path / "other.yml"
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        read_tree(file)
    file.write_bytes(b"a: 1\nb: \xff\n")
    with pytest.raises(ConfigError, match=r"other\.yml:2: is not UTF-8"):
        read_tree(file)
    file.write_bytes(b"#" * (MAX_FILE_BYTES + 1))
    with pytest.raises(ConfigError, match="is larger than"):
        read_tree(file)


@given(st.text("ab: -[]{}&*!#|>'\"\n?,%@`~<\\", max_size=60))
def test_any_text_is_a_tree_or_an_error_in_words(text: str) -> None:
    with suppress(ConfigError):
        assert isinstance(plain(parse_tree(text, FILE)), dict)
