"""camgate that keeps eight megabytes each time somebody looks at its metrics: what a soak has to find.

python -m tests.soak.leaky run --config FILE

A soak looks at equal times, so that the leak is as even as a leak can be, however busy the machine is.
"""

from camgate.__main__ import main
from camgate.metrics.page import Metrics

LEAK_BYTES = 8_000_000
MOST_LEAKS = 100
_kept: list[bytes] = []
_page = Metrics.page


async def _page_and_keep(metrics: Metrics, accept: str) -> tuple[bytes, str]:
    if len(_kept) < MOST_LEAKS:
        _kept.append(b"\x01" * LEAK_BYTES)
    return await _page(metrics, accept)


if __name__ == "__main__":
    Metrics.page = _page_and_keep  # type: ignore[method-assign]
    main()
