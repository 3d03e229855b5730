"""Whatever stands in a config file, only ConfigError comes out, and each of its problems is one line."""

from pathlib import Path

import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from camgate.config.checks import MAX_NAME_CHARS
from camgate.config.errors import ConfigError
from camgate.config.load import parse
from camgate.config.model import Settings
from camgate.config.schema import CAMERA_KEYS, SECTIONS
from tests.fuzz.reach import Reach

REFERENCE = (Path(__file__).parents[2] / "etc" / "camgate.toml").read_text()

anything = st.recursive(
    st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.dates() | st.just("${HOME}"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
urls = st.from_regex(r"rtsps?://([a-z:@/${}]{0,8}@)?[a-z0-9.]{1,9}(:[0-9]{1,6})?(/[a-z@?=]{0,8})?", fullmatch=True)
names = st.from_regex(r"[a-zA-Z][a-z0-9._ -]{0,5}", fullmatch=True) | st.text(max_size=MAX_NAME_CHARS + 1)
cameras = st.dictionaries(
    names,
    st.fixed_dictionaries({"url": urls}, optional=dict.fromkeys(CAMERA_KEYS.keys() - {"url"}, anything)),
    min_size=1,
    max_size=3,
)
documents = st.fixed_dictionaries(
    {"cameras": cameras},
    optional={
        name: st.fixed_dictionaries({}, optional=dict.fromkeys(section.keys, anything))
        for name, section in SECTIONS.items()
    }
    | {"other": anything},
)


@st.composite
def mutated_texts(draw: st.DrawFn) -> str:
    """The reference config with a piece cut out and another put in."""
    start = draw(st.integers(0, len(REFERENCE)))
    end = start + draw(st.integers(0, 30))
    return REFERENCE[:start] + draw(st.text(max_size=10) | st.sampled_from(["\n[", '"', "= ", "]]"])) + REFERENCE[end:]


def parse_or_problems(text: str) -> Settings | ConfigError:
    try:
        return parse(text, {"HOME": "/home/x"}, file="x.toml", directory=Path("/nonexistent"))
    except ConfigError as error:
        for problem in error.problems:
            assert str(problem).isprintable(), "one problem, one line"
            assert problem.line is None or 1 <= problem.line <= text.count("\n") + 1
        return error


def test_mutated_text() -> None:
    reach = Reach("config text")

    @given(text=mutated_texts())
    def fuzz(text: str) -> None:
        result = parse_or_problems(text)
        reach.seen(isinstance(result, Settings) or any(problem.key for problem in result.problems))

    fuzz()
    reach.check()


def test_any_values() -> None:
    reach = Reach("config values")

    @given(document=documents)
    def fuzz(document: dict[str, object]) -> None:
        result = parse_or_problems(tomli_w.dumps(document))
        reach.seen(isinstance(result, Settings) or all(problem.key for problem in result.problems))

    fuzz()
    reach.check()
