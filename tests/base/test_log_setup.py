"""The whole pipeline: from any logger of the process to console and files, and what happens when those fail."""

import logging
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from camgate.base.log import get_logger
from camgate.base.log_file import DailyFile, FileLimits
from camgate.base.log_format import LogLine
from camgate.base.log_setup import RETRY_FILE_S, FileSink, set_level, setup_logging
from camgate.base.secrets import register_secret

log = get_logger("test")


@dataclass(frozen=True)
class Destination:
    directory: Path
    output: str = "console"
    level: str = "info"
    max_size_mb: int = 500
    max_backups: int = 15
    max_age_days: int = 15


@dataclass
class Console:
    descriptor: int
    path: Path

    def read(self) -> str:
        return self.path.read_text()


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Console]:
    path = tmp_path / "console"
    with path.open("wb") as file:
        yield Console(file.fileno(), path)


def log_file(directory: Path) -> str:
    return "".join(path.read_text() for path in directory.glob("camgate-*.log"))


def test_console(tmp_path: Path, console: Console) -> None:
    with setup_logging(Destination(tmp_path), console=console.descriptor):
        log.info("hello", camera="front")
        log.debug("not this")
        logging.getLogger("aiortc").info("nor this")
        logging.getLogger("hypercorn.error").warning("but %s", "this")
    assert " INFO    test hello camera=front\n" in console.read()
    assert " WARNING hypercorn.error but this\n" in console.read()
    assert "not this" not in console.read()
    assert "nor this" not in console.read()


def test_another_level_holds_for_all_libraries(tmp_path: Path, console: Console) -> None:
    foreign = logging.getLogger("hypercorn.error")
    with setup_logging(Destination(tmp_path), console=console.descriptor):
        for level in ("error", "debug"):
            set_level(level)
            log.debug(f"ours at {level}")
            foreign.warning("theirs at %s", level)
            foreign.info("too much at %s", level)
    said = console.read()
    assert ("ours at debug" in said, "ours at error" in said) == (True, False)
    assert ("theirs at debug" in said, "theirs at error" in said) == (True, False)
    assert "too much" not in said


def test_files_say_where_they_are_and_how_they_rotate(tmp_path: Path, console: Console) -> None:
    with setup_logging(Destination(tmp_path / "logs", output="file"), console=console.descriptor):
        log.info("hello")
    first = log_file(tmp_path / "logs").splitlines()[0]
    assert f"logging to files path={tmp_path}/logs/camgate-20" in first
    assert "level=info output=file max_size_mb=500 max_backups=15 max_age_days=15" in first
    assert console.read().splitlines() == [first]
    assert "test hello" in log_file(tmp_path / "logs")


def test_both(tmp_path: Path, console: Console) -> None:
    with setup_logging(Destination(tmp_path / "logs", output="both"), console=console.descriptor):
        log.info("hello")
    assert log_file(tmp_path / "logs") == console.read()
    assert len(console.read().splitlines()) == 2


def test_secrets_do_not_pass(tmp_path: Path, console: Console) -> None:
    register_secret("canary/pass word")
    with setup_logging(Destination(tmp_path / "logs", output="both"), console=console.descriptor):
        log.info("sentence canary/pass word", url="rtsp://a:canary%2Fpass%20word@cam/x", value="canary/pass word")
        logging.getLogger("hypercorn").error("header %r", [(b"authorization", b"Basic Y2FuYXJ5")])
        try:
            raise ValueError("canary/pass word")
        except ValueError:
            log.exception("bug")
    for text in (console.read(), log_file(tmp_path / "logs")):
        assert "canary" not in text
        assert "Y2FuYXJ5" not in text
        assert "ValueError: ***" in text


def test_repeats_are_folded_and_flushed_at_the_end(tmp_path: Path, console: Console) -> None:
    with setup_logging(Destination(tmp_path), console=console.descriptor):
        for sequence in range(42):
            log.warning("packet lost", sequence=sequence)
    lines = console.read().splitlines()
    assert lines[0].endswith("packet lost sequence=0")
    assert lines[-1].endswith("packet lost sequence=41 (repeated 41 times)")


def test_errors_of_threads_and_finalisers_take_the_same_road(tmp_path: Path, console: Console) -> None:
    register_secret("canary-thread")

    def fail() -> None:
        raise RuntimeError("canary-thread")

    with setup_logging(Destination(tmp_path), console=console.descriptor):
        thread = threading.Thread(target=fail, name="worker")
        thread.start()
        thread.join()
    assert "a thread was ended by an error thread=worker" in console.read()
    assert "RuntimeError: ***" in console.read()


def test_everything_is_as_before_afterwards(tmp_path: Path, console: Console) -> None:
    root = logging.getLogger()
    before = root.handlers[:], root.level, threading.excepthook, threading.active_count()
    with setup_logging(Destination(tmp_path, level="debug"), console=console.descriptor):
        assert root.handlers != before[0]
    assert (root.handlers[:], root.level, threading.excepthook, threading.active_count()) == before


def test_a_console_that_nobody_reads_any_more_stops_nothing(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with setup_logging(Destination(tmp_path / "logs", output="both"), console=writer):
        log.info("hello")
    os.close(writer)
    assert "hello" in log_file(tmp_path / "logs")


def test_a_directory_that_cannot_be_written_is_told_once(tmp_path: Path, console: Console) -> None:
    (tmp_path / "logs").write_text("a file, not a directory")
    with setup_logging(Destination(tmp_path / "logs", output="both"), console=console.descriptor):
        log.info("first")
        log.info("second")
    assert console.read().count("cannot write log files in") == 1
    assert console.read().count("test second") == 1


def test_without_its_files_the_log_is_on_the_console(tmp_path: Path, console: Console) -> None:
    (tmp_path / "logs").write_text("a file, not a directory")
    with setup_logging(Destination(tmp_path / "logs", output="file"), console=console.descriptor):
        log.info("first")
        log.info("second")
    told, where, *lines = console.read().splitlines()
    assert told.endswith("File exists; logging here until it works")
    assert "logging to files path=" in where
    assert [line.split()[-1] for line in lines] == ["first", "second"]


def test_lines_are_on_the_console_only_while_files_fail(tmp_path: Path) -> None:
    seen: list[str] = []

    class Seen:
        def write(self, line: LogLine) -> None:
            seen.append(line.text)

        def close(self) -> None:
            raise AssertionError

    now = 0.0
    file = DiskWithRoom(tmp_path, FileLimits(1000, 15, 15))
    sink = FileSink(file, complain=lambda line: None, instead=Seen(), clock=lambda: now)
    for text, full, waited_s in [
        ("one", False, 0),
        ("two", True, 0),
        ("three", True, 1),
        ("four", False, RETRY_FILE_S),
    ]:
        file.full = full
        now += waited_s
        sink.write(LogLine(0.0, 20, "x", text, text))
    sink.close()
    assert seen == ["two", "three"]
    assert "one" in log_file(tmp_path)
    assert "four" in log_file(tmp_path)


class DiskWithRoom(DailyFile):
    """A disk that is full whenever the test says so."""

    full = False

    def write(self, text: str, time_s: float) -> None:
        if self.full:
            raise OSError(28, "No space left on device")
        super().write(text, time_s)


def test_a_full_disk_is_told_once_and_tried_again(tmp_path: Path) -> None:
    told: list[str] = []
    now = 0.0
    file = DiskWithRoom(tmp_path, FileLimits(1000, 15, 15))
    sink = FileSink(file, complain=lambda line: told.append(line.text), clock=lambda: now)
    write: Callable[[str], None] = lambda text: sink.write(LogLine(0.0, 20, "x", text, text))  # noqa: E731
    write("one")
    file.full = True
    write("two")
    write("three")
    now += RETRY_FILE_S
    write("four")
    file.full = False
    write("five")
    now += RETRY_FILE_S
    write("six")
    sink.close()
    assert told == [
        f"cannot write log files in {tmp_path}: No space left on device; going on without them",
        "log files are written again; lines missing in them: 4",
    ]
    written = log_file(tmp_path)
    assert [word for word in ("one", "two", "three", "four", "five", "six") if word in written] == ["one", "six"]
