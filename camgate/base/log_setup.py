"""Where log lines go: sets up the standard library's logging for a run and takes it down again.

One thread writes. The event loop only puts lines into a bounded queue, so a slow disk or a console that nobody reads
(`camgate run | less`) never holds up a picture; when the queue is full lines are dropped and counted. The thread also
owns folding, files and the clock of both.
"""

import logging
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Protocol

from camgate.base.log_file import DailyFile, FileLimits
from camgate.base.log_format import Entry, LogLine, line_of
from camgate.base.log_repeats import Repeats
from camgate.base.log_tail import LogTail

MAX_QUEUED_LINES = 10_000
"""Lines that wait for the writer: seconds of a bad day, a few megabytes."""

CLOSE_DEADLINE_S = 1.0
"""How long the end of a run waits for the last lines; a console that is never read again must not hold it up."""

RETRY_FILE_S = 10.0
"""How long after a failure (disk full, directory gone) the log file is tried again."""

MEGABYTE = 1_000_000

STDERR = 2


class LogDestination(Protocol):
    """What `setup_logging` needs to know; the `[logging]` section of the config."""

    @property
    def level(self) -> str: ...
    @property
    def output(self) -> str: ...
    @property
    def directory(self) -> Path: ...
    @property
    def max_size_mb(self) -> int: ...
    @property
    def max_backups(self) -> int: ...
    @property
    def max_age_days(self) -> int: ...


@contextmanager
def setup_logging(settings: LogDestination, *, console: int = STDERR) -> Iterator[None]:
    """Send all logging of the process where `settings` say, until the block ends; `console` is a file descriptor.

    Other libraries are heard from WARNING on. The first line says where the lines go. Lines that cannot be
    written to files go to the console, whatever `settings` say.
    """
    terminal = ConsoleSink(console)
    with _installed(LineHandler(_sinks(settings, terminal)), settings.level):
        yield


def set_level(level: str) -> None:
    """Hear camgate from this level on, and other libraries from WARNING, or from it where it is higher."""
    number = logging.getLevelNamesMapping()[level.upper()]
    logging.getLogger("camgate").setLevel(number)
    logging.getLogger().setLevel(max(logging.WARNING, number))


class Sink(Protocol):
    """Something that lines are written to; never raises."""

    def write(self, line: LogLine) -> None: ...
    def close(self) -> None: ...


class ConsoleSink:
    """Writes to a terminal or pipe; gives up for good when that goes away.

    It writes to the descriptor and not to `sys.stderr`: a thread that is stuck inside of that one's lock aborts the
    interpreter at its end.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor
        self._colour = os.isatty(descriptor) and not os.environ.get("NO_COLOR")

    def write(self, line: LogLine) -> None:
        data = line.render(colour=self._colour).encode(errors="backslashreplace")
        try:
            while data and self._descriptor is not None:
                data = data[os.write(self._descriptor, data) :]
        except BlockingIOError:  # somebody made it non-blocking, and it is full: this line is lost
            return
        except OSError:
            self._descriptor = None

    def close(self) -> None:
        """Nothing to do: the descriptor belongs to our caller."""


class FileSink:
    """Writes to the daily files; when it cannot it says so once, counts the lines, and tries again now and then."""

    def __init__(
        self,
        file: DailyFile,
        complain: Callable[[LogLine], None],
        *,
        instead: Sink | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """instead: where lines go while the files cannot be written; None where they are seen elsewhere anyway."""
        self._file = file
        self._complain = complain
        self._instead = instead
        self._clock = clock
        self._retry_at: float | None = None
        self._missing_lines = 0

    @property
    def is_written(self) -> bool:
        """Whether the latest line went into a file."""
        return self._retry_at is None

    def write(self, line: LogLine) -> None:
        if self._retry_at is not None and self._clock() < self._retry_at:
            self._pass_on(line)
            return
        try:
            self._file.write(line.render(), line.time_s)
        except OSError as error:
            self._fail(error)
            self._pass_on(line)
        else:
            self._recover()

    def close(self) -> None:
        self._file.close()

    def _fail(self, error: OSError) -> None:
        self._file.close()
        if self._retry_at is None:
            reason = error.strerror or str(error)
            way_on = "logging here until it works" if self._instead else "going on without them"
            self._complain(_note(f"cannot write log files in {self._file.directory}: {reason}; {way_on}"))
        self._retry_at = self._clock() + RETRY_FILE_S

    def _pass_on(self, line: LogLine) -> None:
        self._missing_lines += 1
        if self._instead:
            self._instead.write(line)

    def _recover(self) -> None:
        if self._retry_at is not None:
            missing = f"lines missing in them: {self._missing_lines}"
            self._complain(_note(f"log files are written again; {missing}", logging.WARNING))
            self._retry_at = None
            self._missing_lines = 0


class LineHandler(logging.Handler):
    """Turns records into lines and hands them to the thread that writes them."""

    def __init__(self, sinks: list[Sink]) -> None:
        super().__init__()
        self.tail = LogTail()
        self._sinks: list[Sink] = [*sinks, self.tail]
        self._queue: queue.Queue[LogLine | None] = queue.Queue(MAX_QUEUED_LINES)
        self._dropped_lines = 0
        self.dropped_in_all = 0
        self._repeats = Repeats()
        self._thread = threading.Thread(target=self._write_until_closed, name="camgate-log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        self.put(line_of(record))

    def put(self, line: LogLine) -> None:
        """Queue a line, or drop and count it."""
        try:
            self._queue.put_nowait(line)
        except queue.Full:
            self._dropped_lines += 1
            self.dropped_in_all += 1

    def close(self) -> None:
        """Write what is queued and folded, as far as it goes within the deadline."""
        super().close()
        try:
            self._queue.put(None, timeout=CLOSE_DEADLINE_S)
        except queue.Full:
            return
        self._thread.join(CLOSE_DEADLINE_S)

    def _write_until_closed(self) -> None:
        while True:
            try:
                line = self._queue.get(timeout=self._wait_s())
            except queue.Empty:
                self._write(self._repeats.handle_deadline(time.monotonic()))
                continue
            if line is None:
                break
            self._write(self._repeats.receive(line, time.monotonic()))
            self._tell_of_dropped_lines()
        self._write(self._repeats.flush(time.monotonic()))
        for sink in self._sinks:
            sink.close()

    def _wait_s(self) -> float | None:
        deadline = self._repeats.next_deadline()
        return None if deadline is None else max(0.0, deadline - time.monotonic())

    def _tell_of_dropped_lines(self) -> None:
        if self._dropped_lines and self._queue.empty():
            dropped, self._dropped_lines = self._dropped_lines, 0
            self._write([_note(f"log lines were dropped because writing is too slow; lines: {dropped}")])

    def _write(self, lines: list[LogLine]) -> None:
        for line in lines:
            for sink in self._sinks:
                sink.write(line)


def dropped_lines() -> int:
    """Return how many lines were dropped since logging was set up, as writing was too slow."""
    return sum(each.dropped_in_all for each in logging.getLogger().handlers if isinstance(each, LineHandler))


def tail_of_log() -> LogTail | None:
    """Return where the latest lines are kept; None where logging was not set up."""
    return next((each.tail for each in logging.getLogger().handlers if isinstance(each, LineHandler)), None)


@contextmanager
def _installed(handler: logging.Handler, level: str) -> Iterator[None]:
    """Make `handler` the only one of the process, also for what would go to stderr past all loggers."""
    root, ours = logging.getLogger(), logging.getLogger("camgate")
    handlers, levels = root.handlers[:], (root.level, ours.level)
    hooks = threading.excepthook, sys.unraisablehook
    root.handlers[:] = [handler]
    set_level(level)
    threading.excepthook, sys.unraisablehook = _log_thread_error, _log_unraisable
    try:
        yield
    finally:
        threading.excepthook, sys.unraisablehook = hooks
        root.handlers[:] = handlers
        root.setLevel(levels[0])
        ours.setLevel(levels[1])
        handler.close()


def _log_thread_error(args: threading.ExceptHookArgs) -> None:
    name = args.thread.name if args.thread else "unknown"
    _log_uncaught(Entry("a thread was ended by an error", {"thread": name}), args.exc_value)


def _log_unraisable(args: "sys.UnraisableHookArgs") -> None:
    _log_uncaught(Entry("nobody was there to catch an error", {"where": args.object}), args.exc_value)


def _log_uncaught(entry: Entry, error: BaseException | None) -> None:
    logging.getLogger("camgate.log").error(entry, exc_info=error)


def _sinks(settings: LogDestination, terminal: ConsoleSink) -> list[Sink]:
    if settings.output == "console":
        return [terminal]
    limits = FileLimits(settings.max_size_mb * MEGABYTE, settings.max_backups, settings.max_age_days)
    daily = DailyFile(settings.directory, limits)
    start = _note(_files_in_words(settings, daily), logging.INFO)
    if settings.output == "both":
        file = FileSink(daily, complain=terminal.write)
    else:
        file = FileSink(daily, complain=terminal.write, instead=terminal)
    file.write(start)
    if settings.output == "both":
        terminal.write(start)
        return [terminal, file]
    if file.is_written:
        terminal.write(start)
    return [file]


def _files_in_words(settings: LogDestination, file: DailyFile) -> str:
    fields = {
        "path": file.path_of(datetime.now().date()).absolute(),
        "level": settings.level,
        "output": settings.output,
        "max_size_mb": settings.max_size_mb,
        "max_backups": settings.max_backups,
        "max_age_days": settings.max_age_days,
    }
    return str(Entry("logging to files", fields))


def _note(text: str, level: int = logging.ERROR) -> LogLine:
    """Return a line about logging itself."""
    return LogLine(time.time(), level, "log", text, identity=text)
