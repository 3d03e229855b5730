"""Distances between RTP's counters, which wrap around (RFC 3550 5.1)."""


def sequence_delta(newer: int, older: int) -> int:
    """Return how many packets `newer` is ahead of `older`: -32,768 to 32,767, both sequence numbers of 16 bits."""
    return (newer - older + 0x8000 & 0xFFFF) - 0x8000


def timestamp_delta(newer: int, older: int) -> int:
    """Return how many ticks `newer` is ahead of `older`: -2^31 to 2^31 - 1, both RTP timestamps of 32 bits."""
    return (newer - older + 0x80000000 & 0xFFFFFFFF) - 0x80000000
