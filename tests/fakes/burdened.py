"""camgate whose process takes 400 MB more from SIGUSR1 on, as if many viewers had come."""

import signal

from camgate.__main__ import main

BURDEN_MB = 400
_burden: list[bytes] = []


def take(*_: object) -> None:
    _burden.append(b"\x01" * (BURDEN_MB * 1_000_000))


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, take)
    main()
