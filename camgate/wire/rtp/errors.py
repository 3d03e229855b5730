"""What a peer can do wrong in RTP and RTCP."""

from camgate.base.errors import RemoteError


class RtpMalformed(RemoteError):
    """A packet that is no RTP packet (RFC 3550 5.1). `defect` says why, `size_bytes` helps to find it in a capture."""

    def __init__(self, defect: str, size_bytes: int) -> None:
        super().__init__(defect, size_bytes)
        self.defect = defect
        self.size_bytes = size_bytes

    def __str__(self) -> str:
        return f"malformed RTP packet of {self.size_bytes} bytes: {self.defect}"


class RtcpMalformed(RemoteError):
    """A packet whose very first part is no RTCP packet (RFC 3550 6.4)."""

    def __init__(self, defect: str, size_bytes: int) -> None:
        super().__init__(defect, size_bytes)
        self.defect = defect
        self.size_bytes = size_bytes

    def __str__(self) -> str:
        return f"malformed RTCP packet of {self.size_bytes} bytes: {self.defect}"
