"""What a camera can do wrong in a codec's own data."""

from camgate.base.errors import RemoteError


class SpsMalformed(RemoteError):
    """A sequence parameter set that cannot be read; pictures may decode all the same, so nobody gives up for it."""

    def __init__(self, defect: str) -> None:
        super().__init__(defect)
        self.defect = defect

    def __str__(self) -> str:
        return f"malformed sequence parameter set: {self.defect}"
