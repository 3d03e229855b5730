"""How far fuzzing reaches: the share of generated inputs that get past a parser's first check.

A fuzz test whose inputs are all refused at the first byte proves nothing about the code behind it, so each fuzz test
counts, prints and bounds that share.
"""

from types import TracebackType
from typing import Self


class Reach:
    """Counts one fuzz test's inputs; `check` fails when too few of them were let in.

        reach = Reach("rtsp message")

        @given(mutated_messages())
        def fuzz(data: bytes) -> None:
            try:
                parse_untrusted(data)
            except MalformedMessage as error:
                reach.seen(error.offset > 0)
            else:
                reach.seen(True)

        fuzz()
        reach.check()

    `with Reach("rtsp message") as reach: ...` checks at the end of the block by itself.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.inputs = 0
        self.passed = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.check()

    def __str__(self) -> str:
        return f"fuzz {self.name}: {self.inputs} inputs, {100 * self.share:.0f} % past the first check"

    @property
    def share(self) -> float:
        """The part of the inputs that got past the first check, 0-1."""
        return self.passed / self.inputs if self.inputs else 0.0

    def seen(self, passed: bool) -> None:
        """Count one input; `passed` says whether it got past the first check."""
        self.inputs += 1
        self.passed += passed

    def check(self, at_least: float = 0.2) -> None:
        """Print the share, and fail unless it is `at_least` (0-1) and any input was seen at all."""
        print(self)
        assert self.inputs, f"fuzz {self.name}: no input was seen"
        assert self.share >= at_least, f"{self}: wanted at least {100 * at_least:.0f} %"
