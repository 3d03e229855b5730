"""`Frame`: one access unit of one track, the unit of fan-out, dropping, caching and sending.

Knows nothing of RTP packets or of who reads it.
"""


class Frame:
    """One access unit (picture) of a video track, or one encoded piece of sound; immutable once it is published.

    nals: the NAL units in decoding order, without start codes or length prefixes. A key frame carries its
        parameter sets (H.264: SPS and PPS before the IDR slices), so that any reader can start there.
        Of audio: one item, what a decoder takes at a time; all audio frames are key frames.
    rtp_time: media time in ticks of the track's clock (90 kHz for video). From a depacketiser it is the camera's
        32-bit RTP timestamp; after `relay.splice` it is unwrapped, continuous and never runs backward.
    display_time: when the picture is to be shown, in the same time. It differs from `rtp_time`, which then only tells
        the order, where a stream has B-frames.
    camera_time: the camera's own 32-bit timestamp. It is data: nothing may be timed by it (see docs/design/time.md).
    arrival_s: monotonic time at which the frame's last bytes were read from the camera.
    is_key: decoding can start here.
    size_bytes: sum of the NAL units' lengths.
    """

    __slots__ = ("__weakref__", "arrival_s", "camera_time", "display_time", "is_key", "nals", "rtp_time", "size_bytes")

    def __init__(self, nals: tuple[bytes, ...], rtp_time: int, arrival_s: float, is_key: bool) -> None:
        self.nals = nals
        self.rtp_time = self.display_time = self.camera_time = rtp_time
        self.arrival_s = arrival_s
        self.is_key = is_key
        self.size_bytes = sum(map(len, nals))

    def __repr__(self) -> str:
        kind = "key " if self.is_key else ""
        return f"<Frame {kind}rtp_time={self.rtp_time} nals={len(self.nals)} bytes={self.size_bytes}>"
