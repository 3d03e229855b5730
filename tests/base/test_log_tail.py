"""The latest lines of the log: what keeping them costs."""

import logging
import tracemalloc

from camgate.base.log_format import Entry, line_of
from camgate.base.log_tail import KEPT_LINES, LogTail

MOST_BYTES_A_LINE = 600


def test_it_is_as_small_as_it_says_once_it_is_full() -> None:
    tail = LogTail()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for number in range(2 * KEPT_LINES):
            fields = {"camera": f"camera{number % 7}", "viewer": f"{number:08x}", "address": f"127.0.0.1:{number}"}
            entry = Entry("viewer connected", fields)
            tail.write(line_of(logging.LogRecord("camgate.x", logging.INFO, "", 0, entry, (), None)))
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [kept.number for kept in tail.after(2 * KEPT_LINES - 2)] == [2 * KEPT_LINES - 1, 2 * KEPT_LINES]
    assert after - before < KEPT_LINES * MOST_BYTES_A_LINE
