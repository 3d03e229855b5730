"""What a camera can do wrong in a codec's own data."""

from camgate.base.errors import RemoteError


class BitstreamMalformed(RemoteError):
    """Coded data that ends too early or holds a value that its standard does not allow."""

    def __init__(self, defect: str) -> None:
        super().__init__(defect)
        self.defect = defect

    def __str__(self) -> str:
        return f"malformed video data: {self.defect}"


class SpsMalformed(BitstreamMalformed):
    """A sequence parameter set that cannot be read; its pictures may decode all the same, so nobody gives up for it."""

    def __str__(self) -> str:
        return f"malformed sequence parameter set: {self.defect}"


class AudioMalformed(RemoteError):
    """An RTP payload that its audio format does not allow; costs the packet and nothing else."""

    def __init__(self, defect: str) -> None:
        super().__init__(defect)
        self.defect = defect

    def __str__(self) -> str:
        return f"malformed audio data: {self.defect}"
