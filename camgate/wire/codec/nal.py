"""What NAL units of H.264 and H.265 share: start codes, emulation prevention, the bits of a fragment's header."""

from collections.abc import Callable, Collection, Sequence

START_CODE = b"\x00\x00\x01"

FU_START = 0x80
FU_END = 0x40
"""Of the FU header: RFC 6184 5.8, RFC 7798 4.4.3."""


def split_annex_b(data: bytes) -> list[bytes]:
    """Split a byte stream at its start codes (Annex B) into NAL units; bytes before the first are one, too."""
    # B.1: trailing_zero_8bits, and the zero_byte of a four-byte start code, belong to no NAL unit.
    return [unit for part in data.split(START_CODE) if (unit := part.rstrip(b"\x00"))]


def unescape(nal: bytes) -> bytes:
    """Remove the emulation prevention bytes of a NAL unit (7.3.1 of either: 00 00 03 -> 00 00)."""
    return nal.replace(b"\x00\x00\x03", b"\x00\x00")


def fragment(nal: bytes, header_bytes: int, indicator: bytes, nal_type: int, max_payload_bytes: int) -> list[bytes]:
    """Cut a NAL unit into the payloads of FUs of equal size, of which only the last may be shorter.

    header_bytes: of the NAL unit, which are not sent. indicator: what stands before the FU header, which ends with the
    bits of `nal_type`.
    """
    before = len(indicator) + 1
    body_bytes = len(nal) - header_bytes
    count = -(-body_bytes // (max_payload_bytes - before))
    size = -(-body_bytes // count)
    middle = indicator + bytes((nal_type,))
    payloads = [middle + nal[at : at + size] for at in range(header_bytes, len(nal), size)]
    payloads[0] = indicator + bytes((nal_type | FU_START,)) + payloads[0][before:]
    payloads[-1] = indicator + bytes((nal_type | FU_END,)) + payloads[-1][before:]
    return payloads


def with_sets(nals: list[bytes], needed: Sequence[bytes], is_set: Callable[[bytes], bool], *, at: int) -> list[bytes]:
    """Return an access unit with the parameter sets that it needs, each once: itself, where it holds them so.

    needed: in the order in which they build on each other. is_set: whether a NAL unit is a parameter set. at: where
    they go if one is missing.
    """
    wanted = frozenset(needed)
    # Slices are left out of it: a hash reads all of them.
    held = [nal for nal in nals if is_set(nal) and nal in wanted]
    if wanted.issubset(held):
        return nals if len(held) == len(needed) else without_repeats(nals, wanted)
    return [*nals[:at], *needed, *(nal for nal in nals[at:] if not (is_set(nal) and nal in wanted))]


def without_repeats(nals: Sequence[bytes], sets: Collection[bytes]) -> list[bytes]:
    """Leave out parameter sets that stand in an access unit already.

    GStreamer's `rtph264pay config-interval=-1` repeats them before each slice. Behind a slice they begin a new access
    unit (H.264 7.4.1.2.3, H.265 7.4.2.4.4), and FFmpeg then takes the picture for two halves.
    """
    seen: set[bytes] = set()
    kept = []
    for nal in nals:
        if nal not in seen:
            kept.append(nal)
        if nal in sets:
            seen.add(nal)
    return kept
