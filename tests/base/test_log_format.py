"""One record is one line: quoted, escaped, masked; a traceback follows behind a bar."""

import logging
import sys
from enum import Enum

from hypothesis import given
from hypothesis import strategies as st

from camgate.base.log_format import MAX_TEXT_CHARS, Entry, LogLine, line_of
from camgate.base.secrets import register_secret


class Colour(Enum):
    RED = "red"


def record_of(message: object, *args: object, **more: object) -> logging.LogRecord:
    return logging.LogRecord("camgate.ingest", logging.INFO, "", 0, message, args, None, **more)


def text_of(sentence: str, **fields: object) -> str:
    return line_of(record_of(Entry(sentence, fields))).text


def test_sentence_and_fields() -> None:
    fields = {"camera": "front", "address": "192.0.2.7:554", "age_s": 0.1234567891, "tries": 3, "why": None}
    assert text_of("camera lost", **fields) == (
        "camera lost camera=front address=192.0.2.7:554 age_s=0.123457 tries=3 why=None"
    )


def test_values_that_could_be_misread_are_quoted() -> None:
    assert text_of(
        "x", a="two words", b="", c='say "hi"', d="k=v", e=Colour.RED, f=OSError("no route"), g=OSError()
    ) == ('x a="two words" b="" c="say \\"hi\\"" d="k=v" e=red f="no route" g=OSError')


@given(value=st.text())
def test_nobody_forges_a_line(value: str) -> None:
    line = line_of(record_of(Entry("sentence", {"reason": value}))).render()
    assert line.count("\n") == 1
    assert line.splitlines() == [line[:-1]]
    assert line[:-1].isprintable()


def test_other_libraries_lines_take_the_same_road() -> None:
    line = line_of(record_of("got %s from\n%s", "Authorization: Basic YTpi", "rtsp://a:b@cam/"))
    assert line.text == "got Authorization: ***\\nrtsp://***@cam/"


def test_a_record_that_cannot_be_formatted_does_not_raise() -> None:
    assert "could not be formatted" in line_of(record_of("%d", "no number")).text


def test_traceback_is_masked_and_behind_a_bar() -> None:
    register_secret("canary-in-traceback")
    try:
        raise ValueError("canary-in-traceback\n2026-11-23 ERROR forged")
    except ValueError:
        record = logging.LogRecord("camgate.x", logging.ERROR, "", 0, Entry("bug", {}), (), sys.exc_info())
    rendered = line_of(record).render()
    assert "canary" not in rendered
    assert "    | ValueError: ***\n    | 2026-11-23 ERROR forged\n" in rendered
    assert all(line.startswith("    | ") for line in rendered.splitlines()[1:])


def test_long_text_is_cut_without_leaving_half_a_secret() -> None:
    register_secret("canary-at-the-cut")
    text = text_of("x", body="-" * (MAX_TEXT_CHARS - 15) + "canary-at-the-cut" + "-" * 1_000_000)
    assert len(text) < MAX_TEXT_CHARS + 60
    assert "canary" not in text


def test_rendered_line() -> None:
    line = LogLine(0.5, logging.WARNING, "relay", "slow", "slow")
    assert line.render().endswith(" WARNING relay slow\n")
    assert ".500" in line.render()
    assert "\x1b[33mWARNING\x1b[0m" in line.render(colour=True)


def test_repeats_are_equal_but_for_figures() -> None:
    def identity(**fields: object) -> object:
        return line_of(record_of(Entry("packet lost", fields))).identity

    assert identity(camera="a", sequence=1) == identity(camera="a", sequence=2)
    assert identity(camera="a", sequence=1) != identity(camera="b", sequence=1)
