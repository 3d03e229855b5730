"""What a track looks like: video as far as its parameter sets tell, audio as far as the session description does."""

from dataclasses import dataclass

H264_CONSTRAINT_SET1 = 0x40

_H264_PROFILES = {0x42: "Baseline", 0x4D: "Main", 0x58: "Extended", 0x64: "High", 0x6E: "High 10", 0x7A: "High 4:2:2"}
_H264_FOR_BROWSERS = frozenset({"Constrained Baseline", "Baseline", "Main", "Extended", "High"})
"""What every browser decodes, whatever profile it was offered under."""
_H265_FOR_BROWSERS = frozenset({"Main", "Main 10"})
_H265_PROFILES = {1: "Main", 2: "Main 10", 3: "Main Still Picture", 4: "Range Extensions"}


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoFormat:
    """The format of a video track; a new object each time that the camera changes it.

    codec: `H264` or `H265`, as in SDP; `VP8` of a stream that we made, which has none of what parameter sets tell.
    vps, sps, pps: the parameter sets of the latest key frame, without start codes, one of each; H.264 has no VPS.
    profile_level_id: six hexadecimal digits as in SDP (RFC 6184 8.1); empty for H.265.
    profile_id, tier_flag, level_id: of H.265, as in SDP (RFC 7798 7.1); the level times 30. 0 for H.264.
    width, height: pixels shown, after cropping; None where the SPS cannot be read that far.
    fps: frame rate that the SPS claims; None where it claims none.
    may_reorder: the stream may hold B-frames, which browsers cannot play over WebRTC. reorders: it was seen to; else
        its parameter sets say so, which many do without need.
    """

    codec: str = "H264"
    vps: bytes = b""
    sps: bytes
    pps: bytes
    profile_level_id: str = ""
    profile_id: int = 0
    tier_flag: int = 0
    level_id: int = 0
    width: int | None
    height: int | None
    fps: float | None
    may_reorder: bool = False
    reorders: bool = False

    @property
    def profile(self) -> str:
        """The profile's name, such as `Constrained Baseline`, `High` or `Main 10`."""
        if self.codec == "H265":
            return _H265_PROFILES.get(self.profile_id, f"profile {self.profile_id}")
        if self.codec == "VP8":
            return ""
        return h264_profile_name(self.profile_level_id)

    @property
    def is_for_browsers(self) -> bool:
        """Whether there are browsers that decode this profile of H.264 or H.265."""
        return self.profile in (_H265_FOR_BROWSERS if self.codec == "H265" else _H264_FOR_BROWSERS)

    @property
    def level(self) -> float:
        """The level, such as 3.1; 0 for VP8, which has none."""
        if self.codec == "VP8":
            return 0.0
        return self.level_id / 30 if self.codec == "H265" else int(self.profile_level_id[4:6] or "0", 16) / 10

    @property
    def label(self) -> str:
        """Codec and profile for people: `H.264 High`, `H.265 Main`, `VP8`."""
        return "VP8" if self.codec == "VP8" else f"{self.codec[0]}.{self.codec[1:]} {self.profile}"


def h264_profile_name(profile_level_id: str) -> str:
    """Return the name of an H.264 profile from its six hexadecimal digits: `42e01f` is `Constrained Baseline`."""
    try:
        profile, constraints = bytes.fromhex(profile_level_id)[:2]
    except ValueError:
        return "unknown profile"
    # H.264, A.2.1.1: Baseline with constraint_set1_flag is Constrained Baseline.
    if profile == 0x42 and constraints & H264_CONSTRAINT_SET1:
        return "Constrained Baseline"
    return _H264_PROFILES.get(profile, f"profile {profile}")


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioFormat:
    """The format of an audio track.

    codec: encoding name as in SDP, in capitals: `OPUS`, `PCMU`, `PCMA`, `G722`, `MPEG4-GENERIC` and so on.
    clock_hz: of the RTP timestamps. For G722 this is 8000, although it samples 16,000 times a second (RFC 3551 4.5.2).
    channels: as SDP has it; 2 for all Opus (RFC 7587 7).
    config: what a decoder needs beyond that, such as AAC's AudioSpecificConfig; often empty.
    """

    codec: str
    clock_hz: int
    channels: int = 1
    config: bytes = b""

    @property
    def is_for_browsers(self) -> bool:
        """Whether browsers play it as it is: RFC 7874 3, and G.722, which all have too. G.711 at 16 kHz is not PCMU."""
        return (self.codec, self.clock_hz, self.channels) in _FOR_BROWSERS


_FOR_BROWSERS = frozenset({("OPUS", 48_000, 2), ("PCMU", 8_000, 1), ("PCMA", 8_000, 1), ("G722", 8_000, 1)})
