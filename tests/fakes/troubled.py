"""camgate in a machine that gets into trouble when it is told to: another time, names nobody knows, less memory.

    python -m tests.fakes.troubled run --config FILE

does what stands in FILE.trouble, a `Trouble` as JSON, as soon as it stands there, and then writes FILE.done. The clock
and the resolver are put in place of Python's own before camgate is imported; all else is camgate itself.
"""

import json
import socket
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

HANG_S = 300.0
"""Of a resolver that does not answer: longer than any test."""
LOOK_S = 0.02
PIECE_BYTES = 2_000
"""As viewers' objects: from the heap, where a large piece would be the kernel's own again at once."""
PIECES_A_STEP = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What is wrong with the machine.

    clock_s: how far the wall clock is from the true time. burden_mb: memory that is taken, as if many viewers had come.
    names: their addresses; None for a look-up that takes for ever. Other names in `.test` are unknown.
    """

    clock_s: float = 0.0
    burden_mb: int = 0
    names: Mapping[str, str | None] = field(default_factory=dict)


class Cause:
    """The tests' side; config: FILE."""

    def __init__(self, config: Path) -> None:
        self._file, self._done = config.with_suffix(".trouble"), config.with_suffix(".done")

    def __call__(self, **trouble: Any) -> None:
        """Cause this trouble, and end what was caused before. Does not wait."""
        self._done.unlink(missing_ok=True)
        new = self._file.with_suffix(".new")
        new.write_text(json.dumps(asdict(Trouble(**trouble))))
        new.rename(self._file)

    @property
    def is_done(self) -> bool:
        """Whether the latest trouble is there."""
        return self._done.exists()


class Machine:
    """What camgate finds in place of its own machine."""

    def __init__(self, config: Path) -> None:
        self._config = config
        self._trouble = Trouble()
        self._taken: list[bytes] = []
        self._kept: list[bytes] = []
        self._time, self._getaddrinfo = time.time, socket.getaddrinfo

    def install(self) -> None:
        """Take the place."""
        time.time = self._wrong_time
        socket.getaddrinfo = self._look_up
        threading.Thread(target=self._watch, daemon=True).start()

    def _wrong_time(self) -> float:
        return self._time() + self._trouble.clock_s

    def _look_up(self, host: Any, *arguments: Any, **options: Any) -> Any:
        if isinstance(host, str) and host.endswith(".test") and not options.get("flags", 0) & socket.AI_NUMERICHOST:
            address = self._trouble.names.get(host, "")
            if address is None:
                time.sleep(HANG_S)
            if not address:
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            host = address
        return self._getaddrinfo(host, *arguments, **options)

    def _watch(self) -> None:
        file, done, before = self._config.with_suffix(".trouble"), self._config.with_suffix(".done"), ""
        while True:
            # There may be no descriptors left, too.
            with suppress(OSError):
                text = file.read_text() if file.exists() else ""
                if text != before:
                    self._trouble = Trouble(**json.loads(text))
                    self._carry()
                    done.touch()
                    before = text
            time.sleep(LOOK_S)

    def _carry(self) -> None:
        """Take or free memory, in steps that leave camgate its turns."""
        wanted = self._trouble.burden_mb * 1_000_000 // PIECE_BYTES
        while len(self._taken) < wanted:
            self._taken.extend(b"\x01" * PIECE_BYTES for _ in range(PIECES_A_STEP))
            time.sleep(0.001)
        if len(self._taken) > wanted:
            # What lives at the end of a heap keeps all of it.
            self._kept.append(self._taken.pop())
        while len(self._taken) > wanted:
            del self._taken[-PIECES_A_STEP:]
            time.sleep(0.001)


if __name__ == "__main__":
    Machine(Path(sys.argv[sys.argv.index("--config") + 1])).install()

    from camgate.__main__ import main

    main()
