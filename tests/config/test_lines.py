"""Every key of any TOML text is found on the line where it stands."""

import re
import tomllib

import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from camgate.config.errors import KeyPath, key_in_words
from camgate.config.lines import KeyLines

keys = st.text(st.sampled_from("abAB01-_ .\"'#=[]{}\\é\n"), max_size=4)
scalars = st.integers() | st.booleans() | st.text(max_size=12) | st.floats(allow_nan=False) | st.dates()
documents = st.dictionaries(
    keys,
    st.recursive(
        scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3), max_leaves=12
    ),
    max_size=4,
)


def paths_of(value: object, path: KeyPath = ()) -> set[KeyPath]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found: set[KeyPath] = {path} if path else set()
    return found.union(*(paths_of(item, (*path, key)) for key, item in inner))


@given(document=documents)
def test_no_key_is_missed(document: dict[str, object]) -> None:
    text = tomli_w.dumps(document, multiline_strings=True)
    assert set(KeyLines(text).known) == paths_of(tomllib.loads(text))


@given(names=st.lists(st.from_regex(r"[a-z]{1,5}", fullmatch=True), min_size=1, max_size=8, unique=True))
def test_lines_are_right(names: list[str]) -> None:
    document = {f"section-{name}": {f"key-{name}": {"deep": [name, name]}} for name in names}
    text = tomli_w.dumps(document)
    lines = text.splitlines()
    for path, line in KeyLines(text).known.items():
        named = path[-1] if isinstance(path[-1], str) else f'"{path[-3].removeprefix("key-")}"'
        assert named in lines[line - 1]


TEXT = '''\
# url = "not here"
[server]  # comment
listen = "x # not a comment"
"quoted key" = """
listen = "inside of a string"
\\""" still inside"""
list = [
  1, # one
  [ "a", "]" ],
]
[cameras.front]
url = 'rtsp://cam/#x'
login . name = "dotted"
inline = { a = 1, b.c = { d = "}" } }
[[cameras.more]]
x = 1
[[cameras.more]]
x = 2
[cameras.more.sub]
y = 3
'''


def test_all_that_toml_has() -> None:
    found = {key_in_words(path): line for path, line in KeyLines(TEXT).known.items()}
    assert found == {
        "server": 2,
        "server.listen": 3,
        'server."quoted key"': 4,
        "server.list": 7,
        "server.list[0]": 8,
        "server.list[1]": 9,
        "server.list[1][0]": 9,
        "server.list[1][1]": 9,
        "cameras": 11,
        "cameras.front": 11,
        "cameras.front.url": 12,
        "cameras.front.login": 13,
        "cameras.front.login.name": 13,
        "cameras.front.inline": 14,
        "cameras.front.inline.a": 14,
        "cameras.front.inline.b": 14,
        "cameras.front.inline.b.c": 14,
        "cameras.front.inline.b.c.d": 14,
        "cameras.more": 15,
        "cameras.more[0]": 15,
        "cameras.more[0].x": 16,
        "cameras.more[1]": 17,
        "cameras.more[1].x": 18,
        "cameras.more[1].sub": 19,
        "cameras.more[1].sub.y": 20,
    }


def test_an_unknown_key_is_on_the_line_of_its_table() -> None:
    lines = KeyLines(TEXT)
    assert lines.line_of(("cameras", "front", "missing")) == 11
    assert lines.line_of(("nothing",)) is None


@given(text=st.text(st.sampled_from("a=.[]{}\"'#,\n 1\\")))
def test_any_text_ends(text: str) -> None:
    last = len(re.findall("\n", text)) + 1
    assert all(1 <= line <= last for line in KeyLines(text).known.values())
